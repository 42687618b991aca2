package parquet

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// WriterOptions steer a [Writer]. The zero value is what stored tables use.
type WriterOptions struct {
	RowGroup int               // rows in a row group at most; 0: 128 Ki
	Threads  int               // columns encoded at the same time; 0: one per core. 1 encodes within Write
	Metadata map[string]string // additional key/value metadata of the file
}

const (
	defaultRowGroup = 128 << 10
	// groupBytes closes a row group early when its values take more, which
	// bounds memory for wide tables and long texts: a group being filled and one
	// being encoded.
	groupBytes = 48 << 20
	// step is how many rows are taken over between two looks at groupBytes, so
	// that row groups end at the same row however the rows are batched.
	step = 256
)

// Key/value metadata of every file: the columns as JSON ([]genesis.Column).
const metadataColumns = "genesis.columns"

// Writer writes typed batches as one Parquet file. The bytes depend on the
// columns, the rows and the options but Threads, and on nothing else.
//
// It is not for concurrent use, but encodes with several goroutines: while one
// row group is being encoded, the next is filled.
type Writer struct {
	out     io.Writer
	offset  int64
	cols    []genesis.Column
	opt     WriterOptions
	open    []columnBuffer // the row group being filled
	spare   []columnBuffer
	filled  int
	rows    int64
	groups  int
	footer  thriftWriter // the row groups' metadata so far
	pending *group       // the row group being encoded
	pool    chan *encoder
	err     error
}

// group is a row group on its way to the file.
type group struct {
	rows   int
	chunks []chunk
	done   sync.WaitGroup
}

// NewWriter starts a Parquet file of these columns, whose vectors are of the
// kinds that [format.KindOf] gives. The error is of kind Invalid when there are
// no columns, else of w.
func NewWriter(w io.Writer, cols []genesis.Column, opt WriterOptions) (*Writer, error) {
	if len(cols) == 0 {
		return nil, &genesis.Error{Op: "write parquet", Kind: genesis.Invalid, Msg: "a table needs at least one column"}
	}
	if opt.RowGroup <= 0 {
		opt.RowGroup = defaultRowGroup
	}
	if opt.Threads <= 0 {
		opt.Threads = runtime.GOMAXPROCS(0)
	}
	pw := &Writer{out: w, cols: cols, opt: opt, pool: make(chan *encoder, opt.Threads)}
	for range opt.Threads {
		pw.pool <- newEncoder()
	}
	pw.open, pw.spare = newBuffers(cols), newBuffers(cols)
	pw.emit([]byte(magic))
	return pw, pw.err
}

func newBuffers(cols []genesis.Column) []columnBuffer {
	buffers := make([]columnBuffer, len(cols))
	for i, c := range cols {
		buffers[i].kind = format.KindOf(c.Type)
	}
	return buffers
}

func (w *Writer) emit(b []byte) {
	if w.err == nil {
		var n int
		n, w.err = w.out.Write(b)
		w.offset += int64(n)
	}
}

// Rows returns how many rows were written.
func (w *Writer) Rows() int64 { return w.rows }

// Write appends the batch's rows; b.Cols[i] holds the values of column i, and
// columns the batch does not have are null. The batch is not kept.
func (w *Writer) Write(b *format.Batch) error {
	for from := 0; from < b.Rows && w.err == nil; {
		to := min(b.Rows, from+step-w.filled%step, from+w.opt.RowGroup-w.filled)
		if w.err = w.take(b, from, to); w.err != nil {
			break
		}
		w.filled += to - from
		w.rows += int64(to - from)
		from = to
		if w.filled == w.opt.RowGroup || w.filled%step == 0 && w.size() >= groupBytes {
			w.flush()
		}
	}
	return w.err
}

// take copies rows [from, to) of the batch into the open row group.
func (w *Writer) take(b *format.Batch, from, to int) error {
	for i := range w.open {
		var v *format.Vector
		if i < len(b.Cols) {
			v = &b.Cols[i]
		}
		if err := w.open[i].append(v, from, to); err != nil {
			return &genesis.Error{Op: "write parquet", Kind: genesis.KindOf(err), Subject: w.cols[i].Name, Msg: err.Error(), Err: err}
		}
	}
	return nil
}

func (w *Writer) size() int {
	n := 0
	for i := range w.open {
		n += w.open[i].bytes()
	}
	return n
}

// flush hands the open row group to the encoders and waits for the previous
// one, so that at most two are in memory.
func (w *Writer) flush() {
	w.settle()
	if w.filled == 0 || w.err != nil {
		return
	}
	g := &group{rows: w.filled, chunks: make([]chunk, len(w.cols))}
	buffers := w.open
	w.open, w.spare, w.filled = w.spare, w.open, 0
	w.pending = g
	if w.opt.Threads == 1 {
		w.encode(g, buffers, new(atomic.Int64))
		w.settle()
		return
	}
	var next atomic.Int64
	for range min(w.opt.Threads, len(w.cols)) {
		g.done.Go(func() { w.encode(g, buffers, &next) })
	}
}

// encode encodes columns until none is left.
func (w *Writer) encode(g *group, buffers []columnBuffer, next *atomic.Int64) {
	e := <-w.pool
	defer func() { w.pool <- e }()
	for {
		i := int(next.Add(1)) - 1
		if i >= len(buffers) {
			return
		}
		g.chunks[i] = e.chunk(&buffers[i])
		buffers[i].reset()
	}
}

// settle waits for the row group being encoded and writes it.
func (w *Writer) settle() {
	g := w.pending
	if g == nil {
		return
	}
	w.pending = nil
	g.done.Wait()
	w.writeGroup(g)
}

// writeGroup writes the column chunks and notes their metadata (RowGroup).
func (w *Writer) writeGroup(g *group) {
	start := w.offset
	f := &w.footer
	var raw int64
	f.begin()
	f.list(1, wireStruct, len(g.chunks))
	for i := range g.chunks {
		c := &g.chunks[i]
		c.writeMeta(f, w.cols[i].Name, w.offset)
		w.emit(c.bytes)
		raw += c.raw
		c.bytes = nil
	}
	f.i64(2, raw)
	f.i64(3, int64(g.rows))
	f.i64(5, start)
	f.i64(6, w.offset-start)
	if w.groups <= 0x7fff {
		f.i16(7, int16(w.groups))
	}
	f.end()
	w.groups++
}

// Close writes what is left and the footer. It does not close the underlying
// writer.
func (w *Writer) Close() error {
	w.flush()
	w.settle()
	if w.err != nil {
		return w.err
	}
	footer, err := w.fileMetadata()
	if err != nil {
		return err
	}
	w.emit(footer)
	w.emit(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))))
	w.emit([]byte(magic))
	if w.err == nil {
		w.err = errClosed
		return nil
	}
	return w.err
}

var errClosed = fmt.Errorf("parquet writer is closed")

// fileMetadata is the footer (FileMetaData).
func (w *Writer) fileMetadata() ([]byte, error) {
	var f thriftWriter
	f.begin()
	f.i32(1, 2)
	w.writeSchema(&f)
	f.i64(3, w.rows)
	f.list(4, wireStruct, w.groups)
	f.buf = append(f.buf, w.footer.buf...)
	if err := w.writeMetadata(&f); err != nil {
		return nil, err
	}
	f.string(6, "genesis")
	f.list(7, wireStruct, len(w.cols))
	for range w.cols { // ColumnOrder{TypeDefinedOrder}
		f.begin()
		f.structure(1, func() {})
		f.end()
	}
	f.end()
	if len(f.buf) > 1<<31-1 {
		return nil, &genesis.Error{Op: "write parquet", Kind: genesis.Unsupported, Msg: "the table is too wide and too long for one file: its footer exceeds 2 GiB"}
	}
	return f.buf, nil
}

func (w *Writer) writeMetadata(f *thriftWriter) error {
	columns, err := json.Marshal(w.cols)
	if err != nil {
		return err
	}
	keys := make([]string, 0, len(w.opt.Metadata))
	for k := range w.opt.Metadata {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	f.list(5, wireStruct, 1+len(keys))
	pair := func(key, value string) {
		f.begin()
		f.string(1, key)
		f.string(2, value)
		f.end()
	}
	pair(metadataColumns, string(columns))
	for _, k := range keys {
		pair(k, w.opt.Metadata[k])
	}
	return nil
}
