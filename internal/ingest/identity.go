package ingest

import (
	"bufio"
	"encoding/binary"
	"hash/maphash"
	"io"
	"math"
	"os"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/split"
	"github.com/zeebo/xxh3"
)

// missingCell stands for a cell without a value in the bytes that are hashed
// to a row's identity (docs/formats.md, "Row identity").
const missingCell = math.MaxUint32

// rowHasher computes the identities of the rows of batches.
type rowHasher struct{ buf []byte }

// hash returns the identity of row i: XXH3-128 over its raw cells, each with
// its length in front, without the missing cells at its end, so that a column
// that appears later in a source does not change earlier rows.
func (h *rowHasher) hash(b *format.Batch, i int) split.Identity {
	h.buf = h.buf[:0]
	end := 0
	for j := range b.Cols {
		if h.cell(&b.Cols[j], i) {
			end = len(h.buf)
		}
	}
	return sum128(h.buf[:end])
}

func sum128(b []byte) split.Identity {
	return split.Identity(xxh3.Hash128(b).Bytes())
}

// cell appends one cell and reports whether it has a value.
func (h *rowHasher) cell(v *format.Vector, i int) bool {
	if v.Null(i) || v.Kind == format.Text && v.Spans[i].Start == v.Spans[i].End {
		h.buf = binary.LittleEndian.AppendUint32(h.buf, missingCell)
		return false
	}
	switch v.Kind {
	case format.Text:
		text := v.Bytes(i)
		h.buf = binary.LittleEndian.AppendUint32(h.buf, uint32(len(text)))
		h.buf = append(h.buf, text...)
	case format.Float:
		h.buf = binary.LittleEndian.AppendUint32(h.buf, 8)
		h.buf = binary.LittleEndian.AppendUint64(h.buf, math.Float64bits(v.Floats[i]))
	default:
		h.buf = binary.LittleEndian.AppendUint32(h.buf, 8)
		h.buf = binary.LittleEndian.AppendUint64(h.buf, uint64(v.Ints[i]))
	}
	return true
}

// identities keeps the identity of every row of a table in row order: in
// memory up to a budget, then in a temporary file.
type identities struct {
	budget int64
	temp   string
	n      int64
	mem    []split.Identity
	file   *os.File
	w      *bufio.Writer
}

const identitySize = int64(len(split.Identity{}))

func (s *identities) add(id split.Identity) error {
	s.n++
	if s.file == nil {
		if int64(len(s.mem)+1)*identitySize <= s.budget {
			s.mem = append(s.mem, id)
			return nil
		}
		if err := s.spill(); err != nil {
			return err
		}
	}
	_, err := s.w.Write(id[:])
	return err
}

func (s *identities) spill() error {
	f, err := os.CreateTemp(s.temp, "identities-*")
	if err != nil {
		return err
	}
	os.Remove(f.Name()) // the open descriptor keeps it; nothing is left behind
	s.file, s.w = f, bufio.NewWriterSize(f, 1<<20)
	for _, id := range s.mem {
		s.w.Write(id[:])
	}
	s.mem = nil
	return nil
}

// each calls f for every identity in row order.
func (s *identities) each(f func(row int64, id split.Identity)) error {
	if s.file == nil {
		for i, id := range s.mem {
			f(int64(i), id)
		}
		return nil
	}
	if err := s.w.Flush(); err != nil {
		return err
	}
	r := bufio.NewReaderSize(io.NewSectionReader(s.file, 0, s.n*identitySize), 1<<20)
	var id split.Identity
	for i := range s.n {
		if _, err := io.ReadFull(r, id[:]); err != nil {
			return err
		}
		f(i, id)
	}
	return nil
}

// identitySet is a set of identities with open addressing. Although identities
// are hashes, a keyed hash places them: XXH3 has no key, and a file made to put
// all its rows into one slot would take time without end.
type identitySet struct {
	key   maphash.Seed
	slots []split.Identity
	zero  bool // the identity that marks an empty slot is a member
	n     int
}

func newIdentitySet(expect int) *identitySet {
	size := 1024
	for size < expect*3/2 {
		size *= 2
	}
	return &identitySet{key: maphash.MakeSeed(), slots: make([]split.Identity, size)}
}

// add puts id into the set and reports whether it was new.
func (s *identitySet) add(id split.Identity) bool {
	if id == (split.Identity{}) {
		fresh := !s.zero
		s.zero = true
		return fresh
	}
	mask := len(s.slots) - 1
	for i := int(maphash.Bytes(s.key, id[:])) & mask; ; i = (i + 1) & mask {
		if s.slots[i] == id {
			return false
		}
		if s.slots[i] == (split.Identity{}) {
			s.slots[i] = id
			if s.n++; s.n*4 > len(s.slots)*3 {
				s.grow()
			}
			return true
		}
	}
}

func (s *identitySet) grow() {
	old := s.slots
	s.slots, s.n = make([]split.Identity, 2*len(old)), 0
	for _, id := range old {
		if id != (split.Identity{}) {
			s.add(id)
		}
	}
}

func (s *identities) close() {
	if s.file != nil {
		s.file.Close()
	}
}
