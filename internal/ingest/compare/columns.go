package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// columns compares the columns of the pair, without reading rows.
func (p pair) columns() []genesis.ColumnDiff {
	var out []genesis.ColumnDiff
	for _, old := range p.from.Columns {
		now, ok := p.to.Column(old.Name)
		if !ok {
			out = append(out, genesis.ColumnDiff{Name: old.Name, Change: "removed"})
			continue
		}
		if d, differs := p.column(old, now); differs {
			out = append(out, d)
		}
	}
	for _, now := range p.to.Columns {
		if _, ok := p.from.Column(now.Name); !ok {
			out = append(out, genesis.ColumnDiff{Name: now.Name, Change: "added", Details: added(now.Column)})
		}
	}
	return out
}

func added(c genesis.Column) []string {
	details := []string{"type: " + string(c.Type)}
	if c.Unit != "" {
		details = append(details, "unit: "+c.Unit)
	}
	return details
}

func (p pair) column(old genesis.ManifestColumn, now genesis.Column) (genesis.ColumnDiff, bool) {
	d := genesis.ColumnDiff{Name: now.Name, Details: schema(old.Column, now)}
	if len(d.Details) > 0 {
		d.Change = "schema"
	}
	if old.Digest == digestOf(p.to, old.Name) {
		return d, d.Change != ""
	}
	if d.Change == "" {
		d.Change = "values"
	}
	a, b := columnProfile(p.fromP, old.Name), columnProfile(p.toP, old.Name)
	if a != nil && b != nil {
		d.Details = append(d.Details, distribution(a, b)...)
		d.Shift = Shift(a.Quantiles, b.Quantiles)
	}
	return d, true
}

func columnProfile(t *genesis.TableProfile, name string) *genesis.ColumnProfile {
	if t == nil {
		return nil
	}
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// schema lists what is declared differently.
func schema(a, b genesis.Column) []string {
	var out []string
	say := func(what, x, y string) {
		if x != y {
			out = append(out, what+": "+or(x)+" → "+or(y))
		}
	}
	say("type", string(a.Type), string(b.Type))
	say("unit", a.Unit, b.Unit)
	say("role", string(a.Role), string(b.Role))
	say("semantic type", string(a.Semantic), string(b.Semantic))
	say("missing", strings.Join(a.Missing, " "), strings.Join(b.Missing, " "))
	say("zone", a.Zone, b.Zone)
	say("qualifier of", a.QualifierOf, b.QualifierOf)
	say("original name", a.Original, b.Original)
	say("unit as written", a.UnitSource, b.UnitSource)
	say("date form", a.DateForm, b.DateForm)
	if a.Description != b.Description {
		out = append(out, "description")
	}
	return out
}

// or spells an empty value.
func or(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// distribution lists what the profiles say differently.
func distribution(a, b *genesis.ColumnProfile) []string {
	var out []string
	say := func(what, x, y string) {
		if x != y {
			out = append(out, what+": "+or(x)+" → "+or(y))
		}
	}
	say("count", strconv.FormatInt(a.Count, 10), strconv.FormatInt(b.Count, 10))
	say("missing values", strconv.FormatInt(a.Nulls, 10), strconv.FormatInt(b.Nulls, 10))
	say("distinct", strconv.FormatInt(a.Distinct, 10), strconv.FormatInt(b.Distinct, 10))
	say("mean", spell(a.Mean), spell(b.Mean))
	say("sd", spell(a.SD), spell(b.SD))
	say("min", spell(a.Min), spell(b.Min))
	say("max", spell(a.Max), spell(b.Max))
	say("first", a.First, b.First)
	say("last", a.Last, b.Last)
	return out
}

func spell(x *float64) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%.6g", *x)
}

// Shift returns the largest difference between two distribution functions,
// each drawn linearly through its quantiles: the Kolmogorov–Smirnov statistic, 0
// to 1. It is 0 when either has no quantiles.
func Shift(a, b []genesis.Quantile) float64 {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	var most float64
	for _, q := range slices.Concat(a, b) {
		aLow, aHigh := cdf(a, q.Value)
		bLow, bHigh := cdf(b, q.Value)
		most = math.Max(most, math.Max(math.Abs(aLow-bLow), math.Abs(aHigh-bHigh)))
	}
	return most
}

// cdf returns the distribution function just below v and at v. Quantiles are in
// rising order of P; equal values are a step.
func cdf(qs []genesis.Quantile, v float64) (below, at float64) {
	i := 0
	for i < len(qs) && qs[i].Value < v {
		i++
	}
	j := i
	for j < len(qs) && qs[j].Value == v {
		j++
	}
	switch {
	case i < j: // v is a knot, or a step
		if i == 0 {
			return 0, qs[j-1].P
		}
		return qs[i].P, qs[j-1].P
	case i == 0:
		return 0, 0
	case i == len(qs):
		return 1, 1
	}
	lo, hi := qs[i-1], qs[i]
	p := lo.P + (hi.P-lo.P)*(v/2-lo.Value/2)/(hi.Value/2-lo.Value/2) // halves cannot overflow
	return p, p
}
