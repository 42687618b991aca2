package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/opengenesis/genesis"
)

// content is what a backup is made of in these tests: text by path.
type content map[string]string

var sample = content{
	"format": "1\n", "catalog.db": "not really a database", "keys/node": "secret", "journal/empty": "",
	"blobs/ab/one": strings.Repeat("wind ", 5000), "blobs/ab/two": strings.Repeat("sun ", 50),
}

// add adds c to w; files in blobs/ come with their digest, as blobs do.
func (c content) add(t testing.TB, w *Writer) {
	t.Helper()
	for _, path := range slices.Sorted(maps.Keys(c)) {
		text := c[path]
		f := File{Path: path, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
		if strings.HasPrefix(path, "blobs/") {
			f.Digest = genesis.DigestOf([]byte(text))
		}
		if err := w.Add(t.Context(), f, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func (c content) backup(t testing.TB, path string) genesis.Backup {
	t.Helper()
	w, err := Create(path, "/home")
	if err != nil {
		t.Fatal(err)
	}
	c.add(t, w)
	b, err := w.Commit(genesis.BackupManifest{Node: "nrel", Home: "/home", HomeFormat: 1, Keys: true, Taken: time.Unix(1, 0).UTC()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memory is a Sink that keeps what it is given.
type memory content

func (m memory) Create(path string) (io.WriteCloser, error) {
	return &memoryFile{path: path, into: m}, nil
}

type memoryFile struct {
	bytes.Buffer
	path string
	into memory
}

func (f *memoryFile) Close() error { f.into[f.path] = f.String(); return nil }

func extract(t testing.TB, path string) (content, genesis.Digest, error) {
	got := memory{}
	_, d, err := Extract(t.Context(), path, got, nil)
	return content(got), d, err
}

// both runs a test on a folder and on an archive.
func both(t *testing.T, test func(t *testing.T, path string)) {
	for _, name := range []string{"folder", "archive" + ArchiveSuffix} {
		t.Run(name, func(t *testing.T) { test(t, filepath.Join(t.TempDir(), name)) })
	}
}

func TestThereAndBack(t *testing.T) {
	both(t, func(t *testing.T, path string) {
		b := sample.backup(t, path)
		got, digest, err := extract(t, path)
		if diff := cmp.Diff(sample, got); diff != "" || err != nil {
			t.Errorf("%v, -want +got:\n%s", err, diff)
		}
		if digest != b.Digest || b.Files != int64(len(sample)) || b.NewFiles != b.Files || !b.Keys || b.Node != "nrel" {
			t.Errorf("the backup is %+v, read as %s", b, digest)
		}
		leftovers(t, filepath.Dir(path), filepath.Base(path))
		modes(t, path)
	})
}

// leftovers fails for anything but name in dir.
func leftovers(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s is left beside %s", e.Name(), name)
		}
	}
}

// modes wants everything for its owner alone: there are keys in it.
func modes(t *testing.T, path string) {
	t.Helper()
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestEveryFlippedBit flips each bit of each file of a backup in turn. Either
// the backup is refused, with a name, or it gives the same bytes all the same:
// zstd has a few bits that mean nothing.
func TestEveryFlippedBit(t *testing.T) {
	both(t, func(t *testing.T, path string) {
		content{"format": "1\n", "blobs/ab/one": "some wind", "catalog.db": "sun"}.backup(t, path)
		want, digest, err := extract(t, path)
		if err != nil {
			t.Fatal(err)
		}
		flips, harmless := 0, 0
		everyFile(t, path, func(file string, b []byte) {
			for i := range len(b) * 8 {
				b[i/8] ^= 1 << (i % 8)
				rewrite(t, file, b)
				got, d, err := extract(t, path)
				flips++
				var e *genesis.Error
				switch {
				case err == nil && cmp.Equal(got, want) && d == digest && strings.HasSuffix(path, ArchiveSuffix):
					harmless++
				case err == nil:
					t.Fatalf("%s: bit %d flipped and nobody saw", file, i)
				case !errors.As(err, &e) || e.Subject == "" || e.Kind == genesis.NotFound:
					t.Fatalf("%s: bit %d: %v names nothing", file, i, err)
				}
				b[i/8] ^= 1 << (i % 8)
			}
			rewrite(t, file, b)
		})
		if flips < 1000 || harmless > 40 {
			t.Errorf("%d bits flipped, %d without harm", flips, harmless)
		}
	})
}

// everyFile calls do with every regular file under path.
func everyFile(t *testing.T, path string, do func(file string, b []byte)) {
	t.Helper()
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		if err == nil {
			do(p, b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func rewrite(t testing.TB, file string, b []byte) {
	t.Helper()
	_ = os.Remove(file) // a file system may flush one that is written over
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestEveryTruncation cuts off each file after each byte, and takes it away.
func TestEveryTruncation(t *testing.T) {
	both(t, func(t *testing.T, path string) {
		content{"format": "1\n", "blobs/ab/one": "some wind"}.backup(t, path)
		everyFile(t, path, func(file string, b []byte) {
			for n := range len(b) {
				rewrite(t, file, b[:n])
				var e *genesis.Error
				if _, _, err := extract(t, path); !errors.As(err, &e) || e.Subject == "" || e.Kind != genesis.Internal {
					t.Fatalf("%s cut to %d of %d bytes: %v", file, n, len(b), err)
				}
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if _, _, err := extract(t, path); err == nil {
				t.Errorf("%s is missing and nobody saw", file)
			}
			rewrite(t, file, b)
		})
	})
}

func TestDamageIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	sample.backup(t, path)
	one := filepath.Join(path, objectPath(genesis.DigestOf([]byte(sample["blobs/ab/one"]))))
	b, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(){
		"its bytes do not match": func() { b[7] ^= 1; rewrite(t, one, b); b[7] ^= 1 },
		"bytes long instead of":  func() { rewrite(t, one, append(b, 'x')) },
		"missing":                func() { os.Remove(one) },
		"not a regular file":     func() { os.Remove(one); os.Symlink("/etc/hostname", one) },
	} {
		spoil()
		_, _, err := extract(t, path)
		if err == nil || !strings.Contains(err.Error(), `"blobs/ab/one"`) || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
		os.Remove(one)
		rewrite(t, one, b)
	}
	if _, _, err := extract(t, path); err != nil {
		t.Error(err)
	}
}

func TestIncremental(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	sample.backup(t, path)
	again := sample.backup(t, path)
	if again.NewFiles != 0 || again.NewBytes != 0 {
		t.Errorf("the same again writes %+v", again)
	}
	next := maps.Clone(sample)
	delete(next, "blobs/ab/two") // erased
	next["blobs/cd/three"] = "rain"
	next["catalog.db"] = "later"
	b := next.backup(t, path)
	if b.NewFiles != 2 || b.NewBytes != int64(len("rain")+len("later")) {
		t.Errorf("the next backup writes %+v", b)
	}
	got, _, err := extract(t, path)
	if diff := cmp.Diff(next, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	gone := filepath.Join(path, objectPath(genesis.DigestOf([]byte(sample["blobs/ab/two"]))))
	if _, err := os.Stat(gone); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was erased is still in the backup: %v", err)
	}
}

// TestAbortKeepsTheEarlier: a backup that is given up leaves the one before it
// whole, and what it copied is read before it is believed.
func TestAbortKeepsTheEarlier(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	sample.backup(t, path)
	w, err := Create(path, "/home")
	if err != nil {
		t.Fatal(err)
	}
	content{"catalog.db": "later", "blobs/cd/three": "rain"}.add(t, w)
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	got, _, err := extract(t, path)
	if diff := cmp.Diff(sample, got); diff != "" || err != nil {
		t.Fatalf("%v, -want +got:\n%s", err, diff)
	}
	// What a crash may leave: the right size, other bytes.
	rewrite(t, filepath.Join(path, objectPath(genesis.DigestOf([]byte("rain")))), []byte("\x00\x00\x00\x00"))
	next := content{"format": "1\n", "blobs/cd/three": "rain"}
	next.backup(t, path)
	if got, _, err = extract(t, path); err != nil || !cmp.Equal(next, got) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "there"+ArchiveSuffix)
	rewrite(t, file, []byte("mine"))
	mine := filepath.Join(dir, "mine")
	if err := os.MkdirAll(filepath.Join(mine, "photos"), 0o700); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other")
	sample.backup(t, other)
	spoiled := filepath.Join(dir, "spoiled")
	sample.backup(t, spoiled)
	rewrite(t, filepath.Join(spoiled, ManifestName), []byte("{"))
	for _, c := range []struct {
		path, home string
		want       genesis.ErrorKind
	}{
		{file, "/home", genesis.Exists},
		{mine, "/home", genesis.Exists},
		{other, "/another/home", genesis.Conflict},
		{spoiled, "/home", genesis.Internal},
		{filepath.Join(file, "x"), "/home", genesis.Internal},
	} {
		if _, err := Create(c.path, c.home); genesis.KindOf(err) != c.want {
			t.Errorf("%s: %v, want kind %s", c.path, err, c.want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "mine" {
		t.Errorf("the file that was there is now %q, %v", b, err)
	}
}

func TestAddRefuses(t *testing.T) {
	open := func(text string) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
	}
	both(t, func(t *testing.T, path string) {
		for name, f := range map[string]File{
			"other bytes than its digest": {Path: "blobs/x", Size: 3, Digest: genesis.DigestOf([]byte("sun")), Open: open("son")},
			"shorter than it was":         {Path: "journal/x", Size: 9, Open: open("short")},
			"a path that leads out":       {Path: "../x", Size: 0, Open: open("")},
			"gone":                        {Path: "x", Open: func() (io.ReadCloser, error) { return os.Open("/nowhere/at/all") }},
		} {
			w, err := Create(path, "/home")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Add(t.Context(), f, nil); err == nil {
				t.Errorf("%s is taken", name)
			}
			if broken := strings.Contains(name, "than it"); broken {
				if _, err := w.Commit(genesis.BackupManifest{}); err == nil {
					t.Errorf("%s, and the backup becomes whole", name)
				}
			}
			if err := w.Abort(); err != nil {
				t.Error(err)
			}
			if _, _, err := extract(t, path); err == nil {
				t.Error("a backup that was given up looks whole")
			}
		}
	})
}

func TestCancel(t *testing.T) {
	both(t, func(t *testing.T, path string) {
		w, err := Create(path, "/home")
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f := File{Path: "y", Size: 1, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("y")), nil }}
		if err := w.Add(ctx, f, nil); genesis.KindOf(err) != genesis.Canceled {
			t.Errorf("after cancelling: %v", err)
		}
	})
}

// entry is one entry of an archive made by hand.
type entry struct {
	tar.Header
	text string
}

// archiveOf writes an archive of entries, and after them a manifest that is
// right about files.
func archiveOf(t testing.TB, files content, entries ...entry) string {
	t.Helper()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	put := func(h tar.Header, text string) {
		if h.Size == 0 {
			h.Size = int64(len(text))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	m := genesis.BackupManifest{Format: genesis.BackupFormat}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		put(tar.Header{Typeflag: tar.TypeReg, Name: path}, files[path])
		m.Files = append(m.Files, genesis.BackupFile{Path: path, Size: int64(len(files[path])), Digest: genesis.DigestOf([]byte(files[path]))})
		m.Count, m.Bytes = m.Count+1, m.Bytes+int64(len(files[path]))
	}
	for _, e := range entries {
		put(e.Header, e.text)
	}
	var text bytes.Buffer
	if _, err := writeManifest(&text, m); err != nil {
		t.Fatal(err)
	}
	put(tar.Header{Typeflag: tar.TypeReg, Name: ManifestName}, text.String())
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hostile"+ArchiveSuffix)
	rewrite(t, path, packed.Bytes())
	return path
}

func TestHostileArchives(t *testing.T) {
	good := content{"format": "1\n"}
	if _, _, err := extract(t, archiveOf(t, good)); err != nil {
		t.Fatalf("a good archive made by hand is refused: %v", err)
	}
	reg := func(name, text string) entry { return entry{tar.Header{Typeflag: tar.TypeReg, Name: name}, text} }
	for name, e := range map[string]entry{
		"parent folder":           reg("../../etc/cron.d/evil", "x"),
		"parent folder inside":    reg("blobs/../../x", "x"),
		"absolute":                reg("/etc/passwd", "x"),
		"backslash":               reg(`blobs\..\x`, "x"),
		"empty segment":           reg("blobs//x", "x"),
		"control character":       reg("blobs/\x1b[31m", "x"),
		"very long path":          reg(strings.Repeat("a/", 600)+"x", "x"),
		"symbolic link":           {tar.Header{Typeflag: tar.TypeSymlink, Name: "keys", Linkname: "/etc"}, ""},
		"hard link":               {tar.Header{Typeflag: tar.TypeLink, Name: "keys/x", Linkname: "format"}, ""},
		"folder":                  {tar.Header{Typeflag: tar.TypeDir, Name: "keys/"}, ""},
		"device":                  {tar.Header{Typeflag: tar.TypeChar, Name: "keys/x"}, ""},
		"pipe":                    {tar.Header{Typeflag: tar.TypeFifo, Name: "keys/x"}, ""},
		"twice":                   reg("format", "1\n"),
		"not in the manifest":     reg("keys/planted", "x"),
		"extended attributes":     {tar.Header{Typeflag: tar.TypeReg, Name: "keys/x", PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}}, "x"},
		"manifest as a link":      {tar.Header{Typeflag: tar.TypeSymlink, Name: ManifestName, Linkname: "x"}, ""},
		"manifest before the end": reg(ManifestName, "{"),
	} {
		_, _, err := extract(t, archiveOf(t, good, e))
		if kind := genesis.KindOf(err); err == nil || kind != genesis.Invalid && kind != genesis.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBomb packs four gigabytes of nothing into some hundred kilobytes.
func TestBomb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb"+ArchiveSuffix)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	const size = 4 << 30
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "blobs/ab/one", Size: size}); err != nil {
		t.Fatal(err)
	}
	z.Flush() // the rest need not even be there
	_, _, err = extract(t, path)
	if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "unpacks to more") {
		t.Errorf("a bomb gives %v", err)
	}
}

func TestNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder")
	sample.backup(t, path)
	file := filepath.Join(path, ManifestName)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, file, bytes.Replace(b, []byte(`{"format":1,`), []byte(`{"format":2,`), 1))
	if _, _, err := extract(t, path); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("a newer backup gives %v", err)
	}
}

func TestNotABackup(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	rewrite(t, file, []byte("hello"))
	for _, path := range []string{dir, file, filepath.Join(dir, "nothing")} {
		var e *genesis.Error
		if _, _, err := extract(t, path); !errors.As(err, &e) || e.Msg == "" || e.Subject == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func FuzzManifest(f *testing.F) {
	var b bytes.Buffer
	m := genesis.BackupManifest{Format: 1, Files: []genesis.BackupFile{{Path: "format", Size: 2, Digest: genesis.DigestOf(nil)}}, Count: 1, Bytes: 2}
	if _, err := writeManifest(&b, m); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		m, d, err := readManifest(bytes.NewReader(text))
		if err != nil {
			if genesis.KindOf(err) == "" {
				t.Error("an error without a kind")
			}
			return
		}
		if d != genesis.DigestOf(text) {
			t.Error("the digest is not that of the text")
		}
		for _, file := range m.Files {
			if !fs.ValidPath(file.Path) {
				t.Errorf("path %q is let through", file.Path)
			}
		}
	})
}

func FuzzArchive(f *testing.F) {
	b, err := os.ReadFile(archiveOf(f, content{"format": "1\n", "blobs/ab/one": "wind"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, packed []byte) {
		path := filepath.Join(dir, "x"+ArchiveSuffix)
		rewrite(t, path, packed)
		got := memory{}
		_, _, err := Extract(t.Context(), path, got, nil)
		for name := range got {
			if checkPath(name) != nil {
				t.Errorf("path %q is let through", name)
			}
		}
		if err != nil && genesis.KindOf(err) == "" {
			t.Error("an error without a kind")
		}
	})
}
