//go:build unix

package file

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func rename(from, to string) error { return os.Rename(from, to) }

func remove(path string) error { return os.Remove(path) }

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// alive reports whether a process with this id exists.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// How a lock is held: many may hold it shared, or one exclusive.
const (
	shared    = syscall.LOCK_SH
	exclusive = syscall.LOCK_EX
)

// lock holds writing and removing objects apart, in this process and in others that
// have the folder open.
func (d *Driver) lock(how int) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(d.root, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, broken("lock blobs", d.root, err)
	}
	for {
		if err = syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, broken("lock blobs", d.root, err)
	}
	return func() { f.Close() }, nil // closing it lets go
}
