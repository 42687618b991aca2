package parquet

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// File is an open Parquet file: its footer has been read and checked.
type File struct {
	at     io.ReaderAt
	size   int64
	meta   *fileMeta
	leaves []leaf
}

// OpenFile reads a file's footer. Errors are of kind Invalid (damaged) or
// Unsupported (encrypted), or at's.
func OpenFile(at io.ReaderAt, size int64) (*File, error) {
	meta, err := readFooter(at, size)
	if err != nil {
		return nil, err
	}
	leaves, err := meta.leaves()
	if err != nil {
		return nil, err
	}
	return &File{at: at, size: size, meta: meta, leaves: leaves}, nil
}

// Rows returns the number of rows.
func (f *File) Rows() int64 { return f.meta.rows }

// Groups returns the number of rows of each row group.
func (f *File) Groups() []int64 {
	rows := make([]int64, len(f.meta.groups))
	for i, g := range f.meta.groups {
		rows[i] = g.rows
	}
	return rows
}

// Columns returns the columns as the file declares them, with dotted names
// where structs nest. Their indexes are what [ReadOptions] names.
func (f *File) Columns() []format.RawColumn {
	cols := make([]format.RawColumn, len(f.leaves))
	for i := range f.leaves {
		cols[i] = f.leaves[i].column()
	}
	return cols
}

// ReadOptions say what of a file to read. The zero value is everything.
type ReadOptions struct {
	Columns []int // indexes; nil: all that can be read
	Groups  []int // row groups, in this order; nil: all
	Batch   int   // rows in a batch at most; 0: by the number of columns
	Threads int   // columns decoded at the same time; 0: one per core
	Memory  int64 // bytes all open pages may take together; 0: 1 GiB
}

const (
	defaultMemory = 1 << 30
	batchCells    = 1 << 18 // cells of a batch: 2 MiB of numbers
)

// Rows reads a file's rows as batches. It is not for concurrent use.
type Rows struct {
	ctx     context.Context
	file    *File
	opt     ReadOptions
	leaves  []*leaf
	columns []*columnReader // of the open row group
	notes   []notes         // beside leaves
	budget  budget
	unpack  []decompressor
	group   int // next of opt.Groups
	left    int64
	first   int64 // index of the next row among those read
}

// Read starts reading. It returns a *genesis.Error of kind Invalid when opt
// names what the file does not have, Unsupported for a column left out.
func (f *File) Read(ctx context.Context, opt ReadOptions) (*Rows, error) {
	r := &Rows{ctx: ctx, file: f, opt: opt}
	if opt.Columns == nil {
		for i := range f.leaves {
			if f.leaves[i].leftOut == "" {
				r.opt.Columns = append(r.opt.Columns, i)
			}
		}
	}
	for _, i := range r.opt.Columns {
		if i < 0 || i >= len(f.leaves) {
			return nil, damaged("has no column %d", i)
		}
		if why := f.leaves[i].leftOut; why != "" {
			return nil, unsupported("column %q %s", f.leaves[i].name, why)
		}
		r.leaves = append(r.leaves, &f.leaves[i])
	}
	if err := r.setGroups(opt.Groups); err != nil {
		return nil, err
	}
	r.setDefaults()
	return r, nil
}

func (r *Rows) setGroups(groups []int) error {
	if groups == nil {
		for i := range r.file.meta.groups {
			r.opt.Groups = append(r.opt.Groups, i)
		}
	}
	for _, g := range r.opt.Groups {
		if g < 0 || g >= len(r.file.meta.groups) {
			return damaged("has no row group %d", g)
		}
	}
	return nil
}

func (r *Rows) setDefaults() {
	if r.opt.Batch <= 0 {
		r.opt.Batch = max(64, min(16<<10, batchCells/(len(r.leaves)+1)))
	}
	if r.opt.Threads <= 0 {
		r.opt.Threads = runtime.GOMAXPROCS(0)
	}
	r.opt.Threads = max(1, min(r.opt.Threads, len(r.leaves)))
	if r.opt.Memory <= 0 {
		r.opt.Memory = defaultMemory
	}
	r.budget.left.Store(r.opt.Memory)
	r.notes = make([]notes, len(r.leaves))
	r.unpack = make([]decompressor, r.opt.Threads)
}

// Next returns the next batch, whose columns are those asked for, or io.EOF.
func (r *Rows) Next() (*format.Batch, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, &genesis.Error{Op: "read parquet", Kind: genesis.Canceled, Msg: "was stopped", Err: err}
	}
	for r.left == 0 {
		if r.group == len(r.opt.Groups) {
			return nil, io.EOF
		}
		if err := r.open(r.opt.Groups[r.group]); err != nil {
			return nil, err
		}
		r.group++
	}
	if len(r.leaves) == 0 {
		return r.emptyBatch(), nil
	}
	vectors := make([]*format.Vector, len(r.leaves))
	err := r.each(func(i, worker int) (err error) {
		r.columns[i].unpack = &r.unpack[worker]
		vectors[i], err = r.columns[i].peek(r.opt.Batch)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.batch(vectors), nil
}

// emptyBatch counts rows when no column was asked for.
func (r *Rows) emptyBatch() *format.Batch {
	b := &format.Batch{Rows: int(min(r.left, int64(r.opt.Batch))), First: r.first}
	r.left -= int64(b.Rows)
	r.first += int64(b.Rows)
	return b
}

// batch cuts all vectors to the shortest one and keeps the rest for the next.
func (r *Rows) batch(vectors []*format.Vector) *format.Batch {
	b := &format.Batch{Rows: vectors[0].Len(), First: r.first, Cols: make([]format.Vector, len(vectors))}
	for _, v := range vectors {
		b.Rows = min(b.Rows, v.Len())
	}
	for i, v := range vectors {
		if v.Len() > b.Rows {
			v = slice(v, 0, b.Rows)
		}
		b.Cols[i] = *v
		r.columns[i].advance(b.Rows)
	}
	r.left -= int64(b.Rows)
	r.first += int64(b.Rows)
	return b
}

// each calls body for every column, on several goroutines, and returns the
// error of the first column that has one.
func (r *Rows) each(body func(column, worker int) error) error {
	errs := make([]error, len(r.leaves))
	var next atomic.Int64
	work := func(worker int) {
		for i := int(next.Add(1)) - 1; i < len(errs); i = int(next.Add(1)) - 1 {
			errs[i] = body(i, worker)
		}
	}
	var wg sync.WaitGroup
	for worker := 1; worker < r.opt.Threads; worker++ {
		wg.Go(func() { work(worker) })
	}
	work(0)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// open starts row group g.
func (r *Rows) open(g int) error {
	group := &r.file.meta.groups[g]
	r.columns = make([]*columnReader, len(r.leaves))
	for i, l := range r.leaves {
		c, err := r.file.chunk(l, group, len(r.leaves), &r.budget)
		if err != nil {
			return err
		}
		c.first, c.notes = r.first, &r.notes[i]
		r.columns[i] = c
	}
	r.left = group.rows
	return nil
}

// chunk returns the reader of a leaf's chunk, one of n that are open together.
func (f *File) chunk(l *leaf, group *groupMeta, n int, b *budget) (*columnReader, error) {
	m := group.chunks[l.index]
	c := &columnReader{rows: group.rows}
	c.pages = pages{at: f.at, leaf: l, codec: m.codec, pos: m.start, end: m.start + m.size, budget: b}
	c.size = max(16<<10, min(1<<20, 64<<20/n))
	if !supports(m.codec) {
		return nil, unsupported("column %q is packed with codec %d", l.name, m.codec)
	}
	if m.typ != l.element.typ {
		return nil, damaged("column %q has another type in a row group than in the schema", l.name)
	}
	if l.maxRep == 0 && m.values != group.rows {
		return nil, damaged("column %q holds %d values in a row group of %d rows", l.name, m.values, group.rows)
	}
	return c, nil
}

// checkLeftOut reads the levels of every column that is left out, in all row
// groups.
func (f *File) checkLeftOut() error {
	var b budget
	b.left.Store(defaultMemory)
	for i := range f.leaves {
		l := &f.leaves[i]
		for g := 0; l.leftOut != "" && g < len(f.meta.groups); g++ {
			c, err := f.chunk(l, &f.meta.groups[g], 1, &b)
			if err != nil {
				return err
			}
			c.unpack = new(decompressor)
			if err := c.checkLevels(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close ends reading. It cannot fail.
func (r *Rows) Close() error {
	r.columns, r.left, r.group = nil, 0, len(r.opt.Groups)
	return nil
}
