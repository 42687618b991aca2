// Package spill sorts more records than fit in memory. Records are byte strings
// of one width and are ordered byte by byte, so numbers are written big-endian.
// What exceeds the memory given goes, sorted run by sorted run, to one temporary
// file, and the runs are merged when read back.
package spill

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"io"
	"os"
	"slices"

	"github.com/opengenesis/genesis"
)

// DefaultMemory is what a sorter keeps in memory when it is not told.
const DefaultMemory = 32 << 20

// Sorter collects records and yields them sorted. It is not safe for concurrent
// use.
type Sorter struct {
	dir    string
	width  int
	limit  int // bytes of records in memory
	buf    []byte
	file   *os.File
	ends   []int64 // where each run ends in file
	sorted bool
	n      int64
}

// New returns a sorter of records of width bytes, at least 8, that keeps about
// memory bytes and spills to a temporary file in dir ("": the system's).
func New(dir string, width int, memory int64) *Sorter {
	if memory <= 0 {
		memory = DefaultMemory
	}
	// Sorting keeps twice 16 bytes beside each record, and a sorted copy.
	records := max(1, min(memory/int64(2*width+32), 1<<31))
	return &Sorter{dir: dir, width: width, limit: int(records) * width}
}

// Len returns how many records were added.
func (s *Sorter) Len() int64 { return s.n }

// Add adds a copy of rec. It returns an error of kind Internal when the
// temporary file cannot be written.
func (s *Sorter) Add(rec []byte) error {
	if s.sorted || len(rec) != s.width {
		return fault("is added a record out of turn", nil)
	}
	s.buf = append(s.buf, rec...)
	s.n++
	if len(s.buf) >= s.limit {
		return s.spill()
	}
	return nil
}

// place is a record's first eight bytes and where it stands.
type place struct {
	prefix uint64
	at     uint32
}

// order returns the records in memory in order: by their first eight bytes,
// and then, where those are equal, by the rest.
func (s *Sorter) order() []place {
	ps := make([]place, len(s.buf)/s.width)
	for i := range ps {
		ps[i] = place{binary.BigEndian.Uint64(s.buf[i*s.width:]), uint32(i)}
	}
	ps = radix(ps)
	for i := 0; i < len(ps); {
		j := i + 1
		for j < len(ps) && ps[j].prefix == ps[i].prefix {
			j++
		}
		if j-i > 1 && s.width > 8 {
			slices.SortFunc(ps[i:j], func(a, b place) int { return bytes.Compare(s.record(a.at), s.record(b.at)) })
		}
		i = j
	}
	return ps
}

// radix sorts by prefix, byte by byte from the last, leaving out bytes that all
// prefixes share.
func radix(ps []place) []place {
	var counts [8][256]uint32
	for _, p := range ps {
		for k := range counts {
			counts[k][byte(p.prefix>>(8*k))]++
		}
	}
	other := make([]place, len(ps))
	for k := range counts {
		c := &counts[k]
		if len(ps) == 0 || int(c[byte(ps[0].prefix>>(8*k))]) == len(ps) {
			continue
		}
		var sum uint32
		for i, n := range c {
			c[i], sum = sum, sum+n
		}
		for _, p := range ps {
			i := byte(p.prefix >> (8 * k))
			other[c[i]] = p
			c[i]++
		}
		ps, other = other, ps
	}
	return ps
}

func (s *Sorter) record(at uint32) []byte {
	i := int(at) * s.width
	return s.buf[i : i+s.width]
}

// spill writes the records in memory to the file as one run.
func (s *Sorter) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "genesis-sort-*")
		if err != nil {
			return fault("has no temporary file", err)
		}
		os.Remove(f.Name()) // where the system allows, nothing is left behind even by a kill
		s.file = f
	}
	w := bufio.NewWriterSize(s.file, 256<<10)
	for _, p := range s.order() {
		if _, err := w.Write(s.record(p.at)); err != nil {
			return fault("cannot write its temporary file", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fault("cannot write its temporary file", err)
	}
	var from int64
	if n := len(s.ends); n > 0 {
		from = s.ends[n-1]
	}
	s.ends = append(s.ends, from+int64(len(s.buf)))
	s.buf = s.buf[:0]
	return nil
}

// Each calls f with every record in order, equal ones as often as they were
// added. rec is valid during the call only. Each may be called again; nothing
// may be added after the first call.
func (s *Sorter) Each(f func(rec []byte) error) error {
	if s.file == nil {
		return s.eachInMemory(f)
	}
	if !s.sorted && len(s.buf) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.sorted, s.buf = true, nil
	return s.merge(f)
}

func (s *Sorter) eachInMemory(f func(rec []byte) error) error {
	if !s.sorted {
		out := make([]byte, 0, len(s.buf))
		for _, p := range s.order() {
			out = append(out, s.record(p.at)...)
		}
		s.buf, s.sorted = out, true
	}
	for i := 0; i < len(s.buf); i += s.width {
		if err := f(s.buf[i : i+s.width]); err != nil {
			return err
		}
	}
	return nil
}

// merge reads all runs at once.
func (s *Sorter) merge(f func(rec []byte) error) error {
	size := max(4<<10, min(256<<10, s.limit/len(s.ends)))
	var h runs
	var from int64
	for _, end := range s.ends {
		r := &run{in: bufio.NewReaderSize(io.NewSectionReader(s.file, from, end-from), size), head: make([]byte, s.width)}
		if err := r.next(); err != nil {
			return err
		}
		h = append(h, r)
		from = end
	}
	heap.Init(&h)
	for len(h) > 0 {
		if err := f(h[0].head); err != nil {
			return err
		}
		if err := h[0].next(); err == io.EOF {
			heap.Pop(&h)
		} else if err != nil {
			return err
		} else {
			heap.Fix(&h, 0)
		}
	}
	return nil
}

// Close frees memory and the temporary file.
func (s *Sorter) Close() error {
	s.buf = nil
	if s.file == nil {
		return nil
	}
	name := s.file.Name()
	err := s.file.Close()
	os.Remove(name) // where an open file could not be removed
	s.file = nil
	return err
}

// run is one sorted run being read.
type run struct {
	in   *bufio.Reader
	head []byte
}

func (r *run) next() error {
	_, err := io.ReadFull(r.in, r.head)
	if err == nil || err == io.EOF {
		return err
	}
	return fault("cannot read its temporary file", err)
}

type runs []*run

func (h runs) Len() int           { return len(h) }
func (h runs) Less(i, j int) bool { return bytes.Compare(h[i].head, h[j].head) < 0 }
func (h runs) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runs) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runs) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

func fault(msg string, err error) error {
	return &genesis.Error{Op: "sort", Kind: genesis.Internal, Msg: msg, Hint: "is there room on the disk for temporary files?", Err: err}
}
