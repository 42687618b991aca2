package stream

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
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
	files []genesis.LayoutFile // not yet opened
	cols  []genesis.Column
	rows  int64 // of the table
	done  int64 // given out

	open  *blob.Reader
	batch *parquet.Rows
	first int64 // index of the open file's first row
	want  int64 // rows of the open file
}

// Open starts reading a table: the columns named, in that order, nil for all.
// The table "" is the first one; the rejects of a table are "rejects/NAME".
// Errors: NotFound for a table or column the version does not have; Internal
// where the stored files are not what manifest and layout say.
func Open(ctx context.Context, blobs *blob.Store, m genesis.Manifest, l genesis.Layout, table string, columns []string) (*Reader, error) {
	t, key, err := find(m, table)
	if err != nil {
		return nil, err
	}
	cols, err := project(t, columns)
	if err != nil {
		return nil, err
	}
	files := l.Tables[key]
	var rows int64
	for _, f := range files {
		rows += f.Rows
	}
	if rows != t.Rows {
		return nil, broken(key, fmt.Sprintf("has %d rows, but its files hold %d", t.Rows, rows))
	}
	return &Reader{ctx: ctx, blobs: blobs, files: files, cols: cols, rows: rows}, nil
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
			return nil, &genesis.Error{Op: "read table", Kind: genesis.NotFound, Subject: name, Msg: "is no column of table " + t.Name}
		}
		cols = append(cols, c)
	}
	return cols, nil
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
			if len(r.files) == 0 {
				return nil, io.EOF
			}
			if err := r.openFile(); err != nil {
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
		b.First = r.done
		r.done += int64(b.Rows)
		return b, nil
	}
}

// openFile opens the next file and compares its schema with the manifest's.
func (r *Reader) openFile() error {
	f := r.files[0]
	r.files = r.files[1:]
	var err error
	if r.open, err = r.blobs.Open(r.ctx, f.Blob); err != nil {
		return err
	}
	file, err := parquet.OpenFile(r.open, f.Size)
	if err == nil {
		r.batch, err = r.read(file, f)
	}
	if err != nil {
		r.Close()
		return err
	}
	r.first, r.want = r.done, f.Rows
	return nil
}

func (r *Reader) read(file *parquet.File, f genesis.LayoutFile) (*parquet.Rows, error) {
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
	return file.Read(r.ctx, parquet.ReadOptions{Columns: indexes})
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
