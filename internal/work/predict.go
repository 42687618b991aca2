package work

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"

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

// predictTask is what computing a prediction takes.
type predictTask struct {
	Request genesis.PredictRequest
	Parts   map[string]genesis.Blob // of the model
}

// Predict applies a model to the rows of raw files; the output is fetched with
// Output by its digest.
func (s *Service) Predict(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	asked, err := s.askPrediction(ctx, who, req, files)
	if err != nil {
		return nil, err
	}
	return attend[genesis.Predicted](ctx, s, who, asked, p)
}

func (s *Service) askPrediction(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw) (*asked, error) {
	v, err := s.resolve(ctx, who, genesis.Infer, req.Model)
	if err != nil {
		return nil, err
	}
	if v.Kind != genesis.Model {
		return nil, &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: string(v.Name), Msg: "is a dataset, not a model", Hint: "`genesis train` makes a model of it"}
	}
	return &asked{kind: genesis.RunPredict, request: req, subject: string(v.Name), files: files, pinned: pinned{Version: v, Predict: &req}}, nil
}

func (s *Service) planPrediction(ctx context.Context, pin pinned) (*predictTask, error) {
	l, err := s.Catalog.Layout(ctx, pin.Version)
	return &predictTask{Request: *pin.Predict, Parts: l.Parts}, err
}

// predict does a prediction. What it returns lacks the model, which it does not
// know by name.
func (c *computer) predict(ctx context.Context, task predictTask, files []*format.Raw) (*genesis.Predicted, error) {
	m, err := c.model(ctx, task.Parts)
	if err != nil {
		return nil, err
	}
	in, err := ingest.Conform(ctx, c.env(), files, m.Inputs())
	if err != nil {
		return nil, err
	}
	defer in.Close()
	job := &prediction{model: m, in: in, level: task.Request.Level, threads: c.Threads, p: c.p}
	if job.level == 0 {
		job.level = 0.9
	}
	out, err := c.apply(ctx, job, task.Request.Format)
	if err != nil {
		return nil, err
	}
	return &genesis.Predicted{Rows: job.rows, Flagged: job.flagged, Columns: job.Columns(), Findings: append(in.Findings, job.clashes()...),
		Output: out, Converted: in.Conversions}, nil
}

// commitPrediction returns the act that lets the asker fetch the output.
func (s *Service) commitPrediction(ctx context.Context, pin pinned, out genesis.Predicted) (*run.Act, error) {
	if _, err := s.Blobs.Stat(ctx, out.Output.Digest); err != nil {
		return nil, err
	}
	out.Model = pin.Version
	return &run.Act{Do: func(context.Context, *sql.Tx) (run.Result, error) {
		return run.Result{Value: out, Output: out.Output.Digest}, nil
	}}, nil
}

// Output returns the bytes of a prediction to whoever had it made, and to operators
// and stewards. What is none, and what is another's, is not found in the same words.
func (s *Service) Output(ctx context.Context, who genesis.Principal, d genesis.Digest) (io.ReadCloser, int64, error) {
	missing := &genesis.Error{Op: "fetch output", Kind: genesis.NotFound, Subject: string(d), Msg: "is no output of a prediction of yours"}
	m, err := s.manager()
	if err != nil {
		return nil, 0, err
	}
	person := who.Person()
	if person == "" {
		return nil, 0, missing
	}
	if seesAll(who) {
		person = ""
	}
	if there, err := m.HasOutput(ctx, person, d); err != nil || !there {
		return nil, 0, cmp.Or[error](err, missing)
	}
	b, err := s.Blobs.Stat(ctx, d)
	if genesis.KindOf(err) == genesis.NotFound {
		return nil, 0, missing
	}
	if err != nil {
		return nil, 0, err
	}
	r, err := s.Blobs.Open(ctx, b)
	if err != nil {
		return nil, 0, err
	}
	return r, b.Size, nil
}

// model loads a model.
func (c *computer) model(ctx context.Context, stored map[string]genesis.Blob) (*learn.Model, error) {
	parts := map[string][]byte{}
	for name, b := range stored {
		var err error
		if parts[name], err = c.blobs.Bytes(ctx, b.Digest, maxPart); err != nil {
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

// apply runs the prediction into a new blob.
func (c *computer) apply(ctx context.Context, j *prediction, as string) (genesis.Blob, error) {
	w, err := c.blobs.Create(ctx)
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
