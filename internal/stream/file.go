package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format/parquet"
)

// File is the Parquet file of a table as it is stored; of a table in several files one
// that holds them all. ReadAt is safe for concurrent use, Read is not.
type File struct {
	*io.SectionReader
	digest genesis.Digest
	pieces pieces
}

// OpenFile opens the file of a table: by its name, that of rejects being "rejects/NAME",
// and a name that no table has may end in ".parquet". Every byte is checked as it is read.
// Errors: NotFound for a table the layout does not have; Unsupported for one whose files
// cannot be taken as one.
func OpenFile(ctx context.Context, blobs *blob.Store, l genesis.Layout, table string) (*File, error) {
	files, err := filesOf(l, table)
	if err != nil {
		return nil, err
	}
	f := &File{}
	for _, file := range files {
		r, err := blobs.Open(ctx, file.Blob)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.pieces.add(r, r, file.Size)
	}
	f.digest = files[0].Digest
	if len(files) > 1 {
		if err := f.join(files); err != nil {
			f.Close()
			return nil, err
		}
	}
	f.SectionReader = io.NewSectionReader(&f.pieces, 0, f.pieces.size)
	return f, nil
}

// filesOf returns the files of a table.
func filesOf(l genesis.Layout, table string) ([]genesis.LayoutFile, error) {
	for _, name := range []string{table, strings.TrimSuffix(table, ".parquet")} {
		if files := l.Tables[name]; len(files) > 0 {
			return files, nil
		}
	}
	return nil, &genesis.Error{Op: "read table", Kind: genesis.NotFound, Subject: table,
		Msg: "is no table of this version", Hint: "its tables are " + strings.Join(slices.Sorted(maps.Keys(l.Tables)), ", ")}
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
	if err != nil {
		var known *genesis.Error
		if errors.As(err, &known) && known.Kind == genesis.Unsupported {
			return &genesis.Error{Op: "read table", Kind: genesis.Unsupported, Msg: known.Msg, Hint: "`genesis export` writes it as one", Err: err}
		}
		return err
	}
	f.pieces.add(bytes.NewReader(footer), nil, int64(len(footer)))
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
		if p.close != nil {
			errs = append(errs, p.close.Close())
		}
	}
	return errors.Join(errs...)
}

// pieces are bytes that lie one after the other.
type pieces struct {
	all  []piece
	size int64
}

type piece struct {
	at    io.ReaderAt
	close io.Closer
	end   int64 // where the next one begins
	size  int64
}

func (p *pieces) add(at io.ReaderAt, c io.Closer, size int64) {
	p.size += size
	p.all = append(p.all, piece{at, c, p.size, size})
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
