package mirror

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
)

// other is another node, as far as its logs go: a real journal, and what it says at
// present.
type other struct {
	t   testing.TB
	dir string
	db  *store.DB
	*journal.Journal
	says map[genesis.Class]map[genesis.Name]string // titles
	asks atomic.Int64
}

// start begins a node in a folder, or goes on with one.
func startOther(t testing.TB, dir string) *other {
	t.Helper()
	o := &other{t: t, dir: dir, says: map[genesis.Class]map[genesis.Name]string{}}
	var err error
	if o.db, err = store.Open(context.Background(), filepath.Join(dir, "catalog.db")); err != nil {
		t.Fatal(err)
	}
	o.Journal, err = journal.Open(context.Background(), journal.Config{Dir: filepath.Join(dir, "journal"), Keys: filepath.Join(dir, "keys"), DB: o.db, Node: "nrel",
		Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}, Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.stop)
	return o
}

func (o *other) stop() {
	_ = o.Close()
	_ = o.db.Close()
}

// copied is the node once more, as a restore from a backup or a holder of its key makes
// it.
func (o *other) copied() (original, twin *other) {
	o.t.Helper()
	o.stop()
	dir := o.t.(interface{ TempDir() string }).TempDir()
	if err := os.CopyFS(dir, os.DirFS(o.dir)); err != nil {
		o.t.Fatal(err)
	}
	original, twin = startOther(o.t, o.dir), startOther(o.t, dir)
	for c, names := range o.says {
		original.says[c], twin.says[c] = maps.Clone(names), maps.Clone(names)
	}
	return original, twin
}

// member is the node in the charter.
func (o *other) member() genesis.Member {
	fields := strings.SplitN(o.VerifierKey(), "+", 3)
	key, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		o.t.Fatal(err)
	}
	public := ed25519.PublicKey(key[1:])
	return genesis.Member{ID: "nrel", Keys: []genesis.NodeKey{{ID: genesis.KeyID(public), Use: genesis.KeyLog, Public: public}}}
}

func versionOf(name genesis.Name) genesis.Digest { return genesis.DigestOf([]byte(name)) }

func listing(name genesis.Name, title string) genesis.Listing {
	return genesis.Listing{Format: 1, Node: "nrel", Name: name, Version: versionOf(name), Kind: genesis.Dataset, Title: title}
}

// say makes a version known to classes under a title; no class hides it.
func (o *other) say(name genesis.Name, title string, classes ...genesis.Class) {
	o.t.Helper()
	o.sayAll([]genesis.Name{name}, title, classes...)
}

func (o *other) sayAll(names []genesis.Name, title string, classes ...genesis.Class) {
	o.t.Helper()
	err := o.db.Tx(context.Background(), func(tx *sql.Tx) error {
		for _, name := range names {
			p := journal.Presence{Name: name, Version: versionOf(name), Leaves: journal.StatedHide, Listings: map[genesis.Class][]byte{}}
			for _, c := range classes {
				text, err := genesis.CanonicalJSON(listing(name, title))
				if err != nil {
					return err
				}
				p.Listings[c] = text
			}
			if err := journal.Restate(context.Background(), tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = o.Settle(context.Background())
	}
	if err != nil {
		o.t.Fatal(err)
	}
	for _, c := range []genesis.Class{"public", "members", "to-mit", "to-acme"} {
		if o.says[c] == nil {
			o.says[c] = map[genesis.Name]string{}
		}
		for _, name := range names {
			if delete(o.says[c], name); slices.Contains(classes, c) {
				o.says[c][name] = title
			}
		}
	}
}

func (o *other) newEpoch() {
	o.t.Helper()
	if err := o.NewEpoch(context.Background(), "a test"); err != nil {
		o.t.Fatal(err)
	}
}

// Get answers as the API does.
func (o *other) Get(_ context.Context, path string) (io.ReadCloser, error) {
	o.asks.Add(1)
	b, err := o.answer(path)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (o *other) answer(path string) ([]byte, error) {
	if path == "/logs" {
		return plainJSON(genesis.LogList{Logs: o.Logs()})
	}
	u, err := url.Parse(path)
	if err != nil {
		return nil, err
	}
	part := strings.SplitN(strings.TrimPrefix(u.Path, "/logs/"), "/", 4)
	class := genesis.Class(part[0])
	if part[1] == "statements" {
		return o.statements(class, u.Query())
	}
	epoch, err := strconv.Atoi(part[1])
	if err != nil {
		return nil, err
	}
	log, err := o.Log(class, epoch)
	if err != nil {
		return nil, err
	}
	if part[2] == "checkpoint" {
		return log.Checkpoint(), nil
	}
	level, n, width, ok := tile.ParsePath(part[3])
	if !ok {
		return nil, fmt.Errorf("no tile %s", path)
	}
	return log.Tile(level, n, width)
}

func (o *other) statements(class genesis.Class, q url.Values) ([]byte, error) {
	from, _ := strconv.ParseInt(q.Get("from"), 10, 64)
	limit, _ := strconv.Atoi(q.Get("limit"))
	told, size, err := o.Statements(context.Background(), class, from, limit)
	if err != nil {
		return nil, err
	}
	page := genesis.StatedPage{Size: size}
	for _, t := range told {
		page.Statements = append(page.Statements, genesis.Stated{Place: t.Place, Text: t.Text, Salt: t.Salt, Listing: t.Listing})
	}
	return plainJSON(page)
}

func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// here is the node mit, which follows nrel.
type here struct {
	t testing.TB
	*Mirror
	dir  string
	now  time.Time
	told map[genesis.Class]map[genesis.Name]string // as an index knows it that goes by what is noted
}

func startHere(t testing.TB) *here {
	t.Helper()
	h := &here{t: t, dir: t.(interface{ TempDir() string }).TempDir(), now: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), told: map[genesis.Class]map[genesis.Name]string{}}
	db, err := store.Open(context.Background(), filepath.Join(h.dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	h.Mirror = New(Config{DB: db, Self: "mit", Now: func() time.Time { return h.now }, Timeout: 5 * time.Second})
	return h
}

// again is the mirror after a crash: what it kept in memory is gone.
func (h *here) again() {
	h.Mirror = New(h.cfg)
}

// hear takes what is noted, as an index does.
func (h *here) hear() {
	h.t.Helper()
	ctx := context.Background()
	ids, seq, err := catalog.New(h.cfg.DB, nil).Touched(ctx, catalog.Soon, 1_000_000)
	if err == nil {
		err = catalog.New(h.cfg.DB, nil).Taken(ctx, catalog.Soon, seq)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	for _, id := range ids {
		for _, names := range h.told {
			maps.DeleteFunc(names, func(n genesis.Name, _ string) bool { return id.Name == "" || id.Name == n })
		}
		if id.Name == "" {
			for d, err := range h.Documents(ctx, id.Node) {
				h.note(d, err)
			}
			continue
		}
		h.note(h.Document(ctx, id))
	}
}

func (h *here) note(d find.Document, err error) {
	if genesis.KindOf(err) == genesis.NotFound {
		return
	}
	if err != nil {
		h.t.Fatal(err)
	}
	for _, class := range d.Classes {
		if h.told[class] == nil {
			h.told[class] = map[genesis.Name]string{}
		}
		h.told[class][d.Name] = d.Title
	}
}

// look goes round until nothing is left, as a follower does.
func (h *here) look(member genesis.Member, p Peer) error {
	for {
		more, err := h.follower(member, p).round(context.Background())
		if err != nil || !more {
			return err
		}
	}
}

// mirrored is what the mirror holds.
func (h *here) mirrored() map[genesis.Class]map[genesis.Name]string {
	h.t.Helper()
	all := map[genesis.Class]map[genesis.Name]string{}
	for l, err := range h.Listings(context.Background()) {
		if err != nil {
			h.t.Fatal(err)
		}
		if all[l.Class] == nil {
			all[l.Class] = map[genesis.Name]string{}
		}
		all[l.Class][l.Name] = l.Title
	}
	return all
}

// followed is what a node says that mit may know.
func (o *other) followed() map[genesis.Class]map[genesis.Name]string {
	want := map[genesis.Class]map[genesis.Name]string{}
	for _, c := range []genesis.Class{"public", "members", "to-mit"} {
		if len(o.says[c]) > 0 {
			want[c] = o.says[c]
		}
	}
	return want
}

// agrees holds the mirror, and what was noted, against what a node says.
func (h *here) agrees(o *other) {
	h.t.Helper()
	if diff := cmp.Diff(o.followed(), h.mirrored()); diff != "" {
		h.t.Fatalf("mirrored (-said +mirrored):\n%s", diff)
	}
	h.hear()
	maps.DeleteFunc(h.told, func(_ genesis.Class, names map[genesis.Name]string) bool { return len(names) == 0 })
	if diff := cmp.Diff(o.followed(), h.told); diff != "" {
		h.t.Fatalf("told (-said +told):\n%s", diff)
	}
}

func (h *here) standing(class genesis.Class) Status {
	h.t.Helper()
	all, err := h.Status(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range all {
		if s.Class == class {
			return s
		}
	}
	return Status{}
}

// names are n names.
func names(prefix string, n int) (all []genesis.Name) {
	for i := range n {
		all = append(all, genesis.Name(fmt.Sprintf("%s-%05d", prefix, i)))
	}
	return all
}

// lying is held while a lie is told: a node is asked for two things at once.
var lying sync.Mutex

// liar changes what a node answers.
type liar struct {
	Peer
	lie func(path string, body []byte, err error) (io.ReadCloser, error)
}

func (l liar) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := l.Peer.Get(ctx, path)
	var b []byte
	if err == nil {
		b, err = io.ReadAll(r)
	}
	lying.Lock()
	defer lying.Unlock()
	return l.lie(path, b, err)
}

func body(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
