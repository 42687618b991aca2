//go:build linux || darwin

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
	if err := d.refused(d.owner(at), refusal{kind: genesis.Permission}, "list"); err == nil {
		t.Error("what is not refused passes for refused")
	}
	if err := d.refused(d.owner(at), refusal{kind: genesis.Permission}, "show", "nothing"); err == nil {
		t.Error("what is refused for another reason passes")
	}
	if err := d.refused(d.owner(at), refusal{genesis.NotFound, []string{"because it rains"}}, "show", "nothing"); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("what is refused in other words passes: %v", err)
	}
	if err := d.refused(d.owner(at), refusal{genesis.NotFound, []string{"nothing"}}, "show", "nothing"); err != nil {
		t.Error(err)
	}
	if _, err := d.does(d.owner(at), []string{"Nothing yet", "snow"}, "members"); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("what does not print what it has to passes: %v", err)
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

// TestDemo plays all of it, which has to be over within a minute.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts three nodes and trains a model")
	}
	var out, aside bytes.Buffer
	a := &app{ctx: t.Context(), in: os.Stdin, out: &out, err: &aside, homePath: filepath.Join(t.TempDir(), "demo"), json: true}
	began, busy, own := time.Now(), busySince(), ownTime(t)
	if err := (&demoCmd{Once: true}).Run(a); err != nil {
		t.Fatalf("%v\n%s", err, aside.String())
	}
	took, computed := time.Since(began), ownTime(t)-own
	others := max(0, busySince()-busy-computed)
	t.Logf("%s, of which it computed %s, and other processes %s", took, computed, others)
	if computed > 2*demoBudget { // what two cores compute in that time
		t.Errorf("it computes for %s, and is to for %s at most", computed, 2*demoBudget)
	}
	if alone := others < took/5; alone && took > demoBudget { // the clock of a machine that others use says nothing
		t.Errorf("it takes %s, and is to take %s at most", took, demoBudget)
	}
	var told demoOutcome
	if err := json.Unmarshal(out.Bytes(), &told); err != nil || !told.Holds || len(told.Nodes) != 3 || len(told.Steps) < 40 {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// demoBudget is how long the demo may take on two cores.
const demoBudget = time.Minute

// ownTime is how long this process and those that it waited for have computed.
func ownTime(t *testing.T) (all time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			t.Fatal(err)
		}
		all += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return all
}

// busySince is how long the machine has computed since it started, on all its cores; where
// that is not known, as if no process ever had.
func busySince() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	all := strings.Fields(line) // cpu, user, nice, system, idle, iowait, irq, softirq, steal, …: hundredths of seconds
	var busy int64
	for i, f := range all {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i < 9 && i != 4 && i != 5 {
			busy += n
		}
	}
	return time.Duration(busy) * 10 * time.Millisecond
}
