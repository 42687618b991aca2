package stream

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// assignmentHeader begins the blob of a split's assignment (docs/formats.md). It
// is followed by the number of rows, 8 bytes little-endian, and a zstd frame of
// one byte per row.
const assignmentHeader = "genesis assignment 1\n"

// EncodeAssignment returns the bytes that keep where a split puts each row.
func EncodeAssignment(parts []genesis.Part) ([]byte, error) {
	out := binary.LittleEndian.AppendUint64([]byte(assignmentHeader), uint64(len(parts)))
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	rows := make([]byte, len(parts))
	for i, p := range parts {
		rows[i] = byte(p)
	}
	return z.EncodeAll(rows, out), nil
}

// DecodeAssignment reads what [EncodeAssignment] wrote. The error is of kind
// Invalid for anything else.
func DecodeAssignment(b []byte) ([]genesis.Part, error) {
	rest, ok := bytes.CutPrefix(b, []byte(assignmentHeader))
	if !ok || len(rest) < 8 {
		return nil, badAssignment("does not begin as one of format 1")
	}
	rows := binary.LittleEndian.Uint64(rest)
	z, err := zstd.NewReader(bytes.NewReader(rest[8:]), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
	if err != nil {
		return nil, badAssignment("cannot be unpacked")
	}
	defer z.Close()
	var buf bytes.Buffer // grows with what is there, not with what is claimed
	if _, err := io.Copy(&buf, io.LimitReader(z, int64(min(rows, 1<<40))+1)); err != nil {
		return nil, badAssignment("cannot be unpacked")
	}
	if uint64(buf.Len()) != rows {
		return nil, badAssignment("holds another number of rows than it says")
	}
	parts := make([]genesis.Part, buf.Len())
	for i, b := range buf.Bytes() {
		parts[i] = genesis.Part(b)
	}
	return parts, nil
}

func badAssignment(msg string) error {
	return &genesis.Error{Op: "read split assignment", Kind: genesis.Invalid, Msg: msg}
}

// PutAssignment stores where a split puts each row.
func PutAssignment(ctx context.Context, blobs *blob.Store, parts []genesis.Part) (genesis.Blob, error) {
	b, err := EncodeAssignment(parts)
	if err != nil {
		return genesis.Blob{}, err
	}
	return blobs.Put(ctx, b)
}

// Assignment returns where a split puts each row of its table, in row order.
func Assignment(ctx context.Context, blobs *blob.Store, s genesis.Split) ([]genesis.Part, error) {
	r, err := blobs.Open(ctx, s.Assignment)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return DecodeAssignment(b)
}
