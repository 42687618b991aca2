package cache

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/opengenesis/genesis"
)

// diskError is an error of the file system, in words; others stay.
func diskError(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	var errno syscall.Errno
	var said *genesis.Error
	if errors.As(err, &said) || !errors.As(err, &path) && !errors.As(err, &link) && !errors.As(err, &errno) {
		return err
	}
	return &genesis.Error{Op: "cache table", Kind: genesis.Unavailable, Msg: "the node's disk did not take it", Hint: "the operator finds the reason in the log; mode sequential needs no cache", Err: err}
}
