package ingest

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// sampleRows is how many rows of a source Inspect looks at.
const sampleRows = 20_000

// headRows is how many rows of a table Inspect shows.
const headRows = 5

// Inspect says what files are and hold, from a sample of their rows. It stores
// nothing.
func Inspect(ctx context.Context, env Env, files []*format.Raw, opt genesis.PrepareOptions) (*genesis.Inspection, error) {
	sources, err := openSources(ctx, env, files)
	if err != nil {
		return nil, err
	}
	given := &recipe.Recipe{Read: recipe.Read{Header: opt.Header, Delimiter: opt.Delimiter, Encoding: opt.Encoding, Sheets: opt.Sheets}}
	s, err := newScan(ctx, env, sources, given, format.Options{MaxRows: sampleRows, Tolerate: true})
	if err != nil {
		return nil, err
	}
	defer s.close()
	full, findings, err := s.decide(genesis.PrepareOptions{})
	if err != nil {
		return nil, err
	}
	out := &genesis.Inspection{Sampled: s.sampled}
	for _, t := range s.tables {
		rt := entry(full, t)
		if rt == nil {
			continue
		}
		it, err := t.inspect(env, rt)
		if err != nil {
			return nil, err
		}
		out.Tables = append(out.Tables, *it)
	}
	out.Findings = append(s.sourceFindings(), findings...)
	number(out.Findings)
	out.Sources, err = s.described(nil)
	return out, err
}

func entry(r *recipe.Recipe, t *table) *recipe.Table {
	if len(t.raws) == 0 {
		return nil
	}
	return given(r, t.from)
}

func (t *table) inspect(env Env, rt *recipe.Table) (*genesis.InspectionTable, error) {
	out, err := newTableOut(rt, t)
	if err != nil {
		return nil, err
	}
	it := &genesis.InspectionTable{Name: rt.Name, Rows: t.rows, Columns: out.cols, Head: [][]string{}}
	for _, b := range t.head {
		raw := arrange(b, upTo(len(b.Cols)), len(t.raws))
		vecs, _, err := out.convert(env, b, raw)
		if err != nil {
			return nil, err
		}
		for i := 0; i < b.Rows && len(it.Head) < headRows; i++ {
			it.Head = append(it.Head, spell(vecs, i))
		}
	}
	return it, nil
}

func upTo(n int) []int {
	m := make([]int, n)
	for i := range m {
		m[i] = i
	}
	return m
}

// spell writes a row as a person would read it; missing values are "".
func spell(vecs []format.Vector, i int) []string {
	out := make([]string, len(vecs))
	for j := range vecs {
		if v := &vecs[j]; v.Len() > i && !v.Null(i) {
			out[j] = plainValue(v, i)
		}
	}
	return out
}
