package tile

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// config is that of a new log with a new key.
func config(t testing.TB) Config {
	t.Helper()
	const origin = "nrel/audit/1"
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err1 := note.NewSigner(skey)
	verify, err2 := note.NewVerifier(vkey)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return Config{Dir: t.TempDir(), Origin: origin, Signer: signer, Verify: verify, Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}}
}

func open(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entry(i int64) []byte { return fmt.Appendf(nil, "entry %d %x", i, i*i) }

// fill appends entries until the log has size.
func fill(t testing.TB, l *Log, size int64) {
	t.Helper()
	var all [][]byte
	for i := l.Size(); i < size; i++ {
		all = append(all, entry(i))
	}
	if err := l.Append(l.Size(), all); err != nil {
		t.Fatal(err)
	}
}

// model is the same tree in the dense storage of x/mod.
type model []tlog.Hash

func (m *model) add(t *testing.T, i int64) {
	t.Helper()
	hashes, err := tlog.StoredHashes(i, entry(i), m)
	if err != nil {
		t.Fatal(err)
	}
	*m = append(*m, hashes...)
}

func (m *model) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range indexes {
		out = append(out, (*m)[i])
	}
	return out, nil
}

// TestAgreesWithReference grows a log in batches of random sizes, opened anew
// now and then, beside x/mod's implementation of the same tree.
func TestAgreesWithReference(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	var m model
	random := mrand.New(mrand.NewPCG(1, 2))
	var sizes []int64
	for size := int64(0); size < 70_000; {
		next := size + 1 + random.Int64N([]int64{3, 300, 9000}[random.IntN(3)])
		for ; size < next; size++ {
			m.add(t, size)
		}
		fill(t, l, size)
		if random.IntN(3) == 0 {
			l = open(t, cfg)
		}
		want, err := tlog.TreeHash(size, &m)
		if err != nil || l.Root() != want {
			t.Fatalf("root at %d is %s, want %s, %v", size, l.Root(), want, err)
		}
		c, err := ReadCheckpoint(l.Checkpoint(), cfg.Verify)
		if err != nil || c != (Checkpoint{cfg.Origin, size, want}) {
			t.Fatalf("checkpoint is %+v, %v", c, err)
		}
		sizes = append(sizes, size)
	}
	checkProofs(t, l, sizes, random)
	v, err := l.Verify(t.Context(), 0, nil)
	if err != nil || v.Checked != l.Size() || v.Checkpoint.Root != l.Root() {
		t.Errorf("verified %+v, %v", v, err)
	}
	checkFiles(t, cfg.Dir, l.Size())
}

// checkProofs makes proofs from the tiles and checks them.
func checkProofs(t *testing.T, l *Log, sizes []int64, random *mrand.Rand) {
	t.Helper()
	size := l.Size()
	for range 50 {
		i := random.Int64N(size)
		p, err := tlog.ProveRecord(size, i, l)
		if err != nil || tlog.CheckRecord(p, size, l.Root(), i, tlog.RecordHash(entry(i))) != nil {
			t.Fatalf("entry %d is not proved: %v", i, err)
		}
		all, err := l.Entries(i / Width)
		if err != nil || !bytes.Equal(all[i%Width], entry(i)) {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	for _, old := range sizes {
		root, err := tlog.TreeHash(old, l)
		if err != nil {
			t.Fatal(err)
		}
		p, err := tlog.ProveTree(size, old, l)
		if err != nil || tlog.CheckTree(p, size, l.Root(), old, root) != nil {
			t.Fatalf("the log of %d entries is not proved to be a part: %v", old, err)
		}
	}
}

// checkFiles wants exactly the files of the specification's example in a log of
// that size: each level full tiles and one partial one.
func checkFiles(t *testing.T, dir string, size int64) {
	t.Helper()
	want := map[string]bool{"checkpoint": true}
	for level := -1; level < 3; level++ {
		hashes := size >> (8 * max(level, 0))
		for n := range hashes / Width {
			want[Path(level, n, Width)] = true
		}
		if hashes%Width > 0 {
			want[Path(level, hashes/Width, int(hashes%Width))] = true
		}
	}
	for _, name := range files(t, dir) {
		if filepath.Dir(name) == "checkpoints" {
			continue
		}
		if !want[name] {
			t.Errorf("there is a file %s", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("there is no file %s", name)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			name, _ := filepath.Rel(dir, path)
			all = append(all, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPath(t *testing.T) {
	for _, tt := range []struct {
		level int
		n     int64
		width int
		want  string
	}{
		{0, 1234067, 256, "tile/0/x001/x234/067"},
		{3, 0, 17, "tile/3/000.p/17"},
		{-1, 273, 112, "tile/entries/273.p/112"},
		{-1, 999_000, 256, "tile/entries/x999/000"},
	} {
		if got := Path(tt.level, tt.n, tt.width); got != tt.want {
			t.Errorf("path of %d, %d, %d is %s, want %s", tt.level, tt.n, tt.width, got, tt.want)
		}
	}
}

// TestFlippedBits flips every bit of the small files, and some of every byte of
// the others, of a log: opening or verifying must find each of them and name a
// file or an entry.
func TestFlippedBits(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	for _, size := range []int64{1, 3, 200, 256, 300, 515} {
		fill(t, l, size)
	}
	for _, name := range files(t, cfg.Dir) {
		path := filepath.Join(cfg.Dir, name)
		sound, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if len(sound) > 200 {
			step = 211
		}
		if os.Getenv("GENESIS_EVERY_BIT") != "" {
			step = 1
		}
		for bit := 0; bit < 8*len(sound); bit += step {
			b := bytes.Clone(sound)
			b[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			checkFound(t, cfg, l, name, int64(bit/8))
		}
		if err := os.WriteFile(path, sound, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Verify(t.Context(), 0, nil); err != nil {
		t.Error(err)
	}
}

func checkFound(t *testing.T, cfg Config, l *Log, name string, at int64) {
	t.Helper()
	if _, err := Open(cfg); err != nil {
		var e *genesis.Error
		if !errors.As(err, &e) || e.Kind != genesis.Internal || e.Subject == "" || e.Msg == "" {
			t.Fatalf("%s, byte %d: opening gives %v", name, at, err)
		}
	}
	_, err := l.Verify(context.Background(), 0, nil)
	var b *Broken
	if !errors.As(err, &b) {
		t.Fatalf("%s, byte %d: a flipped bit is not found: %v", name, at, err)
	}
	if filepath.Dir(name) == "tile/0" && b.Entry != at/tlog.HashSize && name == "tile/0/000" {
		t.Fatalf("%s, byte %d: entry %d is named", name, at, b.Entry)
	}
}

// TestVerifyNamesTheFirst changes the log as somebody would who knows its form.
func TestVerifyNamesTheFirst(t *testing.T) {
	const size = 1000
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, cfg Config)
		entry  int64
	}{
		{"sound", func(*testing.T, Config) {}, -1},
		{"tile away", func(t *testing.T, cfg Config) { remove(t, cfg, "tile/0/001") }, 256},
		{"bundle away", func(t *testing.T, cfg Config) { remove(t, cfg, "tile/entries/002") }, 512},
		{"entry and hash changed", func(t *testing.T, cfg Config) { rewrite(t, cfg, 300) }, 256},
		{"checkpoint away", func(t *testing.T, cfg Config) { remove(t, cfg, "checkpoint") }, 1000},
		{"strange checkpoint", func(t *testing.T, cfg Config) {
			copyFile(t, cfg, "checkpoint", "checkpoints/1")
		}, 0},
		{"checkpoint of another size", func(t *testing.T, cfg Config) {
			copyFile(t, cfg, "checkpoint", keptName(700))
		}, 600},
	} {
		cfg := config(t)
		l := open(t, cfg)
		for _, n := range []int64{200, 600, size} {
			fill(t, l, n)
		}
		tt.change(t, cfg)
		_, err := l.Verify(t.Context(), 0, nil)
		var b *Broken
		switch {
		case tt.entry < 0:
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		case !errors.As(err, &b) || tt.name != "checkpoint away" && b.Entry != tt.entry:
			t.Errorf("%s: error is %v, want entry %d", tt.name, err, tt.entry)
		}
	}
}

func remove(t *testing.T, cfg Config, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(cfg.Dir, name)); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, cfg Config, from, to string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(cfg.Dir, from))
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.Dir, to), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// rewrite replaces an entry in its bundle, and its hash in its tile, as somebody
// does who has no key.
func rewrite(t *testing.T, cfg Config, i int64) {
	t.Helper()
	n := i / Width
	var grown tree
	put := func(f file) {
		if f.n == n && f.level <= 0 {
			if err := os.WriteFile(filepath.Join(cfg.Dir, f.path()), f.data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for j := range (n + 1) * Width {
		e := entry(j)
		if j == i {
			e = []byte("nothing happened")
		}
		grown.add(e, put)
	}
}

// TestOtherHistory puts a kept checkpoint in place that the key signed and that is
// of another log, as when a log was written anew by who has the key.
func TestOtherHistory(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	for _, n := range []int64{200, 300, 1000} {
		fill(t, l, n)
	}
	msg, err := Checkpoint{cfg.Origin, 300, tlog.Hash{1}}.sign(cfg.Signer)
	if err == nil {
		err = os.WriteFile(filepath.Join(cfg.Dir, keptName(300)), msg, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, since := range []int64{0, 256, 1000} {
		_, err := l.Verify(t.Context(), since, nil)
		var b *Broken
		if !errors.As(err, &b) || b.Entry != 200 {
			t.Errorf("since %d: error is %v, want entry 200", since, err)
		}
	}
}

// TestCutLog shows that a log that was put back to an earlier state, checkpoint
// and all, does not hold against the checkpoints kept since.
func TestCutLog(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	fill(t, l, 10)
	old := l.Checkpoint()
	tiles := map[string][]byte{}
	for _, f := range l.tree.partial() {
		tiles[f.path()] = f.data
	}
	fill(t, l, 30)
	for name, b := range tiles {
		if err := os.WriteFile(filepath.Join(cfg.Dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "checkpoint"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	l = open(t, cfg)
	_, err := l.Verify(t.Context(), 0, nil)
	var b *Broken
	if !errors.As(err, &b) || b.Entry != 10 {
		t.Errorf("error is %v, want entry 10", err)
	}
}

func TestVerifySince(t *testing.T) {
	cfg := config(t)
	l := open(t, cfg)
	for _, n := range []int64{100, 700, 1500} {
		fill(t, l, n)
	}
	v, err := l.Verify(t.Context(), 1030, nil)
	if err != nil || v.Checked != 1500-1024 {
		t.Errorf("checked %+v, %v", v, err)
	}
	path := filepath.Join(cfg.Dir, Path(1, 0, 5))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[40] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var broken *Broken
	if _, err = l.Verify(t.Context(), 1030, nil); !errors.As(err, &broken) || broken.Entry != 100 {
		t.Errorf("a tile that does not fit the checkpoint of 700 gives %v", err)
	}
}

// TestFailingDisk lets every operation fail in turn, in every step of an append,
// and shows that the append can be tried again, or left, and the log holds.
func TestFailingDisk(t *testing.T) {
	for _, op := range []string{"create", "write", "sync", "mkdir", "rename", "syncdir", "remove"} {
		for after := range 12 {
			for _, crash := range []bool{false, true} {
				cfg := config(t)
				faulty := cfg.Disk.(*disk.Faulty)
				l := open(t, cfg)
				fill(t, l, 250)
				n := 0
				faulty.Fail(func(o, _ string) error {
					if n++; o == op && n > after {
						return syscall.ENOSPC
					}
					return nil
				})
				more := [][]byte{}
				for i := range int64(20) {
					more = append(more, entry(250+i))
				}
				err := l.Append(250, more)
				if err != nil && genesis.KindOf(err) != genesis.Unavailable {
					t.Fatalf("%s: %v", op, err)
				}
				faulty.Fail(nil)
				if crash {
					l = open(t, cfg)
				}
				if l.Size() == 250 {
					if err := l.Append(250, more); err != nil {
						t.Fatal(err)
					}
				}
				fill(t, l, 600)
				if _, err := open(t, cfg).Verify(t.Context(), 0, nil); err != nil || l.Size() != 600 {
					t.Fatalf("%s after %d: %v", op, after, err)
				}
			}
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	l := open(t, config(t))
	if err := l.Append(1, [][]byte{{1}}); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("appending elsewhere gives %v", err)
	}
	if err := l.Append(0, [][]byte{make([]byte, MaxEntry+1)}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a long entry gives %v", err)
	}
	if err := l.Append(0, [][]byte{make([]byte, MaxEntry), {}}); err != nil || l.Size() != 2 {
		t.Errorf("the longest and the shortest entry give %v", err)
	}
	if _, err := l.Verify(t.Context(), 0, nil); err != nil {
		t.Error(err)
	}
}

// TestTile asks for every prefix of every tile, as readers of all earlier
// checkpoints would, and for tiles that are not there.
func TestTile(t *testing.T) {
	l := open(t, config(t))
	fill(t, l, 520)
	for n := range int64(3) {
		for w := 1; w <= Width; w++ {
			there := n*Width+int64(w) <= 520
			b, err := l.Tile(0, n, w)
			if there != (err == nil) || there && len(b) != w*tlog.HashSize {
				t.Fatalf("tile %d of width %d: %d bytes, %v", n, w, len(b), err)
			}
			b, err = l.Tile(-1, n, w)
			all, whole := SplitBundle(b, w)
			if there != (err == nil) || there && (!whole || !bytes.Equal(all[w-1], entry(n*Width+int64(w)-1))) {
				t.Fatalf("bundle %d of width %d: %v", n, w, err)
			}
		}
	}
	for _, q := range [][3]int64{{-2, 0, 1}, {0, -1, 1}, {0, 0, 0}, {0, 0, 257}, {1, 0, 3}, {1, 1, 1}, {9, 0, 1}, {0, 1 << 60, 1}} {
		if _, err := l.Tile(int(q[0]), q[1], int(q[2])); genesis.KindOf(err) != genesis.NotFound {
			t.Errorf("tile %v: %v", q, err)
		}
	}
	if b, err := l.Tile(1, 0, 2); err != nil || len(b) != 64 {
		t.Errorf("tile at level 1: %v", err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	cfg := config(f)
	msg, err := Checkpoint{cfg.Origin, 7, emptyRoot}.sign(cfg.Signer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Add([]byte("nrel/audit/1\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— x YQ==\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadCheckpoint(b, cfg.Verify)
		if err == nil && c != (Checkpoint{cfg.Origin, 7, emptyRoot}) {
			t.Errorf("%q reads as %+v", b, c)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0}, 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = min(max(n, 0), Width)
		all, whole := SplitBundle(b, n)
		var back []byte
		for _, e := range all {
			back = append(append(back, byte(len(e)>>8), byte(len(e))), e...)
		}
		if whole && (len(all) != n || !bytes.Equal(back, b)) || !bytes.HasPrefix(b, back) {
			t.Errorf("%x is cut into %x, %v", b, all, whole)
		}
	})
}

func TestParsePath(t *testing.T) {
	for _, level := range []int{-1, 0, 3} {
		for _, n := range []int64{0, 7, 999, 1000, 1234067, 1 << 40} {
			for _, width := range []int{1, 17, Width} {
				path := strings.TrimPrefix(Path(level, n, width), "tile/")
				l, m, w, ok := ParsePath(path)
				if !ok || l != level || m != n || w != width {
					t.Errorf("%s is %d %d %d %v", path, l, m, w, ok)
				}
			}
		}
	}
	for _, path := range []string{"", "0", "0/", "entries", "8/000", "-1/000", "0/0", "0/0000", "0/x001", "0/001/002", "0/x1/002", "0/000.p/0", "0/000.p/256", "0/000.p/01",
		"0/+01", "../000", "0/000/", "00/000", "entries/000.p/1/2", "0/" + strings.Repeat("x999/", 9) + "999"} {
		if l, n, w, ok := ParsePath(path); ok {
			t.Errorf("%q is %d %d %d", path, l, n, w)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("0/x001/234.p/17")
	f.Add("entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		if level, n, width, ok := ParsePath(path); ok && Path(level, n, width) != "tile/"+path {
			t.Errorf("%q is %d %d %d", path, level, n, width)
		}
	})
}
