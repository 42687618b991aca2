package work

import (
	"slices"

	"github.com/opengenesis/genesis"
)

// redact leaves out of a description what tells of cells: it is for people who
// may know of a version but not read it. Schema, units, card, size, splits and
// the verdicts of the readiness checks stay; profile, findings, recipe, sources,
// digests of columns (which betray columns of few values) and every text that
// may quote a cell go.
func redact(d *genesis.Description) {
	d.Manifest.Tables = undigested(d.Manifest.Tables)
	d.Manifest.Rejects = nil
	d.Profile, d.Findings, d.Recipe = nil, nil, ""
	if r := d.Readiness; r != nil {
		d.Readiness = verdicts(*r)
	}
	d.Splits = slices.Clone(d.Splits)
	for i := range d.Splits {
		s := &d.Splits[i]
		s.Cut, s.Leaks, s.Assignment = nil, nil, genesis.Blob{}
	}
	if p := d.Provenance; p != nil {
		d.Provenance = &genesis.Provenance{Parents: p.Parents, Software: p.Software, Started: p.Started, Ended: p.Ended, By: p.By, Split: p.Split}
	}
	if r := d.Report; r != nil {
		d.Report = unworded(*r)
	}
}

func undigested(tables []genesis.ManifestTable) []genesis.ManifestTable {
	tables = slices.Clone(tables)
	for i := range tables {
		cols := slices.Clone(tables[i].Columns)
		for k := range cols {
			cols[k].Digest = ""
		}
		tables[i].Columns = cols
	}
	return tables
}

// verdicts is a readiness report without the evidence.
func verdicts(r genesis.Readiness) *genesis.Readiness {
	r.Checks = slices.Clone(r.Checks)
	for i := range r.Checks {
		r.Checks[i].Evidence, r.Checks[i].Fix = "", ""
	}
	r.Proof = nil // the figures of two versions that differ in a row tell of it
	return &r
}

// unworded is a model's report without the classes it tells apart, which are
// values of the data, and without notes. Figures stay of a training that was itself
// bounded for somebody who may not read: those of others are of single rows.
func unworded(r genesis.ModelReport) *genesis.ModelReport {
	r.Notes = nil
	r.Targets = slices.Clone(r.Targets)
	for i := range r.Targets {
		r.Targets[i].Classes = nil
	}
	if r.Logged != nil {
		r.Logged = unmeasured(*r.Logged)
	}
	if r.Least >= genesis.LeastGroup {
		return &r
	}
	r.Parameters, r.Epochs, r.Seconds, r.Curve, r.OOD = 0, 0, 0, []genesis.CurvePoint{}, genesis.OODReport{}
	for i := range r.Targets {
		r.Targets[i].Scores, r.Targets[i].Coverage = map[string]map[string]map[string]float64{}, nil
	}
	return &r
}

// unmeasured is what was stated of a model without what may be of single rows.
func unmeasured(l genesis.LoggedReport) *genesis.LoggedReport {
	l.Metrics, l.Parameters = []genesis.LoggedMetric{}, nil
	l.Inputs = slices.Clone(l.Inputs)
	for i, in := range l.Inputs {
		l.Inputs[i] = genesis.LoggedInput{Ref: in.Ref, Table: in.Table, Split: in.Split}
	}
	return &l
}
