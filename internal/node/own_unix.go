//go:build linux || darwin

package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/opengenesis/genesis"
)

// checkFileSystem refuses a home on a network file system: locks and SQLite's
// shared memory do not hold there, and two machines would corrupt it.
func checkFileSystem(path string) error {
	name, err := networkFileSystem(existing(path))
	if err != nil || name == "" {
		return nil // what cannot be told is not refused
	}
	return homeError(path, genesis.Unsupported, "lies on a network file system ("+name+"), where locks do not keep two machines from writing at once",
		"name a folder on a local disk with --home or $GENESIS_HOME", nil)
}

// existing returns path or the nearest folder above it that exists.
func existing(path string) string {
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path
		}
		parent := filepath.Dir(path)
		if parent == path {
			return path
		}
		path = parent
	}
}

func ownerOf(path string) (uint32, fs.FileMode, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, 0, err
	}
	return info.Sys().(*syscall.Stat_t).Uid, info.Mode(), nil
}

func checkOwner(path string) error {
	uid, _, err := ownerOf(path)
	if err != nil {
		return homeError(path, genesis.Invalid, "cannot be opened", "", err)
	}
	if uid != uint32(os.Geteuid()) {
		return homeError(path, genesis.Permission, "belongs to the user with uid "+strconv.FormatUint(uint64(uid), 10),
			"run as its owner, or use a home of your own with --home", nil)
	}
	return nil
}
