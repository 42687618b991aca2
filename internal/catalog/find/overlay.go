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
// its ID, that the asker of this query may know of and nobody else. Errors: also Invalid
// for one that cannot be.
func (ix *Index) SearchWith(ctx context.Context, q Query, more []Document) (Result, error) {
	if len(more) == 0 {
		return ix.Search(ctx, q)
	}
	for i := range more {
		if err := more[i].check(); err != nil {
			return Result{}, err
		}
	}
	q.Asker.Classes = append(slices.Clip(q.Asker.Classes), classMore)
	var result Result
	err := ix.read(func(s *snapshot) error {
		over, err := s.with(more)
		if err == nil {
			result, err = over.search(ctx, q)
		}
		return err
	})
	return result, err
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
	return newSnapshot(e.segs, e.flags), nil
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
