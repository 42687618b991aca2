package profile

import (
	"slices"
	"unicode/utf8"
)

// maxTop is how many top values a profile names, maxTopText how many bytes of
// each.
const (
	maxTop     = 20
	maxTopText = 256
)

// values counts the distinct keys of a column and finds the frequent ones.
type values struct {
	exact tally // all keys while they fit; then those held
	hll   *hyperLogLog
	p     uint
	hold  sampler  // which values may enter exact once it overflowed
	texts []string // by code, for text columns that may show values
	n     int64
	// counted is how many keys there were when exact overflowed.
	counted int64
}

func newValues(z size) *values {
	return &values{exact: tally{max: z.exact}, p: z.registers, hold: newSampler(z.exact)}
}

// add counts a block of keys.
func (d *values) add(keys []uint64) {
	for i, k := range keys {
		if d.hll != nil {
			d.addMany(keys[i:])
			return
		}
		d.addOne(k, nil)
	}
}

// addOne counts a key and returns its code, or −1 when it has none. text, when
// not nil, is what the key stands for.
func (d *values) addOne(k uint64, text []byte) int32 {
	h := mix(k)
	d.n++
	if d.hll == nil {
		if code, ok := d.exact.count(k, h, 1); ok {
			d.remember(code, text)
			return code
		}
		d.overflow()
	}
	d.hll.add(h)
	if !d.exact.hold(k, h) && d.hold.one() {
		d.take(k, h, text)
	}
	return -1
}

// addMany counts keys after the overflow.
func (d *values) addMany(keys []uint64) {
	for _, k := range keys {
		h := mix(k)
		d.hll.add(h)
		if !d.exact.hold(k, h) && d.hold.one() {
			d.take(k, h, nil)
		}
	}
	d.n += int64(len(keys))
}

// overflow turns from counting exactly to estimating. Fewer keys are held from
// then on, so that most misses end at the first slot.
func (d *values) overflow() {
	d.hll = newHyperLogLog(d.p)
	for _, e := range d.exact.entries() {
		d.hll.add(mix(e.key))
	}
	d.counted = int64(d.exact.n)
	d.exact.max = max(1, d.exact.max/4)
	d.shed()
	d.hold.step()
}

// take begins to hold key.
func (d *values) take(k, h uint64, text []byte) {
	if d.exact.n >= d.exact.max {
		d.shed()
	}
	if code, ok := d.exact.enter(k, h, 1); ok {
		d.remember(code, text)
	}
}

// shed drops all but the most frequent keys, half of what may be held.
func (d *values) shed() {
	kept := d.exact.shed(d.exact.max / 2)
	if d.texts == nil {
		return
	}
	texts := make([]string, len(kept), cap(d.texts))
	for i, e := range kept {
		if int(e.code) < len(d.texts) {
			texts[i] = d.texts[e.code]
		}
	}
	d.texts = texts
}

// remember keeps the text of a new code.
func (d *values) remember(code int32, text []byte) {
	if text != nil && int(code) == len(d.texts) {
		d.texts = append(d.texts, shorten(text))
	}
}

func shorten(text []byte) string {
	if len(text) <= maxTopText {
		return string(text)
	}
	cut := maxTopText
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return string(text[:cut]) + "…"
}

// distinct returns the number of distinct keys and the relative standard error
// of that number.
func (d *values) distinct() (int64, float64) {
	if d.hll == nil {
		return int64(d.exact.n), 0
	}
	n := int64(d.hll.estimate() + .5)
	return max(min(n, d.n), d.counted), d.hll.standardError()
}

// top returns the most frequent entries: all that occur more than once while
// counts are exact and keys many; after the overflow those that make up at
// least a thousandth.
func (d *values) top() []entry {
	all := d.exact.entries()
	slices.SortFunc(all, moreFrequent)
	least := int64(1)
	if d.hll != nil {
		least = max(2, d.n/1000)
	}
	n := 0
	for n < len(all) && n < maxTop && all[n].count >= least {
		n++
	}
	return all[:n]
}
