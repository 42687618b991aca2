package infer

import (
	"bytes"
	"math"
	"strings"

	"github.com/opengenesis/genesis/internal/format"
)

// A Decider watches all cells of one column and decides how they are read. It
// needs less than a megabyte, however many cells there are.
type Decider struct {
	raw       format.RawColumn
	name      string
	described string // by the source, outside the table

	// BesideCommas says that other columns of the table have decimal commas, so that
	// 1,234 is one, too: nobody writes both in one table.
	BesideCommas bool

	rows    int64
	line    int64 // of the cell being observed
	placed  bool  // rows are named by their lines
	counts  [classes]int64
	flagged [flags]int64
	seen    [classes]*seen

	values  extremes // of numbers that every grouping reads
	points  extremes // of plain decimals
	dots    extremes // of plain decimals as groups of three: 1.234 as 1234
	sketch  sketch
	words   words
	dotted  int64 // plain decimals that could be groups of three: 1.234
	scaled  int64 // plain decimals that are none: 1e5
	zeros   int64 // plain numbers with leading zeros
	whole   int64 // integers 1000 and above written without separator
	dates   int64 // integers that are dates: 20180131
	order   sequence
	lengths lengths
	padded  int64
	lacking [2]seen // words that are no SMILES, no formula
	inexact inexact

	fine      seen // times finer than a microsecond
	fineCount int64

	grouped, united, qualified spelled // by class

	texts     map[string]*tally // words, as long as they are few
	manyTexts bool

	missing   map[string]*tally
	shapes    map[shape]*shapeTally
	bare      seen  // plain and grouped numbers and marked ones without a unit
	bareMarks int64 // of those the marked ones
	units     map[string]*tally
	manyUnits bool
	offsets   map[int]int64 // of zoned times, minutes
	invalid   int64         // typed floats that are NaN

	recent      *shapeTally // of the shape met last
	recentShape shape
}

// seen holds the first rows of a class, from 1.
type seen struct {
	rows [20]int64
	n    int
}

func (s *seen) add(row int64) {
	if s.n < len(s.rows) {
		s.rows[s.n] = row
		s.n++
	}
}

type tally struct {
	count  int64
	first  int64
	spaced int64 // a space stands before the unit
}

type shapeTally struct {
	count, monthFirst, dayFirst int64
	first                       int64
	seen                        seen
}

// lengths are the shortest and the longest cell, in bytes.
type lengths struct{ min, max int }

// sequence follows how numbers succeed one another.
type sequence struct {
	n           int64
	first, last float64
	steps       int64 // greater by exactly one than the one before
	rises       int64
	falls       int64
}

func (s *sequence) add(v float64) {
	if s.n > 0 {
		switch {
		case v > s.last:
			s.rises++
			if v-s.last == 1 {
				s.steps++
			}
		case v < s.last:
			s.falls++
		}
	} else {
		s.first = v
	}
	s.last = v
	s.n++
}

func (s *sequence) merge(o *sequence) {
	if o.n == 0 {
		return
	}
	if s.n == 0 {
		*s = *o
		return
	}
	n := s.n
	s.add(o.first)
	s.n, s.last = n+o.n, o.last
	s.steps += o.steps
	s.rises += o.rises
	s.falls += o.falls
}

// increasing reports whether every number is greater than the one before.
func (s *sequence) increasing() bool { return s.n > 1 && s.rises == s.n-1 }

// counting reports whether the numbers count up by one.
func (s *sequence) counting() bool { return s.n > 1 && s.steps == s.n-1 }

const (
	sketchSize = 1024
	wordLimit  = 4096
	wordBytes  = 256 << 10
	unitLimit  = 32
	textLimit  = 3
	textBytes  = 64
)

// NewDecider returns a decider for the column raw, which will be called name.
func NewDecider(raw format.RawColumn, name string) *Decider {
	return &Decider{raw: raw, name: name,
		sketch: sketch{size: sketchSize},
		words:  words{limit: wordLimit, bytes: wordBytes}}
}

// Bound makes the decider keep to about so many bytes, for tables of very many
// columns. It must be called before the first Observe; deciders that are to be
// merged need the same bound.
func (d *Decider) Bound(bytes int) {
	d.words.limit = min(max(bytes/96, 32), wordLimit)
	d.words.bytes = min(max(bytes/2, 1024), wordBytes)
	d.sketch.size = min(max(bytes/64, 32), sketchSize)
}

// Observe adds the cells of v, which follow those observed before. Findings
// number rows from 1 in the order observed.
func (d *Decider) Observe(v *format.Vector) { d.ObserveLines(v, nil) }

// ObserveLines is Observe with the place in the source of each row, which
// findings name: the lines of a format.Batch. Nil lines count rows from 1.
func (d *Decider) ObserveLines(v *format.Vector, lines []int64) {
	d.placed = d.placed || lines != nil
	typed := v.Kind != format.Text
	for i, n := 0, v.Len(); i < n; i++ {
		d.rows++
		if d.line = d.rows; lines != nil {
			d.line = lines[i]
		}
		switch {
		case v.Null(i):
			d.counts[cEmpty]++
		case typed:
			d.typed(v, i)
		default:
			s := v.Spans[i]
			d.cell(v.Buf[s.Start:s.End])
		}
	}
}

// cell adds one cell.
func (d *Decider) cell(b []byte) {
	if len(b) > 0 && (b[0] <= ' ' || b[len(b)-1] <= ' ') {
		if t := trim(b); len(t) < len(b) {
			b = t
			d.padded++
		}
	}
	if len(b) == 0 {
		d.counts[cEmpty]++
		return
	}
	if d.lengths.max < len(b) {
		d.lengths.max = len(b)
	}
	if d.lengths.min > len(b) || d.lengths.min == 0 {
		d.lengths.min = len(b)
	}
	h := hash(b)
	if c := b[0]; c-'0' <= 9 || c == '-' || c == '+' || c == '.' {
		var n decimal
		if n.scan(b) {
			d.number(b, &n, h)
			return
		}
	}
	d.word(b, h)
}

// number adds a cell that is a plain number.
func (d *Decider) number(b []byte, n *decimal, h uint64) {
	d.sketch.add(h, 1)
	d.bare.add(d.line)
	if n.zero {
		d.zeros++
	}
	if n.point {
		d.decimal(b, n)
		return
	}
	v, ok := n.integer(b)
	if !ok {
		d.note(cWide)
		if !exactWide(b) {
			d.inexact.addWhole(d.line)
		}
		d.values.add(n.near(b), 1, d.line)
		return
	}
	d.counts[cInt]++
	if v >= 1000 || v <= -1000 {
		d.whole++
		if v >= 10000101 && v <= 29991231 && exists(int(v/10000), int(v/100%100), int(v%100)) {
			d.dates++
		}
		if !exactInt(v) {
			d.inexact.addWhole(d.line)
		}
	}
	f := float64(v)
	d.values.add(f, 1, d.line)
	d.order.add(f)
}

func (d *Decider) decimal(b []byte, n *decimal) {
	f := n.near(b)
	if math.IsInf(f, 0) {
		d.note(cTooLarge)
		return
	}
	d.counts[cFloat]++
	if n.digits > floatDigits || f == 0 {
		d.inexact.decimal(b, n, f, d.line)
	}
	d.order.add(f)
	if math.Abs(f) >= 1e20 { // may be a code, which is compared exactly
		f = n.float(b)
	}
	if n.scaled && bytes.IndexByte(b, '.') < 0 {
		d.scaled++
		d.values.add(f, 1, d.line)
		return
	}
	d.points.add(f, 1, d.line)
	if n.exp == -3 && n.digits >= 4 && n.digits <= 6 && !n.zero && n.mant >= 1000 && !n.scaled {
		d.dotted++
		d.dots.add(math.Copysign(float64(n.mant), f), 1, d.line)
	}
}

// note counts a cell of a class and remembers its row.
func (d *Decider) note(c cellClass) {
	d.counts[c]++
	if d.seen[c] == nil {
		d.seen[c] = &seen{}
	}
	d.seen[c].add(d.line)
}

// word adds a cell that is no plain number.
func (d *Decider) word(b []byte, h uint64) {
	if d.words.over {
		d.sketch.add(h, 1)
		c := classify(b)
		d.tally(b, &c)
		return
	}
	if e := d.words.find(b, h); e != nil {
		e.count++
		d.tally(b, &e.cell)
		return
	}
	c := classify(b)
	d.tally(b, &c)
	if !d.words.insert(b, word{hash: h, count: 1, first: d.line, cell: c}) {
		d.spill()
		d.sketch.add(h, 1)
	}
}

// spill moves the words' counts into the sketch.
func (d *Decider) spill() {
	for i := range d.words.list {
		d.sketch.add(d.words.list[i].hash, d.words.list[i].count)
	}
	d.words.list, d.words.text, d.words.index = nil, nil, nil
}

// tally counts a classified cell.
func (d *Decider) tally(b []byte, c *cell) {
	d.note(c.class)
	if c.class == cWord && c.flags&(1<<fSmiles|1<<fFormula) != 1<<fSmiles|1<<fFormula {
		d.noteChemistry(c)
	}
	for f, m := flag(0), c.flags; m != 0; f, m = f+1, m>>1 {
		if m&1 != 0 {
			d.flagged[f]++
		}
	}
	switch c.class {
	case cGrouped:
		d.grouped.add(c, d.line)
		d.bare.add(d.line)
	case cUnit:
		d.united.add(c, d.line)
		d.unit(b[c.unit:])
	case cQualified:
		d.qualified.add(c, d.line)
		if c.unit > 0 {
			d.unit(b[c.unit:])
		} else {
			d.bare.add(d.line)
			d.bareMarks++
		}
	case cWord:
		d.text(b)
	case cTime:
		d.stamp(&c.stamp)
	case cMissing:
		d.missing = count(d.missing, string(b), d.line)
	}
}

// noteChemistry remembers the rows of words that are no SMILES or no formula.
func (d *Decider) noteChemistry(c *cell) {
	for i, f := range []flag{fSmiles, fFormula} {
		if !c.has(f) {
			d.lacking[i].add(d.line)
		}
	}
}

// text counts a word, as long as there are few.
func (d *Decider) text(b []byte) {
	if d.manyTexts {
		return
	}
	if t := d.texts[string(b)]; t != nil {
		t.count++
		return
	}
	if len(d.texts) == textLimit || len(b) > textBytes {
		d.texts, d.manyTexts = nil, true
		return
	}
	d.texts = count(d.texts, string(b), d.line)
}

func (d *Decider) unit(b []byte) {
	if d.manyUnits {
		return
	}
	spelling := string(trim(b))
	d.units = count(d.units, spelling, d.line)
	if len(spelling) < len(b) {
		d.units[spelling].spaced++
	}
	if len(d.units) > unitLimit {
		d.units, d.manyUnits = nil, true
	}
}

func count(m map[string]*tally, key string, row int64) map[string]*tally {
	if m == nil {
		m = map[string]*tally{}
	}
	if len(m) > 256 {
		key = strings.ToLower(key)
	}
	t := m[key]
	if t == nil {
		t = &tally{first: row}
		m[key] = t
	}
	t.count++
	return m
}

func (d *Decider) stamp(s *stamp) {
	t := d.recent
	if t == nil || s.shape != d.recentShape {
		t = d.shape(s.shape)
		d.recent, d.recentShape = t, s.shape
	}
	t.count++
	t.seen.add(d.line)
	if s.fine {
		d.fineCount++
		d.fine.add(d.line)
	}
	if s.order == dayMon {
		if s.monthFirst() {
			t.monthFirst++
		}
		if s.dayFirst() {
			t.dayFirst++
		}
	}
	if s.zoned {
		if d.offsets == nil {
			d.offsets = map[int]int64{}
		}
		d.offsets[s.offset]++
	}
}

func (d *Decider) shape(s shape) *shapeTally {
	if d.shapes == nil {
		d.shapes = map[shape]*shapeTally{}
	}
	t := d.shapes[s]
	if t == nil {
		t = &shapeTally{first: d.line}
		d.shapes[s] = t
	}
	return t
}
