package main

import (
	"github.com/opengenesis/genesis"
)

type versionCmd struct{}

func (versionCmd) Help() string {
	return `Examples:

    genesis version
    genesis version --json`
}

func (versionCmd) Run(a *app) error {
	build := genesis.Build()
	return a.print(build, func(p *printer) {
		p.line("%s", build)
		commit := build.Commit
		if build.Modified {
			commit += " with changes"
		}
		p.field("commit", commit)
		p.field("go", build.Go)
		p.field("platform", build.Platform)
	})
}
