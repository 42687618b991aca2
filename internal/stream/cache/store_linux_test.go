package cache

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

// inUse counts what the process has mapped or open below a folder.
func inUse(t *testing.T, dir string) (maps, files int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	maps = strings.Count(string(b), dir)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, dir) {
			files++
		}
	}
	return maps, files
}

// TestNothingStaysMapped: of items that nobody uses and that are gone, that are damaged
// or that were not made to their end, nothing is mapped or open.
func TestNothingStaysMapped(t *testing.T) {
	s := newStore(t, 64<<20)
	f := &fixed{columns: everyType, batches: []*format.Batch{everything(10, 300)}}
	count := func(what string, maps int) {
		t.Helper()
		if m, files := inUse(t, s.dir); m != maps || files != 0 {
			t.Errorf("%s: %d files are mapped and %d open", what, m, files)
		}
	}
	get := func() *Held {
		t.Helper()
		h, err := s.Get(t.Context(), id("t"), f.maker(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := get()
	count("in use", 2)
	h.Release()
	count("idle", 2)
	h = get()
	h.Drop()
	count("dropped", 0)
	get().Release()
	s.mu.Lock()
	s.forgetLocked(s.items[id("t").path()])
	s.mu.Unlock()
	count("forgotten", 0)
	for _, name := range []string{rowsFile, textFile, metaFile} {
		dir := f.built(t)
		if err := os.Truncate(filepath.Join(dir, name), 17); err != nil {
			t.Fatal(err)
		}
		if _, err := openTable(dir); err == nil {
			t.Error("it opens")
		}
		if m, files := inUse(t, dir); m != 0 || files != 0 {
			t.Errorf("%s damaged: %d are mapped and %d open", name, m, files)
		}
	}
	f.hook = func(int) error { return errors.New("the source breaks off") }
	if _, err := s.Get(t.Context(), id("u"), f.maker(), nil); err == nil {
		t.Error("it is made of nothing")
	}
	count("not made", 0)
	left(t, s)
}

// TestPagesThatAreNotGiven: a file that is cut while it is mapped is an error of who looks
// at it, wherever they do.
func TestPagesThatAreNotGiven(t *testing.T) {
	for _, name := range []string{rowsFile, textFile} {
		f := &fixed{columns: everyType, batches: []*format.Batch{everything(10, 3000)}}
		dir := f.built(t)
		table := open(t, dir)
		seen := func() error { return same(table, f.batches[0], 0) }
		if name == textFile {
			if err := seen(); err != nil { // so that its sums are not looked at again
				t.Fatal(err)
			}
		}
		if err := os.Truncate(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := seen(); !Damaged(err) || genesis.KindOf(err) != genesis.Internal {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	dir := t.TempDir()
	m := Parts(1000, ascending(1000))
	if err := m.Make(t.Context(), dir, nil, func(int64) {}); err != nil {
		t.Fatal(err)
	}
	p, err := m.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := os.Truncate(filepath.Join(dir, partFile), 0); err != nil {
		t.Fatal(err)
	}
	if err := p.(*Part).Map([]uint64{7}); !Damaged(err) {
		t.Errorf("part: %v", err)
	}
}

// smallDisk is where the test that runs in a namespace of its own mounts its disk.
const smallDisk = "GENESIS_TEST_DISK"

// TestDiskFills: a table that the disk does not take is an error of the kind Unavailable,
// leaves nothing, and is made when there is room again.
func TestDiskFills(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		onSmallDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFills$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || strings.Contains(string(out), "cannot mount") {
		testdata.Missing(t, "namespaces", "the kernel gives this user no namespace with a disk of its own: "+err.Error())
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestDiskFills") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func onSmallDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatalf("cannot mount a disk: %v", err)
	}
	s, err := Open(filepath.Join(dir, "cache"), 1<<30, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &fixed{columns: []genesis.Column{{Name: "t", Type: genesis.Text}}}
	for i := range 200 {
		f.batches = append(f.batches, &format.Batch{Rows: 1, Cols: []format.Vector{textVector(strings.Repeat(fmt.Sprint(i%10), 50_000))}})
	}
	for range 3 {
		_, err := s.Get(t.Context(), id("t"), f.maker(), nil)
		if genesis.KindOf(err) != genesis.Unavailable || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on the full disk: %v", err)
		}
		left(t, s)
		if size := s.Size(); size != 0 {
			t.Errorf("%d bytes are taken", size)
		}
	}
	f.batches = f.batches[:40]
	h, err := s.Get(t.Context(), id("t"), f.maker(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	for i, b := range f.batches {
		if err := same(h.Value().(*Table), b, int64(i)); err != nil {
			t.Error(err)
		}
	}
}
