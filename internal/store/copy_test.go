package store

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestCopyIsOneMoment copies while two rows at a time are written: a copy has
// both or neither.
func TestCopyIsOneMoment(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "a.db"))
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for ctx.Err() == nil {
			_ = db.Tx(ctx, func(tx *sql.Tx) error {
				if err := insert(ctx, tx); err != nil {
					return err
				}
				return insert(ctx, tx)
			})
		}
	})
	for i := range 10 {
		path := filepath.Join(dir, string(rune('k'+i))+".db")
		if err := db.Copy(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		kept, err := OpenCopy(path)
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := kept.QueryRow("SELECT count(*) FROM assets").Scan(&n); err != nil || n%2 != 0 {
			t.Errorf("the copy has %d rows, %v", n, err)
		}
		if _, err := kept.Exec("DELETE FROM assets"); err == nil {
			t.Error("a copy can be written")
		}
		kept.Close()
	}
	stop()
	writer.Wait()
	for range 2 * readers { // every reading connection is one that cannot write
		if _, err := db.Read().Exec("DELETE FROM assets"); err == nil {
			t.Fatal("a reading connection writes after a copy")
		}
	}
}

func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "a.db"))
	taken := filepath.Join(dir, "taken.db")
	if err := os.WriteFile(taken, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Copy(t.Context(), taken); err == nil {
		t.Error("a copy takes the place of another file")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Copy(ctx, filepath.Join(dir, "b.db")); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("after cancelling: %v", err)
	}
}
