package file

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// Format is the format number of the folders this program writes.
const Format = 1

const (
	formatFile = "format"
	formatText = "genesis blobs %d\n"
	tempFolder = "tmp"
	lockFile   = "lock"
)

// Driver keeps objects in a folder. It implements [blob.Driver].
type Driver struct {
	root string
	temp string

	mu     sync.Mutex
	shards map[string]bool // folders known to exist on disk
}

var _ blob.Driver = (*Driver)(nil)

// Open opens the folder root, makes it where it is missing, and removes what
// processes that are gone left in its temporary folder. Errors: Unsupported
// (written by a newer program), Internal.
func Open(root string) (*Driver, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, broken("open blob store", root, err)
	}
	if err := os.MkdirAll(filepath.Join(root, tempFolder), 0o700); err != nil {
		return nil, broken("open blob store", root, err)
	}
	if err := checkFormat(root); err != nil {
		return nil, err
	}
	sweep(filepath.Join(root, tempFolder))
	temp, err := newTemp(filepath.Join(root, tempFolder))
	if err != nil {
		return nil, broken("open blob store", root, err)
	}
	return &Driver{root: root, temp: temp, shards: map[string]bool{}}, nil
}

// checkFormat refuses a folder of a newer format and marks a new one.
func checkFormat(root string) error {
	path := filepath.Join(root, formatFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(path, fmt.Appendf(nil, formatText, Format), 0o600)
	}
	if err != nil {
		return broken("open blob store", root, err)
	}
	if bytes.Equal(text, fmt.Appendf(nil, formatText, Format)) {
		return nil
	}
	return &genesis.Error{Op: "open blob store", Kind: genesis.Unsupported, Subject: root,
		Msg:  fmt.Sprintf("its format is %q, and this program knows format %d", bytes.TrimSpace(text[:min(len(text), 40)]), Format),
		Hint: "use the program that wrote it, or a newer one"}
}

// Temp returns the temporary folder of this process.
func (d *Driver) Temp() string { return d.temp }

// Close removes the temporary folder of this process.
func (d *Driver) Close() error { return os.RemoveAll(d.temp) }

var keyPattern = regexp.MustCompile(`^[0-9a-f]{64}(\.tree)?$`)

// path returns where the object with this key lies.
func (d *Driver) path(key string) (string, error) {
	if !keyPattern.MatchString(key) {
		return "", &genesis.Error{Op: "find blob", Kind: genesis.Invalid, Subject: key, Msg: "is not a key"}
	}
	return filepath.Join(d.root, key[:2], key), nil
}

// Open opens an object.
func (d *Driver) Open(_ context.Context, key string) (blob.Object, error) {
	path, err := d.path(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, broken("read blob", key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, broken("read blob", key, err)
	}
	return object{File: f, size: info.Size()}, nil
}

type object struct {
	*os.File
	size int64
}

func (o object) Size() int64 { return o.size }

// Touch sets the time of an object to now.
func (d *Driver) Touch(_ context.Context, key string) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	unlock, err := d.lock(shared)
	if err != nil {
		return err
	}
	defer unlock()
	if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
		return broken("keep blob", key, err)
	}
	return nil
}

// Remove deletes an object.
func (d *Driver) Remove(_ context.Context, key string, how blob.Removal) (bool, error) {
	path, err := d.path(key)
	if err != nil {
		return false, err
	}
	gone := filepath.Join(d.temp, "gone-"+rand.Text())
	if how.Shred {
		gone = filepath.Join(d.temp, shredPrefix+rand.Text())
	}
	removed, err := d.take(path, gone, how)
	if err != nil || !removed {
		return false, err
	}
	if how.Shred {
		if err := shred(gone); err != nil {
			return true, broken("shred blob", key, err)
		}
		return true, syncFolder(filepath.Dir(path))
	}
	if err := remove(gone); err != nil {
		return true, broken("delete blob", key, err)
	}
	return true, nil
}

// take moves an object out of sight, unless it is too young. Nobody writes or
// touches objects meanwhile.
func (d *Driver) take(path, to string, how blob.Removal) (bool, error) {
	unlock, err := d.lock(exclusive)
	if err != nil {
		return false, err
	}
	defer unlock()
	info, err := os.Stat(path)
	if err != nil {
		return false, broken("delete blob", filepath.Base(path), err)
	}
	if !how.Before.IsZero() && !info.ModTime().Before(how.Before) {
		return false, nil
	}
	if err := os.Rename(path, to); err != nil {
		return false, broken("delete blob", filepath.Base(path), err)
	}
	return true, nil
}

// shred overwrites a file, as far as the file system writes in place, and removes
// it.
func shred(path string) error {
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for left := info.Size(); left > 0; {
		n, err := f.Write(zeros[:min(left, int64(len(zeros)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return errors.Join(f.Sync(), f.Close(), os.Remove(path))
}

// List yields the objects whose keys begin with prefix.
func (d *Driver) List(ctx context.Context, prefix string, yield func(blob.Entry) error) error {
	entries, err := os.ReadDir(filepath.Join(d.root, prefix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return broken("list blobs", d.root, err)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return &genesis.Error{Op: "list blobs", Kind: genesis.Canceled, Msg: "stopped", Err: err}
		}
		if !keyPattern.MatchString(entry.Name()) || !strings.HasPrefix(entry.Name(), prefix) {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			continue
		}
		if err != nil {
			return broken("list blobs", d.root, err)
		}
		if err := yield(blob.Entry{Key: entry.Name(), Size: info.Size(), Written: info.ModTime()}); err != nil {
			return err
		}
	}
	return nil
}

// shard makes the folder in which the object at path lies.
func (d *Driver) shard(path string) error {
	dir := filepath.Dir(path)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shards[dir] {
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := syncFolder(d.root); err != nil {
		return err
	}
	d.shards[dir] = true
	return nil
}
