package find

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/zeebo/xxh3"
)

// builder makes a segment of documents. What it collects of each goes to the ends of
// long lists, and is put in the order of terms at the end: that is several times faster than
// lists by term, which grow all over the memory.
type builder struct {
	ids     [kinds]map[string]uint32 // of terms, by kind
	terms   []string
	posts   []post
	steps   []uint32 // document and, in the lower half, the number of a step
	best    []level  // of the document at hand, by term
	mark    []uint32 // the document for which that holds, from 1
	used    []uint32 // the document's terms
	keys    []string
	cells   [][rowBytes]byte
	singles [singles][]uint32 // term, from 1
	ends    [multis][]uint32
	values  [multis][]uint32
	seqEnds []uint64
	seq     []uint32 // terms, from 1
	stored  [][]byte
}

// post is a document that has a term, and at what level.
type post struct{ term, doc uint32 } // the level is in the lowest three bits

// rowBytes is how many bytes a document has in all columns.
const rowBytes = 32 + 4 + 8 + 1 + 8 + 8 + 8 + 32

// build returns the segment of documents, in the order of their keys and
// versions; none comes twice.
func build(docs []Document) (*builder, error) {
	b := &builder{}
	for i := range b.ids {
		b.ids[i] = map[string]uint32{}
	}
	for i := range docs {
		if err := b.add(&docs[i]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *builder) id(kind byte, text string) uint32 {
	id, ok := b.ids[kind][text]
	if !ok {
		id = uint32(len(b.terms))
		b.ids[kind][text] = id
		b.terms = append(b.terms, term(kind, text))
		b.best, b.mark = append(b.best, 0), append(b.mark, 0)
	}
	return id
}

// note has the document at hand be found by a term, and reports whether it was not yet.
func (b *builder) note(id uint32, at level) bool {
	now := uint32(len(b.keys)) + 1
	if b.mark[id] != now {
		b.mark[id], b.best[id] = now, at
		b.used = append(b.used, id)
		return true
	}
	b.best[id] = min(b.best[id], at)
	return false
}

func (b *builder) add(d *Document) error {
	text, err := d.text()
	if err != nil {
		return err
	}
	b.used = b.used[:0]
	b.addText(&d.Listing)
	b.addValues(d)
	for _, v := range d.Variables[:min(len(d.Variables), maxVariables)] {
		b.note(b.id(kindPair, foldValue(v.Name)+"\x00"+cutValue(v.Unit)), 0)
	}
	if d.Kind == genesis.Model {
		for _, ref := range d.Inputs[:min(len(d.Inputs), maxInputs)] {
			if key, ok := inputKey(&d.Listing, ref); ok {
				b.note(b.id(kindInput, key), 0)
			}
		}
	}
	doc := uint32(len(b.keys))
	for _, id := range b.used {
		b.posts = append(b.posts, post{id, doc<<3 | uint32(b.best[id])})
	}
	b.keys = append(b.keys, keyOf(d.Node, d.Name))
	b.cells = append(b.cells, cells(d))
	b.stored = append(b.stored, packer.EncodeAll(text, nil))
	return nil
}

func (b *builder) addText(l *genesis.Listing) {
	last := ""
	eachTerm(l, func(text string, at level, seq bool) {
		if seq {
			b.noteStep(last, text)
			last = text
		}
		id := uint32(0)
		if text != "" {
			id = b.id(kindWord, text) + 1
			b.note(id-1, at)
		}
		if seq {
			b.seq = append(b.seq, id)
		}
	})
	b.seqEnds = append(b.seqEnds, uint64(len(b.seq)))
}

// noteStep notes that a word follows another.
func (b *builder) noteStep(from, to string) {
	if from == "" || to == "" {
		return
	}
	b.steps = append(b.steps, uint32(len(b.keys))<<16|uint32(step(from, to)))
}

// numSteps is how many different numbers steps have. Some have the same; what follows
// what is looked up in the document then.
const numSteps = 1 << 16

// step is the number of two words that follow each other.
func step(from, to string) uint16 { return uint16(xxh3.HashString(from + "\x00" + to)) }

func stepText(n uint16) string { return string([]byte{byte(n >> 8), byte(n)}) }

func (b *builder) addValues(d *Document) {
	for i, f := range Facets {
		first := uint32(0)
		eachValue(&d.Listing, f, func(v string) {
			if v == "" {
				return
			}
			id := b.id(facetKind(i), v)
			if fresh := b.note(id, 0); i < singles {
				first = id + 1
			} else if fresh {
				b.values[i-singles] = append(b.values[i-singles], id)
			}
		})
		if i < singles {
			b.singles[i] = append(b.singles[i], first)
		}
	}
	for _, c := range d.Classes {
		if id := b.id(kindClass, string(c)); b.note(id, 0) {
			b.values[classList] = append(b.values[classList], id)
		}
	}
	for i := range b.ends {
		b.ends[i] = append(b.ends[i], uint32(len(b.values[i])))
	}
}

// cells returns a document's bytes in all columns.
func cells(d *Document) (row [rowBytes]byte) {
	l := &d.Listing
	version, _ := parseDigest(l.Version) // checked before
	b := append(row[:0], version[:]...)
	b = binary.LittleEndian.AppendUint32(b, uint32(max(0, min(l.Number, math.MaxInt32))))
	turn := d.Turn
	if turn == 0 {
		turn = seconds(l.Published)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(turn))
	b = append(b, byte(quality(l)))
	b = binary.LittleEndian.AppendUint64(b, uint64(l.Rows))
	start, end := period(l)
	b = binary.LittleEndian.AppendUint64(b, uint64(start))
	b = binary.LittleEndian.AppendUint64(b, uint64(end))
	box := genesis.Box{West: math.NaN(), South: math.NaN(), East: math.NaN(), North: math.NaN()}
	if l.Place != nil {
		box = *l.Place
	}
	for _, v := range []float64{box.West, box.South, box.East, box.North} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return row
}

// write writes the segment into a file.
func (b *builder) write(out *sink) (uint64, error) {
	w := segmentWriter{out: out, docs: len(b.keys)}
	w.keys(func(i int) []byte { return []byte(b.keys[i]) })
	at := 0
	for _, c := range columns {
		from := at
		w.column(c.sec, func(i int) []byte { return b.cells[i][from : from+c.width] })
		at += c.width
	}
	w.byVersion(func(i int) rawDigest { return rawDigest(b.cells[i][:32]) })

	out.begin(secPostings)
	place := b.writeTerms(&w)
	b.writeSteps(&w)
	w.endTerms()
	b.writeValues(&w, place)
	w.seq(func(i int, buf []byte) []byte {
		from := uint64(0)
		if i > 0 {
			from = b.seqEnds[i-1]
		}
		for _, id := range b.seq[from:b.seqEnds[i]] {
			if id > 0 {
				id = place[id-1] + 1
			}
			buf = binary.AppendUvarint(buf, uint64(id))
		}
		return buf
	})
	w.stored(func(i int) []byte { return b.stored[i] })
	return out.finish()
}

// writeTerms writes all terms but steps, and returns their places by number.
func (b *builder) writeTerms(w *segmentWriter) []uint32 {
	order := make([]uint32, len(b.terms))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int { return cmp.Compare(b.terms[x], b.terms[y]) })
	docs, ends := grouped(len(b.terms), len(b.posts), func(i int) (uint32, uint32) { return b.posts[i].term, b.posts[i].doc })
	place := make([]uint32, len(b.terms))
	var l lists
	for i, id := range order {
		place[id] = uint32(i)
		l.reset()
		for _, p := range docs[ends[id]:ends[id+1]] {
			l[p&7] = append(l[p&7], p>>3)
		}
		w.term(b.terms[id], &l)
	}
	return place
}

// writeSteps writes the steps, which come after all other terms.
func (b *builder) writeSteps(w *segmentWriter) {
	docs, ends := grouped(numSteps, len(b.steps), func(i int) (uint32, uint32) { return b.steps[i] & (numSteps - 1), b.steps[i] >> 16 })
	for n := range numSteps {
		if has := slices.Compact(docs[ends[n]:ends[n+1]]); len(has) > 0 {
			w.term(term(kindStep, stepText(uint16(n))), &lists{has})
		}
	}
}

// grouped returns the values of pairs by their keys, which are below a number, in the
// order in which they come, and where those of each key begin.
func grouped(keys, n int, pair func(i int) (key, value uint32)) (values []uint32, ends []int) {
	ends = make([]int, keys+2)
	for i := range n {
		key, _ := pair(i)
		ends[key+2]++
	}
	for key := range keys {
		ends[key+2] += ends[key+1]
	}
	values = make([]uint32, n)
	for i := range n {
		key, value := pair(i)
		values[ends[key+1]] = value
		ends[key+1]++
	}
	return values, ends[:keys+1]
}

func (b *builder) writeValues(w *segmentWriter, place []uint32) {
	first := w.dict.first
	w.singles(func(f, i int) uint32 {
		if id := b.singles[f][i]; id > 0 {
			return place[id-1] - uint32(first[facetKind(f)]) + 1
		}
		return 0
	})
	w.multis(func(list, i int, buf []uint32) []uint32 {
		from := uint32(0)
		if i > 0 {
			from = b.ends[list][i-1]
		}
		for _, id := range b.values[list][from:b.ends[list][i]] {
			buf = append(buf, place[id]-uint32(first[multiKind(list)]))
		}
		return buf
	})
}

// multiKind returns the kind of the terms of a list of several values.
func multiKind(list int) byte {
	if list == classList {
		return kindClass
	}
	return facetKind(singles + list)
}
