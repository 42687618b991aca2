package find

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Index is a search index in a folder. Its methods may be called at the same time:
// readers see the index as it was when they began.
type Index struct {
	dir  string
	disk disk.Disk
	log  *slog.Logger

	writing sync.Mutex // held by whoever changes the index
	next    int        // number of the next segment's file
	mark    string
	merges  sync.WaitGroup
	merging bool
	closed  bool

	mu  sync.Mutex // guards users of snapshots and segments, and now
	now *snapshot
}

// Options change how an index is kept.
type Options struct {
	Disk disk.Disk    // nil: this machine's
	Log  *slog.Logger // nil: nowhere
}

// What of a batch is made a segment at once, and so is in memory several times over.
const (
	flushDocs  = 1 << 15
	flushBytes = 128 << 20
)

// Open opens the index in a folder, which it makes if it is missing. Where files are
// damaged or of another format the index is empty, and so is its mark: it is built
// again from the source, and the log says why.
func Open(dir string, o Options) (*Index, error) {
	ix := &Index{dir: dir, disk: o.Disk, log: o.Log}
	if ix.disk == nil {
		ix.disk = disk.OS
	}
	if ix.log == nil {
		ix.log = slog.New(slog.DiscardHandler)
	}
	if err := disk.MkdirAll(ix.disk, dir); err != nil {
		return nil, disk.Error("open search index", dir, err)
	}
	segs, fl, err := ix.load()
	if err != nil {
		for _, s := range segs {
			s.unmap()
		}
		if genesis.KindOf(err) != genesis.Internal {
			return nil, disk.Error("open search index", dir, err)
		}
		ix.log.Warn("the search index is begun anew", "why", err)
		segs, fl, ix.mark = nil, nil, ""
	}
	keep := segs
	if err == nil && keep == nil {
		keep = []*segment{}
	}
	if err := ix.tidy(keep); err != nil {
		return nil, disk.Error("open search index", dir, err)
	}
	ix.swap(newSnapshot(segs, fl))
	return ix, nil
}

// Mark returns that of the last batch that had one; "" for an index that has to be
// filled from the beginning.
func (ix *Index) Mark() string {
	ix.writing.Lock()
	defer ix.writing.Unlock()
	return ix.mark
}

// Apply changes the index; once it returns, the batch counts, also after a crash. A
// batch of more than 32,768 documents, or 128 MiB, is applied in parts, of which the last
// brings the mark. Errors: Invalid (a document that cannot be; nothing of the batch
// counts), Unavailable (the disk), Internal (damage: see [Index.Reset]).
func (ix *Index) Apply(ctx context.Context, b Batch) (err error) {
	defer faults()()
	defer guard(&err)
	for i := range b.Put {
		if err := b.Put[i].check(); err != nil {
			return err
		}
	}
	for _, id := range b.Delete {
		if id.Node == "" || id.Name == "" && id.Version != "" {
			return &genesis.Error{Op: "delete from search index", Kind: genesis.Invalid, Subject: string(id.Node), Msg: "names neither a node, nor an asset, nor a version"}
		}
	}
	docs := latest(b.Put)
	ix.writing.Lock()
	defer ix.writing.Unlock()
	for first := true; first || len(docs) > 0; first = false {
		if err := ctx.Err(); err != nil {
			return &genesis.Error{Op: "index listings", Kind: genesis.Canceled, Msg: "was cancelled; what was indexed counts", Err: err}
		}
		part := docs[:partOf(docs)]
		docs = docs[len(part):]
		mark := ""
		if len(docs) == 0 {
			mark = b.Mark
		}
		if err := ix.apply(part, b.Delete, mark); err != nil {
			return disk.Error("index listings", ix.dir, err)
		}
		b.Delete = nil
	}
	return nil
}

// partOf returns how many documents are made a segment at once.
func partOf(docs []Document) int {
	bytes := 0
	for i := range docs {
		if i == flushDocs || bytes > flushBytes {
			return i
		}
		eachLine(&docs[i].Listing, func(l line) { bytes += len(l.text) })
	}
	return len(docs)
}

// latest returns the last document of each ID, in order.
func latest(put []Document) []Document {
	docs := slices.Clone(put)
	slices.SortStableFunc(docs, byID)
	out := docs[:0]
	for i := range docs {
		if i+1 < len(docs) && byID(docs[i], docs[i+1]) == 0 {
			continue
		}
		out = append(out, docs[i])
	}
	return out
}

func byID(a, b Document) int {
	return cmp.Or(cmp.Compare(keyOf(a.Node, a.Name), keyOf(b.Node, b.Name)), cmp.Compare(a.Version, b.Version))
}

// apply makes a batch that fits a segment part of the index.
func (ix *Index) apply(docs []Document, deleted []ID, mark string) error {
	if ix.closed {
		return &genesis.Error{Op: "index listings", Kind: genesis.Unavailable, Msg: "the index is closed"}
	}
	now := ix.now
	e := &editor{segs: slices.Clone(now.segs), flags: slices.Clone(now.flags), cloned: make([]bool, len(now.segs)),
		keys: map[string]bool{}, digests: map[rawDigest]bool{}}
	for _, id := range deleted {
		e.delete(id)
	}
	if len(docs) > 0 {
		if err := e.replace(docs); err != nil {
			return err
		}
		s, err := ix.newSegment(docs)
		if err != nil {
			return err
		}
		e.segs, e.flags, e.cloned = append(e.segs, s), append(e.flags, newFlags(s.docs)), append(e.cloned, true)
	}
	e.settle()
	return ix.commit(e.segs, e.flags, cmp.Or(mark, ix.mark))
}

// replace deletes what documents come in place of, and notes what changes by them.
// The documents are in order.
func (e *editor) replace(docs []Document) error {
	from := make([]int, len(e.segs))
	for i := range docs {
		d := &docs[i]
		key := keyOf(d.Node, d.Name)
		version, err := parseDigest(d.Version)
		if err != nil {
			return err
		}
		e.keys[key], e.digests[version] = true, true
		for seg, s := range e.segs {
			lo, hi := s.withKey(from[seg], key)
			for from[seg] = lo; lo < hi; lo++ {
				if s.version(lo) == version && !e.flags[seg].deleted.has(lo) {
					e.edit(seg).deleted.set(lo)
				}
			}
		}
	}
	return nil
}

// newSegment writes documents into a file of their own and opens it.
func (ix *Index) newSegment(docs []Document) (*segment, error) {
	b, err := build(docs)
	if err != nil {
		return nil, err
	}
	return ix.write(b.write)
}

// write makes a segment's file, whole or not at all.
func (ix *Index) write(fill func(*sink) (uint64, error)) (*segment, error) {
	name := fmt.Sprintf("%08d%s", ix.next, segmentSuffix)
	path := filepath.Join(ix.dir, name)
	ix.next++
	return ix.writeAs(path, name, fill)
}

func (ix *Index) writeAs(path, name string, fill func(*sink) (uint64, error)) (*segment, error) {
	f, err := ix.disk.Create(path + disk.Temporary)
	if err != nil {
		return nil, err
	}
	_, err = fill(newSink(f))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = ix.disk.Rename(path+disk.Temporary, path)
	}
	if err != nil {
		ix.disk.Remove(path + disk.Temporary) // best effort: the next start tidies up
		return nil, err
	}
	return openSegment(path, name)
}

// commit makes segments the index, and removes the files of those that no longer are.
func (ix *Index) commit(segs []*segment, fl []*flags, mark string) error {
	segs, fl = withoutEmpty(segs, fl)
	if err := ix.writeManifest(segs, fl, mark); err != nil {
		return err
	}
	ix.mark = mark
	old := ix.now
	for _, s := range old.segs {
		if !slices.Contains(segs, s) {
			if err := ix.disk.Remove(filepath.Join(ix.dir, s.name)); err != nil {
				ix.log.Warn("a file of the search index stays until the next start", "file", s.name, "why", err)
			}
		}
	}
	ix.swap(newSnapshot(segs, fl))
	ix.mergeSome()
	return nil
}

// withoutEmpty leaves out segments of which nothing is left.
func withoutEmpty(segs []*segment, fl []*flags) ([]*segment, []*flags) {
	var keep []*segment
	var keepFlags []*flags
	for i, s := range segs {
		if fl[i].deleted.count() < s.docs {
			keep, keepFlags = append(keep, s), append(keepFlags, fl[i])
		}
	}
	return keep, keepFlags
}

// Reset empties the index, for it to be filled again.
func (ix *Index) Reset() error {
	ix.writing.Lock()
	defer ix.writing.Unlock()
	if ix.closed {
		return &genesis.Error{Op: "reset search index", Kind: genesis.Unavailable, Msg: "the index is closed"}
	}
	return disk.Error("reset search index", ix.dir, ix.commit(nil, nil, ""))
}

// Close waits for what is being written. Files stay mapped until the last reader is done.
func (ix *Index) Close() error {
	ix.writing.Lock()
	ix.closed = true
	ix.writing.Unlock()
	ix.merges.Wait()
	ix.swap(nil)
	return nil
}
