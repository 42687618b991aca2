package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/opengenesis/genesis"
)

// copyChunk is how much is copied between two looks at the context.
const copyChunk = 1 << 20

// copyHashed copies at most limit bytes from r to w and returns how many, with
// their digest. tick, unless nil, hears of every chunk.
func copyHashed(ctx context.Context, w io.Writer, r io.Reader, limit int64, tick func(int64)) (int64, genesis.Digest, error) {
	h := sha256.New()
	out := io.MultiWriter(w, h)
	var n int64
	for n < limit {
		if err := ctx.Err(); err != nil {
			return n, "", stopped(err)
		}
		more, err := io.CopyN(out, r, min(copyChunk, limit-n))
		n += more
		if tick != nil {
			tick(more)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return n, "", err
		}
	}
	return n, genesis.DigestSum(h.Sum(nil)), nil
}

func stopped(err error) error {
	return &genesis.Error{Op: "copy", Kind: genesis.Canceled, Msg: "stopped", Err: err}
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// failed gives an error of the file system its kind.
func failed(op, path string, err error) error {
	var known *genesis.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &genesis.Error{Op: op, Kind: genesis.Internal, Subject: path, Msg: err.Error(), Err: err}
	var p *fs.PathError
	if errors.As(err, &p) {
		e.Msg = p.Err.Error()
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Kind, e.Msg, e.Hint = genesis.Unavailable, "there is no room left on the disk", "free some room, or name another disk"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind, e.Msg, e.Hint = genesis.Permission, "the node may not read or write there", "name a folder that the user of the node may write to"
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Msg = genesis.NotFound, "is not there"
	}
	return e
}
