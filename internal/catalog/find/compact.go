package find

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Segments of like size are merged, eight at a time, so that an index has few of
// them and every document is written a number of times that grows with the
// logarithm of their number. A segment that is mostly deleted is merged alone.
const fanIn = 8

// tier returns the class of size of a segment.
func tier(docs int) int {
	t := 0
	for size := 256; size < docs; size *= fanIn {
		t++
	}
	return t
}

// toMerge returns the numbers of segments to make one of, or none.
func toMerge(segs []*segment, fl []*flags) []int {
	tiers := map[int][]int{}
	for i, s := range segs {
		left := s.docs - fl[i].deleted.count()
		if s.docs > 2*left {
			return []int{i}
		}
		tiers[tier(left)] = append(tiers[tier(left)], i)
	}
	for t := range 16 {
		if all := tiers[t]; len(all) >= fanIn {
			return all[:fanIn]
		}
	}
	return nil
}

// mergeSome begins a merge in the background if one is due. Writing is held.
func (ix *Index) mergeSome() {
	if ix.merging || ix.closed {
		return
	}
	which := toMerge(ix.now.segs, ix.now.flags)
	if which == nil {
		return
	}
	ix.merging = true
	name := fmt.Sprintf("%08d%s", ix.next, segmentSuffix)
	ix.next++
	snap := ix.acquire()
	ix.merges.Go(func() {
		defer ix.release(snap)
		if err := ix.merge(snap, which, name); err != nil {
			ix.log.Warn("segments of the search index were not merged", "why", err)
		}
	})
}

// merge makes one segment of some, and puts it in their place, whatever has been
// deleted of them meanwhile.
func (ix *Index) merge(snap *snapshot, which []int, name string) (err error) {
	defer faults()()
	var segs []*segment
	var deleted []bitset
	for _, i := range which {
		segs, deleted = append(segs, snap.segs[i]), append(deleted, snap.flags[i].deleted)
	}
	m, merged, err := ix.writeMerged(segs, deleted, name)
	ix.writing.Lock()
	defer ix.writing.Unlock()
	ix.merging = false
	if err != nil {
		return err
	}
	return ix.settleMerged(m, merged, segs, name)
}

// settleMerged puts a merged segment in the place of those that it was made of. Writing
// is held.
func (ix *Index) settleMerged(m *merger, merged *segment, segs []*segment, name string) (err error) {
	defer guard(&err)
	now := ix.now
	places := make([]int, len(segs))
	for i, s := range segs {
		if places[i] = slices.Index(now.segs, s); places[i] < 0 { // reset or emptied meanwhile
			merged.unmap()
			ix.mergeSome() // of what is there now
			return ix.disk.Remove(filepath.Join(ix.dir, name))
		}
	}
	next := newFlags(merged.docs)
	for new, o := range m.order {
		for k, set := range now.flags[places[o.seg]].sets() {
			if set.has(int(o.doc)) {
				next.sets()[k].set(new)
			}
		}
	}
	var rest []*segment
	var restFlags []*flags
	for i, s := range now.segs {
		if !slices.Contains(segs, s) {
			rest, restFlags = append(rest, s), append(restFlags, now.flags[i])
		}
	}
	return ix.commit(append(rest, merged), append(restFlags, next), ix.mark)
}

func (ix *Index) writeMerged(segs []*segment, deleted []bitset, name string) (m *merger, s *segment, err error) {
	defer guard(&err)
	m = newMerger(segs, deleted)
	s, err = ix.writeAs(filepath.Join(ix.dir, name), name, m.write)
	return m, s, err
}

// Scrub writes every segment anew of which documents were deleted, so that afterwards no
// file has anything of them. Others that write wait. Errors as of [Index.Apply].
func (ix *Index) Scrub(ctx context.Context) error {
	ix.Settle()
	ix.writing.Lock()
	defer ix.writing.Unlock()
	defer faults()()
	snap := ix.acquire()
	if snap == nil || ix.closed {
		return &genesis.Error{Op: "scrub search index", Kind: genesis.Unavailable, Msg: "the index is closed"}
	}
	defer ix.release(snap)
	for i, s := range snap.segs {
		if ctx.Err() != nil {
			return &genesis.Error{Op: "scrub search index", Kind: genesis.Canceled, Msg: "was cancelled", Err: ctx.Err()}
		}
		if snap.flags[i].deleted.count() == 0 {
			continue
		}
		name := fmt.Sprintf("%08d%s", ix.next, segmentSuffix)
		ix.next++
		m, fresh, err := ix.writeMerged([]*segment{s}, []bitset{snap.flags[i].deleted}, name)
		if err == nil {
			err = ix.settleMerged(m, fresh, []*segment{s}, name)
		}
		if err != nil {
			return disk.Error("scrub search index", ix.dir, err)
		}
	}
	return nil
}

// Settle waits until no merge is due or under way.
func (ix *Index) Settle() {
	for {
		ix.merges.Wait()
		ix.writing.Lock()
		busy := ix.merging
		ix.writing.Unlock()
		if !busy {
			return
		}
	}
}
