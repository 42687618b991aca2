package learn

import (
	"math"
	"slices"
	"sort"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// Kinds of feature.
const (
	kindNumber   = "number"
	kindBoolean  = "boolean"
	kindAngle    = "angle"
	kindTime     = "time"
	kindCategory = "category"
	kindFormula  = "formula"
)

// feature is how one input column becomes columns of the net's input. All of
// it is learned from training rows and stored in model.json.
type feature struct {
	Column genesis.Column `json:"column"`
	Kind   string         `json:"kind"`

	// Numbers: z = (x − Center)/Scale, or, for heavy-tailed columns, the
	// piecewise linear function through (Knots, Scores), which maps quantiles to
	// those of the normal distribution. Low and High are the training extremes;
	// z is clipped a little beyond theirs.
	Center float64   `json:"center,omitempty"`
	Scale  float64   `json:"scale,omitempty"`
	Low    float64   `json:"low,omitempty"`
	High   float64   `json:"high,omitempty"`
	Knots  []float64 `json:"knots,omitempty"`
	Scores []float64 `json:"scores,omitempty"`
	// Floor is from where on numbers are looked at in logarithms when unusual
	// rows are sought (ood.go); 0: they are not.
	Floor float64 `json:"floor,omitempty"`

	// Values are all values seen in training, ascending, kept where an unseen
	// one is rare enough to be news (stat.go).
	Values []float64 `json:"values,omitempty"`
	// Missing says that training rows had missing values here: they get an
	// indicator.
	Missing bool `json:"missing,omitempty"`
	// Vocabulary of a category, most frequent first. Closed says that a word
	// outside of it is news.
	Vocabulary []string `json:"vocabulary,omitempty"`
	Closed     bool     `json:"closed,omitempty"`
	// Cycles of a time that training rows span: hour, weekday, season.
	Cycles []string `json:"cycles,omitempty"`
	// Elements seen in formulas, by atomic number.
	Elements []int `json:"elements,omitempty"`

	lookup map[string]int
}

const (
	codeUnknown = 0
	codeMissing = 1
	codeFirst   = 2

	maxVocabulary = 4096
	knotCount     = 64
	heavyTail     = 6.0 // standard deviations
	clipBeyond    = 0.1 // of the training range
)

// fitFeature learns a feature from the given rows, and nothing that fewer than least
// of them say (crowd.go). It returns nil and the reason when the column
// has nothing to learn from.
func fitFeature(c genesis.Column, v *format.Vector, rows []int, least int) (*feature, string) {
	f := &feature{Column: c}
	switch {
	case c.Semantic == genesis.Formula:
		return f.fitFormula(v, rows, least)
	case c.Type == genesis.Timestamp || c.Type == genesis.Date:
		return f.fitTime(v, rows, least)
	case c.Type == genesis.Boolean:
		return f.fitNumber(v, rows, least, kindBoolean)
	case c.Type.Numeric() && c.Semantic == genesis.Angle:
		return f.fitNumber(v, rows, least, kindAngle)
	case c.Type.Numeric():
		return f.fitNumber(v, rows, least, kindNumber)
	}
	return f.fitCategory(v, rows, least)
}

func (f *feature) fitNumber(v *format.Vector, rows []int, least int, kind string) (*feature, string) {
	f.Kind = kind
	xs := numbers(v, rows)
	f.Missing = some(len(rows)-len(xs), least)
	if len(xs) == 0 || len(xs) < 2*least {
		return nil, "it has no values in the training rows, or too few"
	}
	f.Low, f.High = xs[0], xs[len(xs)-1]
	if f.Low == f.High && (!f.Missing || lopsided(len(xs), len(rows))) {
		return nil, oneValue
	}
	f.Center, f.Scale = meanSD(xs)
	if f.Scale == 0 || !finite(f.Center, f.Scale, f.High-f.Low) {
		f.Center, f.Scale = f.Low, 1
	}
	if kind == kindNumber && max(f.High-f.Center, f.Center-f.Low) > heavyTail*f.Scale {
		f.fitKnots(shared(xs, least))
	}
	if kind == kindNumber {
		f.fitFloor(xs, least)
	}
	f.Values = seenValues(xs, least)
	return f, ""
}

const oneValue = "it has one value only"

// lopsided reports whether a column of one value and blanks says too little: where
// either is in fewer than ten rows or one in a hundred, as a remark is, nothing can be
// learned from which of them a row has, and a model would need the column ever after.
func lopsided(filled, rows int) bool { return min(filled, rows-filled) < max(10, rows/100) }

// some reports whether there are any of n rows, or, where figures are shared, enough.
func some(n, least int) bool { return n >= max(least, 1) }

// fitKnots maps quantiles of sorted xs to normal scores; equal values get the
// score of their middle rank.
func (f *feature) fitKnots(xs []float64) {
	n := len(xs)
	for k := range knotCount + 1 {
		x := xs[k*(n-1)/knotCount]
		if len(f.Knots) > 0 && x <= f.Knots[len(f.Knots)-1] {
			continue
		}
		from := sort.SearchFloat64s(xs, x)
		to := sort.Search(n, func(i int) bool { return xs[i] > x })
		p := (float64(from+to)/2 + 0.5) / float64(n+1)
		f.Knots = append(f.Knots, x)
		f.Scores = append(f.Scores, normalQuantile(min(max(p, 0.5/float64(n+1)), 1-0.5/float64(n+1))))
	}
	if len(f.Knots) < 3 {
		f.Knots, f.Scores = nil, nil
	}
}

// score maps a number to about a standard normal one.
func (f *feature) score(x float64) float64 {
	margin := clipBeyond * (f.High - f.Low)
	x = min(max(x, f.Low-margin), f.High+margin)
	if f.Knots == nil {
		return (x - f.Center) / f.Scale
	}
	k := sort.SearchFloat64s(f.Knots, x)
	k = min(max(k, 1), len(f.Knots)-1)
	t := (x - f.Knots[k-1]) / (f.Knots[k] - f.Knots[k-1])
	return f.Scores[k-1] + min(max(t, -1), 2)*(f.Scores[k]-f.Scores[k-1])
}

func (f *feature) fitCategory(v *format.Vector, rows []int, least int) (*feature, string) {
	f.Kind = kindCategory
	counts := map[string]int{}
	filled := 0
	for _, i := range rows {
		if s, ok := label(v, i); ok {
			counts[s]++
			filled++
		}
	}
	f.Missing = some(len(rows)-filled, least)
	if len(counts) < 2 && (!f.Missing || lopsided(filled, len(rows))) {
		return nil, oneValue
	}
	if len(counts) > 20 && len(counts) > filled/2 {
		return nil, "almost every row has its own value"
	}
	f.Vocabulary = frequent(counts, least)
	if least > 0 && len(f.Vocabulary) == 0 && !f.Missing {
		return nil, "its words are too rare to be told"
	}
	f.Closed = unseenMass(counts, filled) <= maxUnseen
	f.index()
	return f, ""
}

// frequent returns the words worth an embedding, most frequent first: of those
// that at least least rows have.
func frequent(counts map[string]int, least int) []string {
	var words []string
	for s, n := range counts {
		if n >= least && (n >= 2 || len(counts) <= 20) {
			words = append(words, s)
		}
	}
	slices.SortFunc(words, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	return words[:min(len(words), maxVocabulary)]
}

func (f *feature) index() {
	f.lookup = make(map[string]int, len(f.Vocabulary))
	for k, s := range f.Vocabulary {
		f.lookup[s] = codeFirst + k
	}
}

func (f *feature) fitTime(v *format.Vector, rows []int, least int) (*feature, string) {
	f.Kind = kindTime
	hours, days, months := map[int]int{}, map[time.Weekday]int{}, map[time.Month]int{}
	filled := 0
	for _, i := range rows {
		at, ok := instant(v, i)
		if !ok {
			continue
		}
		filled++
		hours[at.Hour()]++
		days[at.Weekday()]++
		months[at.Month()]++
	}
	f.Missing = some(len(rows)-filled, least)
	if f.Column.Type == genesis.Timestamp && common(hours, least) >= 6 {
		f.Cycles = append(f.Cycles, cycleHour)
	}
	if common(days, least) == 7 {
		f.Cycles = append(f.Cycles, cycleWeek)
	}
	if common(months, least) >= 6 {
		f.Cycles = append(f.Cycles, cycleYear)
	}
	if len(f.Cycles) == 0 {
		return nil, "the training rows span no daily, weekly or yearly cycle"
	}
	return f, ""
}

// common counts the things that enough rows have.
func common[K comparable](counts map[K]int, least int) (n int) {
	for _, c := range counts {
		if some(c, least) {
			n++
		}
	}
	return n
}

// Cycles of times.
const (
	cycleHour = "hour"
	cycleWeek = "weekday"
	cycleYear = "season"
)

// phase returns where in a cycle a time stands, 0…1.
func phase(cycle string, at time.Time) float64 {
	day := float64(at.Hour()*3600+at.Minute()*60+at.Second()) / 86400
	switch cycle {
	case cycleHour:
		return day
	case cycleWeek:
		return (float64(at.Weekday()) + day) / 7
	}
	return (float64(at.YearDay()-1) + day) / 366
}

// instant returns value i of a time or date column.
func instant(v *format.Vector, i int) (time.Time, bool) {
	if v == nil || v.Null(i) {
		return time.Time{}, false
	}
	switch v.Kind {
	case format.Timestamp:
		return time.UnixMicro(v.Ints[i]).UTC(), true
	case format.Date:
		return time.Unix(v.Ints[i]*86400, 0).UTC(), true
	}
	return time.Time{}, false
}

// width returns the number of dense columns of the feature.
func (f *feature) width() int {
	n := 0
	switch f.Kind {
	case kindNumber, kindBoolean:
		n = 1
	case kindAngle:
		n = 2
	case kindTime:
		n = 2 * len(f.Cycles)
	case kindFormula:
		return f.formulaWidth()
	case kindCategory:
		return 0
	}
	if f.Missing {
		n++
	}
	return n
}

// encode writes the dense columns of row i to out, and returns the code of a
// category.
func (f *feature) encode(v *format.Vector, i int, out []float32) int {
	switch f.Kind {
	case kindCategory:
		return f.code(v, i)
	case kindTime:
		f.encodeTime(v, i, out)
		return 0
	case kindFormula:
		f.encodeFormula(v, i, out)
		return 0
	}
	x, ok := number(v, i)
	if f.Missing {
		out[len(out)-1] = indicator(!ok)
	}
	switch {
	case !ok:
	case f.Kind == kindAngle:
		if f.Column.Unit != "rad" {
			x *= math.Pi / 180
		}
		s, c := math.Sincos(x)
		out[0], out[1] = float32(s), float32(c)
	default:
		out[0] = float32(f.score(x))
	}
	return 0
}

func (f *feature) code(v *format.Vector, i int) int {
	s, ok := label(v, i)
	if !ok {
		return codeMissing
	}
	return f.lookup[s] // codeUnknown when absent
}

func (f *feature) encodeTime(v *format.Vector, i int, out []float32) {
	at, ok := instant(v, i)
	if f.Missing {
		out[len(out)-1] = indicator(!ok)
	}
	if !ok {
		return
	}
	for k, cycle := range f.Cycles {
		s, c := math.Sincos(2 * math.Pi * phase(cycle, at))
		out[2*k], out[2*k+1] = float32(s), float32(c)
	}
}

func indicator(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// pipeline is all features of a model.
type pipeline struct {
	Features []*feature `json:"features"`
}

// dense returns the number of dense columns.
func (p *pipeline) dense() int {
	n := 0
	for _, f := range p.Features {
		n += f.width()
	}
	return n
}

// categories returns the sizes of the categories' code ranges.
func (p *pipeline) categories() []int {
	var sizes []int
	for _, f := range p.Features {
		if f.Kind == kindCategory {
			sizes = append(sizes, codeFirst+len(f.Vocabulary))
		}
	}
	return sizes
}

// periodic returns the dense columns worth a periodic embedding.
func (p *pipeline) periodic() []int {
	var cols []int
	at := 0
	for _, f := range p.Features {
		if f.Kind == kindNumber {
			cols = append(cols, at)
		}
		at += f.width()
	}
	return cols
}

// encode writes the features of the given rows to x, one row each: the dense
// columns, then the codes of the categories. vectors[k] holds the column of
// feature k.
func (p *pipeline) encode(vectors []*format.Vector, rows []int, x nn.Matrix) {
	dense := p.dense()
	for r, i := range rows {
		out := x.Row(r)
		clear(out)
		at, code := 0, dense
		for k, f := range p.Features {
			w := f.width()
			c := f.encode(vectors[k], i, out[at:at+w])
			at += w
			if f.Kind == kindCategory {
				out[code] = float32(c)
				code++
			}
		}
	}
}
