package profile

import (
	"math"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/zeebo/xxh3"
)

const (
	maxCategories = 4096 // of a column
	maxClasses    = 64   // of a target that is a category
	maxCells      = 1 << 17
	pairBlock     = 1024
)

// associator measures how much a column tells about the target. codes are the
// categories of the rows of a text column.
type associator interface {
	add(v *format.Vector, codes []int32, target *format.Vector)
	association() *genesis.Association
}

// newAssociator returns nil where no measure applies.
func newAssociator(col genesis.Column, target *genesis.Column) associator {
	if target == nil || target.Name == col.Name || !associable(col) || !associable(*target) {
		return nil
	}
	x, y := categorical(col.Type), categorical(target.Type)
	switch {
	case !x && !y:
		return &pearson{}
	case x && y:
		return &cramer{classes: tally{max: maxClasses}}
	case x:
		return &eta{}
	}
	return &eta{swapped: true, classes: tally{max: maxClasses}}
}

func associable(c genesis.Column) bool {
	return c.Type != genesis.Text && c.Type != genesis.Identifier && c.Semantic != genesis.Person
}

func categorical(t genesis.Type) bool { return t.Textual() || t == genesis.Boolean }

// number returns value i of a vector of numbers or times, and whether there is
// a finite one.
func number(v *format.Vector, i int) (float64, bool) {
	if v.Null(i) {
		return 0, false
	}
	if v.Kind == format.Float {
		x := v.Floats[i]
		return x, x-x == 0
	}
	return float64(v.Ints[i]), true
}

// class returns the category of row i: from codes, from a boolean, or from a
// text by the tally; −1 for none. ok is false when there are too many.
func class(v *format.Vector, codes []int32, i int, t *tally) (code int32, ok bool) {
	if v.Null(i) {
		return -1, true
	}
	if v.Kind == format.Bool {
		return int32(v.Ints[i] & 1), true
	}
	if codes != nil {
		return codes[i], codes[i] >= 0
	}
	k := xxh3.Hash(v.Bytes(i))
	return t.count(k, mix(k), 1)
}

// pearson is the correlation of two columns of numbers.
type pearson struct {
	xs, ys []float64
	n      int64
	mx, my float64
	xx, yy float64
	xy     float64
}

func (p *pearson) add(v *format.Vector, _ []int32, target *format.Vector) {
	for i := range min(v.Len(), target.Len()) {
		x, ok := number(v, i)
		y, ok2 := number(target, i)
		if !ok || !ok2 {
			continue
		}
		p.xs, p.ys = append(p.xs, x), append(p.ys, y)
		if len(p.xs) == pairBlock {
			p.flush()
		}
	}
}

// flush merges the block's co-moments, taken about the block's own means.
func (p *pearson) flush() {
	if len(p.xs) == 0 {
		return
	}
	mx, my := momentsOf(p.xs), momentsOf(p.ys)
	var xy float64
	for i, x := range p.xs {
		xy += (x - mx.mean) * (p.ys[i] - my.mean)
	}
	n, m := float64(p.n), float64(len(p.xs))
	dx, dy := mx.mean-p.mx, my.mean-p.my
	w := n * m / (n + m)
	p.xx += mx.m2 + dx*dx*w
	p.yy += my.m2 + dy*dy*w
	p.xy += xy + dx*dy*w
	p.mx += dx * m / (n + m)
	p.my += dy * m / (n + m)
	p.n += int64(len(p.xs))
	p.xs, p.ys = p.xs[:0], p.ys[:0]
}

func (p *pearson) association() *genesis.Association {
	p.flush()
	return measured("pearson", p.xy/math.Sqrt(p.xx*p.yy), p.n, -1)
}

// measured returns an association unless it is undefined.
func measured(name string, v float64, rows int64, least float64) *genesis.Association {
	if rows < 3 || math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &genesis.Association{Measure: name, Value: math.Max(least, math.Min(1, v)), Rows: rows}
}

// eta is the share of a number's variance that a category explains.
type eta struct {
	swapped bool // the target is the category
	classes tally
	groups  []group
	all     moments
	block   []float64
	tooMany bool
}

type group struct {
	n    int64
	mean float64
}

func (e *eta) add(v *format.Vector, codes []int32, target *format.Vector) {
	cat, num := v, target
	if e.swapped {
		cat, num, codes = target, v, nil
	}
	for i := range min(v.Len(), target.Len()) {
		if e.tooMany {
			return
		}
		y, ok := number(num, i)
		if !ok {
			continue
		}
		code, ok := class(cat, codes, i, &e.classes)
		if !ok {
			*e = eta{tooMany: true}
			return
		}
		if code >= 0 {
			e.one(int(code), y)
		}
	}
}

func (e *eta) one(code int, y float64) {
	for len(e.groups) <= code {
		e.groups = append(e.groups, group{})
	}
	g := &e.groups[code]
	g.n++
	g.mean += (y - g.mean) / float64(g.n)
	e.block = append(e.block, y)
	if len(e.block) == pairBlock {
		e.all.add(e.block)
		e.block = e.block[:0]
	}
}

func (e *eta) association() *genesis.Association {
	if e.tooMany {
		return nil
	}
	e.all.add(e.block)
	e.block = e.block[:0]
	var between float64
	for _, g := range e.groups {
		d := g.mean - e.all.mean
		between += float64(g.n) * d * d
	}
	return measured("eta2", between/e.all.m2, e.all.n, 0)
}

// cramer is Cramér's V of two categories (Cramér 1946): √(χ²/n / (min(r,c)−1)).
type cramer struct {
	classes tally
	cells   []int64 // row code × maxClasses + class
	n       int64
	tooMany bool
}

func (c *cramer) add(v *format.Vector, codes []int32, target *format.Vector) {
	for i := range min(v.Len(), target.Len()) {
		if c.tooMany {
			return
		}
		x, ok := class(v, codes, i, nil)
		y, ok2 := class(target, nil, i, &c.classes)
		if !ok && !v.Null(i) || !ok2 {
			*c = cramer{tooMany: true}
			return
		}
		if x >= 0 && y >= 0 {
			c.one(int(x)*maxClasses + int(y))
		}
	}
}

func (c *cramer) one(cell int) {
	if cell >= maxCells {
		*c = cramer{tooMany: true}
		return
	}
	for len(c.cells) <= cell {
		c.cells = append(c.cells, make([]int64, maxClasses)...)
	}
	c.cells[cell]++
	c.n++
}

func (c *cramer) association() *genesis.Association {
	if c.tooMany || c.n == 0 {
		return nil
	}
	rows := make([]float64, len(c.cells)/maxClasses)
	cols := make([]float64, maxClasses)
	for i, n := range c.cells {
		rows[i/maxClasses] += float64(n)
		cols[i%maxClasses] += float64(n)
	}
	phi := -1.0 // χ²/n = Σ o²/(row·col) − 1
	for i, o := range c.cells {
		if o > 0 {
			phi += float64(o) / rows[i/maxClasses] * float64(o) / cols[i%maxClasses]
		}
	}
	least := min(occupied(rows), occupied(cols)) - 1
	return measured("cramers-v", math.Sqrt(math.Max(0, phi)/float64(least)), c.n, 0)
}

func occupied(sums []float64) int {
	n := 0
	for _, s := range sums {
		if s > 0 {
			n++
		}
	}
	return n
}
