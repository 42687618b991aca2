package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// patience is how long the tests may take with a change; one that makes them hang
// is noticed, too.
const patience = 3 * time.Minute

// try runs the tests over a mutant.
func (r Runner) try(ctx context.Context, m Mutant) Outcome {
	out, err := r.test(ctx, &m)
	switch {
	case err == nil && m.why() != "":
		return Same
	case err == nil:
		return Survived
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")),
		filepath.Ext(m.File) == ".cedar" && bytes.Contains(out, []byte(`load policy "`)):
		return Stillborn
	}
	return Killed
}

// test runs the package's tests, over a mutant if there is one.
func (r Runner) test(ctx context.Context, m *Mutant) ([]byte, error) {
	args := []string{"test", "-short", "-failfast", "-count=1", "-vet=off", "-timeout=" + patience.String()}
	if m != nil {
		dir, err := os.MkdirTemp("", "mutation-*")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		overlay, err := m.overlay(r.Root, dir)
		if err != nil {
			return nil, err
		}
		args = append(args, "-overlay="+overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+r.Package)...)
	cmd.Dir = r.Root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	return cmd.CombinedOutput()
}

// overlay writes the changed file, and the list by which the go command finds it.
func (m *Mutant) overlay(root, dir string) (string, error) {
	original, err := filepath.Abs(filepath.Join(root, m.File))
	if err != nil {
		return "", err
	}
	changed, list := filepath.Join(dir, filepath.Base(m.File)), filepath.Join(dir, "overlay.json")
	body, err := json.Marshal(map[string]map[string]string{"Replace": {original: changed}})
	return list, errors.Join(err, os.WriteFile(changed, m.Text, 0o600), os.WriteFile(list, body, 0o600))
}
