package file

import (
	"errors"
	"os"
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
