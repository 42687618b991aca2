package flight

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields of FlightData (format/Flight.proto).
const (
	fieldHeader   = 2
	fieldMetadata = 3
	fieldBody     = 1000
)

// data is a FlightData whose body is not copied.
type data struct {
	header   []byte
	metadata []byte
	body     *body // nil: none
}

// codec encodes data, and leaves everything else to protobuf's own.
type codec struct{}

var plain = encoding.GetCodecV2(proto.Name)

// Marshal returns the bytes of v. Those of data may be written over when they are sent,
// and not before.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	d, ok := v.(*data)
	if !ok {
		return plain.Marshal(v)
	}
	pool := mem.DefaultBufferPool()
	head := pool.Get(len(d.header) + len(d.metadata) + 32)
	b := (*head)[:0]
	b = protowire.AppendTag(b, fieldHeader, protowire.BytesType)
	b = protowire.AppendBytes(b, d.header)
	if len(d.metadata) > 0 {
		b = protowire.AppendTag(b, fieldMetadata, protowire.BytesType)
		b = protowire.AppendBytes(b, d.metadata)
	}
	if d.body != nil {
		b = protowire.AppendTag(b, fieldBody, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(len(d.body.bytes)))
	}
	*head = b
	out := mem.BufferSlice{mem.NewBuffer(head, pool)}
	if d.body != nil {
		out = append(out, mem.NewBuffer(&d.body.bytes, d.body))
	}
	return out, nil
}

func (codec) Unmarshal(b mem.BufferSlice, v any) error { return plain.Unmarshal(b, v) }

func (codec) Name() string { return proto.Name }
