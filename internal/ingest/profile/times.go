package profile

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// maxGaps is how many gaps a profile names, maxSteps how many different
// differences between times are told apart.
const (
	maxGaps  = 20
	maxSteps = 4096
)

// times profiles timestamps (microseconds) and dates (days).
type times struct {
	date     bool
	n        int64
	first    int64
	last     int64
	previous int64
	dir      int  // +1 rising, −1 falling, 0 not known
	mixed    bool // both
	pace     pace // between rows in order
	kept     []int64
	keep     int
	full     bool // more distinct times than are kept
	values   *values
	block    []uint64
	size     size
}

func newTimes(date bool, z size) *times {
	return &times{date: date, values: newValues(z), size: z, keep: z.times}
}

func (t *times) add(v *format.Vector) {
	for i, x := range v.Ints {
		if !v.Null(i) {
			t.one(x)
		}
	}
}

func (t *times) one(x int64) {
	if t.n == 0 {
		t.first, t.last = x, x
	} else {
		t.follow(x)
	}
	t.n++
	t.first, t.last = min(t.first, x), max(t.last, x)
	if x != t.previous || t.n == 1 {
		t.collect(x)
	}
	t.previous = x
	t.block = append(t.block, uint64(x))
	if len(t.block) == t.size.block {
		t.flush()
	}
}

func (t *times) flush() {
	t.values.add(t.block)
	t.block = t.block[:0]
}

// follow takes the difference to the row before.
func (t *times) follow(x int64) {
	if t.mixed || x == t.previous {
		return
	}
	dir := cmp.Compare(x, t.previous)
	if t.dir != 0 && dir != t.dir {
		t.mixed, t.pace = true, pace{}
		return
	}
	t.dir = dir
	t.pace.add(min(x, t.previous), max(x, t.previous))
}

// collect keeps distinct times for columns that turn out not to be sorted.
func (t *times) collect(x int64) {
	if t.full {
		return
	}
	t.kept = append(t.kept, x)
	if len(t.kept) < 2*t.keep {
		return
	}
	slices.Sort(t.kept)
	t.kept = slices.Compact(t.kept)
	if len(t.kept) > t.keep {
		t.full, t.kept = true, nil
	}
}

func (t *times) describe(p *genesis.ColumnProfile) {
	t.flush()
	p.Distinct, p.DistinctError = t.values.distinct()
	if t.n == 0 {
		return
	}
	p.First, p.Last = t.spell(t.first), t.spell(t.last)
	pace, ok := t.paced()
	if !ok {
		return
	}
	step, ok := pace.step()
	if !ok {
		return
	}
	p.Step = t.duration(step)
	p.GapCount, p.Gaps = t.gaps(pace, step)
}

// paced returns the differences to judge: between rows, or between sorted
// distinct times.
func (t *times) paced() (*pace, bool) {
	if !t.mixed {
		return &t.pace, true
	}
	if t.full {
		return nil, false
	}
	sorted := slices.Clone(t.kept)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	var p pace
	for i := 1; i < len(sorted); i++ {
		p.add(sorted[i-1], sorted[i])
	}
	return &p, true
}

func (t *times) gaps(p *pace, step int64) (int64, []genesis.Gap) {
	var out []genesis.Gap
	longest := slices.Clone(p.longest)
	slices.SortFunc(longest, func(a, b stretch) int {
		return cmp.Or(cmp.Compare(b.length(), a.length()), cmp.Compare(a.from, b.from))
	})
	for _, g := range longest {
		if isGap(g.length(), step) {
			out = append(out, genesis.Gap{From: t.spell(g.from), To: t.spell(g.to)})
		}
	}
	return p.gaps(step), out
}

func (t *times) spell(x int64) string {
	if t.date {
		return spellTime(time.Unix(0, 0).UTC().AddDate(0, 0, int(x)), "2006-01-02")
	}
	return spellTime(time.UnixMicro(x).UTC(), time.RFC3339Nano)
}

// spellTime formats a time, in years beyond RFC 3339 as a plain count.
func spellTime(at time.Time, layout string) string {
	if y := at.Year(); y < 0 || y > 9999 {
		return fmt.Sprintf("@%d", at.Unix())
	}
	return at.Format(layout)
}

func (t *times) duration(step int64) string {
	if t.date {
		return fmt.Sprintf("%dh0m0s", step*24)
	}
	if step > math.MaxInt64/1000 {
		return fmt.Sprintf("%ds", step/1_000_000)
	}
	return time.Duration(step * 1000).String()
}

// pace counts the differences between consecutive times.
type pace struct {
	counts  map[int64]int64
	same    int64 // run of differences equal to the last, not yet in counts
	last    int64
	total   int64
	others  int64     // differences beyond the first maxSteps kinds
	longest []stretch // up to maxGaps, shortest first
}

type stretch struct{ from, to int64 }

// length is the difference, at most the largest integer.
func (s stretch) length() int64 {
	d := s.to - s.from
	if d < 0 {
		return math.MaxInt64
	}
	return d
}

func (p *pace) add(from, to int64) {
	s := stretch{from, to}
	d := s.length()
	p.total++
	if d == p.last {
		p.same++
	} else {
		p.settle()
		p.last, p.same = d, 1
	}
	if len(p.longest) < maxGaps || d > p.longest[0].length() {
		p.insert(s)
	}
}

// settle counts the run of equal differences.
func (p *pace) settle() {
	if p.same == 0 {
		return
	}
	if p.counts == nil {
		p.counts = map[int64]int64{}
	}
	if _, ok := p.counts[p.last]; ok || len(p.counts) < maxSteps {
		p.counts[p.last] += p.same
	} else {
		p.others += p.same
	}
	p.same = 0
}

func (p *pace) insert(s stretch) {
	if len(p.longest) == maxGaps {
		p.longest = p.longest[1:]
	}
	i, _ := slices.BinarySearchFunc(p.longest, s.length(), func(a stretch, d int64) int {
		return cmp.Compare(a.length(), d)
	})
	p.longest = slices.Insert(p.longest, i, s)
}

// step returns the most common difference if at least half equal it.
func (p *pace) step() (int64, bool) {
	p.settle()
	var best, most int64
	for d, n := range p.counts {
		if n > most || n == most && d < best {
			best, most = d, n
		}
	}
	return best, most > 0 && 2*most >= p.total
}

// gaps counts the differences that are gaps. Kinds of differences that were
// not told apart are taken for gaps: they are not the step.
func (p *pace) gaps(step int64) int64 {
	n := p.others
	for d, c := range p.counts {
		if isGap(d, step) {
			n += c
		}
	}
	return n
}

func isGap(d, step int64) bool { return d/3 > step/2 || 2*(d-step) > step }
