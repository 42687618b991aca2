// Package disk is what the journal asks of a file system when it writes. It is
// small so that tests can stand in a disk that is full, read-only or loses what
// it was told to keep: see [Faulty].
//
// Reading goes through package os: what cannot be read is told apart from what
// is wrong by hashes, not by the file system.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/opengenesis/genesis"
)

// Disk is the part of a file system that the journal writes to.
type Disk interface {
	// Create makes a file, or empties it, for this user alone.
	Create(name string) (File, error)
	Mkdir(dir string) error
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
}

// File is a file that is written from its beginning to its end.
type File interface {
	io.Writer
	Sync() error
	Close() error
}

// OS is the disk of this machine.
var OS Disk = system{}

type system struct{}

func (system) Create(name string) (File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

func (system) Mkdir(dir string) error       { return os.Mkdir(dir, 0o700) }
func (system) Rename(from, to string) error { return os.Rename(from, to) }
func (system) Remove(name string) error     { return os.Remove(name) }

func (system) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MkdirAll makes a folder and those above it that are missing, durably.
func MkdirAll(d Disk, dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(d, parent); err != nil {
			return err
		}
	}
	if err := d.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.SyncDir(parent)
}

// Temporary is how the names of files end that are not whole yet.
const Temporary = ".tmp"

// Replace puts a file in place, whole or not at all. Its name is durable once
// its folder is synced.
func Replace(d Disk, name string, content []byte) error {
	f, err := d.Create(name + Temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		d.Remove(name + Temporary) // best effort: the next try empties it
		return err
	}
	return d.Rename(name+Temporary, name)
}

// Error gives an error of the file system a kind and a cause that a person
// understands. Errors that have a kind, and nil, are returned as they are.
func Error(op, subject string, err error) error {
	var known *genesis.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &genesis.Error{Op: op, Kind: genesis.Unavailable, Subject: subject, Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		e.Msg, e.Hint = "there is no room left on the disk", "free some room: it goes on by itself"
	case errors.Is(err, syscall.EROFS):
		e.Msg, e.Hint = "the file system is read-only", "mount it for writing: it goes on by itself"
	case errors.Is(err, fs.ErrPermission):
		e.Msg, e.Hint = "this user may not write there", "give the files back to the user who runs the node"
	case errors.Is(err, syscall.EIO):
		e.Msg, e.Hint = "the disk reports an error", "look at the system's log: the disk may be failing"
	default:
		e.Msg = cause(err)
	}
	return e
}

// cause is the reason of a file error without the path, which the subject says.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// Faulty is a disk that fails when a test tells it to.
type Faulty struct {
	Disk
	Lazy bool // does not sync: for tests that are not about power cuts
	mu   sync.Mutex
	fail func(op, name string) error
}

// Fail makes every operation ask f first: an error is the outcome in place of
// the operation. The operations are create, write, sync, mkdir, rename, remove
// and syncdir. Nil ends the failing.
func (d *Faulty) Fail(f func(op, name string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

func (d *Faulty) check(op, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail == nil {
		return nil
	}
	return d.fail(op, name)
}

// Create is of [Disk].
func (d *Faulty) Create(name string) (File, error) {
	if err := d.check("create", name); err != nil {
		return nil, err
	}
	f, err := d.Disk.Create(name)
	return &faultyFile{f, d, name}, err
}

// Mkdir is of [Disk].
func (d *Faulty) Mkdir(dir string) error {
	return ifNil(d.check("mkdir", dir), func() error { return d.Disk.Mkdir(dir) })
}

// Rename is of [Disk].
func (d *Faulty) Rename(from, to string) error {
	return ifNil(d.check("rename", to), func() error { return d.Disk.Rename(from, to) })
}

// Remove is of [Disk].
func (d *Faulty) Remove(name string) error {
	return ifNil(d.check("remove", name), func() error { return d.Disk.Remove(name) })
}

// SyncDir is of [Disk].
func (d *Faulty) SyncDir(dir string) error {
	if err := d.check("syncdir", dir); err != nil || d.Lazy {
		return err
	}
	return d.Disk.SyncDir(dir)
}

func ifNil(err error, act func() error) error {
	if err != nil {
		return err
	}
	return act()
}

type faultyFile struct {
	File
	disk *Faulty
	name string
}

// Write writes half of what it cannot write, as a disk does that is full.
func (f *faultyFile) Write(b []byte) (int, error) {
	if err := f.disk.check("write", f.name); err != nil {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, err
	}
	return f.File.Write(b)
}

func (f *faultyFile) Sync() error {
	if err := f.disk.check("sync", f.name); err != nil || f.disk.Lazy {
		return err
	}
	return f.File.Sync()
}
