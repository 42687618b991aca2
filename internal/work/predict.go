package work

import (
	"context"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/learn"
)

// oodColumn is the output that flags rows unlike those a model learnt from.
const oodColumn = "ood"

// maxPart is how large one part of a stored model may be.
const maxPart = 1 << 30

// model loads the parts of a model.
func (w *Workbench) model(ctx context.Context, l genesis.Layout) (*learn.Model, error) {
	parts := map[string][]byte{}
	for name, b := range l.Parts {
		var err error
		if parts[name], err = w.Blobs.Bytes(ctx, b.Digest, maxPart); err != nil {
			return nil, err
		}
	}
	return learn.Load(parts)
}

// prediction is one run of a model over the rows of files.
type prediction struct {
	model   *learn.Model
	in      *ingest.Conformed
	level   float64
	threads int
	p       genesis.Progress

	rows, flagged int64
}

// Columns are those of the input and then the model's outputs.
func (j *prediction) Columns() []genesis.Column {
	cols := append([]genesis.Column(nil), j.in.Columns...)
	taken := map[string]bool{}
	for _, c := range cols {
		taken[c.Name] = true
	}
	for _, c := range j.model.Outputs() {
		for base, n := c.Name, 2; taken[c.Name]; n++ {
			c.Name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[c.Name] = true
		cols = append(cols, c)
	}
	return cols
}

// clashes reports the outputs whose names the input's columns have already.
func (j *prediction) clashes() []genesis.Finding {
	var out []genesis.Finding
	for i, c := range j.Columns()[len(j.in.Columns):] {
		if name := j.model.Outputs()[i].Name; c.Name != name {
			out = append(out, genesis.Finding{ID: "name-taken:" + name, Code: "name-taken", Severity: genesis.Warn, Column: name, Count: 1,
				Message: "the file has a column " + name + " already, which was kept; the model's is called " + c.Name})
		}
	}
	return out
}

// predictInto runs the prediction into a new blob, or into a file where one is named.
func (w *Workbench) predictInto(ctx context.Context, j *prediction, as, aside string) (genesis.Blob, error) {
	if aside != "" {
		return predictAside(ctx, j, as, aside)
	}
	out, err := w.Blobs.Create(ctx)
	if err != nil {
		return genesis.Blob{}, err
	}
	if err = write(ctx, out, as, j.counted()); err != nil {
		out.Abort()
		return genesis.Blob{}, err
	}
	return out.Commit()
}

// counted reports progress while the rows pass.
func (j *prediction) counted() *counted {
	return &counted{batches: j, total: j.in.Rows, stage: "predicting", p: j.p}
}

// Next returns the next rows of the input with the model's outputs beside them.
func (j *prediction) Next() (*format.Batch, error) {
	b, err := j.in.Next()
	if err != nil {
		return nil, err
	}
	out, err := j.model.Predict(b, j.in.Columns, j.level, j.threads)
	if err != nil {
		return nil, err
	}
	j.count(out)
	return &format.Batch{Rows: b.Rows, Cols: append(append([]format.Vector(nil), b.Cols...), out.Cols...)}, nil
}

// count adds up rows and how many of them the model flags as unlike its data.
func (j *prediction) count(out *format.Batch) {
	j.rows += int64(out.Rows)
	for i, c := range j.model.Outputs() {
		if c.Name != oodColumn {
			continue
		}
		for _, x := range out.Cols[i].Ints {
			j.flagged += x
		}
	}
}
