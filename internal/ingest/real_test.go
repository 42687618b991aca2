package ingest

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/testdata"
)

// An expectation is a file of testdata/real: what a person read in the raw
// bytes of one laboratory file, and facts about its values that were computed
// from those bytes by other programs. Its lines are
//
//	file PATH                      below the data folder; several make one table
//	encoding NAME                  of every source; "" where the format has none
//	preamble TEXT                  that the lines around the table must hold
//	findings CODE:COLUMN …         all that ask for attention (no notes)
//	rejects N                      cells and rows set aside
//	duplicates N                   rows that repeat an earlier one
//	table NAME N                   rows
//	COLUMN TYPE KEY=VALUE …        in order, see declared and computed
//
// and comments after a #.
type expectation struct {
	path       string
	files      []string
	encoding   string
	preamble   []string
	findings   []string
	rejects    int64
	duplicates int64
	tables     []expectedTable
}

type expectedTable struct {
	name    string
	rows    int64
	columns []facts
}

// facts is what is known of a column, by key.
type facts map[string]string

// declared are the keys that a line must state where they are not empty; role
// is feature unless stated.
var declared = []string{"name", "type", "unit", "semantic", "role", "missing", "form", "zone", "of", "about"}

// computed are the keys of values: nulls, distinct (of text), min, max, mean, and
// the first and last value that is not missing.
var computed = []string{"nulls", "distinct", "min", "max", "mean", "first", "last"}

func readExpectation(t *testing.T, path string) expectation {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	x := expectation{path: path}
	for n, line := range strings.Split(string(text), "\n") {
		words, err := cutWords(line)
		if err != nil {
			t.Fatalf("%s:%d: %v", path, n+1, err)
		}
		if len(words) > 0 && !x.take(words) {
			t.Fatalf("%s:%d: %q is not understood", path, n+1, line)
		}
	}
	return x
}

func (x *expectation) take(words []string) bool {
	switch rest := words[1:]; {
	case words[0] == "file" && len(rest) == 1:
		x.files = append(x.files, rest[0])
	case words[0] == "encoding" && len(rest) == 1:
		x.encoding = rest[0]
	case words[0] == "preamble":
		x.preamble = append(x.preamble, rest...)
	case words[0] == "findings":
		x.findings = append(x.findings, rest...)
	case words[0] == "rejects" && len(rest) == 1:
		x.rejects, _ = strconv.ParseInt(rest[0], 10, 64)
	case words[0] == "duplicates" && len(rest) == 1:
		x.duplicates, _ = strconv.ParseInt(rest[0], 10, 64)
	case words[0] == "table" && len(rest) == 2:
		rows, err := strconv.ParseInt(rest[1], 10, 64)
		x.tables = append(x.tables, expectedTable{name: rest[0], rows: rows})
		return err == nil
	case len(x.tables) > 0 && len(rest) > 0:
		return x.tables[len(x.tables)-1].take(words)
	default:
		return false
	}
	return true
}

func (t *expectedTable) take(words []string) bool {
	f := facts{"name": words[0], "type": words[1], "role": "feature"}
	for _, w := range words[2:] {
		key, value, ok := strings.Cut(w, "=")
		if !ok || !slices.Contains(declared, key) && !slices.Contains(computed, key) {
			return false
		}
		f[key] = value
	}
	t.columns = append(t.columns, f)
	return true
}

// cutWords splits a line at spaces outside of double quotes.
func cutWords(line string) (words []string, err error) {
	var b strings.Builder
	quoted, any := false, false
	for _, r := range line + " " {
		switch {
		case r == '"':
			quoted, any = !quoted, true
		case r == '#' && !quoted && !any && b.Len() == 0:
			return words, nil
		case r == ' ' && !quoted:
			if any || b.Len() > 0 {
				words = append(words, b.String())
			}
			b.Reset()
			any = false
		default:
			b.WriteRune(r)
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote does not close")
	}
	return words, nil
}

// observe reads a stored table back and states the facts of its columns.
func observe(t *testing.T, env Env, res *Result, table genesis.ManifestTable) []facts {
	t.Helper()
	tallies := make([]*tally, len(table.Columns))
	for i, c := range table.Columns {
		tallies[i] = &tally{column: c.Column, distinct: map[string]bool{}}
	}
	eachBatch(t, env, res, table.Name, func(b *format.Batch) {
		for j := range b.Cols {
			for i := range b.Rows {
				tallies[j].add(&b.Cols[j], i)
			}
		}
	})
	out := make([]facts, len(tallies))
	for i, c := range tallies {
		out[i] = c.facts()
	}
	return out
}

func eachBatch(t *testing.T, env Env, res *Result, table string, f func(*format.Batch)) {
	t.Helper()
	r, err := stream.Open(context.Background(), env.Blobs, res.Manifest, res.Layout, table, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		f(b)
	}
}

// tally is what is counted of a stored column.
type tally struct {
	column      genesis.Column
	n, nulls    int64
	min, max    float64
	sum         float64
	distinct    map[string]bool
	first, last string
}

func (c *tally) add(v *format.Vector, i int) {
	if v.Null(i) {
		c.nulls++
		return
	}
	text, number := c.cell(v, i)
	if c.n == 0 {
		c.first, c.min, c.max = text, number, number
	}
	c.last, c.n = text, c.n+1
	c.min, c.max, c.sum = math.Min(c.min, number), math.Max(c.max, number), c.sum+number
	if c.column.Type.Textual() {
		c.distinct[text] = true
	}
}

func (c *tally) cell(v *format.Vector, i int) (string, float64) {
	switch v.Kind {
	case format.Text:
		return string(v.Bytes(i)), 0
	case format.Float:
		return strconv.FormatFloat(v.Floats[i], 'g', -1, 64), v.Floats[i]
	}
	return c.spell(v.Ints[i]), float64(v.Ints[i])
}

func (c *tally) spell(v int64) string {
	switch c.column.Type {
	case genesis.Boolean:
		return strconv.FormatBool(v == 1)
	case genesis.Date:
		return time.Unix(v*86400, 0).UTC().Format("2006-01-02")
	case genesis.Timestamp:
		return time.UnixMicro(v).UTC().Format(time.RFC3339Nano)
	}
	return strconv.FormatInt(v, 10)
}

func (c *tally) facts() facts {
	f := facts{"name": c.column.Name, "type": string(c.column.Type), "unit": c.column.Unit, "semantic": string(c.column.Semantic),
		"role": string(c.column.Role), "missing": strings.Join(c.column.Missing, "|"), "form": c.column.DateForm, "zone": c.column.Zone,
		"of": c.column.QualifierOf, "about": c.column.Description, "nulls": strconv.FormatInt(c.nulls, 10), "first": c.first, "last": c.last}
	switch t := c.column.Type; {
	case c.n == 0:
	case t.Textual():
		f["distinct"] = strconv.Itoa(len(c.distinct))
	case t == genesis.Float:
		f["min"], f["max"] = strconv.FormatFloat(c.min, 'g', -1, 64), strconv.FormatFloat(c.max, 'g', -1, 64)
		f["mean"] = strconv.FormatFloat(c.sum/float64(c.n), 'g', -1, 64)
	default:
		f["min"], f["max"] = c.spell(int64(c.min)), c.spell(int64(c.max))
		f["mean"] = strconv.FormatFloat(c.sum/float64(c.n), 'g', -1, 64)
	}
	return f
}

// differences compares a column with its line.
func differences(want, got facts) (out []string) {
	for _, key := range declared {
		if want[key] != got[key] {
			out = append(out, fmt.Sprintf("%s is %q, want %q", key, got[key], want[key]))
		}
	}
	for _, key := range computed {
		if w, ok := want[key]; ok && !equalValues(key, w, got[key]) {
			out = append(out, fmt.Sprintf("%s is %q, want %q", key, got[key], w))
		}
	}
	return out
}

// equalValues compares numbers as numbers; means depend on the order of
// addition.
func equalValues(key, want, got string) bool {
	a, err1 := strconv.ParseFloat(want, 64)
	b, err2 := strconv.ParseFloat(got, 64)
	if err1 != nil || err2 != nil {
		return want == got
	}
	if key == "mean" {
		return math.Abs(a-b) <= 1e-9*math.Max(1e-3, math.Abs(a))
	}
	return a == b
}

func (x *expectation) compare(t *testing.T, env Env, res *Result) {
	t.Helper()
	for _, s := range res.Sources {
		if s.Encoding != x.encoding {
			t.Errorf("%s: encoding is %q, want %q", s.Path, s.Encoding, x.encoding)
		}
		for _, p := range x.preamble {
			if !strings.Contains(s.Preamble, p) {
				t.Errorf("%s: the preamble does not hold %q: %.300q", s.Path, p, s.Preamble)
			}
		}
		if len(x.preamble) == 0 && s.Preamble != "" {
			t.Errorf("%s: there is a preamble: %.300q", s.Path, s.Preamble)
		}
	}
	if got := attention(res); !slices.Equal(got, sorted(x.findings)) {
		t.Errorf("findings are\n%s\nwant\n%s", strings.Join(got, " "), strings.Join(sorted(x.findings), " "))
	}
	var rejects, duplicates int64
	for _, t := range res.Profile.Tables {
		duplicates += t.Duplicates
	}
	if duplicates != x.duplicates {
		t.Errorf("%d rows repeat an earlier one, want %d", duplicates, x.duplicates)
	}
	for _, r := range res.Manifest.Rejects {
		rejects += r.Rows
	}
	if rejects != x.rejects {
		t.Errorf("%d rejects, want %d", rejects, x.rejects)
	}
	x.compareTables(t, env, res)
}

// attention lists the findings that ask for some.
func attention(res *Result) []string {
	var out []string
	for _, f := range res.Findings {
		if f.Severity != genesis.Note {
			out = append(out, strings.TrimSuffix(f.Code+":"+f.Column, ":"))
		}
	}
	return sorted(out)
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	sort.Strings(s)
	return s
}

func (x *expectation) compareTables(t *testing.T, env Env, res *Result) {
	t.Helper()
	if len(res.Manifest.Tables) != len(x.tables) {
		var names []string
		for _, m := range res.Manifest.Tables {
			names = append(names, fmt.Sprintf("%s (%d rows, %d columns)", m.Name, m.Rows, len(m.Columns)))
		}
		t.Errorf("there are %d tables, want %d: %s", len(res.Manifest.Tables), len(x.tables), strings.Join(names, ", "))
	}
	for _, want := range x.tables {
		m, ok := res.Manifest.Table(want.name)
		if !ok {
			t.Errorf("there is no table %q", want.name)
			continue
		}
		if m.Rows != want.rows || len(m.Columns) != len(want.columns) {
			t.Errorf("table %s has %d rows of %d columns, want %d of %d", want.name, m.Rows, len(m.Columns), want.rows, len(want.columns))
		}
		got := observe(t, env, res, m)
		for i := range min(len(got), len(want.columns)) {
			for _, d := range differences(want.columns[i], got[i]) {
				t.Errorf("%s.%s: %s", want.name, want.columns[i]["name"], d)
			}
		}
	}
}

// laboratory holds what tests on real files share: one store, and each data set
// prepared once.
type laboratory struct {
	dir  string
	env  Env
	mu   sync.Mutex
	done map[string]*Result
}

func openLaboratory(t *testing.T) *laboratory {
	return &laboratory{dir: testdata.Dir(t), env: testEnv(t), done: map[string]*Result{}}
}

// prepare prepares files below the data folder, once for the same files.
func (l *laboratory) prepare(t *testing.T, paths ...string) *Result {
	t.Helper()
	key := strings.Join(paths, "\n")
	l.mu.Lock()
	res := l.done[key]
	l.mu.Unlock()
	if res != nil {
		return res
	}
	res = prepare(t, l.env, nil, genesis.PrepareOptions{}, l.open(t, paths...)...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[key] = res
	return res
}

func (l *laboratory) open(t *testing.T, paths ...string) []*format.Raw {
	t.Helper()
	full := make([]string, len(paths))
	for i, p := range paths {
		full[i] = filepath.Join(l.dir, filepath.FromSlash(p))
	}
	return openFiles(t, full...)
}

// TestRealFiles prepares laboratory files and compares them with what a person
// read in their bytes.
func TestRealFiles(t *testing.T) {
	lab := openLaboratory(t)
	paths, err := filepath.Glob("testdata/real/*.golden")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there are no expectations: %v", err)
	}
	t.Run("expectations", func(t *testing.T) {
		for _, path := range paths {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".golden"), func(t *testing.T) {
				t.Parallel()
				x := readExpectation(t, path)
				x.compare(t, lab.env, lab.prepare(t, x.files...))
				testReplays(t, lab, x)
				testInspects(t, lab, x)
			})
		}
		t.Run("oqmd_train", func(t *testing.T) { t.Parallel(); testBandGaps(t, lab) })
		t.Run("clocks", func(t *testing.T) { t.Parallel(); testClocks(t, lab) })
		t.Run("plant splits", func(t *testing.T) { t.Parallel(); testIndexLists(t, lab, plantFolder, "c5", 9568, 8611) })
		t.Run("concrete splits", func(t *testing.T) { t.Parallel(); testIndexLists(t, lab, concreteFolder, "c9", 1030, 927) })
		t.Run("steel folds", func(t *testing.T) { t.Parallel(); testFoldFiles(t, lab) })
		t.Run("refused", func(t *testing.T) { t.Parallel(); testRefusedByName(t, lab) })
	})
	t.Run("typical year", func(t *testing.T) { testTypicalYear(t, lab) })
	t.Run("plant formats", func(t *testing.T) { testPlantFormats(t, lab) })
}
