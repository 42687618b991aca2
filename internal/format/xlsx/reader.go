package xlsx

import (
	"context"
	"errors"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// reader reads the rows of surveyed sheets on a goroutine of its own.
type reader struct {
	book     *book
	in       *format.Stream
	release  func() error
	sheets   []*surveyed
	tables   []format.Table
	preamble string
	findings []genesis.Finding

	batches chan *format.Batch
	cancel  context.CancelFunc
	err     error // set before batches is closed
}

// errEnough ends a sheet when MaxRows are there.
var errEnough = errors.New("enough rows")

func (r *reader) start(ctx context.Context, most int64) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.batches = make(chan *format.Batch, 2)
	r.book.ctx = ctx
	go func() {
		defer close(r.batches)
		for _, s := range r.sheets {
			if err := r.sheet(ctx, s, most); err != nil && err != errEnough {
				r.err = subject(err, r.in.Name)
				return
			}
		}
	}()
}

func (r *reader) sheet(ctx context.Context, s *surveyed, most int64) error {
	rows, err := r.book.read(s.sheet)
	if err != nil {
		return err
	}
	defer rows.body.Close()
	for {
		row, err := rows.next()
		if err != nil {
			return err
		}
		if row == nil || most > 0 && s.enough(most) {
			break
		}
		if err := r.row(ctx, s, row); err != nil {
			return err
		}
	}
	for _, b := range s.blocks {
		if !b.prose && b.build.row > 0 {
			if err := r.send(ctx, b.build.take()); err != nil {
				return err
			}
		}
	}
	return nil
}

// row hands a row's cells to the blocks they belong to.
func (r *reader) row(ctx context.Context, s *surveyed, row *row) error {
	for _, b := range s.blocks {
		if b.prose || row.number < b.head.from || row.number > b.row1 {
			continue
		}
		b.build.add(row, b.col0)
		if b.build.full() {
			if err := r.send(ctx, b.build.take()); err != nil {
				return err
			}
		}
	}
	return nil
}

// enough reports whether every table of the sheet has the wanted rows.
func (s *surveyed) enough(most int64) bool {
	for _, b := range s.blocks {
		if !b.prose && b.build.first+int64(b.build.row) < most {
			return false
		}
	}
	return true
}

func (r *reader) send(ctx context.Context, b *format.Batch) error {
	select {
	case r.batches <- b:
		return nil
	case <-ctx.Done():
		return &genesis.Error{Kind: genesis.Canceled, Msg: "canceled", Err: ctx.Err()}
	}
}

// Next returns the next batch.
func (r *reader) Next() (*format.Batch, error) {
	if b, ok := <-r.batches; ok {
		return b, nil
	}
	if r.err != nil {
		return nil, r.err
	}
	return nil, io.EOF
}

// Tables returns the tables, all of them known since Open.
func (r *reader) Tables() []format.Table { return r.tables }

// About returns what was recognised.
func (r *reader) About() format.About {
	about := format.About{Findings: r.findings, Source: genesis.Source{Path: r.in.Name, Format: "xlsx",
		Packing: r.in.Packing, Preamble: r.preamble}}
	for _, t := range r.tables {
		about.Source.Tables = append(about.Source.Tables, t.Name)
	}
	return about
}

// Close ends reading.
func (r *reader) Close() error {
	r.cancel()
	for range r.batches {
	}
	return r.release()
}
