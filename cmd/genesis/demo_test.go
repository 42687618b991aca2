//go:build linux || darwin

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestDemoFails: a step that does not come out as it has to ends the demo with an error,
// and so does one that is not refused as it has to be.
func TestDemoFails(t *testing.T) {
	d := &demo{app: &app{ctx: t.Context(), out: io.Discard, err: io.Discard}, outcome: demoOutcome{Steps: []demoStep{{Who: "sam", Command: "genesis list"}}}}
	if err := d.holds(true, "it does"); err != nil || d.outcome.Steps[0].Shows[0] != "it does" {
		t.Error(err)
	}
	if err := d.holds(false, "it does"); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("a step that does not hold: %v", err)
	}
	at := &stand{id: "alder", home: filepath.Join(t.TempDir(), "alder")}
	if err := d.refused(d.owner(at), []genesis.ErrorKind{genesis.Permission}, "list"); err == nil {
		t.Error("what is not refused passes for refused")
	}
	if err := d.refused(d.owner(at), []genesis.ErrorKind{genesis.Permission}, "show", "nothing"); err == nil {
		t.Error("what is refused for another reason passes")
	}
	if err := d.refused(d.owner(at), []genesis.ErrorKind{genesis.NotFound}, "show", "nothing"); err != nil {
		t.Error(err)
	}
}

// TestDemoFolder: a demo begins anew over an earlier one, and over nothing else.
func TestDemoFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	for range 2 {
		got, err := demoFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(got, "left"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, demoMark)); err != nil {
		t.Fatal(err)
	}
	if _, err := demoFolder(dir); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("over a folder of somebody: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "left")); err != nil {
		t.Error(err)
	}
}

// TestDemoStops: Ctrl-C ends it.
func TestDemoStops(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	d := &demo{app: &app{ctx: ctx, in: os.Stdin, out: io.Discard, err: io.Discard}}
	if err := d.until(d.owner(&stand{id: "alder", home: filepath.Join(t.TempDir(), "alder")}), func(any) bool { return false }, "list"); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
