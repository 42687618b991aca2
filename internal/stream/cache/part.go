package cache

import (
	"context"
	"encoding/binary"
	"io"
	"path/filepath"
)

// Part is the rows of a part of a split, ascending: 4 bytes for the number of a row
// in a table of fewer than 2³² rows, else 8.
type Part struct {
	file *Sealed
	wide bool
}

const (
	partFile     = "part"
	partWideFile = "part8"
)

// Parts returns the Maker of a part: of the rows that next gives, ascending, until io.EOF.
func Parts(tableRows int64, open func(context.Context) (next func() (uint64, error), done func() error, err error)) Maker {
	name, size := partFile, 4
	if tableRows > 1<<32 {
		name, size = partWideFile, 8
	}
	return Maker{
		Make: func(ctx context.Context, dir string, room *Room, progress func(int64)) error {
			next, done, err := open(ctx)
			if err != nil {
				return err
			}
			defer done()
			w, err := createSealed(filepath.Join(dir, name), blockBytes)
			if err != nil {
				return err
			}
			defer w.file.Close()
			buf := make([]byte, 0, 64<<10)
			for {
				row, err := next()
				if err == io.EOF {
					break
				}
				if err != nil {
					return err
				}
				if size == 4 {
					buf = binary.LittleEndian.AppendUint32(buf, uint32(row))
				} else {
					buf = binary.LittleEndian.AppendUint64(buf, row)
				}
				if len(buf) < 64<<10 {
					continue
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if _, err := w.Write(buf); err != nil {
					return err
				}
				buf = buf[:0]
				if err := room.Claim(w.size); err != nil {
					return err
				}
				progress(int64(row))
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
			return w.Close()
		},
		Open: func(dir string) (io.Closer, error) {
			f, err := openSealed(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			return &Part{f, size == 8}, nil
		},
	}
}

// Len returns the number of rows.
func (p *Part) Len() int64 {
	if p.wide {
		return int64(len(p.file.data) / 8)
	}
	return int64(len(p.file.data) / 4)
}

// Map replaces each place in the part by the row that is there. The error is of kind
// Internal.
func (p *Part) Map(places []uint64) error {
	return guard(func() error {
		size := uint64(4)
		if p.wide {
			size = 8
		}
		n := uint64(p.Len())
		for i, at := range places {
			if at >= n {
				return damaged("has fewer rows than it should")
			}
			at *= size
			if k := int64(at) / p.file.block; p.file.sound[k>>6].Load()>>(k&63)&1 == 0 {
				if err := p.file.checkBlock(k); err != nil {
					return err
				}
			}
			if p.wide {
				places[i] = binary.LittleEndian.Uint64(p.file.data[at:])
			} else {
				places[i] = uint64(binary.LittleEndian.Uint32(p.file.data[at:]))
			}
		}
		return nil
	})
}

// Close closes the file.
func (p *Part) Close() error { return p.file.Close() }
