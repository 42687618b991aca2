package parquet

import (
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// writeSchema writes the schema (list of SchemaElement): a root and one
// optional leaf per column.
func (w *Writer) writeSchema(f *thriftWriter) {
	f.list(2, wireStruct, 1+len(w.cols))
	f.begin()
	f.string(4, "genesis")
	f.i32(5, int32(len(w.cols)))
	f.end()
	for _, c := range w.cols {
		writeLeaf(f, c)
	}
}

func writeLeaf(f *thriftWriter, c genesis.Column) {
	kind := format.KindOf(c.Type)
	f.begin()
	f.i32(1, int32(storedType(kind)))
	f.i32(3, int32(optional))
	f.string(4, c.Name)
	switch kind {
	case format.Text:
		f.i32(6, int32(convUTF8))
		f.structure(10, func() { f.structure(1, func() {}) })
	case format.Date:
		f.i32(6, int32(convDate))
		f.structure(10, func() { f.structure(6, func() {}) })
	case format.Timestamp:
		f.i32(6, int32(convTimestampMicros))
		f.structure(10, func() {
			f.structure(8, func() {
				f.bool(1, true)
				f.structure(2, func() { f.structure(2, func() {}) })
			})
		})
	}
	f.end()
}

// storedType is the physical type that stored tables use for a kind.
func storedType(k format.Kind) physical {
	switch k {
	case format.Float:
		return typeDouble
	case format.Bool:
		return typeBoolean
	case format.Date:
		return typeInt32
	case format.Text:
		return typeByteArray
	}
	return typeInt64
}
