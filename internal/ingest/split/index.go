package split

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

var partName = regexp.MustCompile(`(?i)(?:^|[^a-z])(training|train|testing|test|validation|valid|val|dev|heldout|holdout)(?:$|[^a-z])[^a-z0-9]*`)

// NameOf tells from a file's name which part of which split it holds:
// "cv/train0.csv" is (Train, "0"), "debye_val.csv" (Validation, ""),
// "fold3/test.csv" (Test, "3"). ok is false for other files.
func NameOf(file string) (p genesis.Part, number string, ok bool) {
	file = strings.ReplaceAll(file, `\`, "/")
	if i := strings.LastIndexByte(file, '!'); i >= 0 {
		file = file[i+1:]
	}
	base, _, _ := strings.Cut(path.Base(file), ".")
	m := partName.FindStringSubmatchIndex(spaced(base))
	if m == nil {
		return genesis.Unassigned, "", false
	}
	base = spaced(base)
	word := strings.ToLower(base[m[2]:m[3]])
	number = strings.TrimSpace(digits(base[m[3]:]))
	if number == "" {
		number = digits(path.Base(path.Dir(file)))
	}
	return partOf(word), number, true
}

// spaced sets a space before every run of digits that follows a letter.
func spaced(s string) string {
	var b strings.Builder
	digit := true
	for _, r := range s {
		is := r >= '0' && r <= '9'
		if is && !digit {
			b.WriteByte(' ')
		}
		digit = is
		b.WriteRune(r)
	}
	return b.String()
}

// digits returns the first run of digits in s, at most nine.
func digits(s string) string {
	i := strings.IndexAny(s, "0123456789")
	if i < 0 {
		return ""
	}
	s = s[i:]
	n := 0
	for n < len(s) && n < 9 && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

func partOf(word string) genesis.Part {
	switch word[0] {
	case 'v', 'd':
		return genesis.Validation
	case 'h':
		return genesis.Test
	}
	if strings.HasPrefix(word, "train") {
		return genesis.Train
	}
	return genesis.Test
}

// ReadIndexList reads row numbers, from 0 and below rows, separated by white
// space and written as integers or as floats without a fraction, as numpy.savetxt
// writes them. Errors are of kind Invalid and name the line.
func ReadIndexList(name string, r io.Reader, rows int64) ([]int64, error) {
	var out []int64
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64<<10), 16<<20)
	for line := 1; in.Scan(); line++ {
		for _, word := range strings.Fields(in.Text()) {
			i, err := index(word, rows)
			if err != "" {
				return nil, bad(name, fmt.Sprintf("line %d: %s", line, err), word)
			}
			if int64(len(out)) == rows {
				return nil, bad(name, fmt.Sprintf("line %d: there are more numbers than the table's %d rows", line, rows), "")
			}
			out = append(out, i)
		}
	}
	if err := in.Err(); err != nil {
		return nil, bad(name, "cannot be read as a list of row numbers", "")
	}
	if len(out) == 0 {
		return nil, bad(name, "holds no row numbers", "")
	}
	return out, nil
}

// index reads one row number, or says what is wrong.
func index(word string, rows int64) (int64, string) {
	x, err := strconv.ParseFloat(word, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, "is not a row number"
	}
	if x != math.Trunc(x) || x < 0 {
		return 0, "a row number is a whole number from 0"
	}
	if x >= float64(rows) {
		return 0, fmt.Sprintf("row %.0f is beyond the table's %d rows, which count from 0", x, rows)
	}
	return int64(x), ""
}

// IsIndexList reports whether a file that begins with head is a list of row
// numbers and nothing else.
func IsIndexList(head []byte) bool {
	if i := slices.Index(head, 0); i >= 0 {
		return false
	}
	words := strings.Fields(string(head))
	if len(words) > 1 && len(head) > 1 && head[len(head)-1] > ' ' {
		words = words[:len(words)-1] // may be cut
	}
	for _, w := range words {
		if x, err := strconv.ParseFloat(w, 64); err != nil || x != math.Trunc(x) || x < 0 {
			return false
		}
	}
	lines := strings.Count(strings.TrimSpace(string(head)), "\n") + 1
	return len(words) > 0 && (lines > 1 && len(words) <= lines || len(words) == 1)
}

func bad(file, msg, value string) error {
	return &genesis.Error{Op: "import split", Kind: genesis.Invalid, Subject: file, Msg: msg, Value: value}
}

// List is a file with row numbers.
type List struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// maxImported bounds the memory that imported assignments take, in bytes.
const maxImported = 4 << 30

// ImportIndexes makes a split of each pair of lists that share a number. The
// numbers count the rows of the source in order, rows of them; kept, when not
// nil, says which of these the table still has. Lists whose names say no part
// (NameOf) are left out. watcher judges leaks and may be nil. Errors are of kind
// Invalid and name the file.
func ImportIndexes(spec Spec, lists []List, rows int64, kept func(row int64) bool, watcher *Watcher) ([]*Result, error) {
	groups, err := groupLists(lists, rows)
	if err != nil {
		return nil, err
	}
	var out []*Result
	for _, g := range groups {
		parts := make([]genesis.Part, rows)
		for _, l := range g.lists {
			if err := l.apply(parts); err != nil {
				return nil, err
			}
		}
		out = append(out, imported(spec, g.number, compact(parts, kept), watcher))
	}
	return out, nil
}

// compact drops the rows the table does not have.
func compact(parts []genesis.Part, kept func(int64) bool) []genesis.Part {
	if kept == nil {
		return parts
	}
	n := 0
	for i, p := range parts {
		if kept(int64(i)) {
			parts[n] = p
			n++
		}
	}
	return parts[:n]
}

// imported returns the result for the split with the given number.
func imported(spec Spec, number string, parts []genesis.Part, w *Watcher) *Result {
	name := spec.Name
	if number != "" {
		name += "-" + number
	}
	s := genesis.Split{Name: name, Kind: Import, Counts: counts(parts, 0), Leaks: []genesis.LeakCheck{}}
	if w != nil {
		s.Leaks = w.Judge(parts, spec)
	}
	return &Result{Parts: parts, Split: s}
}

// listGroup is the lists of one split.
type listGroup struct {
	number string
	lists  []namedList
}

type namedList struct {
	List
	part genesis.Part
}

func groupLists(lists []List, rows int64) ([]listGroup, error) {
	by := map[string]*listGroup{}
	for _, l := range lists {
		p, number, ok := NameOf(l.Name)
		if !ok {
			continue
		}
		if by[number] == nil {
			by[number] = &listGroup{number: number}
		}
		by[number].lists = append(by[number].lists, namedList{l, p})
	}
	if len(by) == 0 {
		return nil, invalid("import", "has no file whose name says train, validation or test", "name them like train0.csv and test0.csv, or index_train_0.txt")
	}
	if int64(len(by))*rows > maxImported {
		return nil, invalid("import", fmt.Sprintf("has %d splits of %d rows, more than fit in memory", len(by), rows), "import fewer at a time")
	}
	out := make([]listGroup, 0, len(by))
	for _, g := range by {
		slices.SortFunc(g.lists, func(a, b namedList) int { return strings.Compare(a.Name, b.Name) })
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b listGroup) int { return compareNumbers(a.number, b.number) })
	return out, nil
}

// compareNumbers orders runs of digits by what they count.
func compareNumbers(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	if x != y {
		return x - y
	}
	return strings.Compare(a, b)
}

// apply puts the list's rows into its part.
func (l namedList) apply(parts []genesis.Part) error {
	in, err := l.Open()
	if err != nil {
		return &genesis.Error{Op: "import split", Kind: genesis.Invalid, Subject: l.Name, Msg: "cannot be opened", Err: err}
	}
	defer in.Close()
	rows, err := ReadIndexList(l.Name, in, int64(len(parts)))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if was := parts[r]; was != genesis.Unassigned {
			return bad(l.Name, fmt.Sprintf("row %d is listed again: it is in %s already", r, PartName(was, 0)), "")
		}
		parts[r] = l.part
	}
	return nil
}
