package file

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// syncFolder does nothing: Windows cannot flush a folder.
func syncFolder(string) error { return nil }

// rename replaces the file at to, which Windows refuses while it is read-only or
// open. An object already there has the same content, so that is no failure.
func rename(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		return nil
	}
	old, statErr := os.Stat(to)
	if draft, err := os.Stat(from); statErr == nil && err == nil && old.Size() == draft.Size() {
		return remove(from)
	}
	return err
}

// remove deletes a file; Windows refuses while it is read-only.
func remove(path string) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.Remove(path)
}

const errDiskFull = syscall.Errno(112)

func full(err error) bool { return errors.Is(err, errDiskFull) }

// alive reports whether a process with this id exists.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	p.Release()
	return true
}

// How a lock is held: many may hold it shared, or one exclusive.
const (
	shared = iota
	exclusive
)

// gate is the lock on Windows, where no node runs: it holds apart what one process
// does.
var gate sync.RWMutex

// lock holds writing and removing objects apart.
func (d *Driver) lock(how int) (unlock func(), err error) {
	if how == exclusive {
		gate.Lock()
		return gate.Unlock, nil
	}
	gate.RLock()
	return gate.RUnlock, nil
}
