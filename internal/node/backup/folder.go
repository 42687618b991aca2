package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opengenesis/genesis"
)

const (
	filesFolder = "files"
	tempFolder  = "tmp"
)

// folder is a backup as a folder.
type folder struct {
	path  string
	known map[genesis.Digest]int64 // sizes of what the backup before this one holds, and so is on disk
	fresh map[genesis.Digest]bool  // written or checked now: to be synced
}

func createFolder(path, home string) (*folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	if err := checkForeign(path); err != nil {
		return nil, err
	}
	f := &folder{path: path, known: map[genesis.Digest]int64{}, fresh: map[genesis.Digest]bool{}}
	if err := f.readEarlier(home); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(f.temp()); err != nil {
		return nil, err
	}
	for _, dir := range []string{f.temp(), filepath.Join(path, filesFolder)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *folder) temp() string { return filepath.Join(f.path, tempFolder) }

// file is where the bytes with a digest lie.
func (f *folder) file(d genesis.Digest) string { return filepath.Join(f.path, objectPath(d)) }

func objectPath(d genesis.Digest) string {
	return filepath.Join(filesFolder, d.Hex()[:2], d.Hex())
}

// checkForeign refuses a folder that holds anything but a backup.
func checkForeign(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains([]string{ManifestName, filesFolder, tempFolder, "lost+found"}, e.Name()) {
			return &genesis.Error{Op: "back up", Kind: genesis.Exists, Subject: path, Msg: "holds other files, such as " + e.Name(),
				Hint: "name a new or empty folder, or one with an earlier backup"}
		}
	}
	return nil
}

// readEarlier learns what an earlier backup left here.
func (f *folder) readEarlier(home string) error {
	r, err := os.Open(filepath.Join(f.path, ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	m, _, err := readManifest(r)
	if err != nil {
		return err
	}
	if m.Home != home {
		return &genesis.Error{Op: "back up", Kind: genesis.Conflict, Subject: f.path, Msg: "holds the backup of another home, " + m.Home,
			Hint: "name another folder: a backup into this one would take the place of that"}
	}
	for _, file := range m.Files {
		f.known[file.Digest] = file.Size
	}
	return nil
}

// has believes the files of the backup before by their size. Others are what a
// backup that was killed left behind, perhaps not on disk in full: they are read.
func (f *folder) has(ctx context.Context, d genesis.Digest, size int64) (bool, error) {
	info, err := os.Lstat(f.file(d))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if f.fresh[d] {
		return true, nil
	}
	same := info.Mode().IsRegular() && info.Size() == size
	if known, ok := f.known[d]; same && ok && known == size {
		return true, nil
	}
	if same {
		if same, err = f.sound(ctx, d, size); err != nil {
			return false, err
		}
	}
	if same {
		f.fresh[d] = true
		return true, nil
	}
	delete(f.known, d)
	return false, os.RemoveAll(f.file(d))
}

func (f *folder) sound(ctx context.Context, d genesis.Digest, size int64) (bool, error) {
	r, err := os.Open(f.file(d))
	if err != nil {
		return false, err
	}
	defer r.Close()
	n, got, err := copyHashed(ctx, io.Discard, r, size, nil)
	return n == size && got == d, err
}

func (f *folder) put(ctx context.Context, file File, r io.Reader, tick func(int64)) (genesis.Digest, bool, error) {
	out, err := os.CreateTemp(f.temp(), "file-")
	if err != nil {
		return "", false, err
	}
	defer os.Remove(out.Name())
	n, d, err := copyHashed(ctx, out, r, file.Size, tick)
	if err := errors.Join(err, out.Chmod(0o400), out.Close()); err != nil {
		return "", false, err
	}
	if n != file.Size {
		return "", false, short(file)
	}
	if file.Digest != "" && d != file.Digest {
		return d, false, nil // for the caller to refuse
	}
	there, err := f.has(ctx, d, n)
	if err != nil || there {
		return d, false, err
	}
	if err := os.MkdirAll(filepath.Dir(f.file(d)), 0o700); err != nil {
		return "", false, err
	}
	f.fresh[d] = true
	return d, true, os.Rename(out.Name(), f.file(d))
}

func short(f File) error {
	return &genesis.Error{Op: "back up", Kind: genesis.Internal, Subject: f.Path, Msg: "became shorter while it was read"}
}

func (f *folder) commit(m genesis.BackupManifest) (genesis.Digest, error) {
	if err := f.sync(); err != nil {
		return "", err
	}
	var digest genesis.Digest
	next := filepath.Join(f.temp(), ManifestName)
	err := writeSynced(next, func(w io.Writer) (err error) {
		digest, err = writeManifest(w, m)
		return err
	})
	if err != nil {
		return "", err
	}
	if err := os.Rename(next, filepath.Join(f.path, ManifestName)); err != nil {
		return "", err
	}
	if err := syncFolder(f.path); err != nil {
		return "", err
	}
	return digest, errors.Join(f.prune(m), os.RemoveAll(f.temp()))
}

// sync puts on disk what was written, and the folders that hold it.
func (f *folder) sync() error {
	dirs := map[string]bool{}
	for d := range f.fresh {
		if err := syncFile(f.file(d)); err != nil {
			return err
		}
		dirs[filepath.Dir(f.file(d))] = true
	}
	for dir := range dirs {
		if err := syncFolder(dir); err != nil {
			return err
		}
	}
	return errors.Join(syncFolder(filepath.Join(f.path, filesFolder)), syncFolder(f.path))
}

// prune removes what the backup that is now whole does not hold: what the node
// erased or purged must not live on here.
func (f *folder) prune(m genesis.BackupManifest) error {
	held := make(map[string]bool, len(m.Files))
	for _, file := range m.Files {
		held[file.Digest.Hex()] = true
	}
	return filepath.WalkDir(filepath.Join(f.path, filesFolder), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || held[e.Name()] {
			return err
		}
		return os.Remove(path)
	})
}

// abort leaves the earlier backup as it was. The files that were copied stay, so
// that the next try need not copy them.
func (f *folder) abort() error { return os.RemoveAll(f.temp()) }
