package parquet

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// Part is one of the files that [Join] makes one file of.
type Part struct {
	At   io.ReaderAt
	Size int64
}

// maxJoined bounds the bytes of all footers that are joined.
const maxJoined = 256 << 20

// Join returns what has to follow the bytes of several files, one after the other, to
// make one Parquet file of them: its footer, with length and magic number. It holds the
// row groups of all of them, in order, and else what the first one's says. The files must
// have the same schema: else the error is of kind Unsupported; Invalid for what is no
// Parquet file.
func Join(parts []Part) ([]byte, error) {
	if len(parts) == 0 {
		return nil, damaged("has no files")
	}
	footers := make([][]byte, len(parts))
	var rows, total, size int64
	groups := 0
	for i, p := range parts {
		buf, meta, err := loadFooter(p.At, p.Size)
		if err == nil {
			_, err = meta.leaves()
		}
		if err != nil {
			return nil, err
		}
		if total += int64(len(buf)); total > maxJoined {
			return nil, unsupported("has files whose footers are too long to be joined")
		}
		footers[i] = buf
		size += p.Size
		rows += meta.rows
		groups += len(meta.groups)
	}
	j := joiner{rows: rows, groups: groups, parts: parts, footers: footers}
	out, err := j.join()
	if err != nil {
		return nil, err
	}
	if err := checkFooter(out, size, rows); err != nil {
		return nil, err
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(out)))
	return append(out, magic...), nil
}

// checkFooter reads a footer that follows size bytes, as whoever gets it will.
func checkFooter(footer []byte, size, rows int64) error {
	m, err := parseFooter(footer)
	if err == nil {
		err = m.check(size)
	}
	if err == nil && m.rows != rows {
		err = damaged("has footers that contradict each other")
	}
	return err
}

// Fields of FileMetaData that differ between a file and what it is joined to.
const (
	metaSchema = 2
	metaRows   = 3
	metaGroups = 4
)

// moved says which fields of a struct are offsets into the file, and which hold
// structs with such fields, or lists of them.
type moved struct {
	offsets []int16
	within  map[int16]*moved
}

// movedGroup is what of a RowGroup are offsets (parquet.thrift): of the group itself, of
// its chunks, and of their metadata.
var movedGroup = &moved{
	offsets: []int16{5},
	within: map[int16]*moved{1: {
		offsets: []int16{2, 4, 6},
		within:  map[int16]*moved{3: {offsets: []int16{9, 10, 11, 14}}},
	}},
}

const groupOrdinal = 7 // of a RowGroup: its number, if it has fewer than 15 bits

type joiner struct {
	rows    int64
	groups  int
	parts   []Part
	footers [][]byte
	w       thriftWriter
	n       int // row groups written
}

func (j *joiner) join() ([]byte, error) {
	schema := fieldOf(j.footers[0], metaSchema)
	for _, f := range j.footers[1:] {
		if !bytes.Equal(schema, fieldOf(f, metaSchema)) {
			return nil, unsupported("has files of different schemas")
		}
	}
	first := &thriftReader{buf: j.footers[0]}
	j.w.begin()
	first.fields(func(id int16, wire byte) {
		switch id {
		case metaRows:
			first.skip(wire)
			j.w.i64(id, j.rows)
		case metaGroups:
			first.skip(wire)
			j.writeGroups()
		default:
			j.w.copyField(first, id, wire)
		}
	})
	j.w.end()
	if first.err != nil || j.n != j.groups || int64(len(j.w.buf)) > 1<<31-1 {
		return nil, damaged("has a footer that is not well formed")
	}
	return j.w.buf, nil
}

// writeGroups writes the row groups of all files, with their offsets moved to where the
// files lie.
func (j *joiner) writeGroups() {
	j.w.list(metaGroups, wireStruct, j.groups)
	var by int64
	for i, f := range j.footers {
		r := &thriftReader{buf: f}
		r.fields(func(id int16, wire byte) {
			if id != metaGroups || wire != wireList {
				r.skip(wire)
				return
			}
			r.list(func(int, byte) { j.writeGroup(r, by) })
		})
		by += j.parts[i].Size
	}
}

func (j *joiner) writeGroup(r *thriftReader, by int64) {
	w := &j.w
	w.begin()
	r.fields(func(id int16, wire byte) {
		if id != groupOrdinal {
			movedGroup.field(r, w, id, wire, by)
			return
		}
		r.skip(wire)
		if j.n <= 0x7fff {
			w.i16(id, int16(j.n))
		}
	})
	w.end()
	j.n++
}

// field copies one field of a struct, moved. An offset of 0 is none: no file has
// anything but its magic number there.
func (m *moved) field(r *thriftReader, w *thriftWriter, id int16, wire byte, by int64) {
	inner := m.within[id]
	switch {
	case wire == wireI64 && slices.Contains(m.offsets, id):
		at := r.i64()
		if at != 0 {
			at += by
		}
		w.i64(id, at)
	case wire == wireStruct && inner != nil:
		w.field(id, wire)
		inner.structure(r, w, by)
	case wire == wireList && inner != nil:
		n, elem := r.listHeader()
		if elem != wireStruct {
			r.fail()
			return
		}
		w.list(id, elem, n)
		for range n {
			inner.structure(r, w, by)
		}
	default:
		w.copyField(r, id, wire)
	}
}

func (m *moved) structure(r *thriftReader, w *thriftWriter, by int64) {
	w.begin()
	r.fields(func(id int16, wire byte) { m.field(r, w, id, wire, by) })
	w.end()
}

// copyField copies a field as it is.
func (w *thriftWriter) copyField(r *thriftReader, id int16, wire byte) {
	w.field(id, wire)
	from := r.pos
	r.skip(wire)
	if r.err == nil {
		w.buf = append(w.buf, r.buf[from:r.pos]...)
	}
}

// fieldOf returns the bytes of a footer's field.
func fieldOf(footer []byte, want int16) (value []byte) {
	r := &thriftReader{buf: footer}
	r.fields(func(id int16, wire byte) {
		from := r.pos
		r.skip(wire)
		if id == want && r.err == nil {
			value = footer[from:r.pos]
		}
	})
	return value
}
