package profile

import (
	"math"
	"math/bits"
	"slices"
)

// tally counts how often each 64-bit key occurs, for up to max keys: an open
// addressing table whose hash is always mix(key), which callers hand over as
// h. A key in it also has a code 0, 1, … in order of entry.
type tally struct {
	keys   []uint64
	counts []int64 // 0: the slot is free
	codes  []int32
	n, max int
}

// maxProbe bounds the work for keys that were made to collide.
const maxProbe = 128

// find returns the slot of key, whose hash is h, or the free slot where it
// would go; −1 when neither is within maxProbe.
func (t *tally) find(key, h uint64) int {
	mask := uint64(len(t.keys) - 1)
	for i := uint64(0); i < maxProbe; i++ {
		s := (h + i) & mask
		if t.counts[s] == 0 || t.keys[s] == key {
			return int(s)
		}
		if i == mask {
			break
		}
	}
	return -1
}

// count adds n occurrences of key and returns its code, or false when the
// table has no room for it.
func (t *tally) count(key, h uint64, n int64) (int32, bool) {
	if len(t.keys) > 0 {
		if s := t.find(key, h); s >= 0 && t.counts[s] > 0 {
			t.counts[s] += n
			return t.codes[s], true
		}
	}
	return t.enter(key, h, n)
}

// enter adds a key that is not in the table.
func (t *tally) enter(key, h uint64, n int64) (int32, bool) {
	if t.n >= t.max {
		return 0, false
	}
	if 2*(t.n+1) > len(t.keys) {
		t.resize(max(16, 2*len(t.keys)))
	}
	s := t.find(key, h)
	if s < 0 || t.counts[s] != 0 {
		return 0, false
	}
	code := int32(t.n)
	t.keys[s], t.counts[s], t.codes[s] = key, n, code
	t.n++
	return code, true
}

// hold counts key if it is in the table already.
func (t *tally) hold(key, h uint64) bool {
	mask := uint64(len(t.keys) - 1)
	s := h & mask
	for i := 0; i < maxProbe; i++ {
		if t.counts[s] == 0 {
			return false
		}
		if t.keys[s] == key {
			t.counts[s]++
			return true
		}
		s = (s + 1) & mask
	}
	return false
}

// resize makes room for more keys.
func (t *tally) resize(slots int) {
	old := *t
	t.keys = make([]uint64, slots)
	t.counts = make([]int64, slots)
	t.codes = make([]int32, slots)
	for i, n := range old.counts {
		if n == 0 {
			continue
		}
		if s := t.find(old.keys[i], mix(old.keys[i])); s >= 0 {
			t.keys[s], t.counts[s], t.codes[s] = old.keys[i], n, old.codes[i]
		}
	}
}

// entry is a key of a tally, its count and its code.
type entry struct {
	key   uint64
	count int64
	code  int32
}

func (t *tally) entries() []entry {
	out := make([]entry, 0, t.n)
	for i, n := range t.counts {
		if n > 0 {
			out = append(out, entry{t.keys[i], n, t.codes[i]})
		}
	}
	return out
}

// shed empties the table but for its n most frequent keys, which keep their
// counts and get new codes, and returns them in the order of those.
func (t *tally) shed(n int) []entry {
	all := t.entries()
	slices.SortFunc(all, moreFrequent)
	all = all[:min(n, len(all))]
	clear(t.counts)
	t.n = 0
	for _, e := range all {
		t.enter(e.key, mix(e.key), e.count)
	}
	return all
}

// moreFrequent orders entries by falling count, then by order of entry.
func moreFrequent(a, b entry) int {
	if a.count != b.count {
		if a.count > b.count {
			return -1
		}
		return 1
	}
	return int(a.code) - int(b.code)
}

// hyperLogLog estimates how many different hashes it was shown.
type hyperLogLog struct {
	p    uint
	regs []uint8
}

func newHyperLogLog(p uint) *hyperLogLog {
	return &hyperLogLog{p: p, regs: make([]uint8, 1<<p)}
}

func (l *hyperLogLog) add(h uint64) {
	i := h >> (64 - l.p)
	r := uint8(bits.LeadingZeros64(h<<l.p|1<<(l.p-1))) + 1
	if r > l.regs[i] {
		l.regs[i] = r
	}
}

// estimate is the improved raw estimator of Ertl 2017 (arXiv:1702.01284,
// algorithm 6), which needs no correction tables.
func (l *hyperLogLog) estimate() float64 {
	q := 64 - int(l.p)
	hist := make([]float64, q+2)
	for _, r := range l.regs {
		hist[r]++
	}
	m := float64(len(l.regs))
	z := m * tau(1-hist[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + hist[k])
	}
	z += m * sigma(hist[0]/m)
	return m * m / (2 * math.Ln2 * z)
}

// standardError is the relative standard error of the estimate.
func (l *hyperLogLog) standardError() float64 {
	return 1.04 / math.Sqrt(float64(len(l.regs)))
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	z, y := x, 1.0
	for {
		x *= x
		was := z
		z += x * y
		y += y
		if z == was {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		was := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == was {
			return z / 3
		}
	}
}
