package split

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Rows are consecutive rows of the table, as the splits see them. Slices that
// are not nil have one element per row.
type Rows struct {
	IDs      []Identity     // of the rows
	Contents []Identity     // of the cells other than the id's; nil without a declared id
	Features []Identity     // of the feature columns' values; nil: equal features are not looked for
	Key      *format.Vector // the split's column; of group, time and stratify
	Group    *format.Vector // the table's column of role group, if any
	Time     *format.Vector // the table's column of role time, if any
	Match    []Identity     // import of row files: what their rows are matched by (HashRows)
}

func (r Rows) contents() []Identity {
	if r.Contents != nil {
		return r.Contents
	}
	return r.IDs
}

// watched is how many rows each leak check keeps.
const watched = 1 << 20

// Watcher remembers what the leak checks compare. One watcher serves all
// splits of a table.
type Watcher struct {
	rows     int64
	contents twins
	features twins
	groups   twins
	times    twins
	timed    bool
}

// NewWatcher returns a watcher that has seen no rows.
func NewWatcher() *Watcher {
	return &Watcher{times: twins{byRow: true}}
}

// Observe takes the next rows.
func (w *Watcher) Observe(r Rows) {
	for i, id := range r.contents() {
		w.contents.add(id.short(), w.rows+int64(i))
	}
	for i, id := range r.Features {
		w.features.add(id.short(), w.rows+int64(i))
	}
	w.observeGroups(r.Group)
	w.observeTimes(r.Time)
	w.rows += int64(len(r.IDs))
}

func (w *Watcher) observeGroups(v *format.Vector) {
	if v == nil {
		return
	}
	for i := range v.Len() {
		if id, ok := KeyOf(v, i); ok {
			w.groups.add(id.short(), w.rows+int64(i))
		}
	}
}

func (w *Watcher) observeTimes(v *format.Vector) {
	if v == nil {
		return
	}
	w.timed = true
	for i := range v.Len() {
		if key, ok := sortable(v, i); ok {
			w.times.add(key, w.rows+int64(i))
		}
	}
}

// Judge checks an assignment of the observed rows.
func (w *Watcher) Judge(parts []genesis.Part, s Spec) []genesis.LeakCheck {
	checks := []genesis.LeakCheck{
		w.twinCheck("duplicates", &w.contents, parts, 0, "equal rows"),
	}
	if len(w.groups.kept) > 0 {
		checks = append(checks, w.groupCheck(parts))
	}
	if w.timed {
		checks = append(checks, w.timeCheck(parts, s))
	}
	if len(w.features.kept) > 0 {
		checks = append(checks, w.twinCheck("target", &w.features, parts, .01, "rows equal in every feature"))
	}
	return append(checks, partCheck(parts, s))
}

// twinCheck counts the rows whose twin stands in another part, and passes when
// their share among the assigned rows is at most allowed.
func (w *Watcher) twinCheck(name string, t *twins, parts []genesis.Part, allowed float64, what string) genesis.LeakCheck {
	var across, assigned int64
	t.runs(func(run []twin) {
		first, split, n := genesis.Unassigned, false, int64(0)
		for _, x := range run {
			p := part(parts, x.row)
			if p == genesis.Unassigned {
				continue
			}
			n++
			if first == genesis.Unassigned {
				first = p
			}
			split = split || p != first
		}
		assigned += n
		if split {
			across += n
		}
	})
	share := float64(across) / math.Max(1, float64(assigned))
	c := genesis.LeakCheck{Name: name, Passed: share <= allowed}
	c.Detail = fmt.Sprintf("no %s stand in different parts", what)
	if across > 0 {
		c.Detail = fmt.Sprintf("%d of %d rows are %s that stand in different parts (%.3g %%, allowed %g %%)", across, assigned, what, 100*share, 100*allowed)
	}
	c.Detail += t.sampled()
	return c
}

func (w *Watcher) groupCheck(parts []genesis.Part) genesis.LeakCheck {
	var groups, straddle int64
	w.groups.runs(func(run []twin) {
		first, split := genesis.Unassigned, false
		for _, x := range run {
			p := part(parts, x.row)
			if first == genesis.Unassigned {
				first = p
			}
			split = split || p != genesis.Unassigned && p != first
		}
		groups++
		if split {
			straddle++
		}
	})
	c := genesis.LeakCheck{Name: "group", Passed: straddle == 0}
	c.Detail = fmt.Sprintf("%d of %d groups straddle parts", straddle, groups) + w.groups.sampled()
	return c
}

// timeCheck asks whether each part lies after the one before it.
func (w *Watcher) timeCheck(parts []genesis.Part, s Spec) genesis.LeakCheck {
	spans := map[genesis.Part][2]uint64{}
	for _, x := range w.times.kept {
		p := part(parts, x.row)
		span, ok := spans[p]
		if !ok {
			span = [2]uint64{x.hash, x.hash}
		}
		spans[p] = [2]uint64{min(span[0], x.hash), max(span[1], x.hash)}
	}
	delete(spans, genesis.Unassigned)
	order := make([]genesis.Part, 0, len(spans))
	for p := range spans {
		order = append(order, p)
	}
	slices.Sort(order)
	c := genesis.LeakCheck{Name: "time", Passed: true, Detail: "each part begins after the one before it ends" + w.times.sampled()}
	for i := 1; i < len(order); i++ {
		if spans[order[i]][0] <= spans[order[i-1]][1] {
			c.Passed = false
			c.Detail = fmt.Sprintf("rows of %s lie before or among those of %s in time: what is learnt from neighbours in time does not carry over to new times",
				PartName(order[i], s.Folds), PartName(order[i-1], s.Folds)) + w.times.sampled()
			break
		}
	}
	return c
}

// partCheck asks whether every part that should have rows has some.
func partCheck(parts []genesis.Part, s Spec) genesis.LeakCheck {
	var counts [256]int64
	for _, p := range parts {
		counts[p]++
	}
	c := genesis.LeakCheck{Name: "parts", Passed: true, Detail: "every part has rows"}
	if s.Kind == Import {
		c.Passed = counts[genesis.Train] > 0 && counts[genesis.Test]+counts[genesis.Validation] > 0
	} else {
		for _, p := range s.shares().parts {
			c.Passed = c.Passed && counts[p] > 0
		}
	}
	if !c.Passed {
		c.Detail = "a part has no rows: there are too few rows, groups or different times for these fractions; another seed or other fractions may do"
	}
	return c
}

// part returns the part of a row; rows that were removed have none.
func part(parts []genesis.Part, row int64) genesis.Part {
	if row < 0 || row >= int64(len(parts)) {
		return genesis.Unassigned
	}
	return parts[row]
}

func counts(parts []genesis.Part, folds int) map[string]int64 {
	var n [256]int64
	for _, p := range parts {
		n[p]++
	}
	out := map[string]int64{}
	for p, c := range n {
		if c > 0 {
			out[PartName(genesis.Part(p), folds)] = c
		}
	}
	return out
}

// twin is a row and the hash it may share with others.
type twin struct {
	hash uint64
	row  int64
}

// twins keeps rows by hash, at most watched of them: beyond, those whose hash
// falls in an ever smaller share of all, so that equal hashes stay together.
// When a few hashes have most of the rows, rows are thinned out instead.
type twins struct {
	kept   []twin
	hashes uint // hashes were halved so often
	rows   uint // rows were
	byRow  bool // thin out rows only: the hash is a value whose order matters
	sorted bool
	limit  int // how many are kept; 0: watched
}

func (t *twins) keeps(x twin) bool {
	return (t.hashes == 0 || scatter(x.hash)&(1<<t.hashes-1) == 0) &&
		(t.rows == 0 || scatter(uint64(x.row))&(1<<t.rows-1) == 0)
}

// thin halves what is kept.
func (t *twins) thin() {
	before := len(t.kept)
	t.hashes++
	left := 0
	for _, x := range t.kept {
		if t.keeps(x) {
			left++
		}
	}
	if t.byRow || left < before/4 || left > before*3/4 {
		t.hashes--
		t.rows++
	}
	t.kept = slices.DeleteFunc(t.kept, func(x twin) bool { return !t.keeps(x) })
}

func scatter(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (t *twins) add(hash uint64, row int64) {
	x := twin{hash, row}
	if !t.keeps(x) {
		return
	}
	t.kept = append(t.kept, x)
	for len(t.kept) > cmp.Or(t.limit, watched) {
		t.thin()
	}
}

func (t *twins) sampled() string {
	if t.hashes+t.rows == 0 {
		return ""
	}
	return fmt.Sprintf(" (of a sample of %d rows)", len(t.kept))
}

// runs calls f with the rows of each hash.
func (t *twins) runs(f func([]twin)) {
	if !t.sorted {
		slices.SortFunc(t.kept, func(a, b twin) int {
			return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.row, b.row))
		})
		t.sorted = true
	}
	for i := 0; i < len(t.kept); {
		j := i + 1
		for j < len(t.kept) && t.kept[j].hash == t.kept[i].hash {
			j++
		}
		f(t.kept[i:j])
		i = j
	}
}

// sortable returns value i as an unsigned number in the same order, and false
// when it is missing or not a number.
func sortable(v *format.Vector, i int) (uint64, bool) {
	if v.Null(i) || v.Kind == format.Text {
		return 0, false
	}
	if v.Kind != format.Float {
		return uint64(v.Ints[i]) ^ 1<<63, true
	}
	x := v.Floats[i]
	if math.IsNaN(x) {
		return 0, false
	}
	b := math.Float64bits(x + 0)
	if b>>63 != 0 {
		return ^b, true
	}
	return b | 1<<63, true
}

// unsort undoes sortable.
func unsort(key uint64, kind format.Kind) (int64, float64) {
	if kind != format.Float {
		return int64(key ^ 1<<63), 0
	}
	if key>>63 != 0 {
		return 0, math.Float64frombits(key &^ (1 << 63))
	}
	return 0, math.Float64frombits(^key)
}
