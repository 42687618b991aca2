package parquet

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/opengenesis/genesis/internal/format"
)

// maxBound is the longest text that is stated as a bound.
const maxBound = 64

// bounds returns the smallest and largest value in plain encoding, for readers
// that skip row groups by them. It states none where the format does not allow
// it (NaN) or they would be long.
func (c *columnBuffer) bounds() statistics {
	switch {
	case len(c.ints) > 0:
		return c.intBounds()
	case len(c.floats) > 0:
		return floatBounds(c.floats)
	case len(c.ends) > 0:
		return c.textBounds()
	}
	return statistics{}
}

func (c *columnBuffer) intBounds() statistics {
	low, high := c.ints[0], c.ints[0]
	for _, v := range c.ints {
		low, high = min(low, v), max(high, v)
	}
	plain := func(v int64) []byte {
		switch c.kind {
		case format.Bool:
			return []byte{byte(v)}
		case format.Date:
			return binary.LittleEndian.AppendUint32(nil, uint32(v))
		}
		return binary.LittleEndian.AppendUint64(nil, uint64(v))
	}
	return statistics{min: plain(low), max: plain(high)}
}

func floatBounds(values []float64) statistics {
	low, high := values[0], values[0]
	for _, v := range values {
		if v != v {
			return statistics{}
		}
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	if low == 0 {
		low = math.Copysign(0, -1) // the format asks for it: −0 and +0 compare equal
	}
	if high == 0 {
		high = 0
	}
	plain := func(v float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)) }
	return statistics{min: plain(low), max: plain(high)}
}

func (c *columnBuffer) textBounds() statistics {
	low, high := c.text[:c.ends[0]], c.text[:c.ends[0]]
	start := 0
	for _, end := range c.ends {
		v := c.text[start:end]
		start = end
		if bytes.Compare(v, low) < 0 {
			low = v
		}
		if bytes.Compare(v, high) > 0 {
			high = v
		}
	}
	if len(low) > maxBound || len(high) > maxBound {
		return statistics{}
	}
	return statistics{min: append([]byte{}, low...), max: append([]byte{}, high...)}
}
