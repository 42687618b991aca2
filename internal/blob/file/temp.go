package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A temporary folder is named PID-BOOT-N: the process, a word drawn when it
// started, because process ids come round again (in a container always the
// same), and a number within it.
var (
	boot    = strings.ToLower(rand.Text())
	tempSeq atomic.Int64
)

// newTemp makes the temporary folder of one open store.
func newTemp(dir string) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%d-%s-%d", os.Getpid(), boot, tempSeq.Add(1)))
	return path, os.Mkdir(path, 0o700)
}

// pinPrefix begins the name of a pin, a file in a temporary folder that is there
// while the write it stands for is under way.
const pinPrefix = "pin-"

// Pin makes a pin.
func (d *Driver) Pin(context.Context) (release func() error, err error) {
	f, err := os.CreateTemp(d.temp, pinPrefix)
	if err != nil {
		return nil, broken("pin blobs", d.temp, err)
	}
	path, now := f.Name(), time.Now()
	if err := errors.Join(f.Close(), os.Chtimes(path, now, now)); err != nil {
		return nil, broken("pin blobs", path, err)
	}
	return func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return broken("pin blobs", path, err)
		}
		return nil
	}, nil
}

// Pinned returns when the oldest pin was made by any process that is alive.
func (d *Driver) Pinned(context.Context) (time.Time, error) {
	dir := filepath.Dir(d.temp)
	sweep(dir)
	var oldest time.Time
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // ended meanwhile
			return nil
		}
		if err != nil || e.IsDir() || !strings.HasPrefix(e.Name(), pinPrefix) {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && (oldest.IsZero() || info.ModTime().Before(oldest)) {
			oldest = info.ModTime()
		}
		return err
	})
	if err != nil {
		return oldest, broken("pin blobs", dir, err)
	}
	return oldest, nil
}

// sweep removes temporary folders whose process is gone. What it cannot remove
// is tried again next time.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if abandoned(entry.Name()) {
			shredAll(filepath.Join(dir, entry.Name()))
			os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
}

// shredPrefix begins the name of a file that is being shredded.
const shredPrefix = "shred-"

// shredAll ends what a process that is gone began to shred.
func shredAll(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), shredPrefix) {
			_ = shred(filepath.Join(dir, entry.Name())) // RemoveAll follows in any case
		}
	}
}

// abandoned reports whether a temporary folder belongs to a process that is
// gone. Of names it did not make it says no.
func abandoned(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return false
	}
	pid, err := strconv.Atoi(parts[0])
	if err != nil || pid < 1 {
		return false
	}
	if pid == os.Getpid() {
		return parts[1] != boot
	}
	return !alive(pid)
}
