package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding"
	"encoding/base64"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

var (
	ada     = genesis.Principal{Subject: "ada", Node: "nrel"}
	bob     = genesis.Principal{Subject: "bob", Node: "nrel"}
	steward = genesis.Principal{Subject: "eve", Node: "nrel", Duties: []genesis.Duty{genesis.DutySteward}}
)

// home is a store that can be closed and opened again, as a process would.
type home struct {
	*Store
	t   testing.TB
	dir string
	now time.Time
}

func newHome(t testing.TB, change func(*Config)) *home {
	h := &home{t: t, dir: t.TempDir(), now: time.Unix(1_800_000_000, 0)}
	h.open(change)
	return h
}

func (h *home) open(change func(*Config)) {
	h.t.Helper()
	db, err := store.Open(h.t.Context(), filepath.Join(h.dir, "db"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { db.Close() })
	cfg := Config{DB: db, Dir: filepath.Join(h.dir, "uploads"), Max: 64 << 20, Quota: 100 << 20, Expire: time.Hour, Now: func() time.Time { return h.now }}
	if change != nil {
		change(&cfg)
	}
	if h.Store, err = Open(h.t.Context(), cfg); err != nil {
		h.t.Fatal(err)
	}
}

// restart is a new process over the same disk.
func (h *home) restart() {
	h.DB.Close()
	h.open(nil)
}

func (h *home) create(req genesis.UploadRequest) string {
	h.t.Helper()
	if req.Name == "" {
		req.Name = "x.csv"
	}
	u, err := h.Create(h.t.Context(), ada, req)
	if err != nil {
		h.t.Fatal(err)
	}
	return u.ID
}

func (h *home) add(id string, offset int64, text string, last bool) (*genesis.Upload, error) {
	return h.Append(h.t.Context(), ada, id, Part{Offset: offset, Body: strings.NewReader(text), Last: last})
}

func (h *home) read(id string) (string, error) {
	f, err := h.Open(h.t.Context(), ada, genesis.FileRef{Token: genesis.UploadToken + id})
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	return string(b), err
}

func is(t *testing.T, what string, err error, kind genesis.ErrorKind) {
	t.Helper()
	if genesis.KindOf(err) != kind {
		t.Errorf("%s: %v", what, err)
	}
}

// txOf runs one statement.
func txOf(query string) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), query)
		return err
	}
}

func size(n int64) *int64 { return &n }

func TestUpload(t *testing.T) {
	h := newHome(t, nil)
	id := h.create(genesis.UploadRequest{Size: size(6), SHA256: genesis.DigestOf([]byte("abcdef"))})
	if u, err := h.add(id, 0, "abc", false); err != nil || u.Offset != 3 || u.Complete {
		t.Fatalf("%+v, %v", u, err)
	}
	_, err := h.read(id)
	is(t, "opening a part", err, genesis.Conflict)
	u, err := h.add(id, 2, "x", false)
	is(t, "another offset", err, genesis.Conflict)
	if u == nil || u.Offset != 3 {
		t.Errorf("the right offset is not told: %+v", u)
	}
	_, err = h.add(id, 3, "", true)
	is(t, "completing too early", err, genesis.Invalid)
	h.restart()
	if u, err := h.Find(t.Context(), ada, id); err != nil || u.Offset != 3 {
		t.Errorf("after a restart: %+v, %v", u, err)
	}
	if u, err = h.add(id, 3, "def", true); err != nil || !u.Complete || u.SHA256 != genesis.DigestOf([]byte("abcdef")) {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err = h.add(id, 6, "", true); err != nil || !u.Complete {
		t.Errorf("completing again: %+v, %v", u, err)
	}
	_, err = h.add(id, 6, "more", false)
	is(t, "adding to a complete one", err, genesis.Conflict)
	h.restart()
	if got, err := h.read(id); err != nil || got != "abcdef" {
		t.Errorf("%q, %v", got, err)
	}
	all, err := h.List(t.Context(), ada)
	if err != nil || len(all) != 1 || all[0].ID != id || !all[0].Complete {
		t.Errorf("%+v, %v", all, err)
	}
	if err := h.Abort(t.Context(), ada, id); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(h.Dir); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

func TestEmptyAndUnsized(t *testing.T) {
	h := newHome(t, nil)
	for _, text := range []string{"", "some bytes"} {
		id := h.create(genesis.UploadRequest{})
		if u, err := h.add(id, 0, text, true); err != nil || !u.Complete || *u.Size != int64(len(text)) {
			t.Errorf("%+v, %v", u, err)
		}
		if got, err := h.read(id); err != nil || got != text {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestWrongBytes: bytes other than those announced are of no use, and go.
func TestWrongBytes(t *testing.T) {
	h := newHome(t, nil)
	other := genesis.DigestOf([]byte("other"))
	for _, c := range []struct{ announced, last genesis.Digest }{{other, ""}, {"", other}} {
		id := h.create(genesis.UploadRequest{SHA256: c.announced})
		_, err := h.Append(t.Context(), ada, id, Part{Body: strings.NewReader("abc"), Last: true, SHA256: c.last})
		is(t, "another digest", err, genesis.Invalid)
		_, err = h.Find(t.Context(), ada, id)
		is(t, "afterwards", err, genesis.NotFound)
	}
	if left, _ := os.ReadDir(h.Dir); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

// TestHeldCounts: what is kept for a person's runs counts like their uploads.
func TestHeldCounts(t *testing.T) {
	held := int64(60)
	h := newHome(t, func(c *Config) {
		c.Max, c.Quota = 100, 150
		c.Held = func(genesis.PersonID) int64 { return held }
	})
	_, err := h.Create(t.Context(), ada, genesis.UploadRequest{Name: "x", Size: size(100)})
	is(t, "more than what is left", err, genesis.Permission)
	held = 50
	if _, err = h.Create(t.Context(), ada, genesis.UploadRequest{Name: "x", Size: size(100)}); err != nil {
		t.Error(err)
	}
}

// TestPeopleOfAnotherNode: however many people another node makes up, together they keep no
// more than one person.
func TestPeopleOfAnotherNode(t *testing.T) {
	h := newHome(t, func(c *Config) { c.Node, c.Max, c.Quota = "nrel", 100, 150 })
	for i, c := range []struct {
		who  genesis.Principal
		want genesis.ErrorKind
	}{
		{genesis.Principal{Subject: "one", Node: "mit"}, ""}, {genesis.Principal{Subject: "two", Node: "mit"}, genesis.Permission},
		{genesis.Principal{Subject: "one", Node: "mit-2"}, ""}, {ada, ""}, {bob, ""},
	} {
		_, err := h.Create(t.Context(), c.who, genesis.UploadRequest{Name: "x", Size: size(100)})
		if genesis.KindOf(err) != c.want {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestTooMuch(t *testing.T) {
	h := newHome(t, func(c *Config) { c.Max, c.Quota = 100, 150 })
	_, err := h.Create(t.Context(), ada, genesis.UploadRequest{Name: "x", Size: size(101)})
	is(t, "a large file", err, genesis.Invalid)

	id := h.create(genesis.UploadRequest{Size: size(5)})
	u, err := h.add(id, 0, "abcdefg", true)
	is(t, "more than announced", err, genesis.Invalid)
	if u.Offset != 5 || u.Complete {
		t.Errorf("%+v", u)
	}
	if u, err = h.add(id, 5, "", true); err != nil || !u.Complete {
		t.Errorf("what was announced is there: %+v, %v", u, err)
	}

	id = h.create(genesis.UploadRequest{})
	u, err = h.add(id, 0, strings.Repeat("x", 101), true)
	is(t, "a large file whose size nobody said", err, genesis.Invalid)
	if u.Offset != 100 {
		t.Errorf("%+v", u)
	}

	_, err = h.Create(t.Context(), ada, genesis.UploadRequest{Name: "x", Size: size(46)})
	is(t, "over the quota", err, genesis.Permission)
	if _, err = h.Create(t.Context(), bob, genesis.UploadRequest{Name: "x", Size: size(46)}); err != nil {
		t.Errorf("somebody else's quota: %v", err)
	}
	id = h.create(genesis.UploadRequest{})
	u, err = h.add(id, 0, strings.Repeat("x", 46), false)
	is(t, "growing over the quota", err, genesis.Permission)
	if u.Offset != 0 {
		t.Errorf("%+v", u)
	}
	if u, err = h.add(id, 0, strings.Repeat("y", 45), true); err != nil || !u.Complete {
		t.Errorf("up to the quota: %+v, %v", u, err)
	}
	if got, err := h.read(id); err != nil || got != strings.Repeat("y", 45) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestTooManySessions(t *testing.T) {
	h := newHome(t, nil)
	err := h.DB.Tx(t.Context(), txOf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO uploads SELECT i, 'nrel/ada', 'x', 0, '', 0, '', 0, 0, 9000000000000000 FROM n`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Create(t.Context(), ada, genesis.UploadRequest{Name: "x"})
	is(t, "one more", err, genesis.Permission)
}

func TestOnlyOnesOwn(t *testing.T) {
	h := newHome(t, nil)
	_, err := h.Create(t.Context(), genesis.Principal{}, genesis.UploadRequest{Name: "x"})
	is(t, "nobody", err, genesis.Permission)
	id := h.create(genesis.UploadRequest{})
	h.add(id, 0, "abc", true)
	for who, p := range map[string]genesis.Principal{"bob": bob, "nobody": {}, "a steward": steward, "another node's": {Subject: "ada", Node: "elsewhere"}} {
		_, err = h.Find(t.Context(), p, id)
		is(t, who+" finds", err, genesis.NotFound)
		_, err = h.Append(t.Context(), p, id, Part{Body: strings.NewReader("")})
		is(t, who+" appends", err, genesis.NotFound)
		_, err = h.Open(t.Context(), p, genesis.FileRef{Token: genesis.UploadToken + id})
		is(t, who+" opens", err, genesis.NotFound)
		is(t, who+" aborts", h.Abort(t.Context(), p, id), genesis.NotFound)
	}
	for _, id := range []string{"", "..", "../db", "x/y", strings.Repeat("a", 5000)} {
		_, err = h.read(id)
		is(t, id, err, genesis.NotFound)
	}
}

// stops is a body that breaks off after some bytes, or waits.
type stops struct {
	r    io.Reader
	wait chan bool
}

func (s stops) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err == io.EOF {
		if s.wait != nil {
			<-s.wait
		}
		return n, errors.New("connection reset")
	}
	return n, err
}

func TestOneConnection(t *testing.T) {
	h := newHome(t, nil)
	id := h.create(genesis.UploadRequest{})
	wait := make(chan bool)
	done := make(chan error)
	started := &notify{strings.NewReader("abc"), make(chan bool, 1)}
	go func() {
		_, err := h.Append(t.Context(), ada, id, Part{Body: stops{started, wait}})
		done <- err
	}()
	<-started.read
	_, err := h.add(id, 0, "x", false)
	is(t, "a second connection", err, genesis.Conflict)
	is(t, "aborting meanwhile", h.Abort(t.Context(), ada, id), genesis.Conflict)
	close(wait)
	is(t, "the first breaks off", <-done, genesis.Unavailable)
	// What came in before it broke off is there.
	if u, err := h.add(id, 3, "def", true); err != nil || !u.Complete {
		t.Errorf("%+v, %v", u, err)
	}
	if got, _ := h.read(id); got != "abcdef" {
		t.Errorf("%q", got)
	}
}

type notify struct {
	r    io.Reader
	read chan bool
}

func (n *notify) Read(b []byte) (int, error) {
	select {
	case n.read <- true:
	default:
	}
	return n.r.Read(b)
}

func TestExpiry(t *testing.T) {
	h := newHome(t, nil)
	old, young := h.create(genesis.UploadRequest{}), h.create(genesis.UploadRequest{})
	h.add(old, 0, "abc", true)
	h.now = h.now.Add(59 * time.Minute)
	h.add(young, 0, "abc", false) // renews it
	h.now = h.now.Add(2 * time.Minute)
	_, err := h.read(old)
	is(t, "an expired one", err, genesis.NotFound)
	if n, err := h.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if left, _ := os.ReadDir(h.Dir); len(left) != 1 || left[0].Name() != young {
		t.Errorf("%v are left", left)
	}
	if u, err := h.add(young, 3, "", true); err != nil || !u.Complete {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestCrashAtAnyByte puts the disk into every state in which a crash can leave
// it: bytes behind the offset, whole, half or wrong. What is resumed is exact.
func TestCrashAtAnyByte(t *testing.T) {
	h := newHome(t, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	want := make([]byte, 5000)
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	id := h.create(genesis.UploadRequest{Size: size(int64(len(want))), SHA256: genesis.DigestOf(want)})
	for offset := 0; offset < len(want); {
		n := min(1+rng.IntN(700), len(want)-offset)
		u, err := h.Append(t.Context(), ada, id, Part{Offset: int64(offset), Body: bytes.NewReader(want[offset : offset+n])})
		if err != nil || u.Offset != int64(offset+n) {
			t.Fatalf("%+v, %v", u, err)
		}
		offset += n
		// The process dies while it writes the next part: some of it reached the
		// file, in any order, and its offset was not committed.
		f, err := os.OpenFile(filepath.Join(h.Dir, id), os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, rng.IntN(300)), int64(offset+rng.IntN(100))); err != nil {
			t.Fatal(err)
		}
		f.Close()
		h.restart()
		if u, err := h.Find(t.Context(), ada, id); err != nil || u.Offset != int64(offset) || u.Complete {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	if u, err := h.add(id, int64(len(want)), "", true); err != nil || !u.Complete {
		t.Fatalf("%+v, %v", u, err)
	}
	if got, err := h.read(id); err != nil || got != string(want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestLostBytes: a file shorter than its offset is damage, and said to be so.
func TestLostBytes(t *testing.T) {
	h := newHome(t, nil)
	part, whole := h.create(genesis.UploadRequest{}), h.create(genesis.UploadRequest{})
	h.add(part, 0, "abcdef", false)
	h.add(whole, 0, "abcdef", true)
	for _, id := range []string{part, whole} {
		if err := os.Truncate(filepath.Join(h.Dir, id), 3); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.add(part, 6, "g", false)
	is(t, "a part", err, genesis.Internal)
	_, err = h.read(whole)
	is(t, "the whole", err, genesis.Internal)
}

// TestDiskErrors: what the file did not take is neither counted nor hashed.
func TestDiskErrors(t *testing.T) {
	var file bytes.Buffer
	h := sha256.New()
	s := &sink{f: &full{&file, 5}, h: h}
	n, err := io.Copy(s, io.MultiReader(strings.NewReader("abc"), strings.NewReader("def")))
	if err == nil || s.err == nil || n != 3 || s.n != 3 || !cmp.Equal(h.Sum(nil), sumOf("abc")) {
		t.Errorf("%d, %d, %v", n, s.n, err)
	}
}

func sumOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// full takes n bytes.
type full struct {
	w io.Writer
	n int
}

func (f *full) Write(b []byte) (int, error) {
	n := min(len(b), f.n)
	f.n -= n
	f.w.Write(b[:n])
	if n < len(b) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// TestCheckpoints: a long part is durable in pieces while it comes in.
func TestCheckpoints(t *testing.T) {
	h := newHome(t, nil)
	id := h.create(genesis.UploadRequest{})
	body := bytes.Repeat([]byte("0123456789abcdef"), (checkpoint*2+checkpoint/2)/16)
	_, err := h.Append(t.Context(), ada, id, Part{Body: io.MultiReader(bytes.NewReader(body), iotestErr{})})
	is(t, "a broken connection", err, genesis.Unavailable)
	h.restart()
	if u, err := h.Find(t.Context(), ada, id); err != nil || u.Offset != int64(len(body)) {
		t.Errorf("%+v, %v", u, err)
	}
	u, err := h.add(id, int64(len(body)), "", true)
	if err != nil || u.SHA256 != genesis.DigestOf(body) {
		t.Errorf("%+v, %v", u, err)
	}
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestOrphans(t *testing.T) {
	h := newHome(t, nil)
	id := h.create(genesis.UploadRequest{})
	h.add(id, 0, "abc", false)
	if err := os.WriteFile(filepath.Join(h.Dir, "left"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.restart()
	if left, _ := os.ReadDir(h.Dir); len(left) != 1 || left[0].Name() != id {
		t.Errorf("%v are left", left)
	}
}

func TestBadRequests(t *testing.T) {
	h := newHome(t, nil)
	for name, req := range map[string]genesis.UploadRequest{
		"no name": {}, "long name": {Name: strings.Repeat("x", 1001)}, "negative": {Name: "x", Size: size(-1)},
		"no digest": {Name: "x", SHA256: "sha256:12"}, "huge": {Name: "x", Size: size(1 << 60)},
	} {
		_, err := h.Create(context.Background(), ada, req)
		is(t, name, err, genesis.Invalid)
	}
	_, err := h.Open(t.Context(), ada, genesis.FileRef{Token: "other"})
	is(t, "another token", err, genesis.Invalid)
	if Names(genesis.FileRef{Token: "abc"}) || !Names(genesis.FileRef{Token: "upload:x"}) || !Names(genesis.FileRef{Token: "path:/x"}) {
		t.Error("Names")
	}
}

// FuzzSession plays a caller and a disk that do anything against a model: the
// bytes that were taken so far. What is complete in the end is exactly those.
func FuzzSession(f *testing.F) {
	h := newHome(f, func(c *Config) { c.Max, c.Quota = 1000, 1<<40 })
	f.Add([]byte{0, 5, 3, 10, 0, 7, 4, 0})
	f.Add([]byte{1, 5, 2, 9, 0, 200, 0, 200, 0, 200, 0, 255, 0, 255, 4, 1})
	f.Fuzz(func(t *testing.T, moves []byte) {
		u, err := h.Create(t.Context(), ada, genesis.UploadRequest{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		var want []byte
		for i := 0; i+1 < len(moves) && i < 100; i += 2 {
			piece := bytes.Repeat([]byte{moves[i+1]}, int(moves[i+1]))
			p := Part{Offset: int64(len(want)), Body: bytes.NewReader(piece)}
			broken := false
			switch moves[i] % 5 {
			case 1: // the connection breaks
				p.Body, broken = io.MultiReader(p.Body, iotestErr{}), true
			case 2: // somewhere else
				p.Offset += 1 + int64(moves[i+1])
			case 3: // a crash leaves bytes behind the offset
				file, err := os.OpenFile(filepath.Join(h.Dir, u.ID), os.O_WRONLY|os.O_CREATE, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				_, err = file.WriteAt(piece, int64(len(want)))
				if err := errors.Join(err, file.Close()); err != nil {
					t.Fatal(err)
				}
				continue
			case 4: // perhaps the end
				p.Last = moves[i+1]%2 == 0
			}
			got, err := h.Append(t.Context(), ada, u.ID, p)
			if p.Offset == int64(len(want)) {
				want = append(want, piece...)
			}
			over := len(want) > 1000
			want = want[:min(len(want), 1000)]
			if got == nil || got.Offset != int64(len(want)) || (err == nil) != (p.Offset+int64(len(piece)) == int64(len(want)) && !over && !broken) {
				t.Fatalf("move %d: %+v, %v; want %d bytes", i, got, err, len(want))
			}
			if got.Complete {
				break
			}
		}
		last, err := h.Append(t.Context(), ada, u.ID, Part{Offset: int64(len(want)), Body: strings.NewReader(""), Last: true})
		if err != nil || !last.Complete || last.SHA256 != genesis.DigestOf(want) {
			t.Fatalf("%+v, %v", last, err)
		}
		file, err := h.Open(t.Context(), ada, last.Ref())
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if b, err := io.ReadAll(file); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%d bytes, %v; want %d", len(b), err, len(want))
		}
		if err := h.Abort(t.Context(), ada, u.ID); err != nil {
			t.Error(err)
		}
	})
}

// TestGuestsExpire: what people of other nodes send stays no longer than is promised.
func TestGuestsExpire(t *testing.T) {
	h := newHome(t, func(c *Config) { c.Node, c.Expire = "nrel", 24*time.Hour })
	guest := genesis.Principal{Subject: "ada", Node: "mit"}
	own := h.create(genesis.UploadRequest{})
	u, err := h.Create(t.Context(), guest, genesis.UploadRequest{Name: "x.csv"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = h.Append(t.Context(), guest, u.ID, Part{Body: strings.NewReader("abc"), Last: true}); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(genesis.KeepSent - 2*time.Minute)
	if n, err := h.Sweep(t.Context()); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
	if left, _ := os.ReadDir(h.Dir); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
	if _, err := h.Find(t.Context(), ada, own); err != nil {
		t.Errorf("a person's own: %v", err)
	}
}

// TestBeyondTheQuota: bytes that no quota allows do not stay on the disk, announced or not.
func TestBeyondTheQuota(t *testing.T) {
	h := newHome(t, func(c *Config) { c.Quota, c.Max = 1<<20, 64<<20 })
	for range 3 {
		u := h.create(genesis.UploadRequest{})
		_, err := h.Append(t.Context(), ada, u, Part{Body: io.MultiReader(bytes.NewReader(make([]byte, 2<<20)), iotest.ErrReader(errors.New("the connection broke")))})
		if genesis.KindOf(err) != genesis.Permission {
			t.Fatal(err)
		}
	}
	all, err := os.ReadDir(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if info, err := e.Info(); err != nil || info.Size() > 0 {
			t.Errorf("%s has %d bytes, %v", e.Name(), info.Size(), err)
		}
	}
}

// TestDrop removes a person's complete uploads, and no others.
func TestDrop(t *testing.T) {
	h := newHome(t, nil)
	done, open, other := h.create(genesis.UploadRequest{}), h.create(genesis.UploadRequest{}), h.create(genesis.UploadRequest{})
	h.add(done, 0, "abc", true)
	h.add(open, 0, "abc", false)
	h.add(other, 0, "abc", true)
	if err := os.WriteFile(filepath.Join(h.dir, "key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Drop(t.Context(), h.DB, h.Dir, bob.Person(), []string{other}); err != nil {
		t.Fatal(err)
	}
	if err := Drop(t.Context(), h.DB, h.Dir, ada.Person(), []string{done, open, "../key", "none"}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(h.Dir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v are left, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "key")); err != nil {
		t.Error(err)
	}
}

// TestNoBytesInTheDatabase: the state of a hash, which is kept, has none of the bytes.
func TestNoBytesInTheDatabase(t *testing.T) {
	h := newHome(t, nil)
	id := h.create(genesis.UploadRequest{})
	text := strings.Repeat("0123456789", 10)
	for i := 0; i < len(text); i += 25 {
		h.add(id, int64(i), text[i:i+25], i+25 == len(text))
		var state string
		if err := h.DB.Read().QueryRowContext(t.Context(), "SELECT hash_state FROM uploads").Scan(&state); err != nil {
			t.Fatal(err)
		}
		b, err := base64.StdEncoding.DecodeString(state)
		if err != nil || bytes.Contains(b, []byte("0123")) || bytes.Contains(b, []byte("5678")) {
			t.Errorf("%q, %v", b, err)
		}
	}
	if u, err := h.Find(t.Context(), ada, id); err != nil || u.SHA256 != genesis.DigestOf([]byte(text)) {
		t.Errorf("%+v, %v", u, err)
	}
}

// TestOldStates: an upload that an earlier release began goes on.
func TestOldStates(t *testing.T) {
	h := newHome(t, nil)
	id := h.create(genesis.UploadRequest{})
	h.add(id, 0, "abc", false)
	old := sha256.New()
	old.Write([]byte("abc"))
	state, err := old.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE uploads SET hash_state = $1", base64.StdEncoding.EncodeToString(state))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	rest := strings.Repeat("def", 50)
	if u, err := h.add(id, 3, rest, true); err != nil || u.SHA256 != genesis.DigestOf([]byte("abc"+rest)) {
		t.Errorf("%+v, %v", u, err)
	}
}
