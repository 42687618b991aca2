package journal

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// crashHome is the variable by which a copy of this test binary is told to be
// the process that is killed.
const crashHome = "GENESIS_JOURNAL_CRASH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashHome); dir != "" {
		if err := runUntilKilled(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// runUntilKilled appends and records in many goroutines, and prints the id of
// every event once it is acknowledged.
func runUntilKilled(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, filepath.Join(dir, "catalog.db"))
	if err != nil {
		return err
	}
	j, err := Open(ctx, Config{Dir: filepath.Join(dir, "journal"), Keys: filepath.Join(dir, "keys"), DB: db, Node: "nrel", Interval: 2 * time.Millisecond})
	if err != nil {
		return err
	}
	fmt.Println("open")
	failed := make(chan error)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				e := read(fmt.Sprintf("p%d", i%5), i)
				e.ID = fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if err := act(ctx, j, db, w, e); err != nil {
					failed <- err
					return
				}
				os.Stdout.WriteString(e.ID + "\n") // one write: lines of two writers do not mix
			}
		}()
	}
	go func() { failed <- disturb(ctx, j) }()
	return <-failed
}

// act records an event in one of the two ways.
func act(ctx context.Context, j *Journal, db *store.DB, writer int, e Event) error {
	if writer > 1 {
		return j.Append(ctx, e)
	}
	return db.Tx(ctx, func(tx *sql.Tx) error {
		if writer == 0 {
			if err := (Presence{}).record(ctx, tx, genesis.ClassOf(genesis.NodeID(fmt.Sprintf("n%d", rand.IntN(3)))), Statement{ID: e.ID, Name: "turbines", Version: e.Version, Record: StatedListing, Digest: "sha256:00", Thread: "t"}); err != nil {
				return err
			}
		}
		return Record(ctx, tx, e)
	})
}

// disturb does now and then what is rare.
func disturb(ctx context.Context, j *Journal) error {
	for {
		time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		var err error
		switch rand.IntN(5) {
		case 0:
			err = j.NewEpoch(ctx, "a test")
		case 1:
			err = j.Forget(ctx, genesis.PersonID(fmt.Sprintf("p%d", rand.IntN(5))))
		default:
			_, err = j.wal.Rotate()
		}
		if err != nil {
			return err
		}
	}
}

// TestKilled kills a process that writes at random moments: every event that it
// was told of must be in the log once, and the log must hold.
func TestKilled(t *testing.T) {
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv("GENESIS_CRASH_ROUNDS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	var slowest time.Duration
	for round := range rounds {
		before := len(acknowledged)
		killOnce(t, dir, acknowledged)
		began := time.Now()
		h := start(t, dir)
		h.settled()
		took := time.Since(began)
		slowest = max(slowest, took)
		checkAcknowledged(t, h, acknowledged)
		if v, err := h.Verify(t.Context(), time.Time{}, nil); err != nil || v.Bad != -1 || v.Checked != h.audit.size() {
			t.Fatalf("round %d: verified %+v, %v", round, v, err)
		}
		h.stop()
		if testing.Verbose() {
			t.Logf("round %d: %d acknowledged, recovered in %v", round, len(acknowledged)-before, took.Round(time.Millisecond))
		}
	}
	t.Logf("%d events acknowledged in %d rounds; the slowest recovery took %v", len(acknowledged), rounds, slowest)
}

// killOnce starts a process and kills it.
func killOnce(t *testing.T, dir string, acknowledged map[string]bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), crashHome+"="+dir)
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(time.Minute, func() { child.Process.Kill() })
	defer guard.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch line := lines.Text(); {
		case line == "open":
			time.AfterFunc(time.Duration(rand.IntN(400))*time.Millisecond, func() { child.Process.Kill() })
		case strings.HasPrefix(line, "error"):
			t.Fatal(line)
		default:
			acknowledged[line] = true
		}
	}
	child.Wait()
}

// checkAcknowledged pages through the whole log.
func checkAcknowledged(t *testing.T, h *home, acknowledged map[string]bool) {
	t.Helper()
	seen := map[string]bool{}
	for q := (genesis.AuditQuery{Limit: 1000}); ; {
		p, err := h.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range p.Entries {
			if seen[e.ID] {
				t.Fatalf("event %s is in the log twice", e.ID)
			}
			seen[e.ID] = true
		}
		if q.After = p.Next; p.Next == "" {
			break
		}
	}
	public := map[string]bool{}
	for _, one := range h.catalogues.all() {
		all, err := one.kept(t.Context(), 0, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			if public[k.id] {
				t.Fatalf("statement %s is in the logs twice", k.id)
			}
			public[k.id] = true
		}
	}
	for id := range acknowledged {
		if !seen[id] || strings.Contains(id, "-0-") && !public[id] {
			t.Fatalf("event %s was acknowledged and is not in its log", id)
		}
	}
}
