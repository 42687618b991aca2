package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"

	"github.com/opengenesis/genesis"
)

// MaxPage is how long a page may be, in bytes: what [PageEntries] entries can take.
const MaxPage = 1 << 20

// maxLevel is how many levels of pages may lie over each other: 1024⁴ files.
const maxLevel = 3

// list is part of a table's files, or of the pages of one level that list them.
// One of the two is there.
type list struct {
	files []genesis.LayoutFile
	pages []genesis.LayoutPage
	ends  []end // beside them; see [list.measure]
}

// end is how many rows and files there are up to an entry, with it.
type end struct{ rows, files int64 }

func (l *list) len() int { return len(l.files) + len(l.pages) }

// entry returns what is said of entry i, as if it were a page.
func (l *list) entry(i int) genesis.LayoutPage {
	if l.pages != nil {
		return l.pages[i]
	}
	f := l.files[i]
	return genesis.LayoutPage{Rows: f.Rows, Files: 1, Bytes: f.Size}
}

// sum returns what a list that names this one says of it, but for its blob.
func (l *list) sum() (genesis.LayoutPage, error) {
	var sum genesis.LayoutPage
	if l.pages != nil {
		sum.Level = l.pages[0].Level + 1
	}
	for i := range l.len() {
		e := l.entry(i)
		switch {
		case e.Rows < 0 || e.Files < 1 || e.Bytes < 0:
			return sum, fmt.Errorf("entry %d has %d rows in %d files of %d bytes", i, e.Rows, e.Files, e.Bytes)
		case e.Rows > math.MaxInt64-sum.Rows || e.Files > math.MaxInt64-sum.Files || e.Bytes > math.MaxInt64-sum.Bytes:
			return sum, errors.New("its sums are too large")
		case l.pages != nil && (e.Level != sum.Level-1 || e.Level < 0 || e.Level > maxLevel):
			return sum, fmt.Errorf("entry %d is of level %d", i, e.Level)
		}
		sum.Rows, sum.Files, sum.Bytes = sum.Rows+e.Rows, sum.Files+e.Files, sum.Bytes+e.Bytes
	}
	return sum, nil
}

// measure fills in the ends, of a list whose sums were found to be sound.
func (l *list) measure() {
	l.ends = make([]end, l.len())
	var at end
	for i := range l.ends {
		e := l.entry(i)
		at.rows, at.files = at.rows+e.Rows, at.files+e.Files
		l.ends[i] = at
	}
}

// before returns how many rows and files there are before entry i.
func (l *list) before(i int) end {
	if i == 0 {
		return end{}
	}
	return l.ends[i-1]
}

// row returns the entry that holds row n.
func (l *list) row(n int64) int {
	return sort.Search(len(l.ends), func(i int) bool { return l.ends[i].rows > n })
}

// file returns the entry that holds file n.
func (l *list) file(n int64) int {
	return sort.Search(len(l.ends), func(i int) bool { return l.ends[i].files > n })
}

func (l *list) chunks() iter.Seq[list] {
	return func(yield func(list) bool) {
		for part := range slices.Chunk(l.files, PageEntries) {
			if !yield(list{files: part}) {
				return
			}
		}
		for part := range slices.Chunk(l.pages, PageEntries) {
			if !yield(list{pages: part}) {
				return
			}
		}
	}
}

func (l *list) encode() ([]byte, error) {
	if l.pages != nil {
		return genesis.CanonicalJSON(l.pages)
	}
	return genesis.CanonicalJSON(l.files)
}

// decode reads the list that p names from its text, and compares it with what p
// says of it.
func decode(text []byte, p genesis.LayoutPage) (*list, error) {
	l := new(list)
	into := any(&l.files)
	if p.Level > 0 {
		into = &l.pages
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, errors.New("is not a list")
	}
	if n := l.len(); n == 0 || n > PageEntries {
		return nil, fmt.Errorf("lists %d entries", n)
	}
	sum, err := l.sum()
	if err != nil {
		return nil, err
	}
	if sum.Blob = p.Blob; sum != p {
		return nil, fmt.Errorf("lists %d rows in %d files of %d bytes; it was to be %d in %d of %d", sum.Rows, sum.Files, sum.Bytes, p.Rows, p.Files, p.Bytes)
	}
	l.measure()
	return l, nil
}
