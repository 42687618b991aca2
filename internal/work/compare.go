package work

import (
	"context"
	"errors"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/compare"
	"github.com/opengenesis/genesis/internal/stream"
)

// Diff compares two versions of datasets.
func (s *Service) Diff(ctx context.Context, who genesis.Principal, from, to string, p genesis.Progress) (*genesis.Diff, error) {
	a, err := s.readSide(ctx, who, from)
	if err != nil {
		return nil, err
	}
	b, err := s.readSide(ctx, who, to)
	if err != nil {
		return nil, err
	}
	d, err := compare.Diff(ctx, compare.Env{Temp: s.Temp, Memory: s.Memory, Progress: p}, a, b)
	return &d, err
}

// readSide is a version that who may read as one side of a comparison.
func (s *Service) readSide(ctx context.Context, who genesis.Principal, ref string) (compare.Side, error) {
	v, err := s.resolve(ctx, who, genesis.Read, ref)
	if err != nil {
		return compare.Side{}, err
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return compare.Side{}, err
	}
	if v.Kind != genesis.Dataset {
		return compare.Side{}, &genesis.Error{Op: "diff", Kind: genesis.Invalid, Subject: ref, Msg: "is a model; only datasets are compared"}
	}
	return s.side(ctx, d)
}

// side is a version as one side of a comparison.
func (s *Service) side(ctx context.Context, d genesis.Description) (compare.Side, error) {
	l, err := s.Catalog.Layout(ctx, d.Version)
	return compare.Stored(s.Blobs, d, l), err
}

// Export writes a table of a version to w as "parquet" or "csv"; empty table
// means the first, nil columns all.
func (s *Service) Export(ctx context.Context, who genesis.Principal, ref, table, as string, columns []string, w io.Writer, p genesis.Progress) error {
	v, d, err := s.enter(ctx, who, genesis.Read, ref)
	if err != nil {
		return err
	}
	shared, err := s.Journal.Share(ctx, s.event(d)) // of the entry that the decision left
	if err != nil {
		return err
	}
	ctx, stop := s.Access.Watch(ctx, d.Ask) // what is being sent ends with the right to it
	defer stop()
	defer endsWith(ctx, w)()
	sent := &tally{to: w}
	defer func() { shared.Add(1, sent.bytes) }() // what went, though it broke off
	return withdrawn(ctx, s.export(ctx, v, table, as, columns, sent, p))
}

// tally counts the bytes that are written.
type tally struct {
	to    io.Writer
	bytes int64
}

func (t *tally) Write(b []byte) (int, error) {
	n, err := t.to.Write(b)
	t.bytes += int64(n)
	return n, err
}

// export writes a table of a version.
func (s *Service) export(ctx context.Context, v genesis.Version, table, as string, columns []string, w io.Writer, p genesis.Progress) error {
	m, err := s.Catalog.Manifest(ctx, v)
	if err != nil {
		return err
	}
	l, err := s.Catalog.Layout(ctx, v)
	if err != nil {
		return err
	}
	if v.Kind != genesis.Dataset {
		return &genesis.Error{Op: "export", Kind: genesis.Invalid, Subject: string(v.Name), Msg: "is a model; only tables of datasets are exported"}
	}
	if table == "" && len(m.Tables) > 0 {
		table = m.Tables[0].Name
	}
	r, err := stream.Open(ctx, s.Blobs, m, l, table, columns)
	if err != nil {
		return err
	}
	defer r.Close()
	return write(ctx, w, as, &counted{batches: r, total: r.Rows(), stage: "exporting", p: p})
}

// withdrawn gives the reason why a watched context ended instead of what broke by it.
func withdrawn(ctx context.Context, err error) error {
	var refusal *genesis.Error
	if err != nil && errors.As(context.Cause(ctx), &refusal) {
		return refusal
	}
	return err
}

// aborter is a writer that can be ended while somebody waits in a Write of it.
type aborter interface{ Abort(reason error) }

// endsWith has w aborted, if it can be, when the right under which ctx is watched
// ends: the reader may be slow, and a Write waits for them. After stop it is not.
func endsWith(ctx context.Context, w any) (stop func()) {
	a, ok := w.(aborter)
	if !ok {
		return func() {}
	}
	done := make(chan struct{})
	leave := context.AfterFunc(ctx, func() {
		defer close(done)
		var refusal *genesis.Error
		if errors.As(context.Cause(ctx), &refusal) {
			a.Abort(refusal)
		}
	})
	return func() {
		if !leave() {
			<-done
		}
	}
}

// batches is a table being read.
type batches interface {
	Columns() []genesis.Column
	Next() (*format.Batch, error)
}

// write writes the rest of r as "csv" or "parquet".
func write(ctx context.Context, w io.Writer, as string, r batches) error {
	switch as {
	case "csv":
		return stream.WriteCSV(ctx, w, r)
	case "parquet":
		return stream.WriteParquet(ctx, w, r)
	}
	return &genesis.Error{Op: "write table", Kind: genesis.Unsupported, Subject: as, Msg: "is not a format tables are written in", Hint: "csv and parquet are"}
}

// counted reports progress while rows pass.
type counted struct {
	batches
	done, total int64
	stage       string
	p           genesis.Progress
}

// Next passes the next rows on.
func (c *counted) Next() (*format.Batch, error) {
	b, err := c.batches.Next()
	if err == nil {
		c.done += int64(b.Rows)
		c.p.Send(genesis.Event{Stage: c.stage, Done: c.done, Total: c.total, Unit: "rows"})
	}
	return b, err
}
