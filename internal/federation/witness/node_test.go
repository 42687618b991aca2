package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
)

var (
	day0    = time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)
	officer = genesis.Principal{Subject: "fox", Node: "mit", Duties: []genesis.Duty{genesis.DutyOfficer}}
)

const day = 24 * time.Hour

// clock is one that tests move, for all nodes.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(day0.UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }

// node is a node as far as its audit log goes: a real journal, and a Witness.
type node struct {
	t   testing.TB
	id  genesis.NodeID
	dir string
	*clock
	db      *store.DB
	journal *journal.Journal
	*Witness
	members map[genesis.NodeID]genesis.Member // as both know them
	taken   map[string]bool
}

func start(t testing.TB, c *clock, id genesis.NodeID, dir string) *node {
	t.Helper()
	n := &node{t: t, id: id, dir: dir, clock: c, members: map[genesis.NodeID]genesis.Member{}, taken: map[string]bool{}}
	var err error
	if n.db, err = store.Open(context.Background(), filepath.Join(dir, "catalog.db")); err != nil {
		t.Fatal(err)
	}
	n.journal, err = journal.Open(context.Background(), journal.Config{Dir: filepath.Join(dir, "journal"), Keys: filepath.Join(dir, "keys"), DB: n.db, Node: id,
		Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}, Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	n.Witness = New(Config{DB: n.db, Self: id, Journal: n.journal, Now: c.now,
		Member: func(id genesis.NodeID) (genesis.Member, bool) { m, ok := n.members[id]; return m, ok },
		Taken:  func(_ context.Context, id string) (bool, error) { return n.taken[id], nil },
		MayLook: func(_ context.Context, who genesis.Principal) error {
			if who.Has(genesis.DutyOfficer) {
				return nil
			}
			return &genesis.Error{Op: "operate node", Kind: genesis.Permission}
		}})
	n.members[id] = n.member()
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	_ = n.journal.Close()
	_ = n.db.Close()
}

func (n *node) member() genesis.Member {
	key := n.journal.PublicKey()
	return genesis.Member{ID: n.id, Institution: "The " + string(n.id), Sector: genesis.University, Keys: []genesis.NodeKey{{ID: genesis.KeyID(key), Use: genesis.KeyLog, Public: key}}}
}

// pair are two nodes that know each other.
func pair(t *testing.T) (c *clock, nrel, mit *node, wire *wire) {
	t.Helper()
	c = newClock()
	nrel, mit = start(t, c, "nrel", t.TempDir()), start(t, c, "mit", t.TempDir())
	return c, nrel, mit, meet(nrel, mit)
}

// meet makes two nodes members of one federation; what mit asks nrel goes over the wire.
func meet(nrel, mit *node) *wire {
	nrel.members["mit"], mit.members["nrel"] = mit.member(), nrel.member()
	there := &wire{to: nrel, from: "mit"}
	mit.Follow(nrel.member(), there)
	nrel.Follow(mit.member(), &wire{to: mit, from: "nrel"})
	return there
}

// wire brings a node's requests to another, and may change the answers.
type wire struct {
	to    *node
	from  genesis.NodeID
	asked []string
	lie   func(path string, answer []byte, err error) ([]byte, error)
}

func (w *wire) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	w.asked = append(w.asked, path)
	answer, err := w.answer(ctx, path)
	if w.lie != nil {
		answer, err = w.lie(path, answer, err)
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(answer)), nil
}

func (w *wire) answer(ctx context.Context, path string) ([]byte, error) {
	u, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	who, q := genesis.Principal{Subject: genesis.NodeSubject, Node: w.from}, u.Query()
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(q.Get(name), 10, 64)
		return n
	}
	moment := func(name string) time.Time {
		at, _ := time.Parse(time.RFC3339Nano, q.Get(name))
		return at
	}
	var v any
	switch u.Path {
	case "/audit/state":
		v, err = w.to.AuditState(ctx, who, int(number("epoch")), number("size"))
	case "/audit/kept":
		v, err = w.to.AuditKept(ctx, who)
	case "/audit/shared":
		v, err = w.to.SharedActs(ctx, who, genesis.SharedQuery{Kind: genesis.SharedKind(q.Get("kind")), From: moment("from"), Until: moment("until"), After: number("after")})
	default:
		err = fmt.Errorf("there is no %s", path)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// act puts an entry into the log.
func (n *node) act(e journal.Event) {
	n.t.Helper()
	if e.Time.IsZero() {
		e.Time = n.now()
	}
	if err := n.journal.Append(n.t.Context(), e); err != nil {
		n.t.Fatal(err)
	}
}

// grow puts some entries into the log.
func (n *node) grow(some int) {
	n.t.Helper()
	for range some {
		n.act(newEvent())
	}
	n.settle()
}

func (n *node) settle() {
	n.t.Helper()
	if err := n.journal.Settle(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

// twin is the node once more from the same home, as a thief of its key or a restore has it.
func (n *node) twin() (original, twin *node) {
	n.t.Helper()
	n.stop()
	dir := n.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(n.dir)); err != nil {
		n.t.Fatal(err)
	}
	original, twin = start(n.t, n.clock, n.id, n.dir), start(n.t, n.clock, n.id, dir)
	twin.members = original.members
	return original, twin
}

// look has the log of nrel looked at.
func (n *node) look() genesis.Witnessed {
	n.t.Helper()
	w, err := n.Look(n.t.Context(), "nrel")
	if err != nil {
		n.t.Fatal(err)
	}
	return w
}

// forks are the entries about logs that are not what they were.
func (n *node) forks() []genesis.AuditEntry {
	n.t.Helper()
	n.settle()
	page, err := n.journal.Query(n.t.Context(), genesis.AuditQuery{Act: "fork"})
	if err != nil {
		n.t.Fatal(err)
	}
	return page.Entries
}

func newEvent() journal.Event {
	return journal.Event{Act: "sign-in", Subject: "person:ada", Time: day0}
}

func keysOf(n *node) []ed25519.PublicKey { return []ed25519.PublicKey{n.journal.PublicKey()} }
