//go:build linux || darwin

package node

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/opengenesis/genesis"
)

const (
	apiSocket  = "api.sock"
	handSocket = "hand.sock"

	// maxSocketPath is the shortest sun_path of our platforms, less the final
	// NUL: 104 bytes on macOS, 108 on Linux.
	maxSocketPath = 103
)

// serving is what the lock file says about whoever holds it.
type serving struct {
	PID     int    `json:"pid"`
	Sockets string `json:"sockets"`
	URL     string `json:"url,omitempty"` // where it listens on the network
}

// takeLock returns the locked lock file, or ErrBusy. The kernel gives the lock
// back when the process ends, however it ends. The file itself stays: removing
// it would let two processes lock two files of one name.
func (h *Home) takeLock() (*os.File, error) {
	f, err := os.OpenFile(h.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, homeError(h.Path, genesis.Invalid, "its lock cannot be opened", "", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, f.Truncate(0) // what it says is of whoever held it before
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrBusy
	}
	return nil, homeError(h.Path, genesis.Unsupported, "its file system has no locks", "name a folder on a local disk with --home", err)
}

// announce writes into the lock file who serves, and where.
func (h *Home) announce(lock *os.File, s serving) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := lock.Truncate(0); err != nil {
		return err
	}
	_, err = lock.WriteAt(append(b, '\n'), 0)
	return err
}

// Sockets returns the folder with the sockets of whoever serves the home, or
// served it last. It returns an error that is fs.ErrNotExist when nobody did.
func (h *Home) Sockets() (string, error) {
	b, err := os.ReadFile(h.lockFile())
	if err != nil {
		return "", err
	}
	var s serving
	if json.Unmarshal(b, &s) != nil || s.Sockets == "" {
		return "", fs.ErrNotExist // just being written
	}
	if s.Sockets != h.Path {
		if err := checkRuntimeDir(s.Sockets); err != nil {
			return "", fs.ErrNotExist
		}
	}
	return s.Sockets, nil
}

// Server returns the process that serves the home, or is about to, and where it
// listens on the network, if it does.
func (h *Home) Server() (pid int, url string) {
	var s serving
	if b, err := os.ReadFile(h.lockFile()); err == nil {
		_ = json.Unmarshal(b, &s) // just being written
	}
	return s.PID, s.URL
}

// makeSockets returns the folder for the sockets: the home, or one with a
// short name where the home's path is too long for a socket's address. Sockets
// that a killed process left there are removed: the lock is ours.
func (h *Home) makeSockets() (string, error) {
	dir := h.Path
	if len(filepath.Join(dir, handSocket)) > maxSocketPath {
		dir = h.runtimeDir()
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", homeError(h.Path, genesis.Invalid, "its sockets need a folder that cannot be made", "", err)
		}
		if err := checkRuntimeDir(dir); err != nil {
			return "", err
		}
	}
	for _, name := range []string{apiSocket, handSocket} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", homeError(h.Path, genesis.Invalid, "an old socket cannot be removed", "", err)
		}
	}
	return dir, nil
}

// runtimeDir is a short path that belongs to the home.
func (h *Home) runtimeDir() string {
	base := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(base) || len(base) > maxSocketPath/2 {
		base = os.TempDir()
	}
	if len(base) > maxSocketPath/2 {
		base = "/tmp"
	}
	sum := sha256.Sum256([]byte(h.Path))
	return filepath.Join(base, "genesis-"+strconv.Itoa(os.Geteuid())+"-"+hex.EncodeToString(sum[:8]))
}

// checkRuntimeDir refuses a folder that somebody else put there to listen in.
func checkRuntimeDir(dir string) error {
	uid, mode, err := ownerOf(dir)
	if err == nil && (uid != uint32(os.Geteuid()) || !mode.IsDir() || mode.Perm() != 0o700) {
		err = errors.New("it is not a folder of mode 0700 that belongs to you")
	}
	if err != nil {
		return &genesis.Error{Op: "open home", Kind: genesis.Permission, Subject: dir, Msg: "cannot hold the home's sockets: " + plain(err),
			Hint: "remove it, or use a home with a shorter path", Err: err}
	}
	return nil
}

// listen opens a Unix socket for this user alone.
func listen(path string) (*net.UnixListener, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, &genesis.Error{Op: "serve", Kind: genesis.Internal, Subject: path, Err: err}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, &genesis.Error{Op: "serve", Kind: genesis.Internal, Subject: path, Err: err}
	}
	return l, nil
}
