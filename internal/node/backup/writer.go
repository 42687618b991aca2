package backup

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// ArchiveSuffix ends the name of an archive.
const ArchiveSuffix = ".tar.zst"

// File is a file to be copied.
type File struct {
	Path   string         // in the home
	Size   int64          // exactly so many bytes are read; fewer are an error
	Digest genesis.Digest // when it is known; other bytes are an error
	Open   func() (io.ReadCloser, error)
}

// target is where a backup is written.
type target interface {
	// has reports whether the bytes are there already, so that they need not be
	// read.
	has(ctx context.Context, d genesis.Digest, size int64) (bool, error)
	// put takes the bytes of a file that r yields, and reports whether they were
	// not there before.
	put(ctx context.Context, f File, r io.Reader, tick func(int64)) (d genesis.Digest, fresh bool, err error)
	// commit makes the backup whole: all bytes on disk, then the manifest.
	commit(m genesis.BackupManifest) (genesis.Digest, error)
	// abort leaves nothing that looks whole.
	abort() error
}

// Writer writes one backup. It is not safe for concurrent use.
type Writer struct {
	path   string
	target target
	files  []genesis.BackupFile
	done   genesis.Backup
	broken error // a file was not copied to its end: nothing follows
	ended  bool
}

// Create starts a backup of home at path: an archive when path ends in .tar.zst,
// else a folder, which may hold an earlier backup of the same home. Errors: Exists
// (another file or folder is there), Conflict (the backup of another home),
// Internal (the earlier backup's manifest is damaged), Permission.
func Create(path, home string) (*Writer, error) {
	var t target
	var err error
	if strings.HasSuffix(path, ArchiveSuffix) {
		t, err = createArchive(path)
	} else {
		t, err = createFolder(path, home)
	}
	if err != nil {
		return nil, failed("back up", path, err)
	}
	return &Writer{path: path, target: t}, nil
}

// Add copies a file, unless the backup has its bytes already. tick, unless nil,
// hears how many bytes were dealt with. After an error of f.Open other files may
// follow; after any other error, only Abort.
func (w *Writer) Add(ctx context.Context, f File, tick func(int64)) error {
	if w.broken != nil {
		return w.broken
	}
	if err := checkPath(f.Path); err != nil {
		return err
	}
	if len(w.files) == maxFiles {
		return &genesis.Error{Op: "back up", Kind: genesis.Unsupported, Subject: f.Path, Msg: "is one file more than a backup may hold"}
	}
	if err := ctx.Err(); err != nil {
		return stopped(err)
	}
	digest, err := w.copy(ctx, f, tick)
	if err != nil {
		return failed("back up", f.Path, err)
	}
	w.files = append(w.files, genesis.BackupFile{Path: f.Path, Size: f.Size, Digest: digest})
	return nil
}

func (w *Writer) copy(ctx context.Context, f File, tick func(int64)) (genesis.Digest, error) {
	if f.Digest != "" {
		there, err := w.target.has(ctx, f.Digest, f.Size)
		if err != nil {
			return "", err
		}
		if there {
			if tick != nil {
				tick(f.Size)
			}
			return f.Digest, nil
		}
	}
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	digest, fresh, err := w.target.put(ctx, f, r, tick)
	w.broken = err
	if err == nil && f.Digest != "" && digest != f.Digest {
		err = &genesis.Error{Op: "back up", Kind: genesis.Internal, Subject: f.Path, Msg: "is damaged: its bytes do not match its digest",
			Hint: "restore this file from an earlier backup, or erase the version it belongs to; `genesis verify` names it"}
		w.broken = err
	}
	if fresh {
		w.done.NewFiles++
		w.done.NewBytes += f.Size
	}
	return digest, err
}

// Commit makes the backup whole. m says what it is of; files, count and bytes
// are filled in.
func (w *Writer) Commit(m genesis.BackupManifest) (genesis.Backup, error) {
	if w.broken != nil {
		return genesis.Backup{}, w.broken
	}
	slices.SortFunc(w.files, func(a, b genesis.BackupFile) int { return strings.Compare(a.Path, b.Path) })
	m.Format, m.Files, m.Count = genesis.BackupFormat, w.files, int64(len(w.files))
	for _, f := range w.files {
		m.Bytes += f.Size
	}
	if err := checkManifest(m); err != nil {
		return genesis.Backup{}, err
	}
	digest, err := w.target.commit(m)
	if err != nil {
		return genesis.Backup{}, failed("back up", w.path, err)
	}
	w.ended = true
	b := w.done
	b.Path, b.Digest, b.Node, b.Taken, b.Keys, b.Files, b.Bytes = w.path, digest, m.Node, m.Taken, m.Keys, m.Count, m.Bytes
	return b, nil
}

// Abort gives the backup up; after Commit it does nothing.
func (w *Writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended = true
	return w.target.abort()
}

func syncFolder(path string) error { return syncFile(filepath.Clean(path)) }

// writeSynced writes a file that is on disk when it returns.
func writeSynced(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}
