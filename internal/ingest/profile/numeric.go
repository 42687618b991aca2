package profile

import (
	"math"
	"strconv"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// numeric profiles integers and floats.
type numeric struct {
	integer bool
	size    size
	keys    []uint64  // the current block: values as bits
	finite  []float64 // scratch
	moments moments
	hist    histogram
	sketch  *sketch
	values  *values
	odd     int64 // NaN and ±Inf
}

func newNumeric(integer bool, z size) *numeric {
	return &numeric{integer: integer, size: z, sketch: newSketch(z.k), values: newValues(z)}
}

func (n *numeric) addFloats(v *format.Vector) {
	if v.Nulls == nil {
		for xs := v.Floats; len(xs) > 0; {
			xs = xs[n.fill(xs):]
		}
		return
	}
	for i, x := range v.Floats {
		if !v.Nulls.Get(i) {
			n.put(math.Float64bits(x))
		}
	}
}

// fill moves as many values into the block as it has room for.
func (n *numeric) fill(xs []float64) int {
	m := min(len(xs), n.size.block-len(n.keys))
	for _, x := range xs[:m] {
		n.keys = append(n.keys, math.Float64bits(x))
	}
	if len(n.keys) == n.size.block {
		n.flush()
	}
	return m
}

func (n *numeric) addInts(v *format.Vector) {
	for i, x := range v.Ints {
		if v.Nulls == nil || !v.Nulls.Get(i) {
			n.put(uint64(x))
		}
	}
}

func (n *numeric) put(key uint64) {
	n.keys = append(n.keys, key)
	if len(n.keys) == n.size.block {
		n.flush()
	}
}

// flush hands the block to the sketches.
func (n *numeric) flush() {
	if len(n.keys) == 0 {
		return
	}
	n.finite = n.finite[:0]
	if n.integer {
		for _, k := range n.keys {
			n.finite = append(n.finite, float64(int64(k)))
		}
	} else {
		n.takeFinite()
	}
	if len(n.finite) > 0 {
		m := momentsOf(n.finite)
		n.moments.merge(m)
		n.hist.add(n.finite, m.min, m.max)
		n.sketch.add(n.finite)
	}
	n.values.add(n.keys)
	n.keys = n.keys[:0]
}

// takeFinite copies the finite values of the block and gives −0 and the NaNs
// one key each.
func (n *numeric) takeFinite() {
	const exponent = 0x7ff << 52
	for i, k := range n.keys {
		if k&exponent == exponent {
			n.odd++
			if k&(1<<52-1) != 0 {
				n.keys[i] = math.Float64bits(math.NaN())
			}
			continue
		}
		if k == 1<<63 {
			n.keys[i] = 0
		}
		n.finite = append(n.finite, math.Float64frombits(k))
	}
}

func (n *numeric) describe(p *genesis.ColumnProfile) {
	n.flush()
	p.Distinct, p.DistinctError = n.values.distinct()
	for _, e := range n.values.top() {
		p.Top = append(p.Top, genesis.ValueCount{Value: n.spell(e.key), Count: e.count})
	}
	if n.moments.n == 0 {
		return
	}
	lo, hi := n.moments.min, n.moments.max
	p.Min, p.Max = &lo, &hi
	if mean := n.moments.mean; !math.IsNaN(mean) && !math.IsInf(mean, 0) {
		p.Mean = &mean
	}
	if sd, ok := n.moments.sd(); ok {
		p.SD = &sd
	}
	p.Quantiles = n.sketch.quantiles(lo, hi)
	p.QuantileError = n.sketch.rankError()
	p.Histogram = n.hist.bins()
}

func (n *numeric) spell(key uint64) string {
	if n.integer {
		return strconv.FormatInt(int64(key), 10)
	}
	return strconv.FormatFloat(math.Float64frombits(key), 'g', -1, 64)
}
