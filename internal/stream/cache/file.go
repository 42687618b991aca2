package cache

import (
	"context"
	"io"
	"path/filepath"
)

const blobFile = "blob"

// File returns the Maker of an item that is a few bytes.
func File(produce func(context.Context, func(rows int64)) ([]byte, error), open func([]byte) (io.Closer, error)) Maker {
	return Maker{
		Make: func(ctx context.Context, dir string, room *Room, progress func(int64)) error {
			text, err := produce(ctx, progress)
			if err != nil {
				return err
			}
			if err := room.Claim(int64(len(text))); err != nil {
				return err
			}
			w, err := createSealed(filepath.Join(dir, blobFile), blockBytes)
			if err != nil {
				return err
			}
			defer w.file.Close()
			if _, err := w.Write(text); err != nil {
				return err
			}
			return w.Close()
		},
		Open: func(dir string) (io.Closer, error) {
			f, err := openSealed(filepath.Join(dir, blobFile))
			if err != nil {
				return nil, err
			}
			defer f.Close()
			var out io.Closer
			err = guard(func() error {
				if err := f.Check(0, int64(len(f.data))); err != nil {
					return err
				}
				out, err = open(append([]byte(nil), f.data...))
				return err
			})
			return out, err
		},
	}
}
