package stream

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/parquet"
)

// rejects is what the names of tables of rejects begin with.
const rejects = "rejects/"

// Reader yields the rows of a stored table in order. It is not for concurrent
// use.
type Reader struct {
	ctx   context.Context
	blobs *blob.Store
	files *layout.Files // not yet opened
	cols  []genesis.Column
	rows  int64 // of the table
	done  int64 // given out, or skipped by OpenAt

	open  *blob.Reader
	batch *parquet.Rows
	first int64 // index of the open file's first row
	want  int64 // rows of the open file
	drop  int64 // rows of it to be dropped first
}

// Open starts reading a table: the columns named, in that order, nil for all.
// The table "" is the first one; the rejects of a table are "rejects/NAME".
// Errors: NotFound for a table or column the version does not have; Internal
// where the stored files are not what manifest and layout say.
func Open(ctx context.Context, blobs *blob.Store, m genesis.Manifest, l genesis.Layout, table string, columns []string) (*Reader, error) {
	return OpenAt(ctx, blobs, m, l, table, columns, 0)
}

// OpenAt is [Open] from a row on, 0 to the number of rows. Files and row groups before
// it are not read; of the row group that holds it, what comes first is decoded and
// dropped. Of a layout in pages at most one page of each level is read. Errors:
// Invalid for a row beyond the table's, and those of Open.
func OpenAt(ctx context.Context, blobs *blob.Store, m genesis.Manifest, l genesis.Layout, table string, columns []string, row int64) (*Reader, error) {
	t, key, err := find(m, table)
	if err != nil {
		return nil, err
	}
	cols, err := project(t, columns)
	if err != nil {
		return nil, err
	}
	index, err := layout.Open(ctx, blobs, l, key)
	if err != nil {
		return nil, err
	}
	if index.Rows() != t.Rows {
		return nil, broken(key, fmt.Sprintf("has %d rows, but its files hold %d", t.Rows, index.Rows()))
	}
	files, err := index.From(row)
	if err != nil {
		return nil, err
	}
	return &Reader{ctx: ctx, blobs: blobs, files: files, cols: cols, rows: t.Rows, done: row}, nil
}

// find returns a table and its name in the layout.
func find(m genesis.Manifest, table string) (genesis.ManifestTable, string, error) {
	if name, ok := strings.CutPrefix(table, rejects); ok {
		for _, t := range m.Rejects {
			if t.Name == name {
				return t, table, nil
			}
		}
	} else if t, ok := m.Table(table); ok {
		return t, t.Name, nil
	}
	var names []string
	for _, t := range m.Tables {
		names = append(names, t.Name)
	}
	for _, t := range m.Rejects {
		names = append(names, rejects+t.Name)
	}
	return genesis.ManifestTable{}, "", &genesis.Error{Op: "read table", Kind: genesis.NotFound, Subject: table,
		Msg: "is no table of this version", Hint: "its tables are " + strings.Join(names, ", ")}
}

// project returns the columns called names, all for nil.
func project(t genesis.ManifestTable, names []string) ([]genesis.Column, error) {
	if names == nil {
		return t.Schema(), nil
	}
	byName := make(map[string]genesis.Column, len(t.Columns))
	for _, c := range t.Columns {
		byName[c.Name] = c.Column
	}
	cols := make([]genesis.Column, 0, len(names))
	for _, name := range names {
		c, ok := byName[name]
		if !ok {
			return nil, &genesis.Error{Op: "read table", Kind: genesis.NotFound, Subject: name, Msg: "is no column of table " + t.Name,
				Hint: "its columns are " + some(t.Schema())}
		}
		cols = append(cols, c)
	}
	return cols, nil
}

// some names columns, the first of many.
func some(cols []genesis.Column) string {
	const shown = 30
	var names []string
	for _, c := range cols[:min(len(cols), shown)] {
		names = append(names, c.Name)
	}
	if len(cols) > shown {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

func broken(subject, msg string) error {
	return &genesis.Error{Op: "read table", Kind: genesis.Internal, Subject: subject, Msg: msg,
		Hint: "genesis verify says what else of the version is damaged"}
}

// Columns returns what the batches' columns are.
func (r *Reader) Columns() []genesis.Column { return slices.Clone(r.cols) }

// Rows returns how many rows the table has.
func (r *Reader) Rows() int64 { return r.rows }

// Next returns the next rows, with one vector per column, or io.EOF. The batch
// belongs to the caller.
func (r *Reader) Next() (*format.Batch, error) {
	for {
		if r.batch == nil {
			if err := r.openFile(); err != nil { // io.EOF after the last
				return nil, err
			}
		}
		b, err := r.batch.Next()
		if err == io.EOF {
			if err = r.endFile(); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if r.drop > 0 {
			if b = r.behind(b); b == nil {
				continue
			}
		}
		b.First = r.done
		r.done += int64(b.Rows)
		return b, nil
	}
}

// openFile opens the next file and compares its schema with the manifest's. Of the
// first one it skips what lies before the row to begin at.
func (r *Reader) openFile() error {
	f, first, err := r.files.Next()
	if err != nil {
		return err
	}
	if r.open, err = r.blobs.Open(r.ctx, f.Blob); err != nil {
		return err
	}
	file, err := parquet.OpenFile(r.open, f.Size)
	if err == nil {
		r.batch, err = r.read(file, f, r.done-first)
	}
	if err != nil {
		r.Close()
		return err
	}
	r.first, r.want = first, f.Rows
	return nil
}

func (r *Reader) read(file *parquet.File, f genesis.LayoutFile, skip int64) (*parquet.Rows, error) {
	if file.Rows() != f.Rows {
		return nil, broken(string(f.Digest), fmt.Sprintf("holds %d rows; the layout says %d", file.Rows(), f.Rows))
	}
	at := map[string]int{}
	stored := file.Columns()
	for i, c := range stored {
		at[c.Name] = i
	}
	indexes := make([]int, len(r.cols))
	for i, c := range r.cols {
		k, ok := at[c.Name]
		if !ok {
			return nil, broken(string(f.Digest), "lacks column "+c.Name)
		}
		if stored[k].Kind != format.KindOf(c.Type) {
			return nil, broken(string(f.Digest), fmt.Sprintf("does not hold column %s as %s", c.Name, c.Type))
		}
		indexes[i] = k
	}
	opt := parquet.ReadOptions{Columns: indexes}
	opt.Groups, r.drop = groupsFrom(file.Groups(), skip)
	return file.Read(r.ctx, opt)
}

// groupsFrom returns the row groups of a file from that on which holds row skip, and
// how many rows of it come before that row. No groups are all groups.
func groupsFrom(rows []int64, skip int64) (groups []int, drop int64) {
	if skip == 0 {
		return nil, 0
	}
	g := 0
	for ; g < len(rows)-1 && skip >= rows[g]; g++ {
		skip -= rows[g]
	}
	for ; g < len(rows); g++ {
		groups = append(groups, g)
	}
	return groups, skip
}

// behind returns the rows of a batch that come after those to be dropped, or nil.
func (r *Reader) behind(b *format.Batch) *format.Batch {
	n := int(min(r.drop, int64(b.Rows)))
	r.drop -= int64(n)
	if n == b.Rows {
		return nil
	}
	for i := range b.Cols {
		b.Cols[i] = behind(&b.Cols[i], n, b.Rows)
	}
	b.Rows -= n
	return b
}

// behind returns the cells of a vector of rows cells without the first n.
func behind(v *format.Vector, n, rows int) format.Vector {
	out := format.Vector{Kind: v.Kind, Buf: v.Buf}
	switch v.Kind {
	case format.Text:
		out.Spans = v.Spans[n:]
	case format.Float:
		out.Floats = v.Floats[n:]
	default:
		out.Ints = v.Ints[n:]
	}
	if v.Nulls == nil {
		return out
	}
	out.Nulls = format.NewBitmap(rows - n)
	for i := n; i < rows; i++ {
		if v.Nulls.Get(i) {
			out.Nulls.Set(i - n)
		}
	}
	return out
}

// endFile closes the open file, whose rows must all have been read.
func (r *Reader) endFile() error {
	if got := r.done - r.first; got != r.want {
		return broken("", fmt.Sprintf("a file gave %d of its %d rows", got, r.want))
	}
	return r.Close()
}

// Close releases the open file.
func (r *Reader) Close() error {
	if r.open == nil {
		return nil
	}
	err := r.open.Close()
	r.open, r.batch = nil, nil
	return err
}
