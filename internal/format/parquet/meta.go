package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/opengenesis/genesis"
)

// fileMeta is what the footer says, as far as reading needs it.
type fileMeta struct {
	rows     int64
	schema   []element
	groups   []groupMeta
	metadata map[string]string
}

// element is a node of the schema, in depth-first order.
type element struct {
	typ        physical
	length     int32 // of typeFixed
	repetition repetition
	name       string
	children   int32
	converted  converted
	scale      int32
	precision  int32
	logical    logical
	leaf       bool
}

// logical is the newer way of saying what a physical type stands for: the field
// number within LogicalType and its parameters.
type logical struct {
	id       int16
	utc      bool
	unit     int16 // 1 milliseconds, 2 microseconds, 3 nanoseconds
	bits     int8
	unsigned bool
}

// Fields of the LogicalType union.
const (
	logicalString    = 1
	logicalMap       = 2
	logicalList      = 3
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalNull      = 11
	logicalJSON      = 12
	logicalBSON      = 13
	logicalUUID      = 14
	logicalFloat16   = 15
)

type groupMeta struct {
	rows   int64
	chunks []chunkMeta
}

// chunkMeta says where a column chunk lies: size bytes at start.
type chunkMeta struct {
	start, size int64
	values      int64
	typ         physical
	codec       codec
}

const (
	maxElements = 1 << 20 // schema nodes
	maxMetadata = 4 << 20 // bytes of a metadata value that is kept
)

func damaged(msg string, args ...any) error {
	return &genesis.Error{Op: "read parquet", Kind: genesis.Invalid, Msg: fmt.Sprintf(msg, args...)}
}

func unsupported(msg string, args ...any) error {
	return &genesis.Error{Op: "read parquet", Kind: genesis.Unsupported, Msg: fmt.Sprintf(msg, args...)}
}

// readFooter reads the metadata at the end of a file.
func readFooter(at io.ReaderAt, size int64) (*fileMeta, error) {
	_, m, err := loadFooter(at, size)
	return m, err
}

// loadFooter reads the bytes of the metadata at the end of a file, whose length is
// checked against the file's size before anything is allocated, and what they say.
func loadFooter(at io.ReaderAt, size int64) ([]byte, *fileMeta, error) {
	buf, err := footerBytes(at, size)
	if err != nil {
		return nil, nil, err
	}
	m, err := parseFooter(buf)
	if err != nil {
		return nil, nil, err
	}
	return buf, m, m.check(size - 8 - int64(len(buf)))
}

func footerBytes(at io.ReaderAt, size int64) ([]byte, error) {
	if size < 12 {
		return nil, damaged("is %d bytes long: too short for a Parquet file", size)
	}
	var head [4]byte
	var tail [8]byte
	if err := readAt(at, head[:], 0); err != nil {
		return nil, err
	}
	if err := readAt(at, tail[:], size-8); err != nil {
		return nil, err
	}
	if string(tail[4:]) == "PARE" || string(head[:]) == "PARE" {
		return nil, unsupported("is an encrypted Parquet file")
	}
	if string(head[:]) != magic {
		return nil, damaged("does not begin with the Parquet magic number")
	}
	if string(tail[4:]) != magic {
		return nil, damaged("does not end with the Parquet magic number: it is truncated or overwritten")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	if n > size-12 {
		return nil, damaged("says its footer takes %d bytes, more than the file has", n)
	}
	buf := make([]byte, n)
	return buf, readAt(at, buf, size-8-n)
}

func readAt(at io.ReaderAt, buf []byte, off int64) error {
	n, err := at.ReadAt(buf, off)
	if n == len(buf) {
		return nil
	}
	if err == nil || err == io.EOF {
		return damaged("ends at byte %d, within a part that should go on", off+int64(n))
	}
	return err
}

func parseFooter(buf []byte) (*fileMeta, error) {
	r := &thriftReader{buf: buf}
	m := &fileMeta{metadata: map[string]string{}}
	r.fields(func(id int16, wire byte) {
		switch {
		case id == 2 && wire == wireList:
			r.list(func(n int, wire byte) { m.readElement(r, n, wire) })
		case id == 3 && wire == wireI64:
			m.rows = r.i64()
		case id == 4 && wire == wireList:
			r.list(func(_ int, wire byte) { m.readGroup(r, wire) })
		case id == 5 && wire == wireList:
			r.list(func(_ int, wire byte) { m.readPair(r, wire) })
		default:
			r.skip(wire)
		}
	})
	if r.err != nil {
		return nil, damaged("has a footer that is not well formed")
	}
	return m, nil
}

func (m *fileMeta) readPair(r *thriftReader, wire byte) {
	if wire != wireStruct {
		r.fail()
		return
	}
	var key string
	var value []byte
	r.fields(func(id int16, wire byte) {
		switch {
		case id == 1 && wire == wireBinary:
			key = r.string()
		case id == 2 && wire == wireBinary:
			value = r.binary()
		default:
			r.skip(wire)
		}
	})
	if (key == metadataColumns || key == metadataArrow) && len(value) <= maxMetadata {
		m.metadata[key] = string(value)
	}
}

func (m *fileMeta) readElement(r *thriftReader, n int, wire byte) {
	if wire != wireStruct || n > maxElements {
		r.fail()
		return
	}
	e := element{converted: convNone, repetition: -1}
	r.fields(func(id int16, wire byte) {
		switch {
		case id == 1 && wire == wireI32:
			e.typ, e.leaf = physical(r.i32()), true
		case id == 2 && wire == wireI32:
			e.length = r.i32()
		case id == 3 && wire == wireI32:
			e.repetition = repetition(r.i32())
		case id == 4 && wire == wireBinary:
			e.name = r.string()
		case id == 5 && wire == wireI32:
			e.children = r.i32()
		case id == 6 && wire == wireI32:
			e.converted = converted(r.i32())
		case id == 7 && wire == wireI32:
			e.scale = r.i32()
		case id == 8 && wire == wireI32:
			e.precision = r.i32()
		case id == 10 && wire == wireStruct:
			e.readLogical(r)
		default:
			r.skip(wire)
		}
	})
	m.schema = append(m.schema, e)
}

func (e *element) readLogical(r *thriftReader) {
	r.fields(func(id int16, wire byte) {
		if wire != wireStruct {
			r.skip(wire)
			return
		}
		e.logical.id = id
		r.fields(func(field int16, wire byte) { e.readParameter(r, id, field, wire) })
	})
}

func (e *element) readParameter(r *thriftReader, id, field int16, wire byte) {
	l := &e.logical
	switch {
	case id == logicalDecimal && field == 1 && wire == wireI32:
		e.scale = r.i32()
	case id == logicalDecimal && field == 2 && wire == wireI32:
		e.precision = r.i32()
	case id == logicalInteger && field == 1 && wire == wireByte:
		l.bits = int8(r.byte())
	case id == logicalInteger && field == 2:
		l.unsigned = wire == wireFalse
	case (id == logicalTimestamp || id == logicalTime) && field == 1:
		l.utc = wire == wireTrue
	case (id == logicalTimestamp || id == logicalTime) && field == 2 && wire == wireStruct:
		r.fields(func(unit int16, wire byte) {
			l.unit = unit
			r.skip(wire)
		})
	default:
		r.skip(wire)
	}
}

func (m *fileMeta) readGroup(r *thriftReader, wire byte) {
	if wire != wireStruct {
		r.fail()
		return
	}
	g := groupMeta{rows: -1}
	r.fields(func(id int16, wire byte) {
		switch {
		case id == 1 && wire == wireList:
			r.list(func(_ int, wire byte) { g.readChunk(r, wire) })
		case id == 3 && wire == wireI64:
			g.rows = r.i64()
		default:
			r.skip(wire)
		}
	})
	if g.rows < 0 {
		r.fail()
	}
	m.groups = append(m.groups, g)
}

func (g *groupMeta) readChunk(r *thriftReader, wire byte) {
	if wire != wireStruct {
		r.fail()
		return
	}
	var c chunkMeta
	seen := false
	r.fields(func(id int16, wire byte) {
		switch {
		case id == 1 && wire == wireBinary && len(r.binary()) > 0:
			r.fail() // a chunk in another file
		case id == 3 && wire == wireStruct:
			seen = true
			c.read(r)
		case id != 1:
			r.skip(wire)
		}
	})
	if !seen {
		r.fail()
	}
	g.chunks = append(g.chunks, c)
}

// read reads a ColumnMetaData.
func (c *chunkMeta) read(r *thriftReader) {
	var data, dictionary int64
	var seen uint
	r.fields(func(id int16, wire byte) {
		if id < 16 {
			seen |= 1 << uint(id)
		}
		switch {
		case id == 1 && wire == wireI32:
			c.typ = physical(r.i32())
		case id == 4 && wire == wireI32:
			c.codec = codec(r.i32())
		case id == 5 && wire == wireI64:
			c.values = r.i64()
		case id == 7 && wire == wireI64:
			c.size = r.i64()
		case id == 9 && wire == wireI64:
			data = r.i64()
		case id == 11 && wire == wireI64:
			dictionary = r.i64()
		default:
			r.skip(wire)
		}
	})
	const needed = 1<<1 | 1<<4 | 1<<5 | 1<<7 | 1<<9
	if seen&needed != needed {
		r.fail()
	}
	c.start = data
	if dictionary > 0 && (dictionary < data || data == 0) { // no data page: no rows
		c.start = dictionary
	}
}

// check compares what the footer says with itself and with the bytes there are
// before it.
func (m *fileMeta) check(end int64) error {
	leaves := 0
	for i := 1; i < len(m.schema); i++ {
		if m.schema[i].leaf && m.schema[i].children == 0 {
			leaves++
		}
	}
	var rows int64
	for i, g := range m.groups {
		if len(g.chunks) != leaves {
			return damaged("has %d columns, but row group %d holds %d", leaves, i, len(g.chunks))
		}
		for j, c := range g.chunks {
			if c.size < 0 || c.size > 0 && (c.start < 4 || c.start > end-c.size) {
				return damaged("places column %d of row group %d outside the file", j, i)
			}
			if c.values < 0 || c.typ < 0 || c.typ > typeFixed {
				return damaged("describes column %d of row group %d with impossible numbers", j, i)
			}
		}
		if rows += g.rows; rows < 0 {
			return damaged("claims more rows than can be counted")
		}
	}
	if rows != m.rows {
		return damaged("claims %d rows, but its row groups hold %d", m.rows, rows)
	}
	return nil
}
