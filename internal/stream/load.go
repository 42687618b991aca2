package stream

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/dustin/go-humanize"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format"
)

// Load reads a whole table as one batch: the columns named, nil for all. It
// takes at most maxBytes; a table that needs more is refused as Invalid, before
// much of it was read where its size is known beforehand. Other errors are those
// of [Open].
func Load(ctx context.Context, blobs *blob.Store, m genesis.Manifest, l genesis.Layout, table string, columns []string, maxBytes int64) (*format.Batch, []genesis.Column, error) {
	r, err := Open(ctx, blobs, m, l, table, columns)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	ld := newLoader(r, maxBytes)
	for {
		if ld.size > maxBytes {
			return nil, nil, ld.tooLarge(table)
		}
		b, err := r.Next()
		if err == io.EOF {
			return ld.out, r.Columns(), nil
		}
		if err == nil {
			err = ld.add(b)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// loader joins batches into one.
type loader struct {
	out   *format.Batch
	size  int64
	max   int64
	vocab []map[string]format.Span // of categorical columns: each text is kept once
}

func newLoader(r *Reader, max int64) *loader {
	n := len(r.cols)
	l := &loader{out: &format.Batch{Cols: make([]format.Vector, n)}, max: max, vocab: make([]map[string]format.Span, n)}
	l.size = 8 * int64(n) * r.rows
	for i, c := range r.cols {
		v := &l.out.Cols[i]
		v.Kind = format.KindOf(c.Type)
		if c.Type == genesis.Categorical {
			l.vocab[i] = map[string]format.Span{}
		}
		if l.size > max {
			continue // refused before anything is allocated
		}
		switch v.Kind {
		case format.Text:
			v.Spans = make([]format.Span, 0, r.rows)
		case format.Float:
			v.Floats = make([]float64, 0, r.rows)
		default:
			v.Ints = make([]int64, 0, r.rows)
		}
	}
	return l
}

func (l *loader) tooLarge(table string) error {
	return &genesis.Error{Op: "load table", Kind: genesis.Invalid, Subject: table,
		Msg:  fmt.Sprintf("takes more than %s in memory", humanize.IBytes(uint64(l.max))),
		Hint: "choose fewer columns, or make a smaller version of it"}
}

func (l *loader) add(b *format.Batch) error {
	for i := range b.Cols {
		if err := l.column(&l.out.Cols[i], &b.Cols[i], l.vocab[i], b.Rows); err != nil {
			return err
		}
	}
	l.out.Rows += b.Rows
	return nil
}

func (l *loader) column(out, v *format.Vector, vocab map[string]format.Span, rows int) error {
	switch v.Kind {
	case format.Text:
		if err := l.texts(out, v, vocab); err != nil {
			return err
		}
	case format.Float:
		out.Floats = append(out.Floats, v.Floats...)
	default:
		out.Ints = append(out.Ints, v.Ints...)
	}
	l.nulls(out, v, rows)
	return nil
}

func (l *loader) texts(out, v *format.Vector, vocab map[string]format.Span) error {
	for i := range v.Spans {
		text := v.Bytes(i)
		if v.Null(i) {
			text = nil
		}
		if s, ok := vocab[string(text)]; ok {
			out.Spans = append(out.Spans, s)
			continue
		}
		if len(out.Buf)+len(text) > math.MaxUint32 {
			return &genesis.Error{Op: "load table", Kind: genesis.Unsupported, Msg: "one of its columns holds more than 4 GiB of text"}
		}
		start := len(out.Buf)
		out.Buf = append(out.Buf, text...)
		s := format.Span{Start: uint32(start), End: uint32(len(out.Buf))}
		out.Spans = append(out.Spans, s)
		if vocab != nil {
			vocab[string(text)] = s
		}
		l.size += int64(len(text))
	}
	return nil
}

// nulls appends v's nulls behind the rows that out had before.
func (l *loader) nulls(out, v *format.Vector, rows int) {
	if out.Nulls != nil {
		for len(out.Nulls)*64 < l.out.Rows+rows {
			out.Nulls = append(out.Nulls, 0)
		}
	}
	if v.Nulls == nil {
		return
	}
	if out.Nulls == nil {
		out.Nulls = format.NewBitmap(l.out.Rows + rows)
	}
	for i := range rows {
		if v.Nulls.Get(i) {
			out.Nulls.Set(l.out.Rows + i)
		}
	}
}
