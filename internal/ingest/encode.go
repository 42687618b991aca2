package ingest

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// encode is the second pass: it does what the recipe says.
type encode struct {
	env    Env
	rec    *recipe.Recipe
	scan   *scan
	tables map[*table]*tableOut
	order  []*tableOut
}

func newEncode(ctx context.Context, env Env, s *scan, rec *recipe.Recipe, splitFiles []*format.Raw) (*encode, error) {
	e := &encode{env: env, rec: rec, scan: s, tables: map[*table]*tableOut{}}
	for _, t := range s.tables {
		rt := given(rec, t.from)
		if rt == nil || rt.Drop || len(t.raws) == 0 {
			continue
		}
		out, err := newTableOut(rt, t)
		if err != nil {
			return nil, err
		}
		e.tables[t] = out
		e.order = append(e.order, out)
	}
	if len(e.order) == 0 {
		return nil, &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Msg: "no table is left to make a dataset of"}
	}
	if err := e.planSplits(ctx, splitFiles); err != nil {
		return nil, err
	}
	for _, t := range e.order {
		if err := t.start(ctx, env); err != nil {
			e.abort()
			return nil, err
		}
	}
	return e, nil
}

func (e *encode) abort() {
	for _, t := range e.order {
		t.file.abort()
		t.rejects.abort()
		t.closeSplits()
	}
}

// run reads every source again and writes its tables.
func (e *encode) run(ctx context.Context) error {
	total, done := e.scan.total(), int64(0)
	for i, src := range e.scan.sources {
		src.bytes = 0
		err := e.source(ctx, i, src, func(n int64) {
			e.env.Progress.Send(genesis.Event{Stage: "encoding", Done: done + n, Total: total, Unit: "bytes"})
		})
		if err != nil {
			return err
		}
		done += src.raw.Size
	}
	return nil
}

func (e *encode) source(ctx context.Context, i int, src *source, progress func(int64)) error {
	r, err := src.open(ctx, e.env, e.rec.Read, format.Options{})
	if err != nil {
		return err
	}
	defer r.Close()
	strict := &strictness{on: e.rec.Strict, source: src.stream.Name}
	for {
		if err := canceled(ctx, "prepare"); err != nil {
			return err
		}
		b, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if b.Table >= len(src.tables) || len(b.Cols) > len(src.maps[b.Table]) {
			return changed(src.stream.Name)
		}
		t := e.tables[src.tables[b.Table]]
		if t == nil {
			continue
		}
		strict.table = t.rt.Name
		raw := arrange(b, src.maps[b.Table], len(t.in.raws))
		if err := t.write(ctx, e.env, i, b, raw, strict); err != nil {
			return err
		}
		progress(estimate(src, b))
	}
}

// strictness refuses the first cell or row that would be set aside.
type strictness struct {
	on            bool
	source, table string
}

func (s *strictness) check(bad []reject) error {
	if !s.on || len(bad) == 0 {
		return nil
	}
	r := bad[0]
	where := fmt.Sprintf("row %d", r.line)
	if r.column != "" {
		where += fmt.Sprintf(", column %q", r.column)
	}
	return &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Subject: s.source, Msg: where + ": " + r.rule, Value: string(valid(r.value)),
		Hint: "without --strict such cells are set aside in the table of rejects"}
}

// finish closes all files and returns what was made.
func (e *encode) finish(ctx context.Context) (*Result, error) {
	res := &Result{
		Manifest: genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Dataset},
		Layout:   genesis.Layout{Format: 1, Tables: map[string][]genesis.LayoutFile{}},
		Profile:  genesis.Profile{Format: 1},
	}
	for _, t := range e.order {
		if err := e.finishTable(t, res); err != nil {
			return nil, err
		}
		splits, err := t.finishSplits(ctx, e.env)
		if err != nil {
			return nil, err
		}
		res.Splits = append(res.Splits, splits...)
	}
	return res, nil
}

func (e *encode) finishTable(t *tableOut, res *Result) error {
	name := t.rt.Name
	file, err := t.file.close()
	if err != nil {
		return err
	}
	res.add(t.file.manifest(name), name, file)
	res.Manifest.Tables = append(res.Manifest.Tables, t.file.manifest(name))
	if t.rejects != nil {
		file, err := t.rejects.close()
		if err != nil {
			return err
		}
		res.add(t.rejects.manifest(name), "rejects/"+name, file)
		res.Manifest.Rejects = append(res.Manifest.Rejects, t.rejects.manifest(name))
	}
	res.Rows += t.file.parquet.Rows()
	p := t.profile.Result(t.file.parquet.Rows(), t.repeated-t.removed)
	res.Profile.Tables = append(res.Profile.Tables, p)
	res.Findings = append(res.Findings, t.findings(p)...)
	return nil
}

func (r *Result) add(m genesis.ManifestTable, key string, f genesis.LayoutFile) {
	r.Layout.Tables[key] = []genesis.LayoutFile{f}
	r.Bytes += f.Size
}

// rowsThat writes "1 row repeats …" or "7 rows repeat …".
func rowsThat(n int64, one, many string) string {
	if n == 1 {
		return "1 row " + one
	}
	return fmt.Sprintf("%d rows %s", n, many)
}

// findings says what the second pass noticed: repeated rows, rejects, filters,
// times that occur twice.
func (t *tableOut) findings(p genesis.TableProfile) []genesis.Finding {
	var out []genesis.Finding
	note := func(code string, sev genesis.Severity, n int64, msg, hint string) {
		out = append(out, genesis.Finding{ID: code + ":" + t.rt.Name, Code: code, Severity: sev, Table: t.rt.Name, Count: n, Message: msg, Hint: hint})
	}
	if n := t.repeated - t.removed; n > 0 {
		note("duplicate-rows", genesis.Warn, n, rowsThat(n, "repeats an earlier row exactly; it was kept", "repeat an earlier row exactly; they were kept"), "`deduplicate: true` in the recipe, or --dedup, keeps the first of each")
	}
	if t.removed > 0 {
		note("duplicates-removed", genesis.Note, t.removed, rowsThat(t.removed, "that repeats an earlier row exactly was left out", "that repeat an earlier row exactly were left out"), "")
	}
	if t.filtered > 0 {
		note("filtered", genesis.Note, t.filtered, rowsThat(t.filtered, "was left out by a filter of the recipe", "were left out by a filter of the recipe"), "")
	}
	for _, in := range t.inputs {
		if in.conv == nil || in.conv.Repeated() == 0 {
			continue
		}
		n := in.conv.Repeated()
		out = append(out, genesis.Finding{ID: "zone-ambiguous:" + in.name, Code: "zone-ambiguous", Severity: genesis.Warn, Table: t.rt.Name, Column: in.name, Count: n,
			Message: rowsThat(n, "has a local time that its zone had twice, when clocks went back; the first is taken", "have a local time that its zone had twice, when clocks went back; the first is taken"),
			Hint:    "write the times with their offset, or in UTC"})
	}
	out = append(out, t.repeatedTimes(p)...)
	return append(out, t.rejectFindings()...)
}

func (t *tableOut) repeatedTimes(p genesis.TableProfile) []genesis.Finding {
	for j, c := range t.cols {
		if c.Role != genesis.Time || j >= len(p.Columns) {
			continue
		}
		if cp := p.Columns[j]; cp.DistinctError == 0 && cp.Distinct < cp.Count {
			return []genesis.Finding{{ID: "duplicate-time:" + c.Name, Code: "duplicate-time", Severity: genesis.Warn, Table: t.rt.Name, Column: c.Name, Count: cp.Count - cp.Distinct,
				Message: fmt.Sprintf("%d rows have a time that another row has too", cp.Count-cp.Distinct), Hint: "if several stations or units are stacked, give the column that tells them apart the role group"}}
		}
	}
	return nil
}

func (t *tableOut) rejectFindings() []genesis.Finding {
	keys := make([]string, 0, len(t.rejected))
	for k := range t.rejected {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var out []genesis.Finding
	for _, k := range keys {
		column, rule, _ := strings.Cut(k, "\x00")
		if column == "" {
			continue // rows the reader set aside are found while scanning
		}
		were := fmt.Sprintf("%d cells or rows were", t.rejected[k])
		if t.rejected[k] == 1 {
			were = "1 cell or row was"
		}
		out = append(out, genesis.Finding{ID: "rejected:" + column + ":" + rule, Code: "rejected", Severity: genesis.Refusal, Table: t.rt.Name, Column: column,
			Rows: t.rejectRow[k], Count: t.rejected[k], Message: were + " set aside: " + rule,
			Hint: "see them with `genesis export NAME --table rejects/" + t.rt.Name + "`; change the column's type, missing codes or rule in the recipe"})
	}
	return out
}
