package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/opengenesis/genesis"
)

// Sink takes the files of a backup, one after the other. It must not keep what
// it was given before Extract returned without an error.
type Sink interface {
	// Create opens a file that is not there yet.
	Create(path string) (io.WriteCloser, error)
}

// Discard is a Sink that keeps nothing: extracting into it checks a backup.
type Discard struct{}

// Create takes a file and forgets it.
func (Discard) Create(string) (io.WriteCloser, error) { return nowhere{}, nil }

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Close() error                { return nil }

// Extract reads the backup at path, a folder or an archive, into sink, checks
// every byte, and returns the manifest and its digest. The backup may come from
// anybody. Errors: NotFound; Internal, with the name of the file that is damaged or missing;
// Invalid (what no backup holds: links, odd paths); Unsupported (a newer format);
// those of sink.
func Extract(ctx context.Context, path string, sink Sink, p genesis.Progress) (genesis.BackupManifest, genesis.Digest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return genesis.BackupManifest{}, "", failed("read backup", path, err)
	}
	e := &extraction{ctx: ctx, sink: sink, p: p, found: map[string]genesis.BackupFile{}}
	if info.IsDir() {
		err = e.folder(path)
	} else {
		err = e.archive(path, info.Size())
	}
	if err == nil {
		err = e.compare()
	}
	return e.m, e.digest, failed("read backup", path, err)
}

type extraction struct {
	ctx    context.Context
	sink   Sink
	p      genesis.Progress
	m      genesis.BackupManifest
	digest genesis.Digest
	found  map[string]genesis.BackupFile
	done   int64
	total  int64 // 0: not known before the end
}

func (e *extraction) tick(n int64) {
	e.done += n
	e.p.Send(genesis.Event{Stage: "checking and copying", Done: e.done, Total: e.total, Unit: "bytes"})
}

// take passes one file on and notes what it is.
func (e *extraction) take(path string, r io.Reader, limit int64) error {
	w, err := e.sink.Create(path)
	if err != nil {
		return failed("restore", path, err)
	}
	n, d, err := copyHashed(e.ctx, w, r, limit, e.tick)
	if err := errors.Join(err, w.Close()); err != nil {
		return failed("restore", path, err)
	}
	e.found[path] = genesis.BackupFile{Path: path, Size: n, Digest: d}
	return nil
}

// compare holds what was found against the manifest.
func (e *extraction) compare() error {
	for _, want := range e.m.Files {
		got, ok := e.found[want.Path]
		switch {
		case !ok:
			return damaged(want.Path, "is missing from the backup", nil)
		case got.Size != want.Size:
			return damaged(want.Path, fmt.Sprintf("is damaged: it is %d bytes long instead of %d", got.Size, want.Size), nil)
		case got.Digest != want.Digest:
			return damaged(want.Path, "is damaged: its bytes do not match its digest", nil)
		}
		delete(e.found, want.Path)
	}
	for path := range e.found {
		return damaged(path, "is in the backup and not in its manifest", nil)
	}
	return nil
}

// folder reads a backup that is a folder.
func (e *extraction) folder(path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	r, err := regular(root, ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return incomplete(path)
	}
	if err != nil {
		return err
	}
	e.m, e.digest, err = readManifest(r)
	r.Close()
	if err != nil {
		return err
	}
	e.total = e.m.Bytes
	for _, f := range e.m.Files {
		if err := e.object(root, f); err != nil {
			return err
		}
	}
	return nil
}

func incomplete(path string) error {
	return &genesis.Error{Op: "read backup", Kind: genesis.Internal, Subject: path,
		Msg:  "is not a whole backup: it has no " + ManifestName + ", which is written last",
		Hint: "make the backup again, or use another"}
}

func (e *extraction) object(root *os.Root, f genesis.BackupFile) error {
	r, err := regular(root, objectPath(f.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(f.Path, "is missing from the backup", err)
	}
	if err != nil {
		return damaged(f.Path, "cannot be read: "+err.Error(), err)
	}
	defer r.Close()
	if err := e.take(f.Path, r, f.Size+1); err != nil { // one more shows that it is too long
		return err
	}
	if e.found[f.Path] != f {
		return e.compareOne(f)
	}
	return nil
}

// compareOne is compare for a file just taken.
func (e *extraction) compareOne(f genesis.BackupFile) error {
	one := extraction{m: genesis.BackupManifest{Files: []genesis.BackupFile{f}}, found: map[string]genesis.BackupFile{f.Path: e.found[f.Path]}}
	return one.compare()
}

// regular opens a file that is no link, device or folder.
func regular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &genesis.Error{Op: "read backup", Kind: genesis.Invalid, Subject: filepath.ToSlash(name), Msg: "is not a regular file"}
	}
	return root.Open(name)
}

const (
	// maxExpansion bounds the bytes unpacked per packed byte, beyond freeExpansion:
	// archives of a home pack a few times, bombs a million times.
	maxExpansion  = 1000
	freeExpansion = 1 << 30
)

// archive reads a backup that is a file.
func (e *extraction) archive(path string, packed int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(4*archiveWindow), zstd.WithDecoderMaxMemory(8*archiveWindow), zstd.WithDecoderConcurrency(2))
	if err != nil {
		return damaged(path, "is not an archive that Genesis wrote", err)
	}
	defer z.Close()
	t := tar.NewReader(z)
	for left := freeExpansion + maxExpansion*min(packed, 1<<40); ; {
		h, err := t.Next()
		if err == io.EOF {
			return incomplete(path)
		}
		if err != nil {
			return damaged(path, "is damaged or cut off: "+err.Error(), err)
		}
		if err := e.checkEntry(h); err != nil {
			return err
		}
		if left -= h.Size; left < 0 {
			return &genesis.Error{Op: "read backup", Kind: genesis.Invalid, Subject: h.Name, Msg: "unpacks to more than any backup of this size holds"}
		}
		if h.Name == ManifestName {
			return e.end(path, t, z)
		}
		if err := e.entry(path, h, t); err != nil {
			return err
		}
	}
}

// checkEntry refuses what Genesis does not write into archives.
func (e *extraction) checkEntry(h *tar.Header) error {
	if h.Name == ManifestName && h.Typeflag == tar.TypeReg {
		return nil
	}
	if err := checkPath(h.Name); err != nil {
		return err
	}
	odd := h.Typeflag != tar.TypeReg || h.Size < 0
	for key := range h.PAXRecords {
		odd = odd || key != "path" && key != "size"
	}
	if odd {
		return &genesis.Error{Op: "read backup", Kind: genesis.Invalid, Subject: h.Name, Msg: "is not a plain file: a backup holds no links, folders or devices"}
	}
	if _, twice := e.found[h.Name]; twice || len(e.found) == maxFiles {
		return damaged(h.Name, "is in the archive twice, or one file too many", nil)
	}
	return nil
}

func (e *extraction) entry(path string, h *tar.Header, t *tar.Reader) error {
	r := &reading{r: t}
	err := e.take(h.Name, r, h.Size)
	if r.err != nil {
		return damaged(h.Name, "is damaged or cut off: "+r.err.Error(), r.err)
	}
	return err
}

// reading remembers an error of what is read, to tell it from one of what is
// written.
type reading struct {
	r   io.Reader
	err error
}

func (r *reading) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// end reads the manifest, after which an archive holds nothing. Reading to the
// end lets zstd check its sums.
func (e *extraction) end(path string, t *tar.Reader, z io.Reader) error {
	var err error
	if e.m, e.digest, err = readManifest(t); err != nil {
		return err
	}
	if h, err := t.Next(); err == nil {
		return damaged(strings.ToValidUTF8(h.Name, "?"), "comes after the end of the backup", nil)
	} else if err != io.EOF {
		return damaged(path, "is damaged or cut off: "+err.Error(), err)
	}
	n, err := io.CopyN(io.Discard, z, copyChunk)
	if err != io.EOF || n > 0 {
		return damaged(path, "is damaged, or goes on after the end of the backup", err)
	}
	return nil
}
