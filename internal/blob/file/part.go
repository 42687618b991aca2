package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// partFolder holds objects that are received from elsewhere: in the file system of
// the objects, so that one that is whole is only renamed.
const partFolder = "parts"

// part is an object that is received. The lock on its file, which the system lets go of
// when the process ends, keeps it to one at a time.
type part struct {
	draft
	key  string
	size int64
}

// Part opens what came so far of an object.
func (d *Driver) Part(_ context.Context, name, key string) (blob.PartFile, error) {
	for _, k := range []string{name, key} {
		if _, err := d.path(k); err != nil {
			return nil, err
		}
	}
	dir := filepath.Join(d.root, partFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, broken("receive blob", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, broken("receive blob", key, err)
	}
	info, err := own(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &part{draft: draft{driver: d, file: f}, key: key, size: info.Size()}, nil
}

// own locks a part's file, and makes sure that it is still the part: whoever had it open
// may have committed or removed it.
func own(f *os.File) (fs.FileInfo, error) {
	key := filepath.Base(f.Name())
	busy := &genesis.Error{Op: "receive blob", Kind: genesis.Conflict, Subject: key, Msg: "it is being received already"}
	if ok, err := tryLock(f); err != nil {
		return nil, broken("receive blob", key, err)
	} else if !ok {
		return nil, busy
	}
	mine, err := f.Stat()
	if err != nil {
		return nil, broken("receive blob", key, err)
	}
	if there, err := os.Stat(f.Name()); err != nil || !os.SameFile(mine, there) {
		return nil, busy // the next look finds what became of it
	}
	return mine, nil
}

func (p *part) ReadAt(b []byte, off int64) (int, error) { return p.file.ReadAt(b, off) }

func (p *part) WriteAt(b []byte, off int64) (int, error) {
	n, err := p.file.WriteAt(b, off)
	if err != nil {
		return n, broken("receive blob", p.key, err)
	}
	return n, nil
}

func (p *part) Size() int64 { return p.size }

func (p *part) Truncate(size int64) error {
	if err := p.file.Truncate(size); err != nil {
		return broken("receive blob", p.key, err)
	}
	return nil
}

func (p *part) Commit() error { return p.draft.Commit(p.key) }

// Close leaves the part for the next time.
func (p *part) Close() error {
	if p.done {
		return nil
	}
	p.done = true
	return p.file.Close()
}

// DropPart removes parts.
func (d *Driver) DropPart(_ context.Context, name string, since time.Time) error {
	dir := filepath.Join(d.root, partFolder)
	if name != "" {
		return dropPart(filepath.Join(dir, name), since)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return broken("drop parts", dir, err)
	}
	var errs []error
	for _, e := range entries {
		if !keyPattern.MatchString(e.Name()) { // not one of these
			continue
		}
		if err := dropPart(filepath.Join(dir, e.Name()), since); err != nil && genesis.KindOf(err) != genesis.Conflict {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func dropPart(path string, since time.Time) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return broken("drop part", filepath.Base(path), err)
	}
	defer f.Close()
	info, err := own(f)
	if err != nil || !since.IsZero() && !info.ModTime().Before(since) {
		return err
	}
	if err := remove(path); err != nil {
		return broken("drop part", filepath.Base(path), err)
	}
	return nil
}
