package infer

import (
	"encoding/binary"
	"math/bits"
)

// hash is a 64-bit hash of b for sketches: multiplications folded to 64 bits,
// eight bytes at a time. It is the same on every machine.
func hash(b []byte) uint64 {
	const k0, k1, k2 = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F
	h := uint64(len(b))*k1 ^ k0
	for len(b) >= 8 {
		hi, lo := bits.Mul64(h^binary.LittleEndian.Uint64(b), k2)
		h = hi ^ lo ^ k0
		b = b[8:]
	}
	if len(b) > 0 {
		var w uint64
		if len(b) >= 4 {
			w = uint64(binary.LittleEndian.Uint32(b))<<32 | uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
		} else {
			w = uint64(b[0]) | uint64(b[len(b)>>1])<<8 | uint64(b[len(b)-1])<<16 | uint64(len(b))<<24
		}
		hi, lo := bits.Mul64(h^w, k2)
		h = hi ^ lo
	}
	hi, lo := bits.Mul64(h^k0, k1)
	return hi ^ lo
}

// sketch estimates how many distinct cells a column has and whether they
// repeat: it keeps, with their counts, all hashes below a limit that halves
// whenever too many are kept (Wegman's adaptive sampling, in Flajolet 1990). It
// is exact while nothing was dropped, its standard error is about 1.2/√size
// after that, and it depends on the set of cells alone, not on their order.
type sketch struct {
	shift uint // hashes whose top shift bits are not zero are dropped
	size  int  // hashes to keep at most
	n     int
	slots []slot
}

type slot struct {
	hash  uint64
	count int64
}

func (s *sketch) add(h uint64, count int64) {
	if s.shift > 0 && h>>(64-s.shift) != 0 {
		return
	}
	h |= 1 // 0 marks a free slot
	if s.slots == nil {
		s.slots = make([]slot, 16)
	}
	mask := uint64(len(s.slots) - 1)
	for i := h >> 1 & mask; ; i = (i + 1) & mask {
		p := &s.slots[i]
		if p.hash == h {
			p.count += count
			return
		}
		if p.hash == 0 {
			*p = slot{h, count}
			s.n++
			s.fit()
			return
		}
	}
}

// fit keeps the table at most half full and within its size.
func (s *sketch) fit() {
	for s.n > s.size && s.shift < 60 {
		s.shift++
		s.rehash(len(s.slots))
	}
	if s.n*2 > len(s.slots) {
		s.rehash(2 * len(s.slots))
	}
}

func (s *sketch) rehash(capacity int) {
	old := s.slots
	s.slots, s.n = make([]slot, capacity), 0
	mask := uint64(capacity - 1)
	for _, o := range old {
		if o.hash == 0 || s.shift > 0 && o.hash>>(64-s.shift) != 0 {
			continue
		}
		i := o.hash >> 1 & mask
		for s.slots[i].hash != 0 {
			i = (i + 1) & mask
		}
		s.slots[i] = o
		s.n++
	}
}

func (s *sketch) merge(o *sketch) {
	if o.shift > s.shift {
		s.shift = o.shift
		s.rehash(max(16, len(s.slots)))
	}
	for _, p := range o.slots {
		if p.hash != 0 {
			s.add(p.hash, p.count)
		}
	}
}

// distinct estimates the number of distinct cells.
func (s *sketch) distinct() int64 { return int64(s.n) << s.shift }

// exact reports whether distinct is no estimate.
func (s *sketch) exact() bool { return s.shift == 0 }

// repeated is the share of kept values that occur more than once.
func (s *sketch) repeated() float64 {
	if s.n == 0 {
		return 0
	}
	n := 0
	for _, p := range s.slots {
		if p.count > 1 {
			n++
		}
	}
	return float64(n) / float64(s.n)
}

// words holds every distinct cell that is no plain number, with its count and
// what it was classified as, until there are too many; then none.
type words struct {
	limit int // distinct words
	bytes int // of their text
	over  bool
	list  []word
	text  []byte
	index []uint32 // position in list + 1, by hash
}

type word struct {
	hash  uint64
	count int64
	first int64 // the row it was first seen in
	off   uint32
	size  uint32
	cell  cell
}

func (w *words) at(i int) []byte {
	e := &w.list[i]
	return w.text[e.off : e.off+e.size]
}

// find returns the word's entry, or nil.
func (w *words) find(b []byte, h uint64) *word {
	if len(w.index) == 0 {
		return nil
	}
	mask := uint64(len(w.index) - 1)
	for i := h & mask; w.index[i] != 0; i = (i + 1) & mask {
		e := &w.list[w.index[i]-1]
		if e.hash == h && string(w.text[e.off:e.off+e.size]) == string(b) {
			return e
		}
	}
	return nil
}

// insert adds a word that find did not find. It reports false, and forgets
// everything, when that is one too many.
func (w *words) insert(b []byte, e word) bool {
	if len(w.list) >= w.limit || len(w.text)+len(b) > w.bytes {
		w.over = true
		return false
	}
	e.off, e.size = uint32(len(w.text)), uint32(len(b))
	w.text = append(w.text, b...)
	w.list = append(w.list, e)
	if 2*len(w.list) > len(w.index) {
		w.grow()
		return true
	}
	w.place(uint32(len(w.list)))
	return true
}

func (w *words) grow() {
	w.index = make([]uint32, max(16, 2*len(w.index)))
	for i := range w.list {
		w.place(uint32(i + 1))
	}
}

func (w *words) place(n uint32) {
	mask := uint64(len(w.index) - 1)
	i := w.list[n-1].hash & mask
	for w.index[i] != 0 {
		i = (i + 1) & mask
	}
	w.index[i] = n
}

// extremes keeps the lowest and the highest distinct values with their counts.
type extremes struct {
	low, high [keep]extreme // sorted outward in: low[0] is the minimum, high[0] the maximum
	nlow      int
	nhigh     int
}

const keep = 6

type extreme struct {
	value float64
	count int64
	first int64 // the row it was first seen in
}

func (x *extremes) add(v float64, count, row int64) {
	if x.nlow < keep || v <= x.low[keep-1].value {
		x.nlow = insert(&x.low, x.nlow, extreme{v, count, row}, 1)
	}
	if x.nhigh < keep || v >= x.high[keep-1].value {
		x.nhigh = insert(&x.high, x.nhigh, extreme{v, count, row}, -1)
	}
}

// insert keeps a in order of sign × value, distinct.
func insert(a *[keep]extreme, n int, e extreme, sign float64) int {
	i := 0
	for i < n && sign*a[i].value < sign*e.value {
		i++
	}
	if i < n && a[i].value == e.value {
		a[i].count += e.count
		a[i].first = min(a[i].first, e.first)
		return n
	}
	if i == keep {
		return n
	}
	n = min(n+1, keep)
	copy(a[i+1:n], a[i:n-1])
	a[i] = e
	return n
}

func (x *extremes) merge(o *extremes) {
	for _, e := range o.low[:o.nlow] {
		x.nlow = insert(&x.low, x.nlow, e, 1)
	}
	for _, e := range o.high[:o.nhigh] {
		x.nhigh = insert(&x.high, x.nhigh, e, -1)
	}
}

// mergeShifted is merge for values first seen shift rows later than o says.
func (x *extremes) mergeShifted(o *extremes, shift int64) {
	for i := range o.low {
		o.low[i].first += shift
		o.high[i].first += shift
	}
	x.merge(o)
}

// at returns the extreme of a value.
func (x *extremes) at(v float64) (extreme, bool) {
	for _, list := range [][]extreme{x.low[:x.nlow], x.high[:x.nhigh]} {
		for _, e := range list {
			if e.value == v {
				return e, true
			}
		}
	}
	return extreme{}, false
}

// bounds returns the least and the greatest value.
func (x *extremes) bounds() (lo, hi float64, ok bool) {
	if x.nlow == 0 {
		return 0, 0, false
	}
	return x.low[0].value, x.high[0].value, true
}
