package infer

import (
	"encoding/binary"
	"math"

	"github.com/opengenesis/genesis/internal/format"
)

// typed adds value i of a column whose source states its type.
func (d *Decider) typed(v *format.Vector, i int) {
	if v.Kind == format.Float {
		d.float(v.Floats[i])
		return
	}
	d.counts[cInt]++
	f := float64(v.Ints[i])
	d.values.add(f, 1, d.line)
	d.order.add(f)
	d.sketch.add(hashWord(uint64(v.Ints[i])), 1)
}

func (d *Decider) float(f float64) {
	switch {
	case f != f:
		d.invalid++
		d.counts[cMissing]++
		return
	case math.IsInf(f, 0):
		d.note(cInf)
		return
	}
	d.counts[cFloat]++
	d.values.add(f, 1, d.line)
	d.order.add(f)
	d.sketch.add(hashWord(math.Float64bits(f)), 1)
}

func hashWord(w uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], w)
	return hash(b[:])
}
