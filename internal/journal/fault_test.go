package journal

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
)

// faulty returns a disk, and a change of configuration that uses it.
func faulty() (*disk.Faulty, func(*Config)) {
	d := &disk.Faulty{Disk: disk.OS, Lazy: true}
	return d, func(c *Config) { c.Disk = d }
}

// always fails the operations named, all if none is, under a folder of the
// journal.
func always(err error, folder string, ops ...string) func(op, name string) error {
	return func(op, name string) error {
		if !strings.Contains(name, string(filepath.Separator)+folder) {
			return nil
		}
		for _, o := range ops {
			if o == op {
				return err
			}
		}
		if len(ops) == 0 {
			return err
		}
		return nil
	}
}

// TestDiskFails lets the write-ahead log fail: access is refused with the
// cause, reading goes on, and all is well when the disk is.
func TestDiskFails(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EIO} {
		d, change := faulty()
		h := start(t, t.TempDir(), change)
		h.appended(read("ada", 1)).settled()
		d.Fail(always(cause, walFolder))
		err := h.Append(t.Context(), read("ada", 2))
		var e *genesis.Error
		if !errors.As(err, &e) || e.Kind != genesis.Unavailable || e.Msg == "" || e.Hint == "" || !errors.Is(err, cause) {
			t.Errorf("%v: appending gives %+v", cause, err)
		}
		if _, err := h.Share(t.Context(), read("ada", 3)); genesis.KindOf(err) != genesis.Unavailable {
			t.Errorf("%v: sharing gives %v", cause, err)
		}
		if err := h.Healthy(); !errors.Is(err, cause) {
			t.Errorf("%v: healthy says %v", cause, err)
		}
		if got := h.query(genesis.AuditQuery{}); len(got) != 1 {
			t.Errorf("%v: a query lists %v", cause, got)
		}
		h.holds(1)
		d.Fail(nil)
		if err := h.Healthy(); err != nil {
			t.Errorf("%v: it does not recover: %v", cause, err)
		}
		h.appended(read("ada", 4)).settled().holds(2)
	}
}

// TestLogCannotGrow lets the log's folder fail while the write-ahead log works:
// events are taken until there are too many, and none is lost.
func TestLogCannotGrow(t *testing.T) {
	d, change := faulty()
	h := start(t, t.TempDir(), change)
	d.Fail(always(syscall.ENOSPC, auditLog))
	h.appended(read("ada", 1))
	if err := h.Settle(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("settling gives %v", err)
	}
	if err := h.Healthy(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("healthy says %v", err)
	}
	large := read("ada", 2)
	large.Detail = []byte(`"` + strings.Repeat("x", maxDetail-2) + `"`)
	taken := int64(1)
	for ; taken < 10_000; taken++ {
		err := h.Append(t.Context(), large)
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if taken == 10_000 || h.queue.bytes > maxQueue+2*maxDetail {
		t.Errorf("%d events of 64 KiB wait for the log, %d bytes", taken, h.queue.bytes)
	}
	d.Fail(nil)
	h.settled().holds(taken)
}

// TestStepsAreTriedAgain lets each database in turn refuse a batch: when it takes
// it again, every event is in the log once.
func TestStepsAreTriedAgain(t *testing.T) {
	for _, table := range []string{"bodies", "people", "entries", "outbox"} {
		h := start(t, t.TempDir())
		h.appended(read("ada", 1)).settled()
		db := map[string]*store.DB{"bodies": h.private.db, "people": h.private.db, "entries": h.index.db, "outbox": h.cfg.DB}[table]
		h.appended(read("ada", 2), read("bob", 3)).recorded(read("eve", 4))
		rename(t, db, table, "gone")
		if err := h.Settle(t.Context()); err == nil {
			t.Errorf("%s: settling without it succeeds", table)
		}
		if h.Healthy() == nil {
			t.Errorf("%s: it is healthy without it", table)
		}
		h.appended(read("ada", 5))
		rename(t, db, "gone", table)
		h.settled().holds(5)
		if err := h.Healthy(); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func rename(t *testing.T, db *store.DB, from, to string) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("ALTER TABLE " + from + " RENAME TO " + to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDropsWhatDidNotReachTheLog leaves a body, a statement and a row of the
// index for entries that are not in their logs, as a crash or a restore does.
func TestDropsWhatDidNotReachTheLog(t *testing.T) {
	h := start(t, t.TempDir())
	h.appended(read("ada", 1)).settled()
	stray := secret{seq: 1, salt: make([]byte, saltSize), body: []byte(`{"purpose":"none"}`)}
	err1 := h.private.hide(t.Context(), []secret{stray})
	err2 := h.index.add(t.Context(), []columns{{seq: 1, id: "x", act: "read"}})
	err3 := h.private.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO statements (log, place, id, salt, body) VALUES ('catalog-public', 0, 's0', x'00', x'00')")
		return err
	})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	h = h.again()
	h.appended(Event{ID: "x", Act: "look"}).stated(card(0)).settled().holds(2)
	if v, err := h.VerifyCatalogue(t.Context(), nil); err != nil || v.Bad != -1 || v.Checked != 1 {
		t.Errorf("verified %+v, %v", v, err)
	}
}

// TestQueueWaits shows that writers wait for room while the log can be written.
func TestQueueWaits(t *testing.T) {
	q := newQueue()
	q.push([]item{{bytes: maxQueue}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := q.room(ctx); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("a full queue gives %v", err)
	}
	done := make(chan error)
	go func() { done <- q.room(context.Background()) }()
	q.pop(1)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestEveryOperation lets the disk go away at each operation in turn, as in a
// power cut, and opens the journal again: what was acknowledged is in the log
// once, and the log holds.
func TestEveryOperation(t *testing.T) {
	dir := t.TempDir()
	start(t, dir).stop()
	total := 0
	for after := int64(0); after < 150; after += 1 + after/10 {
		acknowledged := cutShort(t, dir, after)
		total += len(acknowledged)
		h := start(t, dir).settled()
		checkAcknowledged(t, h, acknowledged)
		h.holds(h.audit.size())
		h.stop()
	}
	if total < 100 {
		t.Errorf("only %d events were acknowledged", total)
	}
}

// cutShort runs a journal on a disk that goes away after some operations, and
// returns the ids of the events that were acknowledged.
func cutShort(t *testing.T, dir string, after int64) map[string]bool {
	t.Helper()
	d, change := faulty()
	var n atomic.Int64
	d.Fail(func(string, string) error {
		if n.Add(1) > after {
			return syscall.EIO
		}
		return nil
	})
	acknowledged := map[string]bool{}
	h := &home{t: t}
	defer func() { h.stop() }()
	db, err := store.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	h.cfg = Config{Dir: filepath.Join(dir, "journal"), Keys: filepath.Join(dir, "keys"), DB: db, Node: "nrel", Interval: time.Millisecond}
	change(&h.cfg)
	if h.Journal, err = Open(t.Context(), h.cfg); err != nil {
		return acknowledged
	}
	for i := range 200 {
		e := read("ada", i)
		e.ID = fmt.Sprintf("%d-%d-%d", after, time.Now().UnixNano(), i)
		if i%5 == 0 {
			h.recorded(e)
		} else if h.Append(t.Context(), e) != nil {
			break
		}
		acknowledged[e.ID] = true
		if i%20 == 0 && h.Settle(t.Context()) != nil || i%50 == 0 && h.NewEpoch(t.Context(), "a test") != nil {
			break
		}
	}
	return acknowledged
}

// TestFlippedBits flips bits in every file of the logs, of the write-ahead log
// and of the key: opening or verifying must find each and name it.
func TestFlippedBits(t *testing.T) {
	h := start(t, t.TempDir())
	for i := range 300 {
		h.appended(read("ada", i))
	}
	h.settled()
	if err := h.NewEpoch(t.Context(), "a test"); err != nil {
		t.Fatal(err)
	}
	h.stated(card(0), card(1)).appended(read("ada", 300)).settled().stop()
	flipped := 0
	for _, name := range append(files(t, h.cfg.Dir), filepath.Join(h.cfg.Keys, keyFile)) {
		if strings.Contains(name, ".db") {
			continue // TestVerifyFindsChangedRows
		}
		sound, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, 8*len(sound)/40) | 1
		for bit := 0; bit < 8*len(sound); bit += step {
			b := bytes.Clone(sound)
			b[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if found(t, h) == "" {
				t.Errorf("%s, byte %d: a flipped bit is not found", name, bit/8)
			}
			flipped++
		}
		if err := os.WriteFile(name, sound, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if why := found(t, h); why != "" || flipped < 200 {
		t.Errorf("%d bits flipped; sound, the journal says %s", flipped, why)
	}
}

// found opens and verifies a journal, and returns what is wrong with it.
func found(t *testing.T, h *home) string {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(h.dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cfg := h.cfg
	cfg.DB = db
	j, err := Open(t.Context(), cfg)
	if err != nil {
		var e *genesis.Error
		if !errors.As(err, &e) || e.Subject == "" || e.Msg == "" || e.Kind != genesis.Internal && e.Kind != genesis.Unsupported {
			t.Errorf("opening gives %+v", err)
		}
		return err.Error()
	}
	defer j.Close()
	v, err1 := j.Verify(t.Context(), time.Time{}, nil)
	p, err2 := j.VerifyCatalogue(t.Context(), nil)
	if err := errors.Join(err1, err2); err != nil {
		t.Error(err)
	}
	if v.Bad < 0 {
		v = p
	}
	if v.Bad >= 0 && v.Message == "" {
		t.Error("what is wrong is not said")
	}
	return v.Message
}
