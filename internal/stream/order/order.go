package order

import (
	"github.com/opengenesis/genesis"
)

// Window is how many blocks are mixed with each other in block mode.
const Window = 64

// Order says which row comes when. It is safe for concurrent use.
type Order struct {
	mode  genesis.StreamMode
	n     uint64 // rows
	key   Key
	whole permutation // full: of all rows

	block  uint64      // rows of a block
	blocks permutation // of the blocks
	short  uint64      // where the short block is among the blocks in their order
	tail   uint64      // its rows; 0: there is none
}

// New returns the order of n rows. The Spec's block must be positive in block
// mode.
func New(s Spec, n int64) (*Order, error) {
	k, err := s.Key()
	if err != nil {
		return nil, err
	}
	o := &Order{mode: s.Mode, n: uint64(n), key: k}
	switch s.Mode {
	case genesis.Full:
		o.whole = newPermutation(k, "full", 0, o.n)
	case genesis.Block:
		o.block = uint64(s.Block)
		count := (o.n + o.block - 1) / o.block
		o.blocks = newPermutation(k, "blocks", 0, count)
		if o.tail = o.n % o.block; o.tail > 0 {
			o.short = o.blocks.from(count - 1)
		}
	}
	return o, nil
}

// Rows returns how many rows there are.
func (o *Order) Rows() int64 { return int64(o.n) }

// Key returns the order's key.
func (o *Order) Key() Key { return o.key }

// Fill writes the rows at positions from, from+1, … into rows. They must be
// positions of the order.
func (o *Order) Fill(rows []uint64, from int64) {
	switch o.mode {
	case genesis.Full:
		for i := range rows {
			rows[i] = o.whole.at(uint64(from) + uint64(i))
		}
	case genesis.Block:
		o.fillBlocks(rows, uint64(from))
	default:
		for i := range rows {
			rows[i] = uint64(from) + uint64(i)
		}
	}
}

// fillBlocks fills window by window.
func (o *Order) fillBlocks(rows []uint64, from uint64) {
	size := Window * o.block
	for len(rows) > 0 {
		first := from / size * size
		w := newPermutation(o.key, "window", from/size, min(size, o.n-first))
		places := o.places(first)
		take := min(uint64(len(rows)), first+w.n-from)
		for i := range rows[:take] {
			rows[i] = places.row(w.at(from - first + uint64(i)))
		}
		rows, from = rows[take:], from+take
	}
}

// Span is some consecutive rows: First … First+Rows−1.
type Span struct{ First, Rows uint64 }

// Ahead returns the spans of rows that the window has which a position lies in, and where
// the window ends: who reads from a disk can have them fetched. In other modes than block
// there are none.
func (o *Order) Ahead(position int64) (spans []Span, end int64) {
	if o.mode != genesis.Block || uint64(position) >= o.n {
		return nil, int64(o.n)
	}
	size := Window * o.block
	first := uint64(position) / size * size
	p, at := o.places(first), uint64(0)
	for _, r := range p.runs[:p.n] {
		spans = append(spans, Span{r.row - (r.end - at), r.end - at})
		at = r.end
	}
	return spans, int64(min(first+size, o.n))
}

// run is some consecutive rows of the sequence of blocks.
type run struct{ end, row uint64 } // where in the window it ends; the row after its last

// places are the runs of one window.
type places struct {
	runs  [Window + 2]run
	n     int
	block uint64
	ahead uint64 // by how much the first run is shorter than a block
}

// places returns which rows the places of the window have that begins at first.
func (o *Order) places(first uint64) *places {
	p := &places{block: o.block}
	last := min(first+Window*o.block, o.n)
	for at := first; at < last; {
		begin, length, row := o.blockAt(at)
		end := min(begin+length, last)
		p.runs[p.n] = run{end: end - first, row: row + (end - begin)}
		if p.n == 0 {
			p.ahead = at - begin
		}
		p.n++
		at = end
	}
	return p
}

// blockAt returns the block that has place at of the sequence of blocks: where in
// the sequence it begins, how many rows it has and its first row.
func (o *Order) blockAt(at uint64) (begin, length, row uint64) {
	k := at / o.block
	if o.tail > 0 && at >= o.short*o.block { // places behind the short block come earlier
		if at < o.short*o.block+o.tail {
			return o.short * o.block, o.tail, o.blocks.at(o.short) * o.block
		}
		k = (at - o.tail) / o.block
		return k*o.block + o.tail, o.block, o.blocks.at(k+1) * o.block
	}
	return k * o.block, o.block, o.blocks.at(k) * o.block
}

// row returns the row at a place of the window.
func (p *places) row(at uint64) uint64 {
	k := min((at+p.ahead)/p.block, uint64(p.n-1)) // the right run, but behind a short one
	for at >= p.runs[k].end {
		k++
	}
	for k > 0 && at < p.runs[k-1].end {
		k--
	}
	return p.runs[k].row - (p.runs[k].end - at)
}
