package nodekey

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

var day0 = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func open(t *testing.T, dir string) *Ring {
	t.Helper()
	r, err := Open(dir, disk.OS, at(day0))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func entry(keys ...genesis.NodeKey) genesis.Member { return genesis.Member{ID: "nrel", Keys: keys} }

func said(k Key, from, until time.Time) genesis.NodeKey {
	return genesis.NodeKey{ID: k.ID(), Use: genesis.KeyToken, Public: k.Public(), From: from, Until: until}
}

// TestRotation: a new key signs once the charter has it, the old one goes once it
// ended there, and both steps hold through a restart.
func TestRotation(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	r := open(t, dir)
	first, err := r.Current(genesis.KeyToken, entry(), day0)
	if err != nil {
		t.Fatal(err)
	}
	own := entry(said(first, day0, time.Time{}))
	next, err := r.Next(genesis.KeyToken, own)
	if err != nil || next.ID() == first.ID() {
		t.Fatal(next.ID(), err)
	}
	r = open(t, dir)
	if again, err := r.Next(genesis.KeyToken, own); err != nil || again.ID() != next.ID() {
		t.Errorf("the next key was made twice: %v", err)
	}
	if k, err := r.Current(genesis.KeyToken, own, day0); err != nil || k.ID() != first.ID() {
		t.Errorf("a key signs that is in no charter: %v", err)
	}
	day := 24 * time.Hour
	own = entry(said(first, day0, day0.Add(day)), said(next, day0.Add(time.Second), time.Time{}))
	for at, want := range map[time.Duration]Key{time.Minute: first, 61 * time.Minute: next} { // others hear of it in between
		if k, err := r.Current(genesis.KeyToken, own, day0.Add(at)); err != nil || k.ID() != want.ID() {
			t.Errorf("after %v %s signs: %v", at, k.ID(), err)
		}
	}
	for _, tt := range []struct {
		at   time.Time
		left int
	}{{day0.Add(time.Hour), 2}, {day0.Add(day), 1}} {
		if err := r.Prune(own, tt.at); err != nil {
			t.Fatal(err)
		}
		if got := len(open(t, dir).All(genesis.KeyToken)); got != tt.left {
			t.Errorf("%d keys at %s, want %d", got, tt.at, tt.left)
		}
	}
	if _, err := r.Current(genesis.KeyToken, entry(said(first, day0, time.Time{})), day0); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("a key signs in place of the one that others know: %v", err)
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	open(t, dir)
	for _, use := range Uses {
		path := filepath.Join(dir, "node-"+string(use)+".key")
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info, err)
		}
	}
	path := filepath.Join(dir, "node-token.key")
	for text, want := range map[string]genesis.ErrorKind{"": genesis.Internal, `{"format":1,"keys":[]}`: genesis.Internal, `{"format":1,"keys":[{"seed":"AA=="}]}`: genesis.Internal,
		`{"format":2}`: genesis.Unsupported} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, disk.OS, at(day0)); genesis.KindOf(err) != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestCrash: whatever breaks while a key is made, the keys before are there.
func TestCrash(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir"} {
		dir := filepath.Join(t.TempDir(), "keys")
		before := open(t, dir).All(genesis.KeyToken)[0]
		faulty := &disk.Faulty{Disk: disk.OS}
		r, err := Open(dir, faulty, at(day0))
		if err != nil {
			t.Fatal(err)
		}
		faulty.Fail(func(now, _ string) error {
			if now == op {
				return os.ErrInvalid
			}
			return nil
		})
		if _, err := r.Next(genesis.KeyToken, entry(said(before, day0, time.Time{}))); err == nil {
			t.Errorf("%s: a key that is not durable is handed out", op)
		}
		if after := open(t, dir).All(genesis.KeyToken); after[0].ID() != before.ID() {
			t.Errorf("%s: %v", op, after)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"format":1,"keys":[{"seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","made":"2027-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := decode("x", text)
		if err == nil && len(keys) == 0 {
			t.Error("no key, and no error")
		}
	})
}
