package parquet

import (
	"bytes"
	"errors"
	"io"
	"math"
	"testing"

	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// peerWriter writes batches with parquet-go, as docs/decisions/0002 compares.
type peerWriter struct {
	w      *pq.GenericWriter[any]
	order  []int // column index in the file, by column
	values []pq.Value
	filled int
}

func newPeerWriter(w io.Writer, cols []genesis.Column) *peerWriter {
	group := pq.Group{}
	for _, c := range cols {
		group[c.Name] = pq.Optional(pq.Compressed(peerNode(c), &zstd.Codec{Level: zstd.SpeedFastest}))
	}
	schema := pq.NewSchema("genesis", group)
	p := &peerWriter{w: pq.NewGenericWriter[any](w, schema)}
	for _, c := range cols {
		leaf, _ := schema.Lookup(c.Name)
		p.order = append(p.order, leaf.ColumnIndex)
	}
	return p
}

func peerNode(c genesis.Column) pq.Node {
	switch format.KindOf(c.Type) {
	case format.Int:
		return pq.Encoded(pq.Int(64), &pq.DeltaBinaryPacked)
	case format.Float:
		return pq.Leaf(pq.DoubleType)
	case format.Bool:
		return pq.Leaf(pq.BooleanType)
	case format.Timestamp:
		return pq.Encoded(pq.Timestamp(pq.Microsecond), &pq.DeltaBinaryPacked)
	case format.Date:
		return pq.Encoded(pq.Date(), &pq.DeltaBinaryPacked)
	}
	return pq.Encoded(pq.String(), &pq.RLEDictionary)
}

func (p *peerWriter) Write(b *format.Batch) error {
	writers := p.w.ColumnWriters()
	for i := range b.Cols {
		p.values = p.values[:0]
		for r := range b.Rows {
			p.values = append(p.values, peerValue(&b.Cols[i], r, p.order[i]))
		}
		if _, err := writers[p.order[i]].WriteRowValues(p.values); err != nil {
			return err
		}
	}
	if p.filled += b.Rows; p.filled >= defaultRowGroup {
		p.filled = 0
		return p.w.Flush()
	}
	return nil
}

func (p *peerWriter) Close() error { return p.w.Close() }

func peerValue(v *format.Vector, r, column int) pq.Value {
	if v.Null(r) {
		return pq.NullValue().Level(0, 0, column)
	}
	var x pq.Value
	switch v.Kind {
	case format.Text:
		x = pq.ByteArrayValue(v.Bytes(r))
	case format.Float:
		x = pq.DoubleValue(v.Floats[r])
	case format.Bool:
		x = pq.BooleanValue(v.Ints[r] != 0)
	case format.Date:
		x = pq.Int32Value(int32(v.Ints[r]))
	default:
		x = pq.Int64Value(v.Ints[r])
	}
	return x.Level(0, 1, column)
}

// peerDigests reads a file with parquet-go and digests its columns.
func peerDigests(t *testing.T, b []byte, cols []genesis.Column) []genesis.Digest {
	t.Helper()
	f, err := pq.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	digests := make([]genesis.Digest, len(cols))
	for i, c := range cols {
		leaf, ok := f.Schema().Lookup(c.Name)
		if !ok {
			t.Fatalf("parquet-go finds no column %s", c.Name)
		}
		d := format.NewColumnDigest(c)
		for _, g := range f.RowGroups() {
			peerChunk(t, g.ColumnChunks()[leaf.ColumnIndex], c, d)
		}
		digests[i] = d.Sum()
	}
	return digests
}

func peerChunk(t *testing.T, chunk pq.ColumnChunk, c genesis.Column, d *format.ColumnDigest) {
	t.Helper()
	pages := chunk.Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		values := make([]pq.Value, page.NumValues())
		if n, err := page.Values().ReadValues(values); n < len(values) {
			t.Fatalf("parquet-go read %d of %d values: %v", n, len(values), err)
		}
		v := peerVector(values, format.KindOf(c.Type))
		d.Add(v, len(values))
		pq.Release(page)
	}
}

func peerVector(values []pq.Value, kind format.Kind) *format.Vector {
	v := &format.Vector{Kind: kind, Nulls: format.NewBitmap(len(values))}
	for i, x := range values {
		if x.IsNull() {
			v.Nulls.Set(i)
		}
		switch {
		case kind == format.Text:
			var text []byte
			if !x.IsNull() {
				text = x.ByteArray()
			}
			if err := appendText(v, text); err != nil {
				panic(err)
			}
		case kind == format.Float && x.IsNull():
			v.Floats = append(v.Floats, math.Pi)
		case kind == format.Float:
			v.Floats = append(v.Floats, x.Double())
		case x.IsNull():
			v.Ints = append(v.Ints, 7)
		case kind == format.Bool && x.Boolean():
			v.Ints = append(v.Ints, 1)
		case kind == format.Bool:
			v.Ints = append(v.Ints, 0)
		case kind == format.Date:
			v.Ints = append(v.Ints, int64(x.Int32()))
		default:
			v.Ints = append(v.Ints, x.Int64())
		}
	}
	return v
}
