package layout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// cachedPages is how many decoded pages an index keeps: about 2 MiB.
const cachedPages = 8

// Index finds the files of one table. It is safe for concurrent use.
type Index struct {
	ctx   context.Context
	blobs *blob.Store
	root  list // as it is in the record
	size  end

	mu     sync.Mutex
	recent []decoded // the latest first
}

// decoded is a page that was read.
type decoded struct {
	page genesis.LayoutPage
	list *list
}

// Open returns the index of a table, as it is named in the layout. It reads nothing:
// pages are read when they are asked for. The context bounds all that is read. Errors:
// Internal, when what the record says of its files cannot be.
func Open(ctx context.Context, blobs *blob.Store, l genesis.Layout, table string) (*Index, error) {
	x := &Index{ctx: ctx, blobs: blobs, root: list{files: l.Tables[table]}}
	if pages := l.Pages[table]; len(pages) > 0 {
		if len(x.root.files) > 0 {
			return nil, &genesis.Error{Op: "read layout", Kind: genesis.Internal, Subject: table, Msg: "has files both in the record and in pages"}
		}
		x.root = list{pages: pages}
	}
	sum, err := x.root.sum()
	if err != nil {
		return nil, &genesis.Error{Op: "read layout", Kind: genesis.Internal, Subject: table, Msg: "its list of files cannot be: " + err.Error()}
	}
	x.root.measure()
	x.size = end{sum.Rows, sum.Files}
	return x, nil
}

// Rows returns how many rows the table has.
func (x *Index) Rows() int64 { return x.size.rows }

// Files returns how many files the table has.
func (x *Index) Files() int64 { return x.size.files }

// At returns the file that holds a row, and the index of the file's first row. It
// reads at most one page of each level, and none that it has read lately. Errors:
// Invalid (there is no such row), and those of [Each].
func (x *Index) At(row int64) (f genesis.LayoutFile, first int64, err error) {
	if row < 0 || row >= x.size.rows {
		return f, 0, x.beyond(row)
	}
	s, err := x.find(func(l *list, before end) int { return l.row(row - before.rows) })
	if err != nil {
		return f, 0, err
	}
	return s.list.files[s.at], s.before.rows + s.list.before(s.at).rows, nil
}

// From returns the files from that on which holds a row, in row order; from row 0 it
// is all of them, from [Index.Rows] none. Errors: as [Index.At].
func (x *Index) From(row int64) (*Files, error) {
	switch {
	case row < 0 || row > x.size.rows:
		return nil, x.beyond(row)
	case row == 0: // files without rows are files, too
		return &Files{index: x}, nil
	case row == x.size.rows:
		return &Files{index: x, next: x.size.files}, nil
	}
	s, err := x.find(func(l *list, before end) int { return l.row(row - before.rows) })
	if err != nil {
		return nil, err
	}
	return &Files{index: x, next: s.before.files + int64(s.at), spot: s}, nil
}

func (x *Index) beyond(row int64) error {
	return &genesis.Error{Op: "read layout", Kind: genesis.Invalid, Msg: fmt.Sprintf("there is no row %d; the table has %d", row, x.size.rows)}
}

// spot is an entry of a list of files, and what lies before the list.
type spot struct {
	list   *list
	at     int
	before end
}

// find goes down to a list of files. choose returns the entry of a list to take, of
// which it is told what lies before it.
func (x *Index) find(choose func(l *list, before end) int) (spot, error) {
	s := spot{list: &x.root}
	for {
		s.at = choose(s.list, s.before)
		if s.list.pages == nil {
			return s, nil
		}
		p, before := s.list.pages[s.at], s.list.before(s.at)
		l, err := x.page(p)
		if err != nil {
			return spot{}, err
		}
		s = spot{list: l, before: end{s.before.rows + before.rows, s.before.files + before.files}}
	}
}

// page returns a page that was read lately, or reads it.
func (x *Index) page(p genesis.LayoutPage) (*list, error) {
	if l := x.cached(p); l != nil {
		return l, nil
	}
	l, err := read(x.ctx, x.blobs, p)
	if err == nil {
		x.cache(p, l)
	}
	return l, err
}

func (x *Index) cached(p genesis.LayoutPage) *list {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.recent, func(d decoded) bool { return d.page == p })
	if i < 0 {
		return nil
	}
	found := x.recent[i]
	copy(x.recent[1:i+1], x.recent[:i])
	x.recent[0] = found
	return found.list
}

func (x *Index) cache(p genesis.LayoutPage, l *list) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.recent = slices.Insert(x.recent, 0, decoded{p, l})
	if len(x.recent) > cachedPages {
		clear(x.recent[cachedPages:])
		x.recent = x.recent[:cachedPages]
	}
}

// Files goes through files of a table. It is not for concurrent use.
type Files struct {
	index *Index
	next  int64 // of the table's files
	spot  spot  // where the last one was
}

// Next returns the next file and the index of its first row, or io.EOF. Other errors
// are those of [Each].
func (f *Files) Next() (genesis.LayoutFile, int64, error) {
	if f.next >= f.index.size.files {
		return genesis.LayoutFile{}, 0, io.EOF
	}
	s := f.spot
	if s.at = int(f.next - s.before.files); s.list == nil || s.at >= s.list.len() {
		var err error
		s, err = f.index.find(func(l *list, before end) int { return l.file(f.next - before.files) })
		if err != nil {
			return genesis.LayoutFile{}, 0, err
		}
	}
	f.spot = s
	f.next++
	return s.list.files[s.at], s.before.rows + s.list.before(s.at).rows, nil
}
