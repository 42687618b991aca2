package ingest

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// Spreadsheets end with rows of sums or means: a label where the rows above have a
// date or a number, and figures of the columns above. Such a row is no observation. It
// is set aside when both say so; the recipe keeps the label.

const (
	summaryTail    = 4  // rows at the end of a source that may be summaries
	summaryColumns = 16 // columns, from the left, in which a label may stand
	summaryRule    = "row of sums or means"
)

// summaryWords are what such rows are called, in lower case.
var summaryWords = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range []string{"mean", "average", "avg", "sum", "total", "totals", "grand total", "min", "max", "minimum", "maximum",
		"mittelwert", "mittel", "durchschnitt", "summe", "gesamt", "gesamtsumme", "insgesamt",
		"moyenne", "somme", "media", "promedio", "suma", "totale", "somma", "平均", "平均值", "合计", "总计"} {
		words[w] = true
	}
	return words
}()

// labelled is a row near the end of a source that bears such a word.
type labelled struct {
	line, nth int64 // nth row of its source in the table
	label     string
}

// watchTail remembers which of the last rows of src bear a label.
func (t *table) watchTail(src *source, cols []format.Vector, b *format.Batch) {
	if t.tails == nil {
		t.tails, t.counts = map[*source][]labelled{}, map[*source]int64{}
	}
	before := t.counts[src]
	t.counts[src] += int64(b.Rows)
	t.tails[src] = slices.DeleteFunc(t.tails[src], func(l labelled) bool { return l.nth < t.counts[src]-summaryTail })
	for i := max(0, b.Rows-summaryTail); i < b.Rows; i++ {
		for j := range cols[:min(len(cols), summaryColumns)] {
			if label := summaryLabel(&cols[j], i); label != "" {
				t.tails[src] = append(t.tails[src], labelled{b.Line(i), before + int64(i), label})
				break
			}
		}
	}
}

func summaryLabel(v *format.Vector, i int) string {
	if v.Kind != format.Text || v.Null(i) || len(v.Bytes(i)) > 32 {
		return ""
	}
	s := strings.TrimSpace(string(v.Bytes(i)))
	if !summaryWords[strings.ToLower(strings.TrimRight(s, ": "))] {
		return ""
	}
	return s
}

// summaries looks for rows of sums or means in the tables whose columns were decided
// here, writes their labels into the recipe and says so.
func (s *scan) summaries(ctx context.Context, r *recipe.Recipe) ([]genesis.Finding, error) {
	var out []genesis.Finding
	for _, t := range s.tables {
		rt := given(r, t.from)
		if rt == nil || rt.Drop || !t.decided || rt.Summary != nil {
			continue
		}
		for _, src := range s.sources {
			if len(t.tails[src]) == 0 {
				continue
			}
			found, err := s.summaryRows(ctx, src, t, rt)
			if err != nil {
				return nil, err
			}
			for _, l := range found {
				rt.Summary = appendNew(rt.Summary, l.label)
				out = append(out, genesis.Finding{ID: fmt.Sprintf("summary-row:%s:%d", rt.Name, l.line), Code: "summary-row", Severity: genesis.Warn,
					Source: src.stream.Name, Table: rt.Name, Rows: []int64{l.line}, Count: 1,
					Message: fmt.Sprintf("the row is called %q and its numbers are sums, means or extremes of the rows above; it is set aside", l.label),
					Hint:    "take the label out of the recipe's line summary to keep the row"})
			}
		}
	}
	return out, nil
}

// columnSums are the figures of one column of numbers.
type columnSums struct {
	n, sum    float64
	low, high float64
}

func (c *columnSums) add(x float64) {
	if c.n == 0 {
		c.low, c.high = x, x
	}
	c.n++
	c.sum += x
	c.low, c.high = min(c.low, x), max(c.high, x)
}

// has reports whether x, which is off by less than about, is a figure of the column.
func (c *columnSums) has(x, about float64) bool {
	if c.n == 0 {
		return false
	}
	return slices.ContainsFunc([]float64{c.sum, c.sum / c.n, c.low, c.high}, func(f float64) bool {
		return math.Abs(x-f) <= about+1e-9*math.Abs(f)
	})
}

// figure is a number of a labelled row, with half a unit of its last digit.
type figure struct {
	column   int
	x, about float64
}

// summaryRows reads a source once more and returns which of its labelled rows are
// summaries: the label stands where a column has no words, and most of the row's
// numbers are figures of the rows above.
func (s *scan) summaryRows(ctx context.Context, src *source, t *table, rt *recipe.Table) ([]labelled, error) {
	out, err := newTableOut(rt, t)
	if err != nil {
		return nil, err
	}
	r, err := src.open(ctx, s.env, s.readOptions(), format.Options{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	sums, figures := make([]columnSums, len(out.cols)), map[int64][]figure{}
	var strange []labelled
	for nth := int64(0); ; {
		if err := canceled(ctx, "prepare"); err != nil {
			return nil, err
		}
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if b.Table >= len(src.tables) || len(b.Cols) > len(src.maps[b.Table]) {
			return nil, changed(src.stream.Name)
		}
		if src.tables[b.Table] != t {
			continue
		}
		raw := arrange(b, src.maps[b.Table], len(t.raws))
		vecs, _, err := out.convert(s.env, b, raw)
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			at := slices.IndexFunc(t.tails[src], func(l labelled) bool { return l.nth == nth })
			nth++
			if at < 0 {
				sumUp(sums, vecs, i)
				continue
			}
			if l := t.tails[src][at]; out.wordless(raw, i, []string{l.label}) >= 0 {
				strange, figures[l.nth] = append(strange, l), out.figures(raw, vecs, i)
			}
		}
	}
	return slices.DeleteFunc(strange, func(l labelled) bool {
		hits := 0
		for _, f := range figures[l.nth] {
			if sums[f.column].has(f.x, f.about) {
				hits++
			}
		}
		return hits*2 <= len(figures[l.nth])
	}), nil
}

func sumUp(sums []columnSums, vecs []format.Vector, i int) {
	for j := range vecs {
		if x, ok := numberAt(&vecs[j], i); ok {
			sums[j].add(x)
		}
	}
}

func numberAt(v *format.Vector, i int) (float64, bool) {
	switch {
	case v.Len() <= i || v.Null(i):
	case v.Kind == format.Float:
		return v.Floats[i], true
	case v.Kind == format.Int:
		return float64(v.Ints[i]), true
	}
	return 0, false
}

// figures are the numbers of row i.
func (t *tableOut) figures(raw, vecs []format.Vector, i int) []figure {
	var out []figure
	for j, in := range t.inputs {
		if in.out < 0 {
			continue
		}
		if x, ok := numberAt(&vecs[in.out], i); ok {
			mark := "."
			if rc := t.rt.Entries().Column(t.in.raws[j].Name, keys(t.in.raws)[j].nth); rc != nil && rc.Decimal != "" {
				mark = rc.Decimal
			}
			out = append(out, figure{in.out, x, 0.5 * math.Pow10(-places(plainValue(&raw[j], i), mark))})
		}
	}
	return out
}

// places is how many digits a number has after its mark.
func places(cell, mark string) int {
	_, after, _ := strings.Cut(cell, mark)
	n := 0
	for n < len(after) && after[n]-'0' <= 9 {
		n++
	}
	return n
}

// wordless returns the stored column in which row i has one of the labels although
// it is no column of words, or −1.
func (t *tableOut) wordless(raw []format.Vector, i int, labels []string) int {
	for j, in := range t.inputs {
		if in.out < 0 || t.cols[in.out].Type.Textual() || raw[j].Kind != format.Text || raw[j].Null(i) {
			continue
		}
		if slices.Contains(labels, strings.TrimSpace(string(raw[j].Bytes(i)))) {
			return in.out
		}
	}
	return -1
}

// summarised finds the rows of a batch that the recipe calls summaries, each with the
// column of its label, and takes back what else was said of their cells.
func (t *tableOut) summarised(raw []format.Vector, b *format.Batch, bad *[]reject) map[int]int {
	if len(t.rt.Summary) == 0 {
		return nil
	}
	found, lines := map[int]int{}, map[int64]bool{}
	for i := range b.Rows {
		if col := t.wordless(raw, i, t.rt.Summary); col >= 0 {
			found[i], lines[b.Line(i)] = col, true
		}
	}
	*bad = slices.DeleteFunc(*bad, func(r reject) bool { return lines[r.line] })
	return found
}
