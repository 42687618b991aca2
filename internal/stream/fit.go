package stream

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/cache"
)

// fit is what the training part says of the columns: by what numbers are scaled, and
// which words there are. Nothing of the other parts is in it.
type fit struct {
	Format  int           `json:"format"`
	Rows    int64         `json:"rows"`    // of the training part
	Columns []columnStats `json:"columns"` // as in the table
}

// columnStats describe the values of one column.
type columnStats struct {
	Count int64    `json:"count"` // finite values
	Mean  float64  `json:"mean"`
	SD    float64  `json:"sd"`              // sample standard deviation
	Words []string `json:"words,omitempty"` // of a category, ascending
}

// Close does nothing: a fit is in memory.
func (f *fit) Close() error { return nil }

const fitFormat = 1

// fitBatch is how many rows are looked at together.
const fitBatch = 4096

// measure computes the fit of a training part: one pass over its rows, in order. Mean and
// variance are those of Welford (1962).
func measure(ctx context.Context, table *cache.Table, part *cache.Part, progress func(int64)) (*fit, error) {
	cols := table.Columns()
	f := &fit{Format: fitFormat, Rows: part.Len(), Columns: make([]columnStats, len(cols))}
	squares := make([]float64, len(cols))
	seen := make([][]bool, len(cols))
	for i, c := range cols {
		if c.Form == cache.Word {
			seen[i] = make([]bool, len(c.Words))
		}
	}
	rows := make([]uint64, fitBatch)
	for from := int64(0); from < f.Rows; from += fitBatch {
		if err := ctx.Err(); err != nil {
			return nil, &genesis.Error{Op: "stream", Kind: genesis.Canceled, Msg: "was stopped", Err: err}
		}
		rows = rows[:min(fitBatch, f.Rows-from)]
		for i := range rows {
			rows[i] = uint64(from) + uint64(i)
		}
		if err := part.Map(rows); err != nil {
			return nil, err
		}
		err := table.Guard(func() error {
			if err := table.Prepare(rows); err != nil {
				return err
			}
			for i := range cols {
				f.Columns[i].add(table, i, rows, &squares[i], seen[i])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		progress(from)
	}
	for i, c := range cols {
		s := &f.Columns[i]
		if s.Count > 1 {
			s.SD = math.Sqrt(squares[i] / float64(s.Count-1))
		}
		if !finite(s.Mean) || !finite(s.SD) { // of values near the largest there are
			s.Mean, s.SD = 0, 0
		}
		for code, was := range seen[i] {
			if was {
				s.Words = append(s.Words, c.Words[code])
			}
		}
		slices.Sort(s.Words)
	}
	return f, nil
}

// add takes the cells of rows in.
func (s *columnStats) add(table *cache.Table, col int, rows []uint64, squares *float64, seen []bool) {
	c := &table.Columns()[col]
	if c.Form == cache.Heap {
		return
	}
	for _, r := range rows {
		if table.Null(col, r) {
			continue
		}
		if seen != nil {
			seen[table.Int(col, r)] = true
			s.Count++
			continue
		}
		x := number(table, c, col, r)
		if !finite(x) {
			continue
		}
		s.Count++
		d := x - s.Mean
		s.Mean += d / float64(s.Count)
		*squares += d * (x - s.Mean)
	}
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// number is a cell as a number: times in seconds since 1970.
func number(from cells, c *cache.Column, col int, row uint64) float64 {
	switch c.Type {
	case genesis.Float:
		return from.Float(col, row)
	case genesis.Timestamp:
		return float64(from.Int(col, row)) / 1e6
	case genesis.Date:
		return float64(from.Int(col, row)) * 86400
	}
	return float64(from.Int(col, row))
}

// fitMaker makes the fit of a training part in the cache, from the table and the part
// that are held.
func fitMaker(training part, table, rows *cache.Held) cache.Maker {
	m := cache.File(
		func(ctx context.Context, progress func(int64)) ([]byte, error) {
			f, err := measure(ctx, table.Value().(*cache.Table), rows.Value().(*cache.Part), progress)
			if err != nil {
				return nil, err
			}
			return json.Marshal(f)
		},
		func(text []byte) (io.Closer, error) {
			f := &fit{}
			if err := json.Unmarshal(text, f); err != nil || f.Format != fitFormat {
				return nil, broken(training.String(), "its measures are of another format")
			}
			return f, nil
		})
	m.Uses = []*cache.Held{table, rows}
	return m
}
