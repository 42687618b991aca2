package stream

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// Names of the columns of AsRows.
const (
	featuresColumn = "features"
	missingColumn  = "missing"
	targetColumn   = "target"
)

// maxOneHot bounds the words of a category that become a number each.
const maxOneHot = 1024

// rowForm is how rows become numbers.
type rowForm struct {
	training part // what scales are taken from; without split: nothing is
	targets  []genesis.Column
	onehot   bool
	scaled   bool
	mask     bool

	features []lane // set by plan
	labels   []lane
	width    int // numbers of a row
}

// lane is how one column becomes numbers.
type lane struct {
	genesis.StreamFeature
	col    int // in the table
	column *cache.Column
	places []int32 // category: where each code is among the words; −1: not a word of the training part
	hot    bool    // category: a number for each word
}

// setRows chooses features and targets of AsRows.
func (s *Stream) setRows(req genesis.StreamRequest) error {
	f := &rowForm{onehot: req.Categories != genesis.Code, scaled: req.Scale != genesis.Unscaled, mask: req.Mask}
	if c := cmp.Or(req.Categories, genesis.OneHot); c != genesis.OneHot && c != genesis.Code {
		return invalid("categories", fmt.Sprintf("is %q", c), "categories are encoded onehot or code")
	}
	if c := cmp.Or(req.Scale, genesis.Standard); c != genesis.Standard && c != genesis.Unscaled {
		return invalid("scale", fmt.Sprintf("is %q", c), "numbers are scaled standard or none")
	}
	s.setTraining(f)
	targets, err := s.roleOr(req.Target, genesis.Target)
	if err != nil {
		return err
	}
	columns, err := s.roleOr(req.Columns, genesis.Feature, genesis.Time)
	if err != nil {
		return err
	}
	f.targets = targets
	for _, c := range columns {
		switch {
		case slices.ContainsFunc(targets, func(t genesis.Column) bool { return t.Name == c.Name }):
			if req.Columns != nil {
				return invalid(c.Name, "is both a feature and a target", "")
			}
		case becomesNumbers(c.Type):
			s.plan.Columns = append(s.plan.Columns, c)
		case req.Columns != nil:
			return invalid(c.Name, fmt.Sprintf("is %s, which does not become numbers", c.Type), "name columns of numbers, truth values, times and categories")
		}
	}
	for _, t := range targets {
		if !becomesNumbers(t.Type) {
			return invalid(t.Name, fmt.Sprintf("is %s, which does not become numbers", t.Type), "")
		}
	}
	if hasRepeats(req.Columns) || hasRepeats(req.Target) {
		return invalid("columns", "one is named twice", "")
	}
	if len(s.plan.Columns) == 0 {
		return invalid("columns", "there are none that become numbers", "name them with columns")
	}
	s.rows = f
	return f.check(s.plan.Columns)
}

// check refuses what takes a training part where there is none: numbers as they are need
// none.
func (f *rowForm) check(columns []genesis.Column) error {
	if f.training.split != nil {
		return nil
	}
	for _, c := range slices.Concat(columns, f.targets) {
		if c.Type == genesis.Categorical || f.scaled && c.Type != genesis.Boolean {
			return invalid(c.Name, "becomes numbers by the training part of a split, and the table has none", "prepare the dataset with a split, or ask for columns of numbers alone that are not scaled (scale none)")
		}
	}
	return nil
}

// setTraining finds the training part: that of the stream's split, or of the table's
// first.
func (s *Stream) setTraining(f *rowForm) {
	p := s.part
	if p.split == nil {
		for i := range s.target.Splits {
			if sp := &s.target.Splits[i]; sp.Table == s.table.Name && p.split == nil {
				p.split = sp
			}
		}
	}
	if p.split != nil {
		f.training = p.training()
	}
}

func becomesNumbers(t genesis.Type) bool { return t != genesis.Text && t != genesis.Identifier }

// roleOr returns the columns named, or those with one of the roles.
func (s *Stream) roleOr(names []string, roles ...genesis.Role) ([]genesis.Column, error) {
	if names != nil {
		return project(s.table, names)
	}
	var out []genesis.Column
	for _, c := range s.all {
		if slices.Contains(roles, c.Role) {
			out = append(out, c)
		}
	}
	return out, nil
}

// plan lays the lanes out, once the fit is there.
func (f *rowForm) plan(s *Stream, measured *fit, table *cache.Table) error {
	if len(measured.Columns) != len(s.all) {
		return broken(s.table.Name, "its measures are of another table")
	}
	at := map[string]int{}
	for i, c := range s.all {
		at[c.Name] = i
	}
	f.features, f.labels, f.width = nil, nil, 0
	for _, c := range s.plan.Columns {
		l, err := newLane(c, at[c.Name], table, &measured.Columns[at[c.Name]], f.onehot, f.scaled)
		if err != nil {
			return err
		}
		l.At = f.width
		f.width += l.Width
		f.features = append(f.features, l)
	}
	for i, c := range f.targets {
		l, err := newLane(c, at[c.Name], table, &measured.Columns[at[c.Name]], false, false)
		if err != nil {
			return err
		}
		l.At = i
		f.labels = append(f.labels, l)
	}
	if f.width == 0 {
		return invalid("columns", "have no words in the training part, so that there is nothing to learn from", "")
	}
	if bytes := s.plan.Batch * 4 * f.width; bytes > maxBody {
		return invalid("batch", fmt.Sprintf("of %d rows of %d numbers is too large", s.plan.Batch, f.width), fmt.Sprintf("ask for batches of at most %d, or for categories=code", maxBody/4/f.width))
	}
	s.plan.Features, s.plan.Targets = listed(f.features), listed(f.labels)
	return nil
}

func listed(lanes []lane) []genesis.StreamFeature {
	out := make([]genesis.StreamFeature, len(lanes))
	for i, l := range lanes {
		out[i] = l.StreamFeature
	}
	return out
}

func newLane(c genesis.Column, col int, table *cache.Table, s *columnStats, onehot, scaled bool) (lane, error) {
	l := lane{StreamFeature: genesis.StreamFeature{Column: c.Name, Kind: "number", Width: 1, SD: 1}, col: col, column: &table.Columns()[col]}
	switch c.Type {
	case genesis.Boolean:
		l.Kind = "boolean"
		return l, nil
	case genesis.Timestamp, genesis.Date:
		l.Kind = "time"
	case genesis.Categorical:
		l.Kind = "category"
		if l.column.Form != cache.Word {
			return l, invalid(c.Name, "has too many different words to become numbers", "leave it out")
		}
		l.Words, l.places = s.Words, placesOf(l.column.Words, s.Words)
		if l.hot = onehot; onehot {
			if l.Width = len(l.Words); l.Width > maxOneHot {
				return l, invalid(c.Name, fmt.Sprintf("has %d words in the training part; at most %d become a number each", len(l.Words), maxOneHot), "ask for categories=code, or leave it out")
			}
		}
		return l, nil
	}
	if scaled {
		l.Mean = s.Mean
		if s.SD > 0 {
			l.SD = s.SD
		}
	}
	return l, nil
}

// placesOf returns for each word of the dictionary where it is among the words.
func placesOf(dictionary, words []string) []int32 {
	out := make([]int32, len(dictionary))
	for code, w := range dictionary {
		k, ok := slices.BinarySearch(words, w)
		if !ok {
			k = -1
		}
		out[code] = int32(k)
	}
	return out
}

// rowEncoder writes rows of numbers.
type rowEncoder struct {
	*rowForm
	layout ipc.Layout
	stride int
}

// classes reports whether what is to be predicted is one category.
func (e *rowEncoder) classes() bool { return len(e.labels) == 1 && e.labels[0].Kind == "category" }

func (e *rowEncoder) fields() []ipc.Field {
	fields := []ipc.Field{{Name: featuresColumn, Type: ipc.Float32, List: e.width}}
	if e.mask {
		fields = append(fields, ipc.Field{Name: missingColumn, Type: ipc.Uint8, List: len(e.features)})
	}
	switch {
	case e.classes():
		fields = append(fields, ipc.Field{Name: targetColumn, Type: ipc.Int64})
	case len(e.labels) > 0:
		fields = append(fields, ipc.Field{Name: targetColumn, Type: ipc.Float32, List: len(e.labels)})
	}
	return fields
}

func (e *rowEncoder) dictionaries(Sink) error { return nil }

func (e *rowEncoder) batch(from cells, rows []uint64, room func(int) ([]byte, error), meta ...ipc.KeyValue) (ipc.Message, error) {
	n := len(rows)
	e.layout.Reset(n)
	features := e.list(n, e.width, 4)
	var missing, target ipc.Place
	if e.mask {
		missing = e.list(n, len(e.features), 1)
	}
	switch {
	case e.classes():
		e.layout.Node(n)
		e.layout.Buffer(0)
		target = e.layout.Buffer(8 * n)
	case len(e.labels) > 0:
		target = e.list(n, len(e.labels), 4)
	}
	body, err := room(e.layout.Size())
	if err != nil {
		return ipc.Message{}, err
	}
	clear(body)
	var gone mask
	if e.mask {
		gone = mask{missing.In(body), len(e.features)}
	}
	for at := 0; at < n; at += e.stride {
		few := rows[at:min(at+e.stride, n)]
		for i := range e.features {
			e.features[i].write(from, few, grid{features.In(body), e.width}.from(at), gone.from(at), i)
		}
		for i := range e.labels {
			if e.classes() {
				e.labels[i].classes(from, few, target.In(body)[8*at:])
			} else {
				e.labels[i].label(from, few, grid{target.In(body), len(e.labels)}.from(at))
			}
		}
	}
	return e.layout.Batch(body, meta...), nil
}

// list places a column of lists of k values of some bytes each.
func (e *rowEncoder) list(n, k, bytes int) ipc.Place {
	e.layout.Node(n)
	e.layout.Buffer(0)
	e.layout.Node(n * k)
	e.layout.Buffer(0)
	return e.layout.Buffer(n * k * bytes)
}

// grid is a list column that is being filled: rows of k float32.
type grid struct {
	b []byte
	k int
}

// from is the grid from a row on.
func (g grid) from(row int) grid { return grid{g.b[4*row*g.k:], g.k} }

func (g grid) put(row, at int, x float32) {
	binary.LittleEndian.PutUint32(g.b[4*(row*g.k+at):], math.Float32bits(x))
}

// mask is a list column of what is missing: rows of k bytes. The zero value notes
// nothing.
type mask struct {
	b []byte
	k int
}

func (m mask) from(row int) mask {
	if m.b == nil {
		return m
	}
	return mask{m.b[row*m.k:], m.k}
}

func (m mask) note(row, at int) {
	if m.b != nil {
		m.b[row*m.k+at] = 1
	}
}

// write writes the numbers of each row into out, which is 0 everywhere, and that one is
// missing into the i-th column of gone. A missing number, or one that is not finite, is 0,
// which scaled is the mean; a missing word, or one that the training part does not have, is
// 0 everywhere, or as a code −1.
func (l *lane) write(from cells, rows []uint64, out grid, gone mask, i int) {
	for k, r := range rows {
		x, ok := l.value(from, r)
		switch {
		case !ok:
			gone.note(k, i)
			if l.Kind == "category" && !l.hot {
				out.put(k, l.At, -1)
			}
		case l.hot:
			out.put(k, l.At+int(x), 1)
		default:
			z := float32((x - l.Mean) / l.SD)
			if math.IsInf(float64(z), 0) {
				gone.note(k, i)
				continue
			}
			out.put(k, l.At, z)
		}
	}
}

// value returns a cell as a number, of a category its place among the words.
func (l *lane) value(from cells, r uint64) (float64, bool) {
	if from.Null(l.col, r) {
		return 0, false
	}
	if l.Kind == "category" {
		place := l.places[from.Int(l.col, r)]
		return float64(place), place >= 0
	}
	x := number(from, l.column, l.col, r)
	return x, finite(x)
}

// label writes what is to be predicted; a missing one is NaN.
func (l *lane) label(from cells, rows []uint64, out grid) {
	for k, r := range rows {
		x, ok := l.value(from, r)
		if !ok || math.IsInf(float64(float32(x)), 0) {
			x = math.NaN()
		}
		out.put(k, l.At, float32(x))
	}
}

// classes writes the class of each row; a missing one is −1.
func (l *lane) classes(from cells, rows []uint64, out []byte) {
	for k, r := range rows {
		x, ok := l.value(from, r)
		if !ok {
			x = -1
		}
		binary.LittleEndian.PutUint64(out[8*k:], uint64(int64(x)))
	}
}
