package ingest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"os"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/split"
)

// mostShares bounds how many temporary files are open at once.
const mostShares = 128

// repeats finds the rows whose identity an earlier row has. It returns their
// number and, when want is true, the set of them. What a set of all identities
// would need beyond the budget is dealt out to shares first, each of which has
// all rows of its identities, so that time grows with rows and not with their
// square.
func (s *identities) repeats(want bool) (int64, format.Bitmap, error) {
	f := finder{key: rand.Uint64() | 1}
	if want {
		f.set = format.NewBitmap(int(s.n))
	}
	sets := uint64(1 + s.n*3*identitySize/max(s.budget, 1<<20))
	if sets == 1 {
		f.seen = newIdentitySet(int(s.n))
		err := s.each(f.look)
		return f.count, f.set, err
	}
	d := deal{shares: make([]share, min(sets, mostShares))}
	defer d.close()
	if err := d.open(s.temp); err != nil {
		return 0, nil, err
	}
	err := s.each(func(row int64, id split.Identity) { d.add(f.part(id, uint64(len(d.shares))), row, id) })
	if err != nil {
		return 0, nil, err
	}
	passes := (sets + uint64(len(d.shares)) - 1) / uint64(len(d.shares))
	for i := range d.shares {
		if err := f.search(&d.shares[i], passes); err != nil {
			return 0, nil, err
		}
	}
	return f.count, f.set, nil
}

// finder counts the identities that were seen before.
type finder struct {
	// The share of an identity depends on a key no one outside knows, so that
	// no input can put all rows into one.
	key   uint64
	seen  *identitySet
	count int64
	set   format.Bitmap // nil: only count
}

// part says which of n equal parts of all identities id belongs to.
func (f *finder) part(id split.Identity, n uint64) uint64 {
	part, _ := bits.Mul64(binary.LittleEndian.Uint64(id[:8])*f.key, n)
	return part
}

// slice is part, independent of it.
func (f *finder) slice(id split.Identity, n uint64) uint64 {
	slice, _ := bits.Mul64(binary.LittleEndian.Uint64(id[8:])*f.key, n)
	return slice
}

// forget empties the set, and uses its memory again.
func (f *finder) forget(expect int) {
	if f.seen == nil {
		f.seen = newIdentitySet(expect)
		return
	}
	clear(f.seen.slots)
	f.seen.n, f.seen.zero = 0, false
}

func (f *finder) look(row int64, id split.Identity) {
	if f.seen.add(id) {
		return
	}
	f.count++
	if f.set != nil {
		f.set.Set(int(row))
	}
}

// search looks through a share, in passes where even that is too much for the
// budget.
func (f *finder) search(s *share, passes uint64) error {
	for pass := range passes {
		f.forget(int(s.n / int64(passes)))
		err := s.each(func(row int64, id split.Identity) {
			if passes == 1 || f.slice(id, passes) == pass {
				f.look(row, id)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deal is rows dealt out to shares, each a temporary file.
type deal struct {
	shares []share
}

type share struct {
	n    int64
	file *os.File
	w    *bufio.Writer
}

// dealtSize is an identity and its row.
const dealtSize = int(identitySize) + 8

func (d *deal) open(temp string) error {
	for i := range d.shares {
		f, err := os.CreateTemp(temp, "repeats-*")
		if err != nil {
			return err
		}
		os.Remove(f.Name()) // the open descriptor keeps it; nothing is left behind
		d.shares[i] = share{file: f, w: bufio.NewWriterSize(f, 64<<10)}
	}
	return nil
}

// add appends a row; the writer keeps the first error until it is flushed.
func (d *deal) add(to uint64, row int64, id split.Identity) {
	s := &d.shares[to]
	s.n++
	var rec [dealtSize]byte
	copy(rec[:], id[:])
	binary.LittleEndian.PutUint64(rec[identitySize:], uint64(row))
	s.w.Write(rec[:])
}

// each calls f for the rows of the share in their order.
func (s *share) each(f func(row int64, id split.Identity)) error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.n*int64(dealtSize)), 1<<20)
	var rec [dealtSize]byte
	for range s.n {
		if _, err := io.ReadFull(r, rec[:]); err != nil {
			return err
		}
		f(int64(binary.LittleEndian.Uint64(rec[identitySize:])), split.Identity(rec[:identitySize]))
	}
	return nil
}

func (d *deal) close() error {
	var errs []error
	for i := range d.shares {
		if f := d.shares[i].file; f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
