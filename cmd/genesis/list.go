package main

import (
	"strconv"

	"github.com/opengenesis/genesis"
)

type listCmd struct {
	Kind  string `help:"dataset or model; if missing, both." enum:"dataset,model," default:"" placeholder:"KIND"`
	Limit int    `help:"At most so many." placeholder:"N"`
}

func (listCmd) Help() string {
	return `Examples:

    genesis list
    genesis list --kind model --json`
}

func (cmd *listCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	page, more := genesis.ListPage{Assets: []genesis.Asset{}}, false
	for asset, err := range c.List(a.ctx, genesis.Kind(cmd.Kind)) {
		if err != nil {
			return err
		}
		if more = cmd.Limit > 0 && len(page.Assets) == cmd.Limit; more {
			break
		}
		page.Assets = append(page.Assets, asset)
	}
	return a.print(page, func(p *printer) {
		if len(page.Assets) == 0 && a.at != "" {
			p.line("Nothing that you may know of is there%s.", a.unsigned())
			return
		}
		printAssets(p, page.Assets)
		if more {
			p.line("%s", p.style.dim("There are more: leave out --limit, or raise it."))
		}
	})
}

// unsigned says how to be told more, to those who have not signed in.
func (a *app) unsigned() string {
	if a.at == "" || isNode(a.at) || a.as.token != "" || credential(a.at) != "" {
		return ""
	}
	return " without signing in: genesis login " + a.at
}

func printAssets(p *printer, assets []genesis.Asset) {
	if len(assets) == 0 {
		p.line("Nothing is here yet: genesis prepare FILE… --name NAME")
		return
	}
	t := newTable("name", "kind", "version", "state", ">rows", ">size", "made", "title")
	for _, a := range assets {
		v := genesis.Version{}
		if a.Latest != nil {
			v = *a.Latest
		}
		t.row(string(a.Name), string(a.Kind), shortVersion(v), string(v.State), rowsText(v.Rows), bytesText(v.Bytes), when(v.Created), a.Title)
	}
	t.print(p)
}

func rowsText(n int64) string {
	if n == 0 {
		return ""
	}
	return count(n)
}

// shortVersion is how people tell versions apart: @3, or the digest's beginning.
func shortVersion(v genesis.Version) string {
	if v.Number > 0 {
		return "@" + strconv.Itoa(v.Number)
	}
	return v.Digest.Short()
}

// versionText names a version in a sentence.
func versionText(v genesis.Version) string {
	return string(v.Name) + " " + shortVersion(v) + " (" + string(v.State) + ")"
}
