package parquet

import (
	"bytes"

	"github.com/zeebo/xxh3"
)

const (
	maxDictionary = 1 << 16 // entries: indices of at most 16 bits
	trialValues   = 8 << 10 // after so many values a dictionary must have paid off
	trialDistinct = trialValues * 7 / 8
)

// dictionary numbers the distinct values of a column chunk in the order of
// their first occurrence, in an open-addressed table. Values are given as
// numbers: the bits of a float, or the hash of a text, which is then compared.
type dictionary struct {
	slots   []int32 // entry + 1
	keys    []uint64
	texts   [][]byte // beside keys, for text
	indices []uint32 // of all values so far
}

func (d *dictionary) reset() {
	if d.slots == nil {
		d.slots = make([]int32, 1<<10)
	}
	clear(d.slots)
	d.keys, d.texts, d.indices = d.keys[:0], d.texts[:0], d.indices[:0]
}

// add numbers values, and reports false when they are too varied for a
// dictionary to pay.
func (d *dictionary) add(values []float64, bits func(float64) uint64) bool {
	for i, f := range values {
		key := bits(f)
		slot := d.find(key)
		if d.slots[slot] == 0 {
			if !d.room(i) {
				return false
			}
			slot = d.insert(key, slot)
		}
		d.indices = append(d.indices, uint32(d.slots[slot]-1))
	}
	return true
}

func (d *dictionary) find(key uint64) uint32 {
	mask := uint32(len(d.slots) - 1)
	slot := uint32(key*0x9E3779B97F4A7C15>>32) & mask
	for d.slots[slot] != 0 && d.keys[d.slots[slot]-1] != key {
		slot = (slot + 1) & mask
	}
	return slot
}

// addTexts is add for the texts of buf that end at ends.
func (d *dictionary) addTexts(buf []byte, ends []int) bool {
	start := 0
	for i, end := range ends {
		text := buf[start:end]
		start = end
		key := xxh3.Hash(text)
		slot := d.findText(key, text)
		if d.slots[slot] == 0 {
			if !d.room(i) {
				return false
			}
			d.texts = append(d.texts, text)
			slot = d.insert(key, slot)
		}
		d.indices = append(d.indices, uint32(d.slots[slot]-1))
	}
	return true
}

func (d *dictionary) findText(key uint64, text []byte) uint32 {
	mask := uint32(len(d.slots) - 1)
	slot := uint32(key) & mask
	for d.slots[slot] != 0 {
		e := d.slots[slot] - 1
		if d.keys[e] == key && bytes.Equal(d.texts[e], text) {
			break
		}
		slot = (slot + 1) & mask
	}
	return slot
}

// room reports whether one more distinct value, found at value i, is worth it.
func (d *dictionary) room(i int) bool {
	n := len(d.keys)
	return n < maxDictionary && !(i < trialValues && n >= trialDistinct)
}

// insert puts key into the free slot and returns its slot, which moves when the
// table grows.
func (d *dictionary) insert(key uint64, slot uint32) uint32 {
	d.keys = append(d.keys, key)
	d.slots[slot] = int32(len(d.keys))
	if 2*len(d.keys) < len(d.slots) {
		return slot
	}
	d.grow()
	if len(d.texts) > 0 {
		return d.findText(key, d.texts[len(d.texts)-1])
	}
	return d.find(key)
}

func (d *dictionary) grow() {
	n := len(d.slots) * 4
	d.slots = make([]int32, n)
	mask := uint32(n - 1)
	for e, key := range d.keys {
		slot := uint32(key*0x9E3779B97F4A7C15>>32) & mask
		if len(d.texts) > 0 {
			slot = uint32(key) & mask
		}
		for d.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.slots[slot] = int32(e + 1)
	}
}
