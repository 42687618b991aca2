package stream

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
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
	r, err := openAssignment(ctx, blobs, s)
	if err != nil {
		return nil, err
	}
	return r.all()
}

// assignmentReader reads where a split puts each row, one after the other: there may be
// more rows than bytes of memory.
type assignmentReader struct {
	rows uint64
	done uint64
	from io.Closer
	z    *zstd.Decoder
	in   *bufio.Reader
}

func openAssignment(ctx context.Context, blobs *blob.Store, s genesis.Split) (*assignmentReader, error) {
	b, err := blobs.Open(ctx, s.Assignment)
	if err != nil {
		return nil, err
	}
	return readAssignment(b)
}

// readAssignment reads from, and closes it in any case.
func readAssignment(from io.ReadCloser) (*assignmentReader, error) {
	head := make([]byte, len(assignmentHeader)+8)
	if _, err := io.ReadFull(from, head); err != nil || string(head[:len(assignmentHeader)]) != assignmentHeader {
		from.Close()
		return nil, badAssignment("does not begin as one of format 1")
	}
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
	if err != nil {
		from.Close()
		return nil, badAssignment("cannot be unpacked")
	}
	return &assignmentReader{rows: binary.LittleEndian.Uint64(head[len(assignmentHeader):]), from: from, z: z, in: bufio.NewReaderSize(z, 64<<10)}, nil
}

// next returns where the next row is, or io.EOF after as many as were said.
func (r *assignmentReader) next() (genesis.Part, error) {
	b, err := r.in.ReadByte()
	var known *genesis.Error
	switch {
	case err == nil && r.done < r.rows:
		r.done++
		return genesis.Part(b), nil
	case err == io.EOF && r.done == r.rows:
		return 0, io.EOF
	case err == nil || err == io.EOF:
		return 0, badAssignment("holds another number of rows than it says")
	case errors.As(err, &known):
		return 0, err // of the blob
	}
	return 0, badAssignment("cannot be unpacked")
}

// all reads the rest, and closes. What it takes grows with what is there, not with what
// is claimed.
func (r *assignmentReader) all() ([]genesis.Part, error) {
	defer r.Close()
	var parts []genesis.Part
	for {
		p, err := r.next()
		if err == io.EOF {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
}

// Close ends reading.
func (r *assignmentReader) Close() error {
	r.z.Close()
	return r.from.Close()
}
