package ipc

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"
)

// align is what bodies and their buffers are aligned to.
const align = 64

// Message is one message of a stream.
type Message struct {
	Meta []byte // a flatbuffer
	Body []byte // a multiple of 8 bytes
	// KeyValues are the entries of a record batch's metadata, which are in Meta, too.
	KeyValues []KeyValue
}

// AppendPrefix appends what stands before the body in a stream: a mark, the length
// of the metadata, the metadata and its padding.
func (m Message) AppendPrefix(out []byte) []byte {
	padded := (len(m.Meta) + 7) &^ 7
	out = binary.LittleEndian.AppendUint32(out, 0xffffffff)
	out = binary.LittleEndian.AppendUint32(out, uint32(padded))
	out = append(out, m.Meta...)
	for range padded - len(m.Meta) {
		out = append(out, 0)
	}
	return out
}

// End is what ends a stream: a stream without it is not whole.
var End = []byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}

// Layout hands out the places of a body's buffers, in the order of the schema's
// fields. The zero value is one of no rows; Reset begins a batch.
type Layout struct {
	rows    int64
	nodes   []node
	buffers []buffer
	size    int
	b       [2]*flatbuffers.Builder // in turn
}

type node struct{ length, nulls int64 }

type buffer struct{ offset, length int }

// Place is where a buffer lies in the body.
type Place struct{ Offset, Length int }

// In returns the buffer's bytes.
func (p Place) In(body []byte) []byte { return body[p.Offset : p.Offset+p.Length : p.Offset+p.Length] }

// Reset begins a batch of some rows.
func (l *Layout) Reset(rows int) {
	l.rows, l.size = int64(rows), 0
	l.nodes, l.buffers = l.nodes[:0], l.buffers[:0]
}

// Node begins the next field, or the items of a list, with so many values. It
// returns the number by which Nulls tells how many of them are missing.
func (l *Layout) Node(length int) int {
	l.nodes = append(l.nodes, node{length: int64(length)})
	return len(l.nodes) - 1
}

// Nulls says how many values of a node are missing.
func (l *Layout) Nulls(node, nulls int) { l.nodes[node].nulls = int64(nulls) }

// Buffer places a buffer of the current node.
func (l *Layout) Buffer(length int) Place {
	l.buffers = append(l.buffers, buffer{l.size, length})
	p := Place{l.size, length}
	l.size = (l.size + length + align - 1) &^ (align - 1)
	return p
}

// Size returns how large a body the buffers take.
func (l *Layout) Size() int { return l.size }

// Batch returns the message of a record batch. Its metadata is valid until the next
// call but one.
func (l *Layout) Batch(body []byte, meta ...KeyValue) Message {
	b := l.builder()
	header := l.recordBatch(b)
	kv := keyValues(b, meta)
	m := finish(b, headerRecordBatch, header, int64(len(body)), kv)
	m.Body, m.KeyValues = body, meta
	return m
}

// Dictionary returns the message of a dictionary. Its metadata is valid as that of Batch.
func (l *Layout) Dictionary(id int64, body []byte) Message {
	b := l.builder()
	data := l.recordBatch(b)
	b.StartObject(3)
	b.PrependInt64Slot(0, id, 0)
	b.PrependUOffsetTSlot(1, data, 0)
	m := finish(b, headerDictionary, b.EndObject(), int64(len(body)), 0)
	m.Body = body
	return m
}

func (l *Layout) builder() *flatbuffers.Builder {
	l.b[0], l.b[1] = l.b[1], l.b[0]
	if l.b[0] == nil {
		l.b[0] = flatbuffers.NewBuilder(1024)
	}
	l.b[0].Reset()
	return l.b[0]
}

func (l *Layout) recordBatch(b *flatbuffers.Builder) flatbuffers.UOffsetT {
	buffers := structs(b, len(l.buffers), func(i int) (int64, int64) { return int64(l.buffers[i].offset), int64(l.buffers[i].length) })
	nodes := structs(b, len(l.nodes), func(i int) (int64, int64) { return l.nodes[i].length, l.nodes[i].nulls })
	b.StartObject(5)
	b.PrependInt64Slot(0, l.rows, 0)
	b.PrependUOffsetTSlot(1, nodes, 0)
	b.PrependUOffsetTSlot(2, buffers, 0)
	return b.EndObject()
}

// structs writes a vector of pairs, which is what FieldNode and Buffer are.
func structs(b *flatbuffers.Builder, n int, pair func(int) (int64, int64)) flatbuffers.UOffsetT {
	b.StartVector(16, n, 8)
	for i := n - 1; i >= 0; i-- {
		first, second := pair(i)
		b.Prep(8, 16)
		b.PrependInt64(second)
		b.PrependInt64(first)
	}
	return b.EndVector(n)
}
