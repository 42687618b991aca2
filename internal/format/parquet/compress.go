package parquet

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// decompressor unpacks pages into memory it is given.
type decompressor struct {
	zstd *zstd.Decoder
}

// unpack fills dst, whose length is what the page header says, from src. A
// page that unpacks to another length is damaged.
func (d *decompressor) unpack(c codec, dst, src []byte) error {
	if len(dst) == 0 {
		return nil // writers differ in what they pack nothing into
	}
	n, err := d.decode(c, dst, src)
	if err != nil || n != len(dst) {
		return damaged("cannot be unpacked (%s)", codecNames[c])
	}
	return nil
}

func (d *decompressor) decode(c codec, dst, src []byte) (int, error) {
	switch c {
	case codecNone:
		copy(dst, src)
		return len(src), nil
	case codecSnappy:
		return decodeSnappy(dst, src)
	case codecZstd:
		return d.decodeZstd(dst, src)
	case codecLZ4Raw:
		return lz4.UncompressBlock(src, dst)
	case codecLZ4:
		return decodeHadoopLZ4(dst, src)
	case codecGzip:
		r, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return 0, err
		}
		return readWhole(r, dst)
	case codecBrotli:
		return readWhole(brotli.NewReader(bytes.NewReader(src)), dst)
	}
	return 0, unsupported("is packed in an unknown way")
}

// supports reports whether pages of the codec can be unpacked.
func supports(c codec) bool {
	return c >= codecNone && c <= codecLZ4Raw && c != codecLZO
}

func (d *decompressor) decodeZstd(dst, src []byte) (int, error) {
	if d.zstd == nil {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxPage+1))
		if err != nil {
			return 0, err
		}
		d.zstd = z
	}
	out, err := d.zstd.DecodeAll(src, dst[:0:len(dst)])
	return len(out), err
}

func decodeSnappy(dst, src []byte) (int, error) {
	if n, err := snappy.DecodedLen(src); err != nil || n != len(dst) {
		return 0, err
	}
	out, err := snappy.Decode(dst, src)
	return len(out), err
}

// decodeHadoopLZ4 unpacks the framing Hadoop gives LZ4 blocks, or one bare block.
func decodeHadoopLZ4(dst, src []byte) (int, error) {
	done, rest := 0, src
	for len(rest) >= 8 {
		raw, packed := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
		if uint64(packed) > uint64(len(rest)-8) || uint64(raw) > uint64(len(dst)-done) {
			break
		}
		n, err := lz4.UncompressBlock(rest[8:8+packed], dst[done:done+int(raw)])
		if err != nil || n != int(raw) {
			break
		}
		done, rest = done+n, rest[8+packed:]
	}
	if len(rest) == 0 {
		return done, nil
	}
	return lz4.UncompressBlock(src, dst)
}

// readWhole fills dst and makes sure that r ends there.
func readWhole(r io.Reader, dst []byte) (int, error) {
	n, err := io.ReadFull(r, dst)
	if err != nil {
		return n, err
	}
	var more [1]byte
	if k, err := r.Read(more[:]); k > 0 || err != io.EOF {
		return n + 1, err
	}
	return n, nil
}
