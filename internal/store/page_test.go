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
		lines, err := Column[string](ctx, db.read, query)
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

// crashedLog returns the path of a database with transactions in its log, as a crash
// leaves it, and what holds after each of them. The database stays open.
func crashedLog(t *testing.T) (db *DB, crashed string, states []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	db = open(t, path)
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
	crashed = filepath.Join(dir, "crashed.db")
	copyFiles(t, path, crashed, "", "-wal")
	return db, crashed, states
}

// TestFlippedLog flips bits of the write-ahead log of a crashed process, before and
// after it is opened.
func TestFlippedLog(t *testing.T) {
	db, crashed, states := crashedLog(t)
	random := rand.New(rand.NewPCG(1, 2))
	end := size(t, crashed+"-wal") * 8
	flips := []int64{end - 1, end - 8*pageSize - 1, end - 8*(pageSize+frameHeader), end - 8*(pageSize+frameHeader-7), end - 8*(pageSize+frameHeader-12)}
	for range 25 {
		flips = append(flips, random.Int64N(end))
	}
	for _, bit := range flips {
		copied := filepath.Join(t.TempDir(), "a.db")
		copyFiles(t, crashed, copied, "", "-wal")
		flip(t, copied+"-wal", bit)
		db, err := Open(t.Context(), copied)
		if err == nil {
			db.Close()
			t.Fatalf("bit %d of the log: nobody notices", bit)
		}
		if genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), "a.db-wal cannot be trusted") {
			t.Errorf("bit %d of the log: %v", bit, err)
		}
	}
	checkOpenLog(t, db.path, states[5])
}

// TestTornLog leaves the last transaction torn, as a power cut does: what was
// committed before is there, and nothing of the torn one is left in the log.
func TestTornLog(t *testing.T) {
	_, crashed, states := crashedLog(t)
	whole := size(t, crashed+"-wal")
	for name, tear := range map[string]func(log []byte) []byte{
		"cut":           func(log []byte) []byte { return log[:len(log)-1000] },
		"half a page":   func(log []byte) []byte { clear(log[len(log)-3000:]); return log },
		"a whole frame": func(log []byte) []byte { clear(log[len(log)-frameHeader-pageSize:]); return log },
		"other sectors": func(log []byte) []byte { copy(log[len(log)-2048:], bytes.Repeat([]byte("old "), 256)); return log },
	} {
		copied := filepath.Join(t.TempDir(), "a.db")
		copyFiles(t, crashed, copied, "", "-wal")
		log, err := os.ReadFile(copied + "-wal")
		if err == nil {
			err = os.WriteFile(copied+"-wal", tear(log), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		db := open(t, copied)
		if got, err := dump(t.Context(), db); err != nil || got != states[4] {
			t.Errorf("%s: %v", name, err)
		}
		if n := size(t, copied+"-wal"); strings.Contains(name, "sectors") && n > whole/2 {
			t.Errorf("%s: the log has %d bytes of %d", name, n, whole)
		}
	}
}

// TestDerivedLog opens a derived database whose log, not being flushed at each commit,
// lost a write in its midst.
func TestDerivedLog(t *testing.T) {
	_, crashed, _ := crashedLog(t)
	log, err := os.ReadFile(crashed + "-wal")
	if err == nil {
		copy(log[len(log)/2:], bytes.Repeat([]byte("old "), 512))
		err = os.WriteFile(crashed+"-wal", log, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), crashed); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("a log with a hole is taken: %v", err)
	}
	db, err := OpenWith(t.Context(), crashed, Schema{Migrations: catalog, Derived: true})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}

// TestLostWrites looks at pages that are zeros, cut off, or those of another place.
func TestLostWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	fill(t, db, 300)
	if err := db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := size(t, path)/pageSize - 1
	for name, change := range map[string]func(all []byte) []byte{
		"zeros": func(all []byte) []byte { clear(all[last*pageSize:]); return all },
		"cut":   func(all []byte) []byte { return all[:last*pageSize+2000] },
		"moved": func(all []byte) []byte { copy(all[last*pageSize:], all[(last-1)*pageSize:][:pageSize]); return all },
	} {
		copied := filepath.Join(t.TempDir(), "a.db")
		all, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(copied, change(all), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		changed := open(t, copied)
		page := fmt.Sprintf("page %d of a.db", last+1)
		if damage, err := changed.Check(t.Context()); err != nil || len(damage) != 1 || !strings.HasPrefix(damage[0], page) {
			t.Errorf("%s: Check finds %v, %v, want %s", name, damage, err, page)
		}
		if _, err := dump(t.Context(), changed); err == nil || !strings.Contains(err.Error(), page) {
			t.Errorf("%s: %v does not name %s", name, err, page)
		}
	}
}

// TestCopiesHaveChecksums flips bits of copies. Those of earlier programs are read
// all the same.
func TestCopiesHaveChecksums(t *testing.T) {
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "a.db"))
	fill(t, db, 300)
	before := func(ctx context.Context, path string) error { return backup(ctx, db.write, path) }
	for name, write := range map[string]func(context.Context, string) error{"copy": db.Copy, "before a migration": before} {
		path := filepath.Join(dir, name+".db")
		if err := write(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		last := size(t, path) / pageSize
		flip(t, path, (last*pageSize-100)*8)
		copied, err := OpenCopy(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = dump(t.Context(), &DB{read: copied})
		if page := fmt.Sprintf("page %d of %s.db", last, name); err == nil || !strings.Contains(err.Error(), page) {
			t.Errorf("%v does not name %s", err, page)
		}
		copied.Close()
	}
	old := filepath.Join(dir, "old.db")
	if _, err := openAt(t, filepath.Join(dir, "b.db"), 2).Exec("VACUUM INTO $1", old); err != nil {
		t.Fatal(err)
	}
	copied, err := OpenCopy(old)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if _, err := dump(t.Context(), &DB{read: copied}); err != nil {
		t.Error(err)
	}
}

// TestDamageIsNotCopied copies a database in which a row changed.
func TestDamageIsNotCopied(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	db := open(t, path)
	fill(t, db, 300)
	db.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := int64(bytes.Index(b, []byte("-150dataset"))) // in the table, not in an index
	flip(t, path, at*8+8)
	want := fmt.Sprintf("page %d of a.db", at/pageSize+1)
	db = open(t, path)
	before := func(ctx context.Context, path string) error { return backup(ctx, db.write, path) }
	for name, write := range map[string]func(context.Context, string) error{"copy": db.Copy, "before a migration": before} {
		if err := write(t.Context(), filepath.Join(dir, name+".db")); genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not name %s", name, err, want)
		}
	}
}

// TestLocksStay opens a database a second time: its header is not read past the
// engine then, since closing the file would give up the locks of the first.
func TestLocksStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	db := open(t, path)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Skip(err)
	}
	for _, name := range []string{path, link} {
		if done, err := quietly(name, func() error { return nil }); done || err != nil {
			t.Errorf("%s is read past the engine: %v", name, err)
		}
	}
	db.Close()
	if done, err := quietly(path, func() error { return nil }); !done || err != nil {
		t.Errorf("a closed database is not read: %v", err)
	}
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
					if _, err := Column[string](t.Context(), db.read, "SELECT text FROM things"); err != nil {
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
	got, err := Column[string](t.Context(), db.read, "SELECT id || ' ' || text FROM things ORDER BY id")
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

// TestEngineIsTheOneReviewed fails when the engine gets another version. The layer
// calls its functions, and is called by it, through types that no compiler compares:
// see that Tsqlite3_io_methods and Tsqlite3_vfs in modernc.org/sqlite/lib, and how it
// calls FxOpen, FxClose, FxRead and FxWrite, are still as page.go has them, then change
// the versions here.
func TestEngineIsTheOneReviewed(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, reviewed := range []string{"modernc.org/sqlite v1.62.0\n", "modernc.org/libc v1.80.1\n"} {
		if !strings.Contains(string(b), reviewed) {
			t.Errorf("go.mod has another version than %s", reviewed)
		}
	}
}
