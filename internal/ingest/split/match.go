package split

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/spill"
)

// Importer matches the rows of published files to the rows of a table. First
// the table's rows are observed, then the files' rows are added, then Match
// makes the splits.
type Importer struct {
	spec    Spec
	watcher *Watcher
	own     bool
	rows    int64
	files   []string
	numbers []string // of the splits, in order of appearance
	where   []placeOf
	recs    *spill.Sorter
}

// placeOf is the split and part that a file holds.
type placeOf struct {
	number int
	part   genesis.Part
}

// A record is the identity; 0 and the row for a row of the table; 1, the
// split, part and file and the row for a row of a file.
const (
	recordSize = 16 + 1 + 4 + 1 + 4 + 8
	ofTable    = 0
	ofFile     = 1
)

// NewImporter returns an importer. watcher is as for New.
func NewImporter(spec Spec, env Env, watcher *Watcher) *Importer {
	m := &Importer{spec: spec, watcher: watcher, recs: spill.New(env.Temp, recordSize, env.Memory)}
	if watcher == nil {
		m.watcher, m.own = NewWatcher(), true
	}
	return m
}

// Observe takes the table's next rows, with Match set.
func (m *Importer) Observe(r Rows) error {
	if m.own {
		m.watcher.Observe(r)
	}
	for _, id := range r.Match {
		if err := m.add(id, ofTable, placeOf{}, 0, uint64(m.rows)); err != nil {
			return err
		}
		m.rows++
	}
	return nil
}

// Add takes rows of a file whose name says its part (NameOf); rows says where
// each stands in the file, from 1. Files that say no part are refused with kind
// Invalid.
func (m *Importer) Add(file string, ids []Identity, rows []int64) error {
	i, err := m.file(file)
	if err != nil {
		return err
	}
	for k, id := range ids {
		if err := m.add(id, ofFile, m.where[i], uint32(i), uint64(rows[k])); err != nil {
			return err
		}
	}
	return nil
}

// file returns the number under which a file is known.
func (m *Importer) file(name string) (int, error) {
	if n := len(m.files); n > 0 && m.files[n-1] == name {
		return n - 1, nil
	}
	if i := slices.Index(m.files, name); i >= 0 {
		return i, nil
	}
	p, number, ok := NameOf(name)
	if !ok {
		return 0, bad(name, "its name says neither train, validation nor test", "")
	}
	k := slices.Index(m.numbers, number)
	if k < 0 {
		k = len(m.numbers)
		m.numbers = append(m.numbers, number)
	}
	m.files = append(m.files, name)
	m.where = append(m.where, placeOf{k, p})
	return len(m.files) - 1, nil
}

func (m *Importer) add(id Identity, kind byte, at placeOf, file uint32, row uint64) error {
	var rec [recordSize]byte
	copy(rec[:], id[:])
	rec[16] = kind
	binary.BigEndian.PutUint32(rec[17:], uint32(at.number))
	rec[21] = byte(at.part)
	binary.BigEndian.PutUint32(rec[22:], file)
	binary.BigEndian.PutUint64(rec[26:], row)
	return m.recs.Add(rec[:])
}

// Match returns one split for each number among the files' names. Rows of the
// files that cannot be placed are an error of kind Invalid that names the first
// of them by file and row.
func (m *Importer) Match() ([]*Result, error) {
	if len(m.files) == 0 {
		return nil, invalid(m.spec.String(), "has no file whose name says train, validation or test", "name them like train0.csv and test0.csv")
	}
	if int64(len(m.numbers))*m.rows > maxImported {
		return nil, invalid(m.spec.String(), fmt.Sprintf("has %d splits of %d rows, more than fit in memory", len(m.numbers), m.rows), "import fewer at a time")
	}
	j := m.newJoin()
	if err := m.recs.Each(j.see); err != nil {
		return nil, err
	}
	j.settle()
	if j.failed > 0 {
		return nil, m.refusal(j)
	}
	return m.results(j), nil
}

func (m *Importer) results(j *join) []*Result {
	order := make([]int, len(m.numbers))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return compareNumbers(m.numbers[a], m.numbers[b]) })
	var out []*Result
	for _, k := range order {
		out = append(out, imported(m.spec, m.numbers[k], j.parts[k], m.watcher))
	}
	return out
}

// Close removes temporary files.
func (m *Importer) Close() error { return m.recs.Close() }

// refusal names what could not be placed.
func (m *Importer) refusal(j *join) error {
	hint := "the files must hold rows of the table, spelled alike up to rounding"
	if len(m.spec.By) == 0 {
		hint += "; to match by some columns only: --split 'import:" + m.spec.Dir + "?by=COLUMN'"
	}
	return &genesis.Error{
		Op: "import split", Kind: genesis.Invalid, Subject: m.spec.Dir, Hint: hint,
		Msg: fmt.Sprintf("%d of %d rows have no one place in the table: %s", j.failed, j.seen, j.named()),
	}
}

// join walks the records, which come in order of identity: the table's rows
// first, then the files' by split, part, file and row.
type join struct {
	files    []string
	by       bool
	parts    [][]genesis.Part // by split
	id       [16]byte
	table    []int64 // the table's rows of this identity
	used     int     // of them, by the current split
	number   uint32
	placed   genesis.Part // by: where the current split put this identity
	seen     int64
	failed   int64
	problems []problem // the first of them
}

// problem is a row that could not be placed.
type problem struct {
	file string
	row  int64
	msg  string
}

func (m *Importer) newJoin() *join {
	j := &join{files: m.files, by: len(m.spec.By) > 0, parts: make([][]genesis.Part, len(m.numbers))}
	for k := range j.parts {
		j.parts[k] = make([]genesis.Part, m.rows)
	}
	return j
}

func (j *join) see(rec []byte) error {
	if [16]byte(rec) != j.id {
		j.settle()
		j.id = [16]byte(rec)
	}
	row := int64(binary.BigEndian.Uint64(rec[26:]))
	if rec[16] == ofTable {
		j.table = append(j.table, row)
		return nil
	}
	j.seen++
	number, p := binary.BigEndian.Uint32(rec[17:]), genesis.Part(rec[21])
	if number != j.number {
		j.number, j.used, j.placed = number, 0, genesis.Unassigned
	}
	if msg := j.place(number, p); msg != "" {
		j.fail(j.files[binary.BigEndian.Uint32(rec[22:])], row, msg)
	}
	return nil
}

// place puts a row of a file on the table's next equal row, or says why not.
func (j *join) place(number uint32, p genesis.Part) string {
	switch {
	case len(j.table) == 0:
		return "is not in the table"
	case j.by && j.placed != genesis.Unassigned && j.placed != p:
		return "is in " + PartName(j.placed, 0) + " too"
	case j.by:
		if j.placed == genesis.Unassigned {
			for _, r := range j.table {
				j.parts[number][r] = p
			}
		}
		j.placed = p
		return ""
	case j.used == len(j.table):
		return fmt.Sprintf("stands in the files more often than in the table, which has it %d times", len(j.table))
	}
	j.parts[number][j.table[j.used]] = p
	j.used++
	return ""
}

// maxProblems is how many rows a refusal names.
const maxProblems = 5

func (j *join) fail(file string, row int64, msg string) {
	j.failed++
	p := problem{file, row, msg}
	i, _ := slices.BinarySearchFunc(j.problems, p, func(a, b problem) int {
		return cmp.Or(strings.Compare(a.file, b.file), cmp.Compare(a.row, b.row))
	})
	if i < maxProblems {
		j.problems = slices.Insert(j.problems, i, p)
		j.problems = j.problems[:min(len(j.problems), maxProblems)]
	}
}

func (j *join) named() string {
	out := make([]string, len(j.problems))
	for i, p := range j.problems {
		out[i] = fmt.Sprintf("%s row %d %s", p.file, p.row, p.msg)
	}
	return strings.Join(out, "; ")
}

// settle forgets the identity that ended.
func (j *join) settle() {
	j.table, j.used, j.number, j.placed = j.table[:0], 0, 0, genesis.Unassigned
}
