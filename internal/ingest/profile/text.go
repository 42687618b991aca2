package profile

import (
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/zeebo/xxh3"
)

// text profiles categories, texts and identifiers.
type text struct {
	values   *values
	show     bool // values may be named
	min, max int
	any      bool
}

func newText(show bool, z size) *text { return &text{values: newValues(z), show: show} }

// add counts the vector's texts. codes, when not nil, receives the code of
// each row: −1 where it has none.
func (t *text) add(v *format.Vector, codes []int32) {
	for i, s := range v.Spans {
		if v.Nulls != nil && v.Nulls.Get(i) {
			if codes != nil {
				codes[i] = -1
			}
			continue
		}
		b := v.Buf[s.Start:s.End:s.End]
		t.measure(len(b))
		shown := b
		if !t.show {
			shown = nil
		}
		code := t.values.addOne(xxh3.Hash(b), shown)
		if codes != nil {
			codes[i] = code
		}
	}
}

func (t *text) measure(n int) {
	if !t.any {
		t.any, t.min, t.max = true, n, n
	}
	if n < t.min {
		t.min = n
	}
	if n > t.max {
		t.max = n
	}
}

func (t *text) describe(p *genesis.ColumnProfile) {
	p.Distinct, p.DistinctError = t.values.distinct()
	if t.any {
		p.Lengths = &genesis.LengthRange{Min: int64(t.min), Max: int64(t.max)}
	}
	if !t.show {
		return
	}
	for _, e := range t.values.top() {
		if int(e.code) < len(t.values.texts) {
			p.Top = append(p.Top, genesis.ValueCount{Value: t.values.texts[e.code], Count: e.count})
		}
	}
}

// truth profiles booleans.
type truth struct{ counts [2]int64 }

func (t *truth) add(v *format.Vector) {
	for i, x := range v.Ints {
		if !v.Null(i) {
			t.counts[x&1]++
		}
	}
}

func (t *truth) describe(p *genesis.ColumnProfile) {
	order := []int{1, 0}
	if t.counts[0] > t.counts[1] {
		order = []int{0, 1}
	}
	for _, i := range order {
		if t.counts[i] > 0 {
			p.Distinct++
			p.Top = append(p.Top, genesis.ValueCount{Value: [2]string{"false", "true"}[i], Count: t.counts[i]})
		}
	}
}
