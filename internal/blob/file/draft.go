package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// draft is an object being written to a temporary file.
type draft struct {
	driver *Driver
	file   *os.File
	done   bool
}

// Create starts an object.
func (d *Driver) Create(context.Context) (blob.Draft, error) {
	f, err := os.CreateTemp(d.temp, "blob-")
	if err != nil {
		return nil, broken("write blob", d.temp, err)
	}
	return &draft{driver: d, file: f}, nil
}

// Write appends p.
func (d *draft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	if err != nil {
		return n, broken("write blob", d.file.Name(), err)
	}
	return n, nil
}

// Commit makes the object durable, then visible.
func (d *draft) Commit(key string) error {
	if d.done {
		return &genesis.Error{Op: "write blob", Kind: genesis.Internal, Subject: key, Msg: "it is already committed or aborted"}
	}
	defer d.Abort()
	path, err := d.driver.path(key)
	if err != nil {
		return err
	}
	if err := errors.Join(d.file.Chmod(0o400), d.file.Sync(), d.file.Close(), d.driver.shard(path)); err != nil {
		return broken("write blob", key, err)
	}
	if err := d.show(path); err != nil {
		return err
	}
	d.done = true
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return broken("write blob", key, err)
	}
	return nil
}

// show moves the file to where it is seen, as one written now: it may have been
// finished a while ago.
func (d *draft) show(path string) error {
	unlock, err := d.driver.lock(shared)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Chtimes(d.file.Name(), time.Time{}, time.Now()); err != nil {
		return broken("write blob", filepath.Base(path), err)
	}
	if err := rename(d.file.Name(), path); err != nil {
		return broken("write blob", filepath.Base(path), err)
	}
	return nil
}

// Abort drops the temporary file unless it became an object.
func (d *draft) Abort() error {
	if d.done {
		return nil
	}
	d.done = true
	d.file.Close()
	if err := remove(d.file.Name()); err != nil {
		return broken("drop blob", d.file.Name(), err)
	}
	return nil
}
