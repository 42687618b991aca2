package find

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// view is what an asker may know of: of each asset the version that is shown.
type view struct {
	docs   []bitset       // by segment
	models lazy[[]bitset] // those that a model in the view was trained on
}

// key is what a view is kept under: a digest, so that nobody gets that of others by
// choosing what collides.
func (a Asker) key() (sum [sha256.Size]byte) {
	h := sha256.New()
	put := func(parts ...string) {
		var b []byte
		for _, p := range parts {
			b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
			b = append(b, p...)
		}
		h.Write(b)
	}
	for _, c := range a.Classes {
		put(string(c))
	}
	h.Write([]byte{0xFF, 0xFF, 0xFF, 0xFF})
	for _, id := range a.Also {
		put(string(id.Node), string(id.Name), string(id.Version))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// sorted returns the asker with all in order, each once.
func (a Asker) sorted() Asker {
	a.Classes = slices.Compact(slices.Sorted(slices.Values(a.Classes)))
	if !slices.IsSortedFunc(a.Also, compareIDs) {
		a.Also = slices.SortedFunc(slices.Values(a.Also), compareIDs)
	}
	return a
}

func compareIDs(a, b ID) int {
	if c := strings.Compare(string(a.Node), string(b.Node)); c != 0 {
		return c
	}
	if c := strings.Compare(string(a.Name), string(b.Name)); c != 0 {
		return c
	}
	return strings.Compare(string(a.Version), string(b.Version))
}

func (a Asker) check() error {
	if len(a.Also) > MaxAlso || len(a.Classes) > maxClasses {
		return &genesis.Error{Op: "search", Kind: genesis.Invalid, Msg: "names more that may be known of than is possible"}
	}
	return nil
}

// view returns what an asker may know of.
func (s *snapshot) view(a Asker) *view {
	a = a.sorted()
	key := a.key()
	s.mu.Lock()
	v := s.views[key]
	s.mu.Unlock()
	if v != nil {
		return v
	}
	v = s.makeView(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.views) >= maxViews {
		for other := range s.views { // any of them
			delete(s.views, other)
			break
		}
	}
	s.views[key] = v
	return v
}

func (s *snapshot) makeView(a Asker) *view {
	v := &view{}
	var byClass []bitset
	for i, seg := range s.segs {
		known := newBitset(seg.docs)
		for _, c := range a.Classes {
			if at := seg.lookup(term(kindClass, string(c))); at != nil {
				known.addPostings(at.postings())
			}
		}
		shown := newBitset(seg.docs)
		for w := range known {
			known[w] &^= s.flags[i].deleted[w]
			shown[w] = known[w] &^ s.flags[i].stale[w]
		}
		byClass, v.docs = append(byClass, known), append(v.docs, shown)
	}
	s.contest(v)
	s.addNamed(v, byClass, a.Also)
	return v
}

// contest leaves of each asset that has several versions in view the newest.
func (s *snapshot) contest(v *view) {
	rivals := map[string][]edition{}
	for i, seg := range s.segs {
		for w, set := range v.docs[i] {
			if set &= s.flags[i].contested[w]; set == 0 {
				continue
			}
			bitset{set}.each(func(doc int) {
				doc += 64 * w
				key := string(seg.key(doc))
				rivals[key] = append(rivals[key], seg.edition(spot{i, doc}))
			})
		}
	}
	for _, all := range rivals {
		v.showNewest(all)
	}
}

// showNewest shows of versions the newest alone.
func (v *view) showNewest(all []edition) {
	newest := slices.MinFunc(all, newer)
	for _, e := range all {
		v.docs[e.seg].clear(e.doc)
	}
	v.docs[newest.seg].set(newest.doc)
}

// addNamed adds what an asker may name, beside what their classes show of the same
// assets. IDs are in order.
func (s *snapshot) addNamed(v *view, byClass []bitset, ids []ID) {
	from := make([]int, len(s.segs))
	for len(ids) > 0 {
		n := 1
		for n < len(ids) && ids[n].Node == ids[0].Node && ids[n].Name == ids[0].Name {
			n++
		}
		named := ids[:n]
		ids = ids[n:]
		var all []edition
		for i, seg := range s.segs {
			lo, hi := seg.withKey(from[i], keyOf(named[0].Node, named[0].Name))
			from[i] = lo
			for doc := lo; doc < hi; doc++ {
				if e := seg.edition(spot{i, doc}); !s.flags[i].deleted.has(doc) && (byClass[i].has(doc) || names(named, e.version)) {
					all = append(all, e)
				}
			}
		}
		if len(all) > 0 {
			v.showNewest(all)
		}
	}
}

// names reports whether IDs of an asset hold a version.
func names(ids []ID, version rawDigest) bool {
	return slices.ContainsFunc(ids, func(id ID) bool { return id.Version == "" || string(id.Version) == version.String() })
}

// shown returns the documents in view of a version, in order of their keys.
func (s *snapshot) shown(v *view, version rawDigest) []spot {
	var all []spot
	for i, seg := range s.segs {
		seg.eachCopy(version, func(doc int) {
			if v.docs[i].has(doc) {
				all = append(all, spot{i, doc})
			}
		})
	}
	slices.SortFunc(all, func(a, b spot) int {
		return bytes.Compare(s.segs[a.seg].key(a.doc), s.segs[b.seg].key(b.doc))
	})
	return all
}

func (s *snapshot) trainedOn(v *view) []bitset {
	all := make([]bitset, len(s.segs))
	for i, seg := range s.segs {
		all[i] = newBitset(seg.docs)
	}
	for i, seg := range s.segs {
		from := make([]int, len(s.segs))
		seg.eachPrefix(term(kindInput, ""), func(at *cursor) bool {
			used := false
			eachRun(at.postings(), func(block int, r run) { used = used || r.common(v.docs[i].block(block)) > 0 })
			if !used {
				return true
			}
			key := string(at.term[1:])
			for j, other := range s.segs {
				lo, hi := other.withKey(from[j], key)
				for from[j] = lo; lo < hi; lo++ {
					all[j].set(lo)
				}
			}
			return true
		})
	}
	return all
}
