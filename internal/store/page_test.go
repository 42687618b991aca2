package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/opengenesis/genesis"
)

// fill adds n assets with long names.
func fill(t *testing.T, db *DB, n int) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		for i := range n {
			if _, err := tx.Exec("INSERT INTO assets (id, name, kind, created_at) VALUES ($1, $2, 'dataset', $1)", i+1, fmt.Sprintf("%s-%d", strings.Repeat("name", 20), i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dump reads all assets, twice: by table and by index.
func dump(ctx context.Context, db *DB) (string, error) {
	var b strings.Builder
	for _, query := range []string{"SELECT id || ' ' || name || kind || created_at FROM assets ORDER BY id", "SELECT name FROM assets WHERE name > 'a' ORDER BY name"} {
		lines, err := db.lines(ctx, query)
		if err != nil {
			return "", Error("dump", "", err)
		}
		fmt.Fprintln(&b, strings.Join(lines, "\n"))
	}
	return b.String(), nil
}

// copyFiles copies a database and what belongs to it, as a crash would leave them.
func copyFiles(t *testing.T, from, to string, suffixes ...string) {
	t.Helper()
	for _, suffix := range suffixes {
		b, err := os.ReadFile(from + suffix)
		if err == nil {
			err = os.WriteFile(to+suffix, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// flip changes a bit of a file.
func flip(t *testing.T, path string, bit int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, bit/8)
	if err == nil {
		b[0] ^= 1 << (bit % 8)
		_, err = f.WriteAt(b, bit/8)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestFlippedPages flips bits all over a database file: what is read is right or an
// error, and Check finds each.
func TestFlippedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	fill(t, db, 300)
	want, err := dump(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	random := rand.New(rand.NewPCG(1, 1))
	bits := []int64{0, 16 * 8, 17 * 8, 18 * 8, reservedAt * 8, reservedAt*8 + 3, 24 * 8, 31 * 8, applicationAt * 8, 99 * 8, 4095 * 8}
	for range 60 {
		bits = append(bits, random.Int64N(size(t, path)*8))
	}
	failed := 0
	for _, bit := range bits {
		flip(t, path, bit)
		if !checkFlip(t, path, bit, want) {
			failed++
		}
		flip(t, path, bit)
	}
	if failed < len(bits)/4 {
		t.Errorf("only %d of %d flips kept anybody from reading: the test shows little", failed, len(bits))
	}
	if got, err := dump(t.Context(), open(t, path)); err != nil || got != want {
		t.Errorf("after all bits are back: %v", err)
	}
}

// checkFlip reports whether everything can be read.
func checkFlip(t *testing.T, path string, bit int64, want string) (readable bool) {
	t.Helper()
	db, err := Open(t.Context(), path)
	if err != nil {
		if genesis.KindOf(err) != genesis.Internal {
			t.Errorf("bit %d: %v", bit, err)
		}
		return false
	}
	defer db.Close()
	got, err := dump(t.Context(), db)
	if err == nil && got != want {
		t.Errorf("bit %d: wrong rows are read", bit)
	}
	page := fmt.Sprintf("page %d of a.db", bit/8/4096+1)
	if err != nil && (genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), page)) {
		t.Errorf("bit %d: %v does not name %s", bit, err, page)
	}
	damage, checkErr := db.Check(t.Context())
	if checkErr != nil || len(damage) != 1 || !strings.HasPrefix(damage[0], page) {
		t.Errorf("bit %d: Check finds %v, %v, want %s", bit, damage, checkErr, page)
	}
	return err == nil
}

// TestFlippedLog flips bits of the write-ahead log of a crashed process, before and
// after it is opened.
func TestFlippedLog(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	db := open(t, path)
	var states []string // after each transaction
	for range 6 {
		if err := db.Tx(t.Context(), func(tx *sql.Tx) error { return insert(t.Context(), tx) }); err != nil {
			t.Fatal(err)
		}
		state, err := dump(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, state)
	}
	crashed := filepath.Join(dir, "crashed.db")
	copyFiles(t, path, crashed, "", "-wal")
	random := rand.New(rand.NewPCG(1, 2))
	refused, lastLost := 0, 0
	for range 60 {
		copied := filepath.Join(t.TempDir(), "a.db")
		copyFiles(t, crashed, copied, "", "-wal")
		flip(t, copied+"-wal", random.Int64N(size(t, crashed+"-wal")*8))
		db, err := Open(t.Context(), copied)
		var got string
		if err == nil {
			got, err = dump(t.Context(), db)
			db.Close()
		}
		switch {
		case err != nil:
			refused++
		case got == states[4]: // as if the last write had been torn, which nobody can tell apart
			lastLost++
		case got != states[5]:
			t.Fatal("transactions are lost, and nobody says so")
		}
	}
	if refused < 20 || lastLost > 30 {
		t.Errorf("%d refused, %d times the last transaction was lost", refused, lastLost)
	}

	checkOpenLog(t, path, states[5])
}

// checkOpenLog flips bits of the names in the log of an open database, and reads with
// nothing in the cache.
func checkOpenLog(t *testing.T, path, want string) {
	t.Helper()
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for at := 0; ; at++ {
		next := bytes.Index(log[at:], []byte("dataset"))
		if next < 0 {
			break
		}
		at += next
		flip(t, path+"-wal", int64(at-1)*8+1) // the last character of a name, or what is before it
		read, err := sql.Open("sqlite", checkedDSN(path, "_pragma=query_only(1)"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := dump(t.Context(), &DB{read: read})
		switch {
		case err == nil && got != want:
			t.Error("wrong rows are read from the log")
		case err != nil && (genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), " of a.db-wal is damaged")):
			t.Errorf("the frame is not named: %v", err)
		case err != nil:
			bad++
		}
		read.Close()
		flip(t, path+"-wal", int64(at-1)*8+1)
	}
	if bad == 0 {
		t.Error("no flip kept anybody from reading: the test shows nothing")
	}
}

// TestLayerAgrees does random transactions, with a cache so small that pages go to
// the log and back in the midst of them, some rolled back to savepoints, beside
// readers, and compares with a map.
func TestLayerAgrees(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	for _, pragma := range []string{"cache_size = 10", "wal_autocheckpoint = 50"} {
		if _, err := db.write.Exec("PRAGMA " + pragma); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.write.Exec("CREATE TABLE things (id BIGINT PRIMARY KEY, text TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 3))
	want := map[int64]string{}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := db.lines(t.Context(), "SELECT text FROM things"); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 30 {
		want = randomTx(t, db, random, want)
		if random.IntN(10) == 0 {
			if _, err := db.write.Exec("PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	readers.Wait()
	compareThings(t, db, want)
	if damage, err := db.Check(t.Context()); err != nil || damage != nil {
		t.Errorf("damage: %v, %v", damage, err)
	}
	if err := db.Scrub(t.Context()); err != nil {
		t.Error(err)
	}
	db.Close()
	compareThings(t, open(t, path), want)
}

// randomTx changes many rows and commits or not. It returns what holds afterwards.
func randomTx(t *testing.T, db *DB, rng *rand.Rand, have map[int64]string) map[int64]string {
	t.Helper()
	commit := rng.IntN(5) > 0
	next := maps.Clone(have)
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		for i := range 200 {
			if i%50 == 25 {
				if err := savepoint(tx, rng, i); err != nil {
					return err
				}
			}
			id, text := rng.Int64N(400), strings.Repeat(string(rune('a'+rng.IntN(26))), rng.IntN(3000))
			if rng.IntN(3) == 0 {
				delete(next, id)
				if _, err := tx.Exec("DELETE FROM things WHERE id = $1", id); err != nil {
					return err
				}
				continue
			}
			next[id] = text
			if _, err := tx.Exec("INSERT INTO things VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET text = $2", id, text); err != nil {
				return err
			}
		}
		if !commit {
			return io.EOF
		}
		return nil
	})
	if !commit {
		return have
	}
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// savepoint writes a lot and rolls it back.
func savepoint(tx *sql.Tx, rng *rand.Rand, i int) error {
	for _, stmt := range []string{"SAVEPOINT s", fmt.Sprintf("UPDATE things SET text = text || '%s' WHERE id %% 3 = %d", strings.Repeat("x", 500), i%3),
		"ROLLBACK TO s", "RELEASE s"} {
		if _, err := tx.Exec(stmt); err != nil {
			return err
		}
	}
	return nil
}

func compareThings(t *testing.T, db *DB, want map[int64]string) {
	t.Helper()
	got, err := db.lines(t.Context(), "SELECT id || ' ' || text FROM things ORDER BY id")
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d rows, %v, want %d", len(got), err, len(want))
	}
	for _, line := range got {
		var id int64
		text := ""
		fmt.Sscan(line, &id, &text)
		if want[id] != text {
			t.Errorf("row %d is %.20q…, want %.20q…", id, text, want[id])
		}
	}
}

// TestAddsChecksums opens a database of a program that had none, after a crash of
// that program and after a crash while it was written anew.
func TestAddsChecksums(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	old := openAt(t, path, 2)
	if _, err := old.Exec("INSERT INTO assets (id, name, kind, created_at) VALUES (1, 'kept', 'dataset', 0)"); err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(t.TempDir(), "b.db")
	copyFiles(t, path, crashed, "", "-wal")
	if err := os.WriteFile(crashed+"-new", []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t, crashed)
	if n := count(t, db); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if damage, err := db.Check(t.Context()); err != nil || damage != nil {
		t.Errorf("damage: %v, %v", damage, err)
	}
	db.Close()
	flip(t, crashed, 5000*8)
	checkFlip(t, crashed, 5000*8, "")
}

// TestDeletedIsOverwritten holds that nothing of a row is left once it is deleted,
// without scrubbing.
func TestDeletedIsOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	secret := strings.Repeat("a secret text ", 1000)
	for _, stmt := range []string{"INSERT INTO assets (id, name, kind, created_at) VALUES (1, $1, 'dataset', 0)", "PRAGMA wal_checkpoint(TRUNCATE)",
		"DELETE FROM assets WHERE name = $1", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		b, err := os.ReadFile(path)
		if strings.HasPrefix(stmt, "DELETE") && !bytes.Contains(b, []byte("secret")) {
			t.Fatal("the text is not in the file: the test shows nothing")
		}
		if err == nil {
			_, err = db.write.Exec(stmt, secret)
		}
		if err != nil {
			t.Fatal(stmt, lastDamage(), err)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(path + suffix); err != nil || bytes.Contains(b, []byte("secret")) {
			t.Errorf("the text is left in %q, %v", path+suffix, err)
		}
	}
}
