package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/opengenesis/genesis"
)

// product is a genesis binary and the home it works on.
type product struct{ binary, home string }

// build makes the binary from the tree this module is part of.
func build(ctx context.Context, binary, home string) (*product, error) {
	abs, err := filepath.Abs(home)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/opengenesis/genesis/cmd/genesis")
	cmd.Dir, cmd.Env = filepath.Join(moduleDir(), ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build genesis: %w\n%s", err, out)
	}
	return &product{binary, abs}, nil
}

// moduleDir is the nested module's folder: the working directory of `go run
// ./tables`, the parent of that of the test.
func moduleDir() string {
	if _, err := os.Stat("go.mod"); err == nil {
		return "."
	}
	return ".."
}

// call runs a command with --json and reads its output.
func (p *product) call(ctx context.Context, into any, args ...string) error {
	cmd := exec.CommandContext(ctx, p.binary, append(args, "--json", "--home", p.home)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return &callError{err, args, errs.String()}
	}
	return json.Unmarshal(out.Bytes(), into)
}

// callError is what a command said when it did not succeed.
type callError struct {
	err  error
	args []string
	said string
}

func (e *callError) Error() string {
	return fmt.Sprintf("genesis %v: %v\n%s", e.args, e.err, e.said)
}

func (e *callError) Unwrap() error { return e.err }

// train returns the stored model called name, made from the dataset version,
// split and seed; it is trained unless it is there.
func (p *product) train(ctx context.Context, name string, from genesis.Ref, target, split, seed string) (*genesis.Description, error) {
	if d, ok := p.stored(ctx, name, from, split, seed); ok {
		return d, nil
	}
	var trained genesis.Trained
	err := p.call(ctx, &trained, "train", from.String(), "--name", name, "--target", target, "--split", split, "--seed", seed)
	if err != nil {
		return nil, err
	}
	d := new(genesis.Description)
	return d, p.call(ctx, d, "show", trained.Version.Ref().String())
}

// stored returns the newest version of a model if it is the one wanted.
func (p *product) stored(ctx context.Context, name string, from genesis.Ref, split, seed string) (*genesis.Description, bool) {
	d := new(genesis.Description)
	if err := p.call(ctx, d, "show", name); err != nil {
		return nil, false
	}
	r := d.Report
	return d, r != nil && r.Dataset == from && r.Split == split && fmt.Sprint(r.Seed) == seed
}
