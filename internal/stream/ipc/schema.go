package ipc

import (
	flatbuffers "github.com/google/flatbuffers/go"
)

// Type is the type of a field.
type Type uint8

// The types of Arrow that streams send.
const (
	Int64     Type = iota
	Float64        //
	Float32        //
	Bool           // packed, a bit a value
	Timestamp      // microseconds, UTC
	Date           // days
	Utf8           //
	Int32          //
	Uint8          //
)

// Field is a column.
type Field struct {
	Name     string
	Type     Type
	Nullable bool
	List     int // values of a list of fixed size; 0: the field is no list
	// Dictionary says that the values are Int32 codes into the dictionary with the
	// field's index as id, whose entries are of Type.
	Dictionary bool
	Meta       []KeyValue
}

// KeyValue is an entry of metadata.
type KeyValue struct{ Key, Value string }

// Codes of the format's flatbuffers (format/Schema.fbs, format/Message.fbs).
const (
	versionV5 = 4

	headerSchema      = 1
	headerDictionary  = 2
	headerRecordBatch = 3

	typeInt           = 2
	typeFloatingPoint = 3
	typeUtf8          = 5
	typeBool          = 6
	typeDate          = 8
	typeTimestamp     = 10
	typeFixedSizeList = 16

	precisionSingle = 1
	precisionDouble = 2
	unitDay         = 0
	unitMicrosecond = 2
)

// Schema returns the message that begins a stream.
func Schema(fields []Field, meta []KeyValue) Message {
	b := flatbuffers.NewBuilder(1024)
	offsets := make([]flatbuffers.UOffsetT, len(fields))
	for i := range fields {
		offsets[i] = field(b, &fields[i], int64(i))
	}
	list := tables(b, offsets)
	kv := keyValues(b, meta)
	b.StartObject(4)
	b.PrependUOffsetTSlot(1, list, 0)
	b.PrependUOffsetTSlot(2, kv, 0)
	return finish(b, headerSchema, b.EndObject(), 0, 0)
}

func field(b *flatbuffers.Builder, f *Field, id int64) flatbuffers.UOffsetT {
	var children flatbuffers.UOffsetT
	if f.List > 0 {
		item := field(b, &Field{Name: "item", Type: f.Type}, 0)
		children = tables(b, []flatbuffers.UOffsetT{item})
	} else {
		children = tables(b, nil)
	}
	var dictionary flatbuffers.UOffsetT
	if f.Dictionary {
		index := integer(b, 32, true)
		b.StartObject(4)
		b.PrependInt64Slot(0, id, 0)
		b.PrependUOffsetTSlot(1, index, 0)
		dictionary = b.EndObject()
	}
	kind, typ := f.typeOf(b)
	kv := keyValues(b, f.Meta)
	name := b.CreateString(f.Name)
	b.StartObject(7)
	b.PrependUOffsetTSlot(0, name, 0)
	b.PrependBoolSlot(1, f.Nullable, false)
	b.PrependByteSlot(2, kind, 0)
	b.PrependUOffsetTSlot(3, typ, 0)
	b.PrependUOffsetTSlot(4, dictionary, 0)
	b.PrependUOffsetTSlot(5, children, 0)
	b.PrependUOffsetTSlot(6, kv, 0)
	return b.EndObject()
}

// typeOf writes the table of the field's type.
func (f *Field) typeOf(b *flatbuffers.Builder) (kind byte, table flatbuffers.UOffsetT) {
	if f.List > 0 {
		b.StartObject(1)
		b.PrependInt32Slot(0, int32(f.List), 0)
		return typeFixedSizeList, b.EndObject()
	}
	switch f.Type {
	case Float64, Float32:
		precision := int16(precisionDouble)
		if f.Type == Float32 {
			precision = precisionSingle
		}
		b.StartObject(1)
		b.PrependInt16Slot(0, precision, 0)
		return typeFloatingPoint, b.EndObject()
	case Bool:
		b.StartObject(0)
		return typeBool, b.EndObject()
	case Utf8:
		b.StartObject(0)
		return typeUtf8, b.EndObject()
	case Date:
		b.StartObject(1)
		b.PrependInt16Slot(0, unitDay, 1) // milliseconds are the default
		return typeDate, b.EndObject()
	case Timestamp:
		zone := b.CreateString("UTC")
		b.StartObject(2)
		b.PrependInt16Slot(0, unitMicrosecond, 0)
		b.PrependUOffsetTSlot(1, zone, 0)
		return typeTimestamp, b.EndObject()
	case Int32:
		return typeInt, integer(b, 32, true)
	case Uint8:
		return typeInt, integer(b, 8, false)
	}
	return typeInt, integer(b, 64, true)
}

func integer(b *flatbuffers.Builder, width int32, signed bool) flatbuffers.UOffsetT {
	b.StartObject(2)
	b.PrependInt32Slot(0, width, 0)
	b.PrependBoolSlot(1, signed, false)
	return b.EndObject()
}

// tables writes a vector of tables.
func tables(b *flatbuffers.Builder, offsets []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	b.StartVector(4, len(offsets), 4)
	for i := len(offsets) - 1; i >= 0; i-- {
		b.PrependUOffsetT(offsets[i])
	}
	return b.EndVector(len(offsets))
}

// keyValues writes metadata; nothing for none.
func keyValues(b *flatbuffers.Builder, meta []KeyValue) flatbuffers.UOffsetT {
	if len(meta) == 0 {
		return 0
	}
	offsets := make([]flatbuffers.UOffsetT, len(meta))
	for i, m := range meta {
		key, value := b.CreateString(m.Key), b.CreateString(m.Value)
		b.StartObject(2)
		b.PrependUOffsetTSlot(0, key, 0)
		b.PrependUOffsetTSlot(1, value, 0)
		offsets[i] = b.EndObject()
	}
	return tables(b, offsets)
}

// finish writes the message around a header.
func finish(b *flatbuffers.Builder, kind byte, header flatbuffers.UOffsetT, body int64, kv flatbuffers.UOffsetT) Message {
	b.StartObject(5)
	b.PrependInt16Slot(0, versionV5, 0)
	b.PrependByteSlot(1, kind, 0)
	b.PrependUOffsetTSlot(2, header, 0)
	b.PrependInt64Slot(3, body, 0)
	b.PrependUOffsetTSlot(4, kv, 0)
	b.Finish(b.EndObject())
	return Message{Meta: b.FinishedBytes()}
}
