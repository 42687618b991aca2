package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packedBuffer is small so that the count of packed bytes taken is close to
// the count used: the expansion limit compares it with what came out.
const packedBuffer = 4 << 10

// gzipReader reads the members of a gzip file one after the other (RFC 1952,
// section 2.2), and counts what follows them if it is no member.
type gzipReader struct {
	name    string
	in      *bufio.Reader
	z       *gzip.Reader
	garbage *atomic.Int64
	done    bool
}

func openGzip(name string, r io.Reader, garbage *atomic.Int64) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(r, packedBuffer)
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, gzipError(name, err)
	}
	z.Multistream(false)
	return &gzipReader{name: name, in: in, z: z, garbage: garbage}, nil
}

// Read returns io.EOF only after the checksum of the last member was found
// right.
func (g *gzipReader) Read(p []byte) (int, error) {
	for !g.done {
		n, err := g.z.Read(p)
		if err == nil || n > 0 {
			if err == io.EOF {
				err = nil
			}
			if err != nil {
				err = gzipError(g.name, err)
			}
			return n, err
		}
		if err != io.EOF {
			return 0, gzipError(g.name, err)
		}
		if err := g.nextMember(); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

func (g *gzipReader) nextMember() error {
	head, err := g.in.Peek(len(gzipMagic))
	if len(head) == 0 {
		g.done = true
		if err == io.EOF {
			return nil
		}
		return err
	}
	if !bytes.Equal(head, gzipMagic) {
		g.done = true
		return g.skipGarbage()
	}
	if err := g.z.Reset(g.in); err != nil {
		return gzipError(g.name, err)
	}
	g.z.Multistream(false)
	return nil
}

// skipGarbage counts the bytes after the last member. Zeros alone are padding
// (tapes, some web servers) and are not reported.
func (g *gzipReader) skipGarbage() error {
	buf := make([]byte, packedBuffer)
	var total int64
	padding := true
	for {
		n, err := g.in.Read(buf)
		total += int64(n)
		padding = padding && len(bytes.Trim(buf[:n], "\x00")) == 0
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if !padding {
		g.garbage.Store(total)
	}
	return nil
}

// Close releases the decompressor.
func (g *gzipReader) Close() error { return g.z.Close() }

func gzipError(name string, err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return damaged(name, "the gzip packing ends before its content does: the file is truncated", err)
	case errors.Is(err, gzip.ErrChecksum):
		return damaged(name, "the content does not match the gzip packing's checksum: the file is damaged", err)
	}
	return damaged(name, "the gzip packing is damaged", err)
}

// zstdReader turns the errors of a zstd decoder into this package's.
type zstdReader struct {
	name string
	d    *zstd.Decoder
}

// zstdWindow bounds the memory a frame may ask for (RFC 8878, section 3.1.1.1.2
// recommends at least 8 MiB).
const zstdWindow = 128 << 20

func openZstd(name string, r io.Reader, _ *atomic.Int64) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, damaged(name, "the zstd packing is damaged", err)
	}
	return &zstdReader{name: name, d: d}, nil
}

func (z *zstdReader) Read(p []byte) (int, error) {
	n, err := z.d.Read(p)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return n, damaged(z.name, "the zstd packing ends before its content does: the file is truncated", err)
	case errors.Is(err, zstd.ErrCRCMismatch):
		return n, damaged(z.name, "the content does not match the zstd packing's checksum: the file is damaged", err)
	}
	return n, damaged(z.name, "the zstd packing is damaged", err)
}

// Close releases the decompressor.
func (z *zstdReader) Close() error { z.d.Close(); return nil }
