package find

import (
	"bytes"
	"context"
	"slices"

	"github.com/opengenesis/genesis"
)

// classMore is that of the documents that a query brings along. No document of the index
// can have it.
const classMore genesis.Class = "\x01"

// SearchWith is Search as if the index held some more documents, each in place of what has
// its ID, that the asker of this query may know of and nobody else. A version of which the
// index has a match, too, stands where it does without them, so that it neither moves
// between two pages nor comes twice when they are not there for the second. Errors: also
// Invalid for one that cannot be.
func (ix *Index) SearchWith(ctx context.Context, q Query, more []Document) (result Result, err error) {
	err = ix.readWith(&q.Asker, more, func(s *snapshot) (err error) {
		result, err = s.search(ctx, q)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	return result, nil
}

// SimilarWith is Similar as if the index held some more documents, as in SearchWith. It
// returns the listing that others are held against, too.
func (ix *Index) SimilarWith(ctx context.Context, a Asker, id ID, limit int, more []Document) (of genesis.Listing, found []Likeness, err error) {
	if err := a.check(); err != nil {
		return of, nil, err
	}
	err = ix.readWith(&a, more, func(s *snapshot) (err error) {
		of, found, err = s.similar(ctx, a, id, limit)
		return err
	})
	return of, found, err
}

// readWith calls act for the index, and what an asker brings along.
func (ix *Index) readWith(a *Asker, more []Document, act func(*snapshot) error) error {
	if len(more) == 0 {
		return ix.read(act)
	}
	for i := range more {
		if err := more[i].check(); err != nil {
			return err
		}
	}
	a.Classes = append(slices.Clip(a.Classes), classMore)
	return ix.read(func(s *snapshot) error {
		over, err := s.with(more)
		if err != nil {
			return err
		}
		return act(over)
	})
}

// with returns the snapshot with more documents. It lasts as long as that does.
func (s *snapshot) with(more []Document) (*snapshot, error) {
	docs := latest(more)
	for i := range docs {
		docs[i].Classes = []genesis.Class{classMore}
	}
	e := &editor{segs: slices.Clone(s.segs), flags: slices.Clone(s.flags), cloned: make([]bool, len(s.segs)), keys: map[string]bool{}, digests: map[rawDigest]bool{}}
	if err := e.replace(docs); err != nil {
		return nil, err
	}
	seg, err := inMemory(docs)
	if err != nil {
		return nil, err
	}
	e.segs, e.flags, e.cloned = append(e.segs, seg), append(e.flags, newFlags(seg.docs)), append(e.cloned, true)
	e.settle()
	over := newSnapshot(e.segs, e.flags)
	over.own-- // the last is not of the index
	return over, nil
}

// inMemory makes a segment that is in no file.
func inMemory(docs []Document) (*segment, error) {
	b, err := build(docs)
	if err != nil {
		return nil, err
	}
	var file memory
	if _, err := b.write(newSink(&file)); err != nil {
		return nil, err
	}
	p, sum, err := openPages(file.Bytes())
	if err != nil {
		return nil, err
	}
	return &segment{pages: p, sum: sum, docs: int(p.foot.docs)}, nil
}

// memory is a file in memory.
type memory struct{ bytes.Buffer }

func (*memory) Sync() error  { return nil }
func (*memory) Close() error { return nil }
