// Package ipctest reads for tests what package ipc writes. It shares no code with it.
package ipctest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"

	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/opengenesis/genesis"
)

// Field is a column of a stream.
type Field struct {
	Name       string
	Kind       byte // type_type of format/Schema.fbs
	Bits       int  // of integers and floats
	List       int
	Dictionary int64 // −1: none
	Item       *Field
	Meta       map[string]string
}

// Batch is a record batch: its cells by column, then row. Cells are nil, int64,
// float64, bool, string, or []float64 of lists.
type Batch struct {
	Rows       int
	Cols       [][]any
	From, Next int64
	Nulls      []int
}

// Stream is all of a stream.
type Stream struct {
	Fields  []Field
	Meta    map[string]string
	Plan    genesis.StreamPlan
	Batches []Batch
	words   map[int64][]any
	ended   bool
}

// Read reads a stream that must be whole.
func Read(r io.Reader) (*Stream, error) {
	s := &Stream{words: map[int64][]any{}}
	in := bufio.NewReader(r)
	for !s.ended {
		if err := s.message(in); err != nil {
			return s, err
		}
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return s, fmt.Errorf("there is more behind the end: %v", err)
	}
	return s, nil
}

func (s *Stream) message(in io.Reader) error {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return fmt.Errorf("the stream is cut off: %w", err)
	}
	size := binary.LittleEndian.Uint32(head[4:])
	if binary.LittleEndian.Uint32(head[:]) != 0xffffffff || size%8 != 0 || size > 1<<28 {
		return fmt.Errorf("a message begins with % x", head)
	}
	if size == 0 {
		s.ended = true
		return nil
	}
	meta := make([]byte, size)
	if _, err := io.ReadFull(in, meta); err != nil {
		return err
	}
	return s.Message(meta, func(n int64) ([]byte, error) {
		body := make([]byte, n)
		_, err := io.ReadFull(in, body)
		return body, err
	})
}

// Message takes one message in.
func (s *Stream) Message(meta []byte, read func(int64) ([]byte, error)) error {
	m := root(meta)
	body, err := read(m.int64(3))
	if err != nil {
		return err
	}
	if len(body)%8 != 0 {
		return fmt.Errorf("a body of %d bytes", len(body))
	}
	switch kind := m.byte(1); kind {
	case 1:
		return s.schema(m.table(2))
	case 2:
		d := m.table(2)
		id := d.int64(0)
		f := s.Fields[id]
		f.Dictionary = -1
		b, err := s.batch(d.table(1), body, []Field{f})
		if err == nil {
			s.words[id] = b.Cols[0]
		}
		return err
	case 3:
		b, err := s.batch(m.table(2), body, s.Fields)
		if err != nil {
			return err
		}
		kv := m.keyValues(4)
		b.From, _ = strconv.ParseInt(kv[genesis.StreamPositionKey], 10, 64)
		b.Next, _ = strconv.ParseInt(kv[genesis.StreamNextKey], 10, 64)
		s.Batches = append(s.Batches, b)
		return nil
	default:
		return fmt.Errorf("a message of kind %d", kind)
	}
}

func (s *Stream) schema(t table) error {
	for i := range t.len(1) {
		s.Fields = append(s.Fields, field(t.at(1, i)))
	}
	s.Meta = t.keyValues(2)
	return json.Unmarshal([]byte(s.Meta[genesis.StreamPlanKey]), &s.Plan)
}

func field(t table) Field {
	f := Field{Name: t.string(0), Kind: t.byte(2), Dictionary: -1, Meta: t.keyValues(6)}
	typ := t.table(3)
	switch f.Kind {
	case 2:
		f.Bits = int(typ.int32(0))
	case 3:
		f.Bits = 32 * int(typ.int16(0))
	case 16:
		f.List = int(typ.int32(0))
		item := field(t.at(5, 0))
		f.Item = &item
	}
	if t.Offset(4+2*4) != 0 {
		f.Dictionary = t.table(4).int64(0)
	}
	return f
}

// cursor walks over the nodes and buffers of a batch.
type cursor struct {
	t         table
	body      []byte
	node, buf int
}

func (c *cursor) nextNode() (length, nulls int) {
	v := c.t.vector(1) + 16*c.node
	c.node++
	return int(c.t.GetInt64(flatbuffers.UOffsetT(v))), int(c.t.GetInt64(flatbuffers.UOffsetT(v + 8)))
}

func (c *cursor) nextBuffer() []byte {
	v := c.t.vector(2) + 16*c.buf
	c.buf++
	at, n := c.t.GetInt64(flatbuffers.UOffsetT(v)), c.t.GetInt64(flatbuffers.UOffsetT(v+8))
	return c.body[at : at+n]
}

func (s *Stream) batch(t table, body []byte, fields []Field) (b Batch, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("a batch is not as the format says: %v", v)
		}
	}()
	b.Rows = int(t.int64(0))
	c := &cursor{t: t, body: body}
	for _, f := range fields {
		col, nulls := s.column(c, f)
		if len(col) != b.Rows {
			return b, fmt.Errorf("column %s has %d of %d rows", f.Name, len(col), b.Rows)
		}
		b.Cols, b.Nulls = append(b.Cols, col), append(b.Nulls, nulls)
	}
	return b, nil
}

func (s *Stream) column(c *cursor, f Field) ([]any, int) {
	n, nulls := c.nextNode()
	valid := c.nextBuffer()
	out := make([]any, n)
	if f.Item != nil {
		items, _ := s.column(c, *f.Item)
		for i := range out {
			row := make([]float64, f.List)
			for k := range row {
				switch x := items[i*f.List+k].(type) {
				case float64:
					row[k] = x
				case int64:
					row[k] = float64(x)
				}
			}
			out[i] = row
		}
		return out, nulls
	}
	get := s.getter(c, f)
	missing := 0
	for i := range out {
		if len(valid) > 0 && valid[i/8]>>(i%8)&1 == 0 {
			missing++
			continue
		}
		out[i] = get(i)
	}
	if missing != nulls {
		panic(fmt.Sprintf("%s says %d nulls and has %d", f.Name, nulls, missing))
	}
	return out, nulls
}

func (s *Stream) getter(c *cursor, f Field) func(int) any {
	b := c.nextBuffer()
	if f.Dictionary >= 0 {
		words := s.words[f.Dictionary]
		return func(i int) any { return words[binary.LittleEndian.Uint32(b[4*i:])] }
	}
	switch {
	case f.Kind == 5:
		text := c.nextBuffer()
		return func(i int) any {
			return string(text[binary.LittleEndian.Uint32(b[4*i:]):binary.LittleEndian.Uint32(b[4*i+4:])])
		}
	case f.Kind == 6:
		return func(i int) any { return b[i/8]>>(i%8)&1 != 0 }
	case f.Kind == 8 || f.Kind == 2 && f.Bits == 32:
		return func(i int) any { return int64(int32(binary.LittleEndian.Uint32(b[4*i:]))) }
	case f.Kind == 3 && f.Bits == 32:
		return func(i int) any { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))) }
	case f.Kind == 3:
		return func(i int) any { return math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])) }
	case f.Bits == 8:
		return func(i int) any { return int64(b[i]) }
	}
	return func(i int) any { return int64(binary.LittleEndian.Uint64(b[8*i:])) }
}

// table reads a flatbuffer's table by the numbers of its fields.
type table struct{ flatbuffers.Table }

func root(b []byte) table {
	return table{flatbuffers.Table{Bytes: b, Pos: flatbuffers.GetUOffsetT(b)}}
}

func (t table) slot(i int) flatbuffers.UOffsetT {
	o := flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4 + 2*i)))
	if o == 0 {
		return 0
	}
	return o + t.Pos
}

func (t table) int64(i int) int64 {
	if o := t.slot(i); o != 0 {
		return t.GetInt64(o)
	}
	return 0
}

func (t table) int32(i int) int32 {
	if o := t.slot(i); o != 0 {
		return t.GetInt32(o)
	}
	return 0
}

func (t table) int16(i int) int16 {
	if o := t.slot(i); o != 0 {
		return t.GetInt16(o)
	}
	return 0
}

func (t table) byte(i int) byte {
	if o := t.slot(i); o != 0 {
		return t.GetByte(o)
	}
	return 0
}

func (t table) string(i int) string {
	if o := t.slot(i); o != 0 {
		return string(t.ByteVector(o))
	}
	return ""
}

func (t table) table(i int) table {
	o := t.slot(i)
	return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(o)}}
}

func (t table) len(i int) int {
	if o := t.slot(i); o != 0 {
		return t.VectorLen(o - t.Pos)
	}
	return 0
}

func (t table) vector(i int) int { return int(t.Vector(t.slot(i) - t.Pos)) }

func (t table) at(i, k int) table {
	return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(flatbuffers.UOffsetT(t.vector(i) + 4*k))}}
}

func (t table) keyValues(i int) map[string]string {
	out := map[string]string{}
	for k := range t.len(i) {
		kv := t.at(i, k)
		out[kv.string(0)] = kv.string(1)
	}
	return out
}
