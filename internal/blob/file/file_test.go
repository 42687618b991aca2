package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/blobtest"
)

func open(t testing.TB, root string) *Driver {
	t.Helper()
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// flip changes one bit of a stored object.
func flip(t *testing.T, path string, off int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[off] ^= 0x10
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) blobtest.Storage {
		root := t.TempDir()
		return blobtest.Storage{
			Driver: open(t, root),
			Flip:   func(t *testing.T, key string, off int64) { flip(t, filepath.Join(root, key[:2], key), off) },
		}
	})
}

// files returns the paths of all files below root but those of format and lock.
func files(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() != formatFile && e.Name() != lockFile {
			rel, _ := filepath.Rel(root, path)
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOnDisk(t *testing.T) {
	root := t.TempDir()
	store := blob.Open(open(t, root))
	b, err := store.Put(t.Context(), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	hex := "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	if b.Digest.Hex() != hex {
		t.Fatalf("digest is %s", b.Digest)
	}
	if got := fmt.Sprint(files(t, root)); got != "[2c/"+hex+"]" {
		t.Errorf("files are %s", got)
	}
	info, err := os.Stat(filepath.Join(root, "2c", hex))
	if err != nil || info.Mode().Perm()&0o333 != 0 {
		t.Errorf("the blob can be written or executed: %v, %v", info.Mode(), err)
	}
	temp := store.Temp()
	if err := os.WriteFile(filepath.Join(temp, "spill"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(temp); err == nil {
		t.Error("the temporary folder outlives the store")
	}
}

func TestRefusesNewerFormat(t *testing.T) {
	root := t.TempDir()
	open(t, root).Close()
	if err := os.WriteFile(filepath.Join(root, formatFile), []byte("genesis blobs 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(root); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("a newer folder opens: %v", err)
	}
}

func TestTruncated(t *testing.T) {
	root := t.TempDir()
	store := blob.Open(open(t, root))
	b, err := store.Put(t.Context(), blobtest.Content(3<<20, 1))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, b.Digest.Hex()[:2], b.Digest.Hex())
	os.Chmod(path, 0o600)
	if err := os.Truncate(path, 1<<20+7); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), b); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("a truncated blob opens: %v", err)
	}
	damage, err := store.Verify(t.Context(), b)
	if err != nil || len(damage) == 0 || damage[0].Offset != 1<<20 {
		t.Errorf("Verify gives %+v, %v, want damage from offset 1 MiB", damage, err)
	}
}

// TestVector holds the example of docs/formats.md, which was computed elsewhere.
func TestVector(t *testing.T) {
	root := t.TempDir()
	store := blob.Open(open(t, root))
	b, err := store.Put(t.Context(), append(bytes.Repeat([]byte{'a'}, 1<<20), 'b'))
	want := genesis.Blob{Size: 1<<20 + 1,
		Digest: "sha256:371264331be3a89bb42c4fea3770469e9094f6ce8c8244b9ac2beb9ffd80e621",
		Merkle: "sha256:9c033a30e6f60706172f7a021de9de1800ff74e1d868bb4959a2994457ad9e55"}
	if err != nil || b != want {
		t.Errorf("the blob is %+v, %v, want %+v", b, err, want)
	}
	leaves, err := os.ReadFile(filepath.Join(root, "37", b.Digest.Hex()+".tree"))
	wantLeaves := "gentree\n\x01\x00\x00\x00\x00\x00\x10\x00\x01\x00\x10\x00\x00\x00\x00\x00"
	if err != nil || len(leaves) != 24+2*32 || string(leaves[:24]) != wantLeaves ||
		fmt.Sprintf("%x", leaves[24:]) != "28a56ef53d93e29c26178d1e1c0702f9c20cab31901c6826561a34e5d7dc3939"+
			"57eb35615d47f34ec714cacdf5fd74608a5e8e102724e80b24b287c0c27b6a31" {
		t.Errorf("the leaf hashes are %x, %v", leaves, err)
	}
}

// killer is a driver whose process dies just before an object becomes visible.
type killer struct {
	*Driver
	before string // suffix of the key
}

type killerDraft struct {
	blob.Draft
	before string
}

func (k killer) Create(ctx context.Context) (blob.Draft, error) {
	d, err := k.Driver.Create(ctx)
	return killerDraft{d, k.before}, err
}

func (k killerDraft) Commit(key string) error {
	if strings.HasSuffix(key, k.before) {
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			self.Kill()
			select {} // until it takes effect
		}
	}
	return k.Draft.Commit(key)
}

// TestCrash kills a process that writes a blob, once before its leaf hashes and
// once before its content become visible, and looks at what the next one finds.
func TestCrash(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs kill")
	}
	content := blobtest.Content(2<<20+9, 3)
	if root := os.Getenv("BLOB_CRASH_ROOT"); root != "" {
		d, err := Open(root)
		if err == nil {
			_, err = blob.Open(killer{d, os.Getenv("BLOB_CRASH_BEFORE")}).Put(context.Background(), content)
		}
		t.Fatalf("was not killed: %v", err)
	}
	for _, before := range []string{".tree", genesis.DigestOf(content).Hex()} {
		root := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestCrash$")
		cmd.Env = append(os.Environ(), "BLOB_CRASH_ROOT="+root, "BLOB_CRASH_BEFORE="+before)
		if out, err := cmd.CombinedOutput(); err == nil || bytes.Contains(out, []byte("was not killed")) {
			t.Fatalf("the writing process ended with %v:\n%s", err, out)
		}
		checkAfterCrash(t, root, content)
	}
}

func checkAfterCrash(t *testing.T, root string, content []byte) {
	t.Helper()
	left := 0
	for _, path := range files(t, root) {
		if strings.HasPrefix(path, tempFolder+"/") {
			left++
		}
	}
	if left == 0 {
		t.Fatal("the killed process left no temporary file: the test shows nothing")
	}
	store := blob.Open(open(t, root))
	defer store.Close()
	for _, path := range files(t, root) {
		if strings.HasPrefix(path, tempFolder+"/") {
			t.Errorf("opening the store did not remove %s", path)
		}
	}
	if ok, err := store.Has(t.Context(), genesis.DigestOf(content)); ok || err != nil {
		t.Errorf("the blob is there after the crash: %v, %v", ok, err)
	}
	b, err := store.Put(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	if damage, err := store.Verify(t.Context(), b); err != nil || damage != nil {
		t.Errorf("writing again after the crash: %v, %v", damage, err)
	}
}

func TestSweepKeepsTheLiving(t *testing.T) {
	root := t.TempDir()
	first := open(t, root)
	draft, err := first.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(root, tempFolder, fmt.Sprintf("%d-x-1", os.Getppid()))
	earlier := filepath.Join(root, tempFolder, fmt.Sprintf("%d-anotherboot-1", os.Getpid()))
	for _, dir := range []string{foreign, earlier} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	second := open(t, root)
	defer second.Close()
	if _, err := draft.Write([]byte("still here")); err != nil {
		t.Fatal(err)
	}
	if err := draft.Commit(strings.Repeat("ab", 32)); err != nil {
		t.Errorf("opening the store again broke a write under way: %v", err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("the folder of a living process was removed: %v", err)
	}
	if _, err := os.Stat(earlier); err == nil {
		t.Error("the folder of an earlier process with our id was kept")
	}
}

// TestPinsOfOthers holds that the pin of a living process counts in another, and
// that of a dead one does not.
func TestPinsOfOthers(t *testing.T) {
	root := t.TempDir()
	first, second := open(t, root), open(t, root)
	release, err := first.Pin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if at, err := second.Pinned(t.Context()); err != nil || at.IsZero() {
		t.Errorf("a pin is not seen: %v, %v", at, err)
	}
	if err := errors.Join(release(), release()); err != nil {
		t.Error(err)
	}
	if at, err := second.Pinned(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("a pin that was released is seen: %v, %v", at, err)
	}
	dead := filepath.Join(root, tempFolder, fmt.Sprintf("%d-anotherboot-1", os.Getpid()))
	if err := errors.Join(os.Mkdir(dead, 0o700), os.WriteFile(filepath.Join(dead, pinPrefix+"1"), nil, 0o600),
		os.WriteFile(filepath.Join(dead, shredPrefix+"1"), []byte("secret"), 0o400)); err != nil {
		t.Fatal(err)
	}
	if at, err := second.Pinned(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("the pin of a dead process counts: %v, %v", at, err)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("what a dead process left is still there")
	}
}

// TestShredOverwrites keeps a second name of the file, to see what became of it.
func TestShredOverwrites(t *testing.T) {
	root := t.TempDir()
	store := blob.Open(open(t, root))
	content := bytes.Repeat([]byte("secret "), 400_000)
	b, err := store.Put(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	var links []string
	for i, path := range files(t, root) {
		links = append(links, filepath.Join(t.TempDir(), fmt.Sprint(i)))
		if err := os.Link(filepath.Join(root, path), links[i]); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := store.Purge(t.Context(), b.Digest); !there || err != nil || len(links) != 2 {
		t.Fatalf("purge: %v, %v, %d files", there, err, len(links))
	}
	for _, link := range links {
		left, err := os.ReadFile(link)
		if err != nil || len(bytes.Trim(left, "\x00")) > 0 {
			t.Errorf("%d bytes are left, %v", len(bytes.Trim(left, "\x00")), err)
		}
	}
	if left := files(t, root); len(left) != 0 {
		t.Errorf("files are left: %v", left)
	}
}

func BenchmarkWrite(b *testing.B) {
	store := blob.Open(open(b, b.TempDir()))
	chunk := blobtest.Content(1<<20, 1)
	b.SetBytes(256 << 20)
	for b.Loop() {
		w, err := store.Create(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for range 256 {
			if _, err := w.Write(chunk); err != nil {
				b.Fatal(err)
			}
		}
		w.Abort()
	}
}
