package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/format/parquet"
)

// File is the Parquet file of a table as it is stored; of a table in several files one
// that holds them all. ReadAt is safe for concurrent use, Read is not.
type File struct {
	*io.SectionReader
	digest genesis.Digest
	pieces pieces
}

// mostJoined is how many files are served as one: each request for a part of them reads
// all their footers.
const mostJoined = 64

// OpenFile opens the file of a table: by its name, that of rejects being "rejects/NAME",
// and a name that no table has may end in ".parquet". Every byte is checked as it is read.
// Errors: NotFound for a table the layout does not have; Unsupported for one whose files
// cannot be taken as one.
func OpenFile(ctx context.Context, blobs *blob.Store, l genesis.Layout, table string) (*File, error) {
	files, err := filesOf(ctx, blobs, l, table)
	if err != nil {
		return nil, err
	}
	f := &File{digest: files[0].Digest}
	for _, file := range files {
		f.pieces.add(&late{ctx: ctx, blobs: blobs, blob: file.Blob}, file.Size)
	}
	if len(files) > 1 {
		err = f.join(files)
	} else {
		_, err = f.pieces.all[0].at.(*late).open() // whoever asks only how large it is learns that it is there
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	f.SectionReader = io.NewSectionReader(&f.pieces, 0, f.pieces.size)
	return f, nil
}

// filesOf returns the files of a table, of which there is at least one.
func filesOf(ctx context.Context, blobs *blob.Store, l genesis.Layout, table string) ([]genesis.LayoutFile, error) {
	key, err := keyOf(l, table)
	if err != nil {
		return nil, err
	}
	index, err := layout.Open(ctx, blobs, l, key)
	if err != nil {
		return nil, err
	}
	if n := index.Files(); n < 1 || n > mostJoined {
		return nil, asOne(fmt.Sprintf("lies in %d files, and up to %d are served as one", n, mostJoined), nil)
	}
	next, err := index.From(0)
	if err != nil {
		return nil, err
	}
	var files []genesis.LayoutFile
	for {
		f, _, err := next.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
}

// keyOf returns the name of a table in the layout.
func keyOf(l genesis.Layout, table string) (string, error) {
	for _, name := range []string{table, strings.TrimSuffix(table, ".parquet")} {
		if len(l.Tables[name]) > 0 || len(l.Pages[name]) > 0 {
			return name, nil
		}
	}
	names := slices.Sorted(maps.Keys(l.Tables))
	names = append(names, slices.Sorted(maps.Keys(l.Pages))...)
	return "", &genesis.Error{Op: "read table", Kind: genesis.NotFound, Subject: table,
		Msg: "is no table of this version", Hint: "its tables are " + strings.Join(names, ", ")}
}

// asOne is why the files of a table cannot be served as one.
func asOne(msg string, err error) error {
	return &genesis.Error{Op: "read table", Kind: genesis.Unsupported, Msg: msg, Hint: "`genesis export` writes it as one file", Err: err}
}

// join appends the footer that makes one file of all. Whatever changes one of them, or
// the footer, changes the digest.
func (f *File) join(files []genesis.LayoutFile) error {
	parts := make([]parquet.Part, len(files))
	names := []byte("genesis joined 1\n")
	for i, file := range files {
		parts[i] = parquet.Part{At: f.pieces.all[i].at, Size: file.Size}
		names = append(names, file.Digest+"\n"...)
	}
	footer, err := parquet.Join(parts)
	if shut := f.Close(); err == nil { // a request for a part needs few of them
		err = shut
	}
	if err != nil {
		var known *genesis.Error
		if errors.As(err, &known) && known.Kind == genesis.Unsupported {
			return asOne(known.Msg, err)
		}
		return err
	}
	f.pieces.add(bytes.NewReader(footer), int64(len(footer)))
	f.digest = genesis.DigestOf(append(names, footer...))
	return nil
}

// Digest names the bytes: those of one file by its own digest, joined ones by one that
// is made of theirs.
func (f *File) Digest() genesis.Digest { return f.digest }

// Close closes the files.
func (f *File) Close() error {
	var errs []error
	for _, p := range f.pieces.all {
		if c, ok := p.at.(*late); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// late is a blob that is opened when it is first read: who asks for a part of a table
// needs few of its files.
type late struct {
	ctx   context.Context
	blobs *blob.Store
	blob  genesis.Blob

	mu sync.Mutex
	r  *blob.Reader
}

func (l *late) open() (*blob.Reader, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r == nil {
		r, err := l.blobs.Open(l.ctx, l.blob)
		if err != nil {
			return nil, err
		}
		l.r = r
	}
	return l.r, nil
}

func (l *late) ReadAt(b []byte, off int64) (int, error) {
	r, err := l.open()
	if err != nil {
		return 0, err
	}
	return r.ReadAt(b, off)
}

// Close closes the blob; it may be read again.
func (l *late) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.r == nil {
		return nil
	}
	err := l.r.Close()
	l.r = nil
	return err
}

// pieces are bytes that lie one after the other.
type pieces struct {
	all  []piece
	size int64
}

type piece struct {
	at   io.ReaderAt
	end  int64 // where the next one begins
	size int64
}

func (p *pieces) add(at io.ReaderAt, size int64) {
	p.size += size
	p.all = append(p.all, piece{at, p.size, size})
}

// ReadAt reads from one piece, and goes on in the next.
func (p *pieces) ReadAt(b []byte, off int64) (n int, err error) {
	i := sort.Search(len(p.all), func(i int) bool { return p.all[i].end > off })
	for ; n < len(b) && i < len(p.all); i++ {
		one := p.all[i]
		at := off + int64(n) - (one.end - one.size)
		want := b[n:min(int64(len(b)), int64(n)+one.size-at)]
		m, err := one.at.ReadAt(want, at)
		if n += m; m < len(want) {
			return n, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
