package backup

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/opengenesis/genesis"
)

// archive is a backup as one file. It grows under a name of its own and takes
// its place when it is whole.
type archive struct {
	path string
	file *os.File
	zstd *zstd.Encoder
	tar  *tar.Writer
}

func createArchive(path string) (*archive, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil, taken(path)
	}
	dir, base := filepath.Split(path)
	if err := removePartial(dir, base); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, partial(base)+"*") // mode 0600
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(archiveWindow))
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return &archive{path: path, file: f, zstd: z, tar: tar.NewWriter(z)}, nil
}

// archiveWindow is the memory that packing and unpacking needs.
const archiveWindow = 8 << 20

func partial(base string) string { return "." + base + ".partial-" }

// removePartial removes what backups to this archive that were killed left.
func removePartial(dir, base string) error {
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), partial(base)) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

func taken(path string) error {
	return &genesis.Error{Op: "back up", Kind: genesis.Exists, Subject: path, Msg: "is already there",
		Hint: "name a new file, or a folder, which later backups bring up to date"}
}

// has: an archive is written anew each time.
func (a *archive) has(context.Context, genesis.Digest, int64) (bool, error) { return false, nil }

func (a *archive) put(ctx context.Context, f File, r io.Reader, tick func(int64)) (genesis.Digest, bool, error) {
	if err := a.tar.WriteHeader(header(f.Path, f.Size)); err != nil {
		return "", false, err
	}
	n, d, err := copyHashed(ctx, a.tar, r, f.Size, tick)
	if err == nil && n != f.Size {
		err = short(f)
	}
	return d, true, err
}

func header(path string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: path, Size: size, Mode: 0o600, ModTime: time.Unix(0, 0)}
}

func (a *archive) commit(m genesis.BackupManifest) (genesis.Digest, error) {
	var text strings.Builder
	digest, err := writeManifest(&text, m)
	if err != nil {
		return "", err
	}
	if err := a.tar.WriteHeader(header(ManifestName, int64(text.Len()))); err != nil {
		return "", err
	}
	if _, err := io.WriteString(a.tar, text.String()); err != nil {
		return "", err
	}
	if err := errors.Join(a.tar.Close(), a.zstd.Close(), a.file.Sync(), a.file.Close()); err != nil {
		return "", err
	}
	if err := place(a.file.Name(), a.path); err != nil {
		return "", err
	}
	return digest, syncFolder(filepath.Dir(a.path))
}

// place renames without replacing: a hard link never does.
func place(from, to string) error {
	err := os.Link(from, to)
	switch {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist):
		return taken(to)
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) { // file systems without hard links
		return taken(to)
	}
	return os.Rename(from, to)
}

func (a *archive) abort() error {
	_ = a.zstd.Close()
	a.file.Close()
	err := os.Remove(a.file.Name())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
