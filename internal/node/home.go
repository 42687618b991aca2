package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// HomeFormat is the format number of the homes this program makes.
const HomeFormat = 1

// Home is a node's folder.
type Home struct {
	Path   string // absolute, without symbolic links
	Config Config
}

// The parts of a home.
func (h *Home) Blobs() string   { return filepath.Join(h.Path, "blobs") }
func (h *Home) Catalog() string { return filepath.Join(h.Path, "catalog.db") }
func (h *Home) Journal() string { return filepath.Join(h.Path, "journal") }
func (h *Home) Runs() string    { return filepath.Join(h.Path, "runs") }
func (h *Home) Keys() string    { return filepath.Join(h.Path, "keys") }
func (h *Home) Temp() string    { return filepath.Join(h.Path, "tmp") }
func (h *Home) Cache() string   { return filepath.Join(h.Path, "cache") }
func (h *Home) Uploads() string { return filepath.Join(h.Path, "uploads") }
func (h *Home) Search() string  { return filepath.Join(h.Path, "search") } // derived from the rest

// Federation is the folder of the charter.
func (h *Home) Federation() string { return filepath.Join(h.Path, "federation") }

func (h *Home) lockFile() string { return filepath.Join(h.Path, "lock") }

// contents are the names that may lie in a home. A folder with others that has
// no format file is somebody else's.
var contents = []string{"format", "config.yaml", "blobs", "cache", "catalog.db", "federation", "journal", "keys", "runs", "search", "tmp", "uploads", "lock", "lost+found"}

// DefaultHome returns $GENESIS_HOME, else the folder genesis in the XDG data
// directory.
func DefaultHome() (string, error) {
	if dir := os.Getenv("GENESIS_HOME"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "genesis"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", homeError("", genesis.Invalid, "no home is named and the user has no home directory", "name one with --home or $GENESIS_HOME", err)
	}
	return filepath.Join(user, ".local", "share", "genesis"), nil
}

// OpenHome opens the home at path, and makes it if it is missing. It returns
// *genesis.Error: Unsupported for a newer format or a network file system,
// Invalid for a folder that is no home or a config.yaml that does not parse,
// Permission for somebody else's home.
func OpenHome(path string) (*Home, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, homeError(path, genesis.Invalid, "", "", err)
	}
	if err := checkFileSystem(abs); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, homeError(path, genesis.Invalid, "cannot be made", "name another folder with --home", err)
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return nil, homeError(path, genesis.Invalid, "cannot be opened", "", err)
	}
	if err := checkOwner(abs); err != nil {
		return nil, err
	}
	h := &Home{Path: abs}
	if err := h.checkFormat(); err != nil {
		return nil, err
	}
	if err := h.close(); err != nil {
		return nil, err
	}
	h.Config, err = readConfig(filepath.Join(abs, "config.yaml"))
	h.Config.resolve(abs)
	return h, err
}

// checkFormat lays out a new home or checks that this program understands an
// old one. Two commands may lay out the same home at once: every step leaves
// what is already there.
func (h *Home) checkFormat() error {
	b, err := os.ReadFile(filepath.Join(h.Path, "format"))
	if errors.Is(err, fs.ErrNotExist) {
		return h.layOut()
	}
	if err != nil {
		return homeError(h.Path, genesis.Invalid, "cannot be read", "", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	switch {
	case err != nil || n < 1:
		return homeError(h.Path, genesis.Invalid, "has a format file without a format number", "", err)
	case n > HomeFormat:
		return homeError(h.Path, genesis.Unsupported, "was made by a newer Genesis: its format is "+strconv.Itoa(n)+", this program knows "+strconv.Itoa(HomeFormat),
			"update Genesis, or use another home with --home", nil)
	}
	return nil
}

// close takes a home, and the folders in it that the node makes, from everybody but
// their owner: made by hand they usually have mode 0755.
func (h *Home) close() error {
	for _, dir := range []string{h.Path, h.Blobs(), h.Journal(), h.Runs(), h.Keys(), h.Temp(), h.Uploads(), h.Federation(), h.Search()} {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.IsDir() && openToOthers(info) {
			if err = os.Chmod(dir, info.Mode().Perm()&0o700); err == nil {
				info, err = os.Stat(dir)
			}
		}
		if err == nil && openToOthers(info) {
			err = errors.New("its mode cannot be changed")
		}
		if err != nil {
			return homeError(dir, genesis.Permission, "is open to other users and cannot be closed", "a home is for its owner alone: chmod 700 it, or use a folder on another file system", err)
		}
	}
	return nil
}

// openToOthers reports whether others than the owner may do something with a file. Windows
// has no such modes.
func openToOthers(info fs.FileInfo) bool {
	return runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}

func (h *Home) layOut() error {
	if err := h.checkForeign(); err != nil {
		return err
	}
	for _, dir := range []string{h.Blobs(), h.Journal(), h.Keys(), h.Temp()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return homeError(h.Path, genesis.Invalid, "cannot be laid out", "", err)
		}
	}
	err := writeOnce(filepath.Join(h.Path, "config.yaml"), []byte(configTemplate()))
	if err == nil {
		err = writeOnce(filepath.Join(h.Path, "format"), []byte(strconv.Itoa(HomeFormat)+"\n"))
	}
	if err != nil {
		return homeError(h.Path, genesis.Invalid, "cannot be laid out", "", err)
	}
	return nil
}

// checkForeign refuses a folder that holds anything but parts of a home, so
// that a mistyped --home does not scatter files over someone's work.
func (h *Home) checkForeign() error {
	entries, err := os.ReadDir(h.Path)
	if err != nil {
		return homeError(h.Path, genesis.Invalid, "cannot be read", "", err)
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			return homeError(h.Path, genesis.Invalid, "is not a Genesis home: it holds other files", "name a new or empty folder with --home", nil)
		}
	}
	return nil
}

func ours(name string) bool {
	for _, known := range contents {
		if name == known {
			return true
		}
	}
	return strings.HasPrefix(name, ".genesis-") || strings.HasSuffix(name, ".sock") || strings.HasPrefix(name, "catalog.db-")
}

// writeOnce writes a file that is complete or absent, and leaves one that is
// there.
func writeOnce(path string, b []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".genesis-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// A hard link, unlike a rename, never replaces: whoever is first wins.
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(f.Name(), path); err != nil { // file systems without hard links
			return err
		}
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func homeError(path string, kind genesis.ErrorKind, msg, hint string, err error) error {
	if msg != "" && err != nil {
		msg += ": " + plain(err)
	}
	return &genesis.Error{Op: "open home", Kind: kind, Subject: path, Msg: msg, Hint: hint, Err: err}
}

// plain is the cause of a file error without the path, which the subject says.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
