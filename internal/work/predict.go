package work

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/learn"
	"github.com/opengenesis/genesis/internal/work/run"
)

// oodColumn is the output that flags rows unlike those a model learnt from.
const oodColumn = "ood"

// maxPart is how large one part of a stored model may be.
const maxPart = 1 << 30

// Predict applies a model to the rows of raw files; the output is fetched with
// Output by its digest.
func (s *Service) Predict(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	a, err := s.askPredict(ctx, who, req, files)
	if err != nil {
		return nil, err
	}
	return do[genesis.Predicted](ctx, s, who, a, p)
}

// askPredict allows a request to predict.
func (s *Service) askPredict(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw) (*asked, error) {
	v, err := s.resolve(ctx, who, genesis.Infer, req.Model)
	if err != nil {
		return nil, err
	}
	if v.Kind != genesis.Model {
		return nil, &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: string(v.Name), Msg: "is a dataset, not a model", Hint: "`genesis train` makes a model of it"}
	}
	req.Files = withoutTokens(req.Files)
	return &asked{kind: genesis.RunPredict, subject: string(v.Name), request: req, pinned: pinned{v}, files: files}, nil
}

// predictTask is a request to predict and where the model lies.
type predictTask struct {
	Request genesis.PredictRequest `json:"request"`
	Layout  genesis.Layout         `json:"layout"`
}

func (s *Service) planPredict(ctx context.Context, req genesis.PredictRequest, v genesis.Version) (*predictTask, error) {
	l, err := s.Catalog.Layout(ctx, v)
	return &predictTask{Request: req, Layout: l}, err
}

// predict computes predictions into a blob.
func (c *Computer) predict(ctx context.Context, t *predictTask, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	m, err := c.model(ctx, t.Layout)
	if err != nil {
		return nil, err
	}
	in, err := ingest.Conform(ctx, c.env(p), files, m.Inputs())
	if err != nil {
		return nil, err
	}
	defer in.Close()
	job := &prediction{model: m, in: in, level: t.Request.Level, threads: c.Threads, p: p}
	if job.level == 0 {
		job.level = 0.9
	}
	out, err := c.write(ctx, job, t.Request.Format)
	if err != nil {
		return nil, err
	}
	return &genesis.Predicted{Rows: job.rows, Flagged: job.flagged, Columns: job.Columns(), Findings: append(in.Findings, job.clashes()...),
		Output: out, Converted: in.Conversions}, nil
}

// commitPredicted says of which model the predictions are. They are no version:
// there is nothing to commit but the run.
func (s *Service) commitPredicted(ctx context.Context, model genesis.Version, out *genesis.Predicted) (run.Act, error) {
	out.Model = model
	return run.Act{Tx: func(context.Context, *sql.Tx) (any, error) { return out, nil }}, s.stored(ctx, []genesis.Blob{out.Output})
}

// model loads a model version.
func (c *Computer) model(ctx context.Context, l genesis.Layout) (*learn.Model, error) {
	parts := map[string][]byte{}
	for name, b := range l.Parts {
		var err error
		if parts[name], err = c.Blobs.Bytes(ctx, b.Digest, maxPart); err != nil {
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

// write runs the prediction into a new blob.
func (c *Computer) write(ctx context.Context, j *prediction, as string) (genesis.Blob, error) {
	w, err := c.Blobs.Create(ctx)
	if err != nil {
		return genesis.Blob{}, err
	}
	if err = write(ctx, w, as, &counted{batches: j, total: j.in.Rows, stage: "predicting", p: j.p}); err != nil {
		w.Abort()
		return genesis.Blob{}, err
	}
	return w.Commit()
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
