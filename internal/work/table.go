package work

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/stream"
)

// Table returns the Parquet file of a table as it is stored, with the digest and the size
// of its bytes. It can be read at any offset ([io.ReaderAt]) for as long as the right to
// it lasts. Whoever reads it in many parts asks for each of them; together these are few
// entries of the journal, which count them.
func (s *Service) Table(ctx context.Context, who genesis.Principal, ref, table string) (io.ReadCloser, genesis.Blob, error) {
	v, d, err := s.enter(ctx, who, genesis.Read, ref)
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	shared, err := s.Journal.Share(ctx, s.event(d)) // of the entry that the decision left
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	ctx, stop := s.Access.Watch(ctx, d.Ask)
	f, err := s.tableFile(ctx, v, table)
	if err != nil {
		stop()
		if err = withdrawn(ctx, err); genesis.KindOf(err) == genesis.NotFound {
			err = inside{err}
		}
		return nil, genesis.Blob{}, err
	}
	out := &watchedTable{watched: watched{f, ctx, stop}, shared: shared}
	return out, genesis.Blob{Digest: f.Digest(), Size: f.Size()}, nil
}

// inside is an error about a part of what whoever asks may read: that there is no such
// part, and which there are, is nothing to hide from them.
type inside struct{ error }

func (e inside) Unwrap() error { return e.error }

// MayRead reports that.
func (inside) MayRead() bool { return true }

func (s *Service) tableFile(ctx context.Context, v genesis.Version, table string) (*stream.File, error) {
	if v.Kind != genesis.Dataset {
		return nil, &genesis.Error{Op: "read table", Kind: genesis.Invalid, Subject: string(v.Name), Msg: "is a model; only datasets have tables"}
	}
	l, err := s.Catalog.Layout(ctx, v)
	if err != nil {
		return nil, err
	}
	return stream.OpenFile(ctx, s.Blobs, l, table)
}

// watchedTable counts what is read of a table.
type watchedTable struct {
	watched
	shared journal.Shared
	bytes  atomic.Int64
}

func (w *watchedTable) Read(b []byte) (int, error) {
	n, err := w.watched.Read(b)
	w.bytes.Add(int64(n))
	return n, err
}

func (w *watchedTable) ReadAt(b []byte, off int64) (int, error) {
	n, err := w.watched.ReadAt(b, off)
	w.bytes.Add(int64(n))
	return n, err
}

// Close tells the journal how much it was, and lets go of the table.
func (w *watchedTable) Close() error {
	w.shared.Add(1, w.bytes.Load())
	return w.watched.Close()
}
