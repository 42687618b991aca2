package find

import (
	"encoding/binary"
	"slices"
)

// segmentWriter writes the sections of a segment, in the order of its methods:
// documents come as they are asked for by number, terms in their order.
type segmentWriter struct {
	out  *sink
	docs int
	dict dictWriter
	buf  []byte
}

func (w *segmentWriter) keys(key func(doc int) []byte) {
	w.out.foot.docs = uint64(w.docs)
	ends := make([]byte, 0, 4*w.docs)
	n := uint32(0)
	w.out.begin(secKeys)
	for i := range w.docs {
		k := key(i)
		w.out.Write(k)
		n += uint32(len(k))
		ends = binary.LittleEndian.AppendUint32(ends, n)
	}
	w.out.end(secKeys)
	w.section(secKeyEnds, ends)
}

func (w *segmentWriter) section(sec section, b []byte) {
	w.out.begin(sec)
	w.out.Write(b)
	w.out.end(sec)
}

func (w *segmentWriter) column(sec section, cell func(doc int) []byte) {
	w.out.begin(sec)
	for i := range w.docs {
		w.out.Write(cell(i))
	}
	w.out.end(sec)
}

func (w *segmentWriter) byVersion(version func(doc int) rawDigest) {
	type pair struct {
		version rawDigest
		doc     uint32
	}
	all := make([]pair, w.docs)
	for i := range all {
		all[i] = pair{version(i), uint32(i)}
	}
	slices.SortFunc(all, func(a, b pair) int {
		if c := slices.Compare(a.version[:], b.version[:]); c != 0 {
			return c
		}
		return int(a.doc) - int(b.doc)
	})
	w.out.begin(secByVersion)
	for _, p := range all {
		w.out.u32(p.doc)
	}
	w.out.end(secByVersion)
}

// term writes the postings of the next term.
func (w *segmentWriter) term(term string, l *lists) {
	w.buf = appendPostings(w.buf[:0], l)
	w.out.Write(w.buf)
	w.dict.add(term, len(w.buf))
}

func (w *segmentWriter) endTerms() {
	w.out.end(secPostings)
	w.dict.end(w.out)
}

func (w *segmentWriter) singles(place func(facet, doc int) uint32) {
	w.out.begin(secSingle)
	for f := range singles {
		for i := range w.docs {
			w.out.u32(place(f, i))
		}
	}
	w.out.end(secSingle)
}

func (w *segmentWriter) multis(places func(list, doc int, buf []uint32) []uint32) {
	ends := make([]byte, 0, 4*multis*w.docs)
	n := uint32(0)
	var buf []uint32
	w.out.begin(secValues)
	for list := range multis {
		for i := range w.docs {
			buf = places(list, i, buf[:0])
			for _, p := range buf {
				w.out.u32(p)
			}
			n += uint32(len(buf))
			ends = binary.LittleEndian.AppendUint32(ends, n)
		}
	}
	w.out.end(secValues)
	w.section(secMulti, ends)
}

func (w *segmentWriter) seq(words func(doc int, buf []byte) []byte) {
	w.spans(secSeqEnds, secSeq, func(i int) []byte {
		w.buf = words(i, w.buf[:0])
		return w.buf
	})
}

func (w *segmentWriter) stored(listing func(doc int) []byte) {
	w.spans(secStoredEnds, secStored, listing)
}

func (w *segmentWriter) spans(ends, sec section, span func(doc int) []byte) {
	at := make([]byte, 0, 8*w.docs)
	n := uint64(0)
	w.out.begin(sec)
	for i := range w.docs {
		b := span(i)
		w.out.Write(b)
		n += uint64(len(b))
		at = binary.LittleEndian.AppendUint64(at, n)
	}
	w.out.end(sec)
	w.section(ends, at)
}
