package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// handOver passes the files at paths to the node: as open descriptors on this
// machine, as uploads elsewhere. "-" is the standard input.
func (a *app) handOver(op string, paths []string) ([]genesis.FileRef, error) {
	refs := make([]genesis.FileRef, 0, len(paths))
	for _, path := range paths {
		ref, err := a.handOverOne(op, path)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func (a *app) handOverOne(op, path string) (genesis.FileRef, error) {
	f, err := a.openInput(op, path)
	if err != nil {
		return genesis.FileRef{}, err
	}
	defer f.Close()
	if a.at == "" {
		return a.client.HandOver(a.ctx, f, path)
	}
	return a.upload(op, f, path)
}

// upload brings a file to a node elsewhere. It is removed there when the command
// ends.
func (a *app) upload(op string, f *os.File, path string) (genesis.FileRef, error) {
	info, err := f.Stat()
	if err != nil {
		return genesis.FileRef{}, inputError(op, path, err)
	}
	m, stop := a.progress()
	defer stop()
	u, err := a.client.Upload(a.ctx, f, info.Size(), path, m.event)
	if err != nil {
		return genesis.FileRef{}, err
	}
	a.uploads = append(a.uploads, u.ID)
	return u.Ref(), nil
}

// removeUploads gives back the room that this command's files take at the node.
func (a *app) removeUploads() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, id := range a.uploads {
		_ = a.client.RemoveUpload(ctx, id) // it expires otherwise
	}
}

// openInput opens a file for the node, which reads at random access: what is
// not a regular file is copied to a temporary one first.
func (a *app) openInput(op, path string) (*os.File, error) {
	f := a.in
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, inputError(op, path, err)
		}
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errIsDir
	}
	if err == nil && info.Mode().IsRegular() {
		return f, nil
	}
	if err == nil {
		var spooled *os.File
		spooled, err = spool(a.ctx, f)
		if err == nil {
			f.Close()
			return spooled, nil
		}
	}
	f.Close()
	return nil, inputError(op, path, err)
}

var errIsDir = errors.New("is a folder")

func inputError(op, path string, err error) error {
	e := &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: path, Err: err}
	var p *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Msg = genesis.NotFound, "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Msg = genesis.Permission, "you may not read this file"
	case errors.Is(err, errIsDir):
		e.Msg, e.Hint = "is a folder", "name the files in it: "+filepath.Join(path, "*")
	case errors.Is(err, context.Canceled):
		e.Kind, e.Msg = genesis.Canceled, "canceled"
	case errors.As(err, &p):
		e.Msg = p.Err.Error()
	}
	return e
}

// spool copies r to a temporary file that has no name any more, so that
// nothing is left behind however the process ends.
func spool(ctx context.Context, r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "genesis-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	copied := make(chan error, 1)
	go func() { // a read from a terminal or pipe cannot be interrupted
		_, err := io.Copy(f, r)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// splitFiles returns the paths of the files that "import:DIR" splits name, in
// name order.
func splitFiles(splits []string) ([]string, error) {
	var paths []string
	for _, s := range splits {
		dir, ok := strings.CutPrefix(s, "import:")
		if !ok {
			continue
		}
		found, err := filesIn(dir)
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, inputError("import split", dir, err)
	}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, &genesis.Error{Op: "import split", Kind: genesis.Invalid, Subject: dir, Msg: "holds no files",
			Hint: "a published split is a folder of row-index lists (index_train_0.txt) or of files of rows (train.csv)"}
	}
	sort.Strings(paths)
	return paths, nil
}

// readText reads a small text file, such as a recipe.
func readText(op, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", inputError(op, path, err)
	}
	defer f.Close()
	const limit = 16 << 20
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", inputError(op, path, err)
	}
	if len(b) > limit {
		return "", &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: path, Msg: "is larger than 16 MiB"}
	}
	if !utf8.Valid(b) {
		return "", &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: path, Msg: "is no text in UTF-8", Hint: "convert it, e.g. `iconv -f latin1 -t utf-8`; a table is given to `genesis prepare`"}
	}
	return string(b), nil
}
