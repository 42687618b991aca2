package parquet

import (
	"io"
	"unsafe"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// WriterOptions steer a [Writer]. The zero value is what stored tables use.
type WriterOptions struct {
	RowGroup int               // rows in a row group; 0: 128 Ki, fewer for very wide tables
	Threads  int               // columns encoded at the same time; 0: one per core
	Metadata map[string]string // additional key/value metadata of the file
}

// Writer writes typed batches as one Parquet file.
type Writer struct {
	w      *pq.Writer
	cols   []genesis.Column
	rows   int64
	group  int
	filled int
	order  []int
	values []pq.Value
}

// NewWriter starts a Parquet file of these columns.
func NewWriter(w io.Writer, cols []genesis.Column, opt WriterOptions) (*Writer, error) {
	g := pq.Group{}
	for _, c := range cols {
		var n pq.Node
		switch format.KindOf(c.Type) {
		case format.Int:
			n = pq.Encoded(pq.Int(64), &pq.DeltaBinaryPacked)
		case format.Float:
			n = pq.Leaf(pq.DoubleType)
		case format.Bool:
			n = pq.Leaf(pq.BooleanType)
		case format.Timestamp:
			n = pq.Encoded(pq.Timestamp(pq.Microsecond), &pq.DeltaBinaryPacked)
		case format.Date:
			n = pq.Encoded(pq.Date(), &pq.DeltaBinaryPacked)
		default:
			n = pq.Encoded(pq.String(), &pq.RLEDictionary)
		}
		g[c.Name] = pq.Optional(pq.Compressed(n, &zstd.Codec{Level: zstd.SpeedFastest}))
	}
	schema := pq.NewSchema("genesis", g)
	if opt.RowGroup == 0 {
		opt.RowGroup = 128 << 10
	}
	pw := &Writer{cols: cols, group: opt.RowGroup}
	for _, c := range cols {
		leaf, _ := schema.Lookup(c.Name)
		pw.order = append(pw.order, leaf.ColumnIndex)
	}
	pw.w = pq.NewWriter(w, schema)
	return pw, nil
}

// Write appends the batch's rows; b.Cols[i] holds the values of column i.
func (w *Writer) Write(b *format.Batch) error {
	writers := w.w.ColumnWriters()
	for i := range w.cols {
		w.values = w.values[:0]
		var v *format.Vector
		if i < len(b.Cols) {
			v = &b.Cols[i]
		}
		for r := range b.Rows {
			var x pq.Value
			if v != nil && !v.Null(r) {
				switch v.Kind {
				case format.Text:
					s := v.Bytes(r)
					x = pq.ByteArrayValue(unsafe.Slice(unsafe.SliceData(s), len(s)))
				case format.Float:
					x = pq.DoubleValue(v.Floats[r])
				case format.Bool:
					x = pq.BooleanValue(v.Ints[r] != 0)
				case format.Date:
					x = pq.Int32Value(int32(v.Ints[r]))
				default:
					x = pq.Int64Value(v.Ints[r])
				}
				x = x.Level(0, 1, w.order[i])
			} else {
				x = pq.NullValue().Level(0, 0, w.order[i])
			}
			w.values = append(w.values, x)
		}
		if _, err := writers[w.order[i]].WriteRowValues(w.values); err != nil {
			return err
		}
	}
	w.rows += int64(b.Rows)
	w.filled += b.Rows
	if w.filled >= w.group {
		w.filled = 0
		return w.w.Flush()
	}
	return nil
}

// Rows returns how many rows were written.
func (w *Writer) Rows() int64 { return w.rows }

// Close writes what is left and the footer.
func (w *Writer) Close() error { return w.w.Close() }
