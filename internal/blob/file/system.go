package file

import (
	"errors"
	"io/fs"

	"github.com/opengenesis/genesis"
)

// broken turns an error of the operating system into one with a kind.
func broken(op, subject string, err error) error {
	e := &genesis.Error{Op: op, Subject: subject, Kind: genesis.Internal, Msg: "the disk or its folder is broken", Err: err}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Msg = genesis.NotFound, "is not there"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Msg = genesis.Permission, "the file system does not permit it"
		e.Hint = "the folder of blobs must belong to the user who runs the node"
	case full(err):
		e.Kind, e.Msg = genesis.Unavailable, "there is no room left on the disk"
		e.Hint = "free some room, then try again"
	}
	return e
}
