package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/opengenesis/genesis"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func count(t *testing.T, db *DB) int {
	t.Helper()
	var n int
	if err := db.Read().QueryRow("SELECT count(*) FROM assets").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func insert(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO assets (id, name, kind, created_at)
		SELECT coalesce(max(id), 0) + 1, 'n' || (coalesce(max(id), 0) + 1), $1, $2 FROM assets`, "dataset", 0)
	return err
}

func TestSettings(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "odd name?#%41.db"))
	for name, conn := range map[string]*sql.DB{"write": db.write, "read": db.read} {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
			var got string
			if err := conn.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s connection: %s is %q, %v, want %q", name, pragma, got, err, want)
			}
		}
	}
	if _, err := db.Read().Exec("DELETE FROM assets"); err == nil {
		t.Error("a reading connection writes")
	}
}

func TestTxRollsBack(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a.db"))
	want := &genesis.Error{Op: "test", Kind: genesis.Conflict}
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := insert(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		return want
	})
	if err != error(want) || count(t, db) != 0 {
		t.Errorf("error is %v and %d rows are there", err, count(t, db))
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		defer cancel()
		return insert(ctx, tx)
	})
	if genesis.KindOf(err) != genesis.Canceled || count(t, db) != 0 {
		t.Errorf("after cancelling: error is %v and %d rows are there", err, count(t, db))
	}
}

// TestTwoProcesses writes through two handles at once, as two processes would.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	dbs := []*DB{open(t, path), open(t, path)}
	const each = 20
	var all sync.WaitGroup
	for _, db := range dbs {
		for range 2 {
			all.Go(func() {
				for range each {
					if err := db.Tx(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if n := count(t, dbs[0]); n != 4*each {
		t.Errorf("%d rows, want %d", n, 4*each)
	}
}

func TestRefusesNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	if _, err := db.write.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err := Open(t.Context(), path)
	if genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("a newer schema opens: %v", err)
	}
}

// openAt makes a database whose schema has an older number.
func openAt(t *testing.T, path string, version int64) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn(path, "_txlock=immediate", "_pragma=journal_mode(WAL)"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p, err := migrator(db, catalog)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestMigratesAfterBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old := openAt(t, path, 1)
	if _, err := old.Exec("INSERT INTO assets (id, name, kind, created_at) VALUES (1, 'kept', 'dataset', 0)"); err != nil {
		t.Fatal(err)
	}
	old.Close()
	db := open(t, path)
	if _, err := db.Read().Exec("SELECT * FROM journal"); err != nil || count(t, db) != 1 {
		t.Errorf("after migration: %v, %d rows", err, count(t, db))
	}
	if _, err := os.Stat(path + ".schema-1"); err != nil {
		t.Errorf("no backup: %v", err)
	}
}

func TestRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if err := os.WriteFile(path, []byte("this is not a database, but it is long enough to be read as one"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path)
	var e *genesis.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("opening a text file gives %v", err)
	}
}

// TestTxRunsAgainWhenBusy gives back from the first run the error that a database
// held by somebody else answers with.
func TestTxRunsAgainWhenBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	impatient, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer impatient.Close()
	runs := 0
	act := func(always bool) error {
		return db.Tx(t.Context(), func(tx *sql.Tx) error {
			runs++
			if err := insert(t.Context(), tx); err != nil || runs > 1 && !always {
				return err
			}
			_, err := impatient.Exec("DELETE FROM assets") // tx holds the database
			return err
		})
	}
	if err := act(false); err != nil || runs != 2 || count(t, db) != 1 {
		t.Errorf("%d runs, %d rows, %v, want 2 runs and 1 row", runs, count(t, db), err)
	}
	if err := act(true); genesis.KindOf(err) != genesis.Unavailable || count(t, db) != 1 {
		t.Errorf("a database that stays busy gives %v and %d rows", err, count(t, db))
	}
}

func TestOpenWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own.db")
	schema := Schema{Derived: true, Migrations: fstest.MapFS{"0001_own.sql": {Data: []byte("-- +goose Up\nCREATE TABLE own (n BIGINT PRIMARY KEY);\n-- +goose Down\nDROP TABLE own;\n")}}}
	for range 2 {
		db, err := OpenWith(t.Context(), path, schema)
		if err != nil {
			t.Fatal(err)
		}
		var sync, secure, assets, own string
		for stmt, into := range map[string]*string{"PRAGMA synchronous": &sync, "PRAGMA secure_delete": &secure,
			"SELECT count(*) FROM own": &own, "SELECT count(*) FROM sqlite_schema WHERE name = 'assets'": &assets} {
			if err := db.write.QueryRow(stmt).Scan(into); err != nil {
				t.Fatal(err)
			}
		}
		copied := filepath.Join(t.TempDir(), "copy.db")
		if err := errors.Join(db.Flush(t.Context()), db.Copy(t.Context(), copied)); err != nil {
			t.Fatal(err)
		}
		if other, err := OpenWith(t.Context(), copied, schema); err != nil || other.Close() != nil {
			t.Errorf("the copy does not open: %v", err)
		}
		if sync != "1" || secure != "1" || own != "0" || assets != "0" {
			t.Errorf("synchronous is %s, secure_delete %s, rows %s, tables of the catalogue %s", sync, secure, own, assets)
		}
		db.Close()
	}
}
