package split

import (
	"fmt"
	"math"
	"strings"

	"github.com/opengenesis/genesis"
)

// The kinds of split.
const (
	Random   = "random"
	Group    = "group"
	Time     = "time"
	Stratify = "stratify"
	Import   = "import"
)

// MaxFolds is the largest number of folds.
const MaxFolds = 60

// Spec says how to split.
type Spec struct {
	Name      string   // of the split: "random", "group-station", "import-3"
	Kind      string   // Random, Group, Time, Stratify or Import
	Column    string   // of Group, Time, Stratify
	Dir       string   // of Import
	By        []string // of Import: match rows by these columns only
	Fractions []float64
	Folds     int
	Seed      uint64
}

// DefaultFractions are training, validation and test where nothing is said.
var DefaultFractions = []float64{.8, .1, .1}

// Parse reads "random", "group:COL", "time:COL", "stratify:COL", "import:DIR"
// or "import:DIR?by=COL,COL". Errors are of kind Invalid.
func Parse(s string) (Spec, error) {
	kind, rest, colon := strings.Cut(s, ":")
	spec := Spec{Kind: kind, Name: kind}
	switch kind {
	case Random:
		if colon {
			return Spec{}, invalid(s, "takes no column", `write "random"`)
		}
		return spec, nil
	case Group, Time, Stratify:
		if strings.TrimSpace(rest) == "" {
			return Spec{}, invalid(s, "names no column", "write "+kind+":COLUMN")
		}
		spec.Column, spec.Name = rest, kind+"-"+rest
		return spec, nil
	case Import:
		return parseImport(s, rest, spec)
	}
	return Spec{}, invalid(s, "is not a kind of split", "random, group:COL, time:COL, stratify:COL or import:DIR")
}

func parseImport(s, rest string, spec Spec) (Spec, error) {
	dir, by, ok := strings.Cut(rest, "?by=")
	if strings.TrimSpace(dir) == "" {
		return Spec{}, invalid(s, "names no folder", "write import:FOLDER")
	}
	spec.Dir = dir
	if !ok {
		return spec, nil
	}
	spec.By = strings.Split(by, ",")
	for _, col := range spec.By {
		if strings.TrimSpace(col) == "" {
			return Spec{}, invalid(s, "names an empty column", "write import:FOLDER?by=COLUMN")
		}
	}
	return spec, nil
}

// String returns what Parse reads.
func (s Spec) String() string {
	switch {
	case s.Kind == Import && len(s.By) > 0:
		return Import + ":" + s.Dir + "?by=" + strings.Join(s.By, ",")
	case s.Kind == Import:
		return Import + ":" + s.Dir
	case s.Column != "":
		return s.Kind + ":" + s.Column
	}
	return s.Kind
}

// FromOptions returns the splits that opt asks for, checked.
func FromOptions(opt genesis.PrepareOptions) ([]Spec, error) {
	specs := make([]Spec, 0, len(opt.Split))
	seen := map[string]bool{}
	for _, text := range opt.Split {
		s, err := Parse(text)
		if err != nil {
			return nil, err
		}
		s.Fractions, s.Folds, s.Seed = opt.Fractions, opt.Folds, opt.Seed
		if err := s.Check(); err != nil {
			return nil, err
		}
		if seen[s.Name] {
			return nil, invalid(text, "is asked for twice", "")
		}
		seen[s.Name] = true
		specs = append(specs, s)
	}
	return specs, nil
}

// Check fills the defaults and returns an error of kind Invalid when fractions
// or folds make no sense.
func (s *Spec) Check() error {
	if s.Folds != 0 {
		if s.Folds < 2 || s.Folds > MaxFolds {
			return invalid(s.String(), fmt.Sprintf("has %d folds", s.Folds), fmt.Sprintf("between 2 and %d", MaxFolds))
		}
		return nil
	}
	if len(s.Fractions) == 0 {
		s.Fractions = DefaultFractions
	}
	if len(s.Fractions) == 2 { // training and test
		s.Fractions = []float64{s.Fractions[0], 0, s.Fractions[1]}
	}
	return s.checkFractions()
}

func (s *Spec) checkFractions() error {
	const hint = "training, validation and test as fractions that add up to 1, like 0.8,0.1,0.1"
	if len(s.Fractions) != 3 {
		return invalid(s.String(), fmt.Sprintf("has %d fractions", len(s.Fractions)), hint)
	}
	sum := 0.0
	for _, f := range s.Fractions {
		if !(f >= 0 && f <= 1) {
			return invalid(s.String(), fmt.Sprintf("has a fraction of %g", f), hint)
		}
		sum += f
	}
	if math.Abs(sum-1) > 1e-9 {
		return invalid(s.String(), fmt.Sprintf("has fractions that add up to %g", sum), hint)
	}
	if s.Fractions[0] == 0 {
		return invalid(s.String(), "leaves nothing for training", hint)
	}
	return nil
}

func invalid(subject, msg, hint string) error {
	return &genesis.Error{Op: "split", Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: hint}
}

// shares are the parts of a split with rows to get, and up to which fraction
// of the whole each reaches.
type shares struct {
	parts []genesis.Part
	upto  []float64
}

func (s *Spec) shares() shares {
	var out shares
	if s.Folds > 0 {
		for k := range s.Folds {
			out.parts = append(out.parts, genesis.Fold(k))
			out.upto = append(out.upto, float64(k+1)/float64(s.Folds))
		}
		return out
	}
	sum := 0.0
	for i, f := range s.Fractions {
		if f == 0 {
			continue
		}
		sum += f
		out.parts = append(out.parts, genesis.Train+genesis.Part(i))
		out.upto = append(out.upto, sum)
	}
	return out
}

// at returns the part in which number u, 0 ≤ u < 1, falls.
func (s shares) at(u float64) genesis.Part {
	last := len(s.parts) - 1
	for i, end := range s.upto[:last] {
		if u < end {
			return s.parts[i]
		}
	}
	return s.parts[last]
}

// PartName returns the name under which a split counts the rows of p.
func PartName(p genesis.Part, folds int) string {
	switch {
	case p == genesis.Unassigned:
		return "unassigned"
	case folds > 0:
		return fmt.Sprintf("fold-%d", int(p)-1)
	case p == genesis.Train:
		return "train"
	case p == genesis.Validation:
		return "validation"
	case p == genesis.Test:
		return "test"
	}
	return fmt.Sprintf("part-%d", p)
}
