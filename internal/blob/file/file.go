package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// Format is the format number of the folders this program writes.
const Format = 1

const (
	formatFile = "format"
	formatText = "genesis blobs %d\n"
	tempFolder = "tmp"
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

// Remove deletes an object.
func (d *Driver) Remove(_ context.Context, key string) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if err := remove(path); err != nil {
		return broken("delete blob", key, err)
	}
	return syncFolder(filepath.Dir(path))
}

// List yields all objects.
func (d *Driver) List(ctx context.Context, yield func(key string, size int64) error) error {
	shards, err := os.ReadDir(d.root)
	if err != nil {
		return broken("list blobs", d.root, err)
	}
	for _, shard := range shards {
		if !shard.IsDir() || len(shard.Name()) != 2 {
			continue
		}
		if err := d.listShard(ctx, shard.Name(), yield); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) listShard(ctx context.Context, shard string, yield func(key string, size int64) error) error {
	entries, err := os.ReadDir(filepath.Join(d.root, shard))
	if err != nil {
		return broken("list blobs", d.root, err)
	}
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return &genesis.Error{Op: "list blobs", Kind: genesis.Canceled, Msg: "stopped", Err: err}
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			continue
		}
		if err != nil {
			return broken("list blobs", d.root, err)
		}
		if !keyPattern.MatchString(entry.Name()) || !strings.HasPrefix(entry.Name(), shard) {
			continue
		}
		if err := yield(entry.Name(), info.Size()); err != nil {
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
