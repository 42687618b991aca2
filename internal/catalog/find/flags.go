package find

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/opengenesis/genesis"
)

// flags say of a segment's documents what follows from the documents of all segments.
// They change with every batch; a snapshot's do not.
type flags struct {
	deleted bitset // no longer there
	// stale documents are never shown by class: everybody who may see one by its classes
	// may see a later version of its asset by the same classes.
	stale bitset
	// contested documents have other versions that are neither stale nor without
	// class: which is shown depends on who asks.
	contested bitset
	// copied documents have their version elsewhere, too.
	copied bitset
}

func newFlags(docs int) *flags {
	return &flags{newBitset(docs), newBitset(docs), newBitset(docs), newBitset(docs)}
}

func (f *flags) sets() []bitset { return []bitset{f.deleted, f.stale, f.contested, f.copied} }

func (f *flags) clone() *flags {
	return &flags{slices.Clone(f.deleted), slices.Clone(f.stale), slices.Clone(f.contested), slices.Clone(f.copied)}
}

// spot is a document in a list of segments.
type spot struct{ seg, doc int }

// edition is a version of an asset, as far as it takes to know which is shown.
type edition struct {
	spot
	number    uint32
	published int64
	version   rawDigest
	classes   []string
}

// newer orders the versions of an asset: of the published ones that with the highest
// number first, then the others. Nothing but the listings decides.
func newer(a, b edition) int {
	return cmp.Or(cmp.Compare(b.number, a.number), cmp.Compare(b.published, a.published), bytes.Compare(b.version[:], a.version[:]))
}

// editor changes the flags of segments, of which it makes copies.
type editor struct {
	segs    []*segment
	flags   []*flags
	cloned  []bool
	keys    map[string]bool    // assets of which something changed
	digests map[rawDigest]bool // versions of which something changed
}

func (e *editor) edit(seg int) *flags {
	if !e.cloned[seg] {
		e.flags[seg], e.cloned[seg] = e.flags[seg].clone(), true
	}
	return e.flags[seg]
}

// delete marks the documents of an ID as deleted.
func (e *editor) delete(id ID) {
	for i := range e.segs {
		e.deleteIn(i, id)
	}
}

func (e *editor) deleteIn(seg int, id ID) {
	s := e.segs[seg]
	key := keyOf(id.Node, id.Name)
	version, err := parseDigest(id.Version)
	for doc := s.firstFrom(0, key); doc < s.docs; doc++ {
		k := string(s.key(doc))
		if k != key && (id.Name != "" || !bytes.HasPrefix([]byte(k), []byte(key))) {
			return
		}
		if e.flags[seg].deleted.has(doc) || err == nil && s.version(doc) != version {
			continue
		}
		e.edit(seg).deleted.set(doc)
		e.keys[k] = true
		e.digests[s.version(doc)] = true
	}
}

// settle brings the other flags of all that changed in line.
func (e *editor) settle() {
	keys := make([]string, 0, len(e.keys))
	for k := range e.keys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	from := make([]int, len(e.segs))
	for _, k := range keys {
		var all []edition
		for i, s := range e.segs {
			lo, hi := s.withKey(from[i], k)
			from[i] = lo
			for doc := lo; doc < hi; doc++ {
				if !e.flags[i].deleted.has(doc) {
					all = append(all, s.edition(spot{i, doc}))
				}
			}
		}
		e.settleAsset(all)
	}
	for d := range e.digests {
		e.settleCopies(d)
	}
}

func (s *segment) edition(at spot) edition {
	return edition{spot: at, number: s.number(at.doc), published: s.published(at.doc), version: s.version(at.doc)}
}

// settleAsset finds which versions of an asset are stale, and which contested.
func (e *editor) settleAsset(all []edition) {
	if len(all) > 1 { // else it can be neither
		for i := range all {
			all[i].classes = e.segs[all[i].seg].classes(all[i].doc)
		}
	}
	slices.SortFunc(all, newer)
	var left []edition // of those that are stale others are later, and not stale
	for _, a := range all {
		stale := len(a.classes) > 0 && slices.ContainsFunc(left, func(b edition) bool { return covers(b.classes, a.classes) })
		e.put(a.spot, func(f *flags) bitset { return f.stale }, stale)
		if !stale && len(a.classes) > 0 {
			left = append(left, a)
		} else {
			e.put(a.spot, func(f *flags) bitset { return f.contested }, false)
		}
	}
	for _, a := range left {
		e.put(a.spot, func(f *flags) bitset { return f.contested }, len(left) > 1)
	}
}

// covers reports whether the classes of a hold all of b.
func covers(a, b []string) bool {
	for _, c := range b {
		if !slices.Contains(a, c) {
			return false
		}
	}
	return true
}

// put makes a flag of a document what it is to be.
func (e *editor) put(at spot, set func(*flags) bitset, to bool) {
	if set(e.flags[at.seg]).has(at.doc) == to {
		return
	}
	if b := set(e.edit(at.seg)); to {
		b.set(at.doc)
	} else {
		b.clear(at.doc)
	}
}

// settleCopies finds whether a version is at several places.
func (e *editor) settleCopies(version rawDigest) {
	var all []spot
	for i, s := range e.segs {
		s.eachCopy(version, func(doc int) {
			if !e.flags[i].deleted.has(doc) {
				all = append(all, spot{i, doc})
			}
		})
	}
	for _, at := range all {
		e.put(at, func(f *flags) bitset { return f.copied }, len(all) > 1)
	}
}

// pack writes flags for the manifest.
func (f *flags) pack() []byte {
	var b []byte
	for _, set := range f.sets() {
		for _, w := range set {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	return packer.EncodeAll(b, nil)
}

// unpackFlags reads flags from the manifest.
func unpackFlags(packed []byte, docs int) (*flags, error) {
	f := newFlags(docs)
	b, err := unpacker.DecodeAll(packed, nil)
	if err != nil || len(b) != 4*8*len(f.deleted) {
		return nil, &genesis.Error{Op: Damaged, Kind: genesis.Internal, Subject: "the manifest", Msg: "has flags that do not fit their segment", Err: err}
	}
	for _, set := range f.sets() {
		for i := range set {
			set[i] = binary.LittleEndian.Uint64(b)
			b = b[8:]
		}
	}
	return f, nil
}
