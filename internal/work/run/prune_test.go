//go:build linux || darwin

package run

import (
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// age makes runs that long past.
func (b *bench) age(t *testing.T, past time.Duration) {
	t.Helper()
	at := time.Now().Add(-past)
	err := b.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE runs SET created_at = $1, started_at = $1, ended_at = CASE WHEN ended_at IS NULL THEN NULL ELSE $1 END", store.Time(at))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// kept lists the ids of the runs there are, and checks that the same have logs.
func (b *bench) kept(t *testing.T) (ids []string) {
	t.Helper()
	page, err := b.List(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range page.Runs {
		ids = append(ids, r.ID)
		if _, err := os.Stat(b.logOf(r.ID)); err != nil {
			t.Error(err)
		}
	}
	if logs, err := filepath.Glob(b.logOf("*")); err != nil || len(logs) != len(ids) {
		t.Errorf("%d runs have %d logs, %v", len(ids), len(logs), err)
	}
	return ids
}

func TestPrune(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Worker, c.Limits.Concurrent, c.Limits.Keep, c.Limits.KeepLast = nil, 1, 24*time.Hour, 2
	})
	var ids []string // oldest first: two that ended, one that runs, one that waits, then …
	done := func() {
		r := b.submit(t, ada, order{Do: "answer"}, Inputs{})
		b.wait(t, r.ID)
		ids = append(ids, r.ID)
	}
	done()
	done()
	m := filepath.Join(t.TempDir(), "mark")
	ids = append(ids, b.submit(t, ada, order{Do: "wait", Mark: m}, Inputs{}).ID)
	running(t, m, 1)
	ids = append(ids, b.submit(t, ada, order{Do: "answer"}, Inputs{}).ID)
	for range 3 { // … those that are canceled, of which two are the newest
		r := b.submit(t, bob, order{Do: "answer"}, Inputs{})
		if _, err := b.Cancel(t.Context(), r.ID, ada.Person()); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	prune := func(dryRun bool) Pruned {
		t.Helper()
		out, err := b.Prune(t.Context(), dryRun)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	b.age(t, 23*time.Hour)
	if got := prune(false); got != (Pruned{}) || len(b.kept(t)) != 7 {
		t.Errorf("too early: %+v", got)
	}
	b.age(t, 25*time.Hour)
	if got := prune(true); got.Runs != 3 || got.Bytes == 0 || len(b.kept(t)) != 7 {
		t.Errorf("a dry run: %+v", got)
	}
	if got := prune(false); got.Runs != 3 || got.Bytes == 0 {
		t.Errorf("pruned %+v", got)
	}
	want := []string{ids[6], ids[5], ids[3], ids[2]}
	if got := b.kept(t); !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	if _, err := b.Run(t.Context(), ids[0]); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a pruned run: %v", err)
	}

	// What a crash left between row and log goes, too, when it is old.
	orphan := b.logOf(NewID())
	if err := os.WriteFile(orphan, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	prune(false)
	if _, err := os.Stat(orphan); err != nil {
		t.Errorf("a log that may be of a run being submitted: %v", err)
	}
	old := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(orphan, old, old); err != nil {
		t.Fatal(err)
	}
	prune(false)
	if got := b.kept(t); !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	if _, err := b.Cancel(t.Context(), ids[2], ada.Person()); err != nil {
		t.Fatal(err)
	}
	if r := b.wait(t, ids[3]); r.State != genesis.RunDone {
		t.Errorf("the one that waited: %+v", r)
	}
}

// TestPruneMany prunes more than one transaction's worth.
func TestPruneMany(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.KeepLast = 1 })
	err := b.db.Tx(t.Context(), func(tx *sql.Tx) error {
		for range 2*pruneBatch + 7 {
			r, err := newRow(request(NewID(), order{}), ada, Inputs{}, b.Limits())
			if err == nil {
				err = insert(t.Context(), tx, r)
			}
			if err == nil {
				_, err = tx.Exec("UPDATE runs SET state = 'failed', ended_at = 1 WHERE id = $1", r.ID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Prune(t.Context(), false)
	if err != nil || got.Runs != 2*pruneBatch+6 {
		t.Errorf("%+v, %v", got, err)
	}
}
