package readiness

import (
	"regexp"
	"strconv"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

const editRecipe = `genesis show {name} --recipe > {recipe}; genesis prepare {files} --name {name} --recipe {recipe}`

var interoperableRules = []rule{
	{
		id: "units-stated", group: interoperable, asks: "Does every quantity have a unit?", passes: `every column of floating-point numbers that is not ignored has a unit; "1" is the unit of a ratio or count`,
		why:   "a network fed °C by one laboratory and °F by another learns the laboratory, and predict can convert only what it knows",
		fix:   `add "unit:" lines ("1" for ratios): ` + editRecipe,
		check: unitsStated,
	},
	{
		id: "units-ucum", group: interoperable, asks: "Are units written in UCUM?", passes: "every stated unit is a valid UCUM code",
		why:   "units are converted between datasets and at prediction by their codes",
		fix:   `correct the "unit:" lines: ` + editRecipe,
		check: unitsUCUM,
	},
	{
		id: "types-decided", group: interoperable, asks: "Does every column have a type?", passes: "every column has a type and at least one value to tell it from",
		why:   "features are made by type: a number read as text is lost to the network, an empty column teaches nothing",
		fix:   `set "drop: true" or "type:": ` + editRecipe,
		check: typesDecided,
	},
	{
		id: "missing-codes", group: interoperable, asks: "Are codes for missing values taken as missing?", passes: "no numeric column ends in a customary code such as -9999 among its frequent values",
		why:   "a sentinel taken for a measurement outweighs every real value in the loss",
		fix:   `add "missing:" lines: ` + editRecipe,
		check: missingCodes,
	},
	{
		id: "time-zone", group: interoperable, asks: "Are times in a known zone?", passes: "every column of timestamps states the zone of its source",
		why:   "an hour's shift between two stations, or in October, is a false cause",
		fix:   `add "zone:" lines: ` + editRecipe,
		check: timeZone,
	},
	{
		id: "names", group: interoperable, asks: "Are column names portable?", passes: "every name is snake_case",
		why:   "names become variables in training code; those that need quoting are mistyped and joined wrongly",
		fix:   `add "name:" lines: ` + editRecipe,
		check: portableNames,
	},
	{
		id: "row-identity", group: interoperable, asks: "Is each row identified?", passes: "a column of role id has a different value in every row; without one it is unknown, and rows are known by their content",
		why:   "predictions are joined back and versions compared by the row's id; a repeated id joins wrong rows",
		fix:   `set "role: id": ` + editRecipe,
		check: rowIdentity,
	},
}

func unitsStated(f *facts) outcome {
	asked := f.where(func(c column) bool {
		return c.Type == genesis.Float && c.Role != genesis.Ignore && c.Role != genesis.ID && c.Role != genesis.Group
	})
	var bad []column
	for _, c := range asked {
		if c.Unit == "" {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "no column holds quantities", "quantities have a unit", "quantities have no unit")
}

func unitsUCUM(f *facts) outcome {
	asked := f.where(func(c column) bool { return c.Unit != "" })
	var bad []column
	for _, c := range asked {
		if !unit.Valid(c.Unit) {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "no column has a unit", "units are UCUM codes", "units are not UCUM codes")
}

func typesDecided(f *facts) outcome {
	bad := f.where(func(c column) bool {
		return c.Type == "" || c.profile != nil && c.profile.Count == 0 && c.profile.Nulls > 0
	})
	return f.none(f.columns, bad, "there are no columns", "columns have a type", "columns have no values to tell a type from")
}

// customary are codes that instruments and programs write for a missing value.
var customary = map[float64]bool{
	-9999: true, -9999.9: true, -999: true, -999.9: true, -99.9: true, -99.99: true, -99999: true, -999999: true,
	-7999: true, -6999: true, 9999: true, 99999: true, 999999: true, 9999.9: true, 999.9: true, 1e20: true, 1e36: true, -32768: true,
}

func missingCodes(f *facts) outcome {
	asked := f.where(func(c column) bool { return c.Type.Numeric() && c.profile != nil && c.profile.Min != nil })
	if len(asked) == 0 && len(f.where(func(c column) bool { return c.Type.Numeric() })) > 0 {
		return unknown("there is no profile of the numeric columns")
	}
	var bad []column
	for _, c := range asked {
		if _, ok := sentinelIn(c.profile); ok {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "there are no numeric columns", "numeric columns end in plausible values", "numeric columns end in a customary code for missing values")
}

// sentinelIn returns the end of the column's range that is a customary code
// standing apart from the other values.
func sentinelIn(p *genesis.ColumnProfile) (float64, bool) {
	lo, okLo := quantile(p, .25)
	hi, okHi := quantile(p, .75)
	if !okLo || !okHi {
		return 0, false
	}
	apart := 3*(hi-lo) + 1
	switch {
	case customary[*p.Min] && (*p.Min < lo-apart || repeated(p, *p.Min)):
		return *p.Min, true
	case customary[*p.Max] && (*p.Max > hi+apart || repeated(p, *p.Max)):
		return *p.Max, true
	}
	return 0, false
}

// repeated reports whether v is a frequent value: at least a hundredth.
func repeated(p *genesis.ColumnProfile, v float64) bool {
	spelled := strconv.FormatFloat(v, 'g', -1, 64)
	for _, t := range p.Top {
		if t.Value == spelled {
			return 100*t.Count >= p.Count
		}
	}
	return false
}

func timeZone(f *facts) outcome {
	asked := f.where(func(c column) bool { return c.Type == genesis.Timestamp })
	var bad []column
	for _, c := range asked {
		if c.Zone == "" || c.Zone == "unstated" {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "there are no timestamps", "columns of times state their zone", "columns of times state no zone")
}

var snakeCase = regexp.MustCompile(`^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}]*(_[\p{Ll}\p{Lo}\p{N}]+)*$`)

func portableNames(f *facts) outcome {
	bad := f.where(func(c column) bool { return !snakeCase.MatchString(c.Name) })
	return f.none(f.columns, bad, "there are no columns", "names are snake_case", "names are not snake_case")
}

func rowIdentity(f *facts) outcome {
	ids := f.where(func(c column) bool { return c.Role == genesis.ID })
	if len(ids) == 0 {
		return unknown("no column is declared to be the row's id; rows are known by their content")
	}
	var bad []column
	for _, c := range ids {
		if c.profile == nil {
			return unknown("there is no profile of " + f.called(c))
		}
		slack := 1 + 4*c.profile.DistinctError
		if c.profile.Nulls > 0 || float64(c.profile.Distinct)*slack < float64(c.profile.Count) {
			bad = append(bad, c)
		}
	}
	return f.none(ids, bad, "", "ids differ in every row", "ids are missing or repeated in some rows")
}

// columnRules judge columns as material for learning.
var columnRules = []rule{
	{
		id: "missing-values", group: usable, asks: "Are the features filled?", passes: "no feature is missing in more than half of the rows",
		why:   "a feature that is mostly missing teaches whether it was measured rather than what was",
		fix:   `set "role: ignore" or find the values: ` + editRecipe,
		check: missingValues,
	},
	{
		id: "constant-columns", group: usable, asks: "Does every feature vary?", passes: "every feature has at least two different values",
		why:   "a constant tells a network nothing here, and misleads it when it changes at prediction",
		fix:   `set "role: ignore": ` + editRecipe,
		check: constantColumns,
	},
	{
		id: "outliers", group: usable, asks: "Are there values far from all others?", passes: "no numeric feature or target reaches further than 20 times the range of its middle 98 % from its median",
		why:   "one wrong decimal point dominates a mean, a scale and a squared loss",
		fix:   `add a rule ("min:", "max:") or "missing:": ` + editRecipe,
		check: outliers,
	},
	{
		id: "target-leakage", group: usable, asks: "Does a feature give the target away?", passes: "no feature's association with the target exceeds 0.999",
		why:   "a feature that is the target in another unit makes a perfect and useless model",
		fix:   `set "role: ignore" if it is not known when predicting: ` + editRecipe,
		check: targetLeakage,
	},
}

func missingValues(f *facts) outcome {
	asked := f.where(func(c column) bool { return c.Role == genesis.Feature && c.profile != nil })
	if len(asked) == 0 && len(f.features()) > 0 {
		return unknown("there is no profile")
	}
	var bad []column
	for _, c := range asked {
		if 2*c.profile.Nulls > c.profile.Nulls+c.profile.Count {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "there are no features", "features have values in at least half of the rows", "features are missing in more than half of the rows")
}

func constantColumns(f *facts) outcome {
	asked := f.where(func(c column) bool { return c.Role == genesis.Feature && c.profile != nil && c.profile.Count > 1 })
	if len(asked) == 0 && len(f.features()) > 0 {
		return unknown("there is no profile of two rows")
	}
	var bad []column
	for _, c := range asked {
		if c.profile.Distinct < 2 {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "there are no features", "features vary", "features are constant")
}

const farOut = 20

func outliers(f *facts) outcome {
	asked := f.where(func(c column) bool {
		return learnt(c) && c.Type.Numeric() && c.profile != nil && len(c.profile.Quantiles) > 0
	})
	var bad []column
	for _, c := range asked {
		if isFarOut(c.profile) {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "there are no profiled numeric columns", "numeric columns lie together", "numeric columns have values far from all others")
}

func isFarOut(p *genesis.ColumnProfile) bool {
	lo, ok := quantile(p, .01)
	mid, ok2 := quantile(p, .5)
	hi, ok3 := quantile(p, .99)
	if !ok || !ok2 || !ok3 || hi <= lo || p.Min == nil || p.Max == nil {
		return false
	}
	reach := farOut * (hi - lo)
	return *p.Max > mid+reach || *p.Min < mid-reach
}

const perfect = .999

func targetLeakage(f *facts) outcome {
	if len(f.targets()) == 0 {
		return notApplicable("no target is declared")
	}
	asked := f.where(func(c column) bool {
		return c.Role == genesis.Feature && c.profile != nil && c.profile.Association != nil
	})
	var bad []column
	for _, c := range asked {
		a := c.profile.Association
		manyCategories := a.Measure == "eta2" && 2*c.profile.Distinct > a.Rows && c.Type.Textual()
		if (a.Value > perfect || a.Value < -perfect) && !manyCategories {
			bad = append(bad, c)
		}
	}
	if len(asked) == 0 {
		return unknown("no association with the target was measured")
	}
	return f.none(asked, bad, "", "features leave something to learn", "features equal the target but for their scale")
}
