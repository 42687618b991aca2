package learn

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

const maxClasses = 1000

// target is one column to predict and how values become what the net sees.
type target struct {
	Column  genesis.Column `json:"column"`
	Task    nn.Task        `json:"task"`
	Center  float64        `json:"center,omitempty"` // regression: the net predicts (y − Center)/Scale
	Scale   float64        `json:"scale,omitempty"`
	Classes []string       `json:"classes,omitempty"` // in order; Binary: the net predicts the second
	lookup  map[string]int
}

// fitTarget decides the task from the column's type and the training rows. A
// class that fewer than least of them have is left out, with its rows.
func fitTarget(c genesis.Column, v *format.Vector, rows []int, least int) (*target, error) {
	t := &target{Column: c}
	labels := map[string]int{}
	var xs []float64
	for _, i := range rows {
		s, ok := label(v, i)
		if !ok {
			continue
		}
		if len(labels) <= maxClasses {
			labels[s]++
		}
		if x, ok := number(v, i); ok && c.Type.Numeric() {
			xs = append(xs, x)
		}
	}
	if least > 0 && len(labels) > maxClasses && !c.Type.Numeric() {
		return nil, invalid(c.Name, "the target has too many classes to learn", "is it an identifier?")
	}
	binary := c.Type == genesis.Integer && len(labels) == 2
	maps.DeleteFunc(labels, func(_ string, n int) bool { return n < least })
	switch {
	case c.Type == genesis.Timestamp || c.Type == genesis.Date:
		return nil, invalid(c.Name, "times cannot be predicted", "derive a number from it in the recipe")
	case binary && len(labels) < 2:
		return nil, invalid(c.Name, "one of the target's two values is too rare to be learnt without reading the rows", "")
	case binary:
		t.Task, t.Classes = nn.Binary, sortedKeys(labels)
	case c.Type.Numeric():
		return t, t.fitNumber(xs)
	default:
		if err := t.fitClasses(labels); err != nil {
			return nil, err
		}
	}
	t.index()
	return t, nil
}

func (t *target) fitNumber(xs []float64) error {
	t.Task = nn.Regression
	if len(xs) < minRows {
		return invalid(t.Column.Name, "the training part has fewer than 20 rows with a value of the target", "")
	}
	t.Center, t.Scale = meanSD(xs)
	if t.Scale == 0 {
		return invalid(t.Column.Name, "the target has one value only", "")
	}
	if !finite(t.Center, t.Scale) {
		return invalid(t.Column.Name, "the target's values are too large to be averaged", "scale them in the recipe")
	}
	return nil
}

func (t *target) fitClasses(labels map[string]int) error {
	total := 0
	for _, n := range labels {
		total += n
	}
	switch {
	case total < minRows:
		return invalid(t.Column.Name, "the training part has fewer than 20 rows with a value of the target", "")
	case len(labels) < 2:
		return invalid(t.Column.Name, "the target has one class only", "")
	case len(labels) > maxClasses || len(labels) > total/2:
		return invalid(t.Column.Name, "the target has too many classes to learn", "is it an identifier?")
	}
	t.Task, t.Classes = nn.Multiclass, sortedKeys(labels)
	if len(labels) == 2 {
		t.Task = nn.Binary
	}
	return nil
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (t *target) index() {
	t.lookup = make(map[string]int, len(t.Classes))
	for k, s := range t.Classes {
		t.lookup[s] = k
	}
}

// encode returns what the net is to predict for row i; NaN when the row has no
// value or a class that training rows did not have.
func (t *target) encode(v *format.Vector, i int) float32 {
	if t.Task == nn.Regression {
		if x, ok := number(v, i); ok {
			return float32((x - t.Center) / t.Scale)
		}
		return float32(math.NaN())
	}
	if s, ok := label(v, i); ok {
		if k, known := t.lookup[s]; known {
			return float32(k)
		}
	}
	return float32(math.NaN())
}

// heads lays out the outputs of a net for the targets.
func heads(targets []*target, beta float64) []nn.Head {
	var hs []nn.Head
	at := 0
	for _, t := range targets {
		h := nn.Head{Task: t.Task, At: at, Classes: len(t.Classes), Beta: beta}
		at += h.Width()
		hs = append(hs, h)
	}
	return hs
}

// slug makes a class a part of a column name.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	return strings.TrimSuffix(b.String(), "_")
}
