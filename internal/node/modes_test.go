//go:build linux || darwin

package node

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/opengenesis/genesis/internal/store"
)

// closedTo reports files below dir that others than their owner may use.
func closedTo(t *testing.T, dir string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if files++; info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return files
}

// TestHomeIsForItsOwner: whatever the umask, and whether or not the folder was there
// and open to others before, nobody else may use a file in a home.
func TestHomeIsForItsOwner(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for name, mode := range map[string]fs.FileMode{"new": 0, "0755": 0o755, "0777": 0o777} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "home")
			if mode != 0 {
				if err := os.Mkdir(dir, mode); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(mustHome(t, dir).Path, "config.yaml"), "node: here\n")
			w, stop := reopen(t, dir, map[string]string{})
			w.settle("gil", nil)
			w.build("public")
			if n := closedTo(t, dir); n < 20 { // SQLite's own files are there as long as it runs
				t.Errorf("only %d files", n)
			}
			stop()
			closedTo(t, dir)
		})
	}
}

// TestOpenHomeIsClosed: what an earlier program left open to others is closed.
func TestOpenHomeIsClosed(t *testing.T) {
	dir := t.TempDir()
	_, stop := reopen(t, dir, map[string]string{})
	stop()
	for _, name := range []string{".", "journal", "keys", "runs", "tmp", "blobs", "catalog.db", "journal/private.db", "journal/index.db"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o055); err != nil {
			t.Fatal(err)
		}
	}
	_, stop = reopen(t, dir, map[string]string{})
	stop()
	closedTo(t, dir)
}

// TestCopyIsForItsOwner: so are the databases of a backup while it is made.
func TestCopyIsForItsOwner(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), filepath.Join(dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Copy(t.Context(), filepath.Join(dir, "b.db")); err != nil {
		t.Fatal(err)
	}
	closedTo(t, dir)
}
