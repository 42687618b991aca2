//go:build linux || darwin

package run

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// beNode is a node that is to be killed: it takes up what is left, submits runs
// and says which it has promised, until the end.
func beNode(dir string) {
	b, err := openNode(context.Background(), dir, nil)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	for {
		r, err := b.Submit(context.Background(), request("", order{Do: "sleep 30ms", Mark: filepath.Join(dir, "pids")}), ada, Inputs{Subject: "x"})
		if err == nil {
			fmt.Println("promised", r.ID)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// killed starts a node in dir, kills it after a while, and returns what it
// promised.
func killed(t *testing.T, dir string, after time.Duration) (promised []string) {
	t.Helper()
	cmd := exec.Command(self())
	cmd.Env = append(os.Environ(), asNode+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for said := bufio.NewScanner(out); said.Scan(); {
		word, id, _ := strings.Cut(said.Text(), " ")
		if word != "promised" {
			t.Error(said.Text())
		}
		promised = append(promised, id)
	}
	_ = cmd.Wait()
	return promised
}

// TestKilledNode kills a node at random points. After the last start every run
// it promised is done, or failed because it was interrupted too often, with one
// result or none; and no worker is left.
func TestKilledNode(t *testing.T) {
	dir := t.TempDir()
	var promised []string
	for round := 0; round < 12 || len(promised) == 0 && round < 60; round++ { // later and later: a slow machine may not come to it at once
		promised = append(promised, killed(t, dir, time.Duration((100+rand.IntN(400))*(1+round/12))*time.Millisecond)...)
	}
	if len(promised) == 0 {
		t.Fatal("the node never came to promise anything")
	}
	b := openBench(t, dir, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := b.Idle(ctx); err != nil {
		t.Fatal(err)
	}
	done := 0
	for _, id := range promised {
		r, err := b.Run(ctx, id)
		switch n := b.results(t, id); {
		case err != nil:
			t.Errorf("a run that was promised: %v", err)
		case r.State == genesis.RunDone && n == 1:
			done++
		case r.State == genesis.RunFailed && n == 0 && strings.Contains(r.Error.Detail, "3 times"):
		default:
			t.Errorf("%s after %d tries with %d results: %+v", r.State, r.Tries, n, r.Error)
		}
	}
	if done < len(promised)/2 {
		t.Errorf("%d of %d runs are done", done, len(promised))
	}
	noneLeft(t, filepath.Join(dir, "pids"))
	if left, _ := os.ReadDir(b.works()); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// noneLeft checks that the workers of which a file tells have ended.
func noneLeft(t *testing.T, pids string) {
	t.Helper()
	for _, word := range words(pids) {
		var pid int
		fmt.Sscan(word, &pid)
		if !gone(pid) {
			t.Errorf("worker %d lives on", pid)
		}
	}
}

// TestOrphan: a worker whose node is killed ends, even one that is busy.
func TestOrphan(t *testing.T) {
	dir := t.TempDir()
	killed(t, dir, 400*time.Millisecond)
	noneLeft(t, filepath.Join(dir, "pids"))
}

// TestOrphanNoticesItsPipe: not only the system ends it.
func TestOrphanNoticesItsPipe(t *testing.T) {
	cmd := exec.Command(self())
	cmd.Env = []string{asWorker + "=1"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, `{"task":{"do":"ignore"}}`)
	time.Sleep(50 * time.Millisecond)
	in.Close()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exitOrphaned {
		t.Errorf("exit status %d", got)
	}
}

// TestRecovery: what a crash left is taken up or honestly failed.
func TestRecovery(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		name  string
		in    Inputs
		tries int
		all   bool // ResumeAttached
		state genesis.RunState
		says  string
	}{
		{name: "nobody waits", state: genesis.RunDone},
		{name: "nobody waits, with files", in: Inputs{Files: []File{{Name: "a", Open: f}}}, state: genesis.RunDone},
		{name: "somebody waited", in: Inputs{Attached: true}, state: genesis.RunFailed, says: "the training goes on where it was"},
		{name: "somebody waited at a server", in: Inputs{Attached: true}, all: true, state: genesis.RunDone},
		{name: "files were open", in: Inputs{Attached: true, Files: []File{{Name: "a", Open: f}}}, all: true, state: genesis.RunFailed, says: "handed over open"},
		{name: "tried too often", tries: 3, state: genesis.RunFailed, says: "3 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			b := openBench(t, dir, func(cfg *Config) { cfg.Worker = nil })
			m := filepath.Join(dir, "mark")
			r := b.submit(t, ada, order{Do: "wait", Mark: m}, c.in)
			running(t, m, 1)
			waiting := r
			crashed(t, b, r.ID, max(1, c.tries))
			again := openBench(t, dir, func(cfg *Config) {
				cfg.Worker, cfg.ResumeAttached = nil, c.all
				cfg.Plan = func(context.Context, genesis.Run, json.RawMessage) (any, error) { return order{Do: "answer"}, nil }
			})
			r = again.wait(t, waiting.ID)
			if r.State != c.state || r.Error != nil && !strings.Contains(r.Error.Detail+r.Error.Hint, c.says) || r.Error == nil && r.Tries != 2 {
				t.Errorf("%+v, %+v", r, r.Error)
			}
		})
	}
}

// crashed leaves b as a crash would have: with a run that is running, and files.
func crashed(t *testing.T, b *bench, id string, tries int) {
	t.Helper()
	a := b.find(id)
	saved := a.row
	if _, err := os.Stat(b.workOf(id)); err == nil && len(saved.inputs) > 0 {
		if err := os.CopyFS(b.dir+"/kept", os.DirFS(b.workOf(id))); err != nil {
			t.Fatal(err)
		}
	}
	a.cancel(&asked{ada.Person()})
	<-a.ended
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := setRow(b, id, tries); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(b.dir + "/kept"); err == nil {
		if err := os.Rename(b.dir+"/kept", b.workOf(id)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCloseAndGoOn: a node that stops leaves its runs to the next start, and
// that costs them no try.
func TestCloseAndGoOn(t *testing.T) {
	dir := t.TempDir()
	b := openBench(t, dir, func(c *Config) { c.Limits.Concurrent = 1 })
	m := filepath.Join(dir, "mark")
	r := b.submit(t, ada, order{Do: "wait", Mark: m}, Inputs{})
	queued := b.submit(t, ada, order{Do: "answer"}, Inputs{})
	attached := b.submit(t, bob, order{Do: "answer"}, Inputs{Attached: true})
	pid := running(t, m, 1)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if !gone(pid) {
		t.Error("a worker outlives its node")
	}
	if _, err := b.Submit(t.Context(), request("", order{}), ada, Inputs{}); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("after the end: %v", err)
	}
	again := openBench(t, dir, func(c *Config) {
		c.Plan = func(context.Context, genesis.Run, json.RawMessage) (any, error) { return order{Do: "answer"}, nil }
	})
	for _, id := range []string{r.ID, queued.ID} {
		if got := again.wait(t, id); got.State != genesis.RunDone || got.Tries != 1 {
			t.Errorf("%+v, %+v", got, got.Error)
		}
	}
	if got := again.wait(t, attached.ID); got.State != genesis.RunFailed || got.Error.Kind != genesis.Unavailable {
		t.Errorf("%+v, %+v", got, got.Error)
	}
}

// TestNothingLeaks: after many runs of every sort, goroutines and descriptors
// are back where they were.
func TestNothingLeaks(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.Concurrent, c.Limits.Queue = 3, 100 })
	round := func() {
		for _, do := range []string{"answer", "fail", "exit", "nonsense", "say x", "wait"} {
			m := filepath.Join(t.TempDir(), "mark")
			r := b.submit(t, ada, order{Do: do, Mark: m}, Inputs{})
			if do == "wait" {
				running(t, m, 1)
				if _, err := b.Cancel(t.Context(), r.ID, ada.Person()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := b.Follow(t.Context(), r.ID, 0, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Idle(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	round()
	goroutines, files := runtime.NumGoroutine(), openFiles()
	for range 3 {
		round()
	}
	for range 200 {
		if runtime.NumGoroutine() <= goroutines && openFiles() <= files {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if g, f := runtime.NumGoroutine(), openFiles(); g > goroutines || f > files {
		t.Errorf("%d goroutines, %d before; %d descriptors, %d before", g, goroutines, f, files)
	}
	var status syscall.WaitStatus
	if pid, _ := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); pid > 0 {
		t.Errorf("child %d was not waited for", pid)
	}
}

// openFiles counts the descriptors of this process, where that is told.
func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

// setRow makes a run one that is running.
func setRow(b *bench, id string, tries int) error {
	return b.db.Tx(context.Background(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE runs SET state = 'running', tries = $2, ended_at = NULL, error = '' WHERE id = $1", id, tries)
		return err
	})
}
