package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/examples"
	"github.com/opengenesis/genesis/internal/node"
)

type demoCmd struct {
	Once bool `help:"Tell the story and end; the exit status says whether every step held."`
}

func (demoCmd) Help() string {
	return `Starts three institutions on this machine (a laboratory, a university, a company) and
shows what they do for each other, on real measurements that ship with Genesis. A
researcher finds the laboratory's data, asks, is approved, and trains on rows she
may not read; the company applies the model to its own mixtures; a security officer
proves who did what; a programme manager reads the report. Every line that begins
with a name and $ is a command that was run. Then the nodes stay up for you to
look around, until Ctrl-C.

The homes lie in genesis-demo beside the default home, or in the folder that you
name; each demo begins anew.

Examples:

    genesis demo
    genesis demo --once
    genesis demo --once --home /tmp/try`
}

// demoOutcome is what the demo tells programs.
type demoOutcome struct {
	Holds   bool       `json:"holds"` // every step did
	Seconds float64    `json:"seconds"`
	Nodes   []demoNode `json:"nodes"`
	Steps   []demoStep `json:"steps"`
}

type demoNode struct {
	Node        genesis.NodeID `json:"node"`
	Institution string         `json:"institution"`
	URL         string         `json:"url"`
	Home        string         `json:"home"`
}

// demoStep is a command and what had to come of it.
type demoStep struct {
	Who     string   `json:"who"`
	At      string   `json:"at"`
	Command string   `json:"command"`
	Shows   []string `json:"shows"` // what held, in words
}

func (cmd *demoCmd) Run(a *app) error {
	dir, err := demoFolder(a.homePath)
	if err != nil {
		return err
	}
	started := time.Now()
	d := &demo{app: a, dir: dir}
	defer d.close()
	if err := d.open(); err != nil {
		return err
	}
	if err := d.story(); err != nil {
		return err
	}
	d.outcome.Holds, d.outcome.Seconds = true, time.Since(started).Round(time.Millisecond).Seconds()
	if a.json {
		return a.print(d.outcome, nil)
	}
	if err := a.print(nil, d.epilogue(!cmd.Once)); err != nil || cmd.Once {
		return err
	}
	<-a.ctx.Done()
	return nil
}

// demoMark tells a folder of an earlier demo, which may be removed, from any other.
const demoMark = "this-is-a-genesis-demo"

// demoFolder makes the folder of the demo's homes anew.
func demoFolder(path string) (string, error) {
	if path == "" {
		home, err := node.DefaultHome()
		if err != nil {
			return "", err
		}
		path = home + "-demo"
	}
	fail := func(msg string, err error) (string, error) {
		return "", &genesis.Error{Op: "demo", Kind: genesis.Conflict, Subject: path, Msg: msg, Hint: "name another folder with --home", Err: err}
	}
	left, err := os.ReadDir(path)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail("cannot be read", err)
	case len(left) > 0:
		if _, err := os.Stat(filepath.Join(path, demoMark)); err != nil {
			return fail("holds something else than an earlier demo", err)
		}
		if err := os.RemoveAll(path); err != nil {
			return fail("an earlier demo cannot be removed", err)
		}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fail("cannot be made", err)
	}
	if err := os.WriteFile(filepath.Join(path, demoMark), nil, 0o600); err != nil {
		return fail("cannot be written to", err)
	}
	return filepath.Abs(path)
}

// unpackExamples writes the sample data that the binary carries into dir.
func unpackExamples(dir string) error {
	return fs.WalkDir(examples.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := examples.Files.ReadFile(name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
}
