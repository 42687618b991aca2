package format

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/opengenesis/genesis"
)

// Magic numbers of the packings that are read.
var (
	gzipMagic = []byte{0x1f, 0x8b, 0x08}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	zipMagic  = []byte("PK\x03\x04")
	zipEmpty  = []byte("PK\x05\x06")
)

// Streams returns the content of a raw file: the file itself, what its gzip or
// zstd packing holds, or each member of a zip archive. Documents that are zip
// archives by construction (XLSX) are passed as they are. One level of packing
// is taken off; a second is refused. It returns *genesis.Error of kind Invalid
// (damaged) or Unsupported.
func Streams(ctx context.Context, src *Raw, lim Limits) ([]*Stream, error) {
	if err := ctx.Err(); err != nil {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Canceled, Subject: src.Name, Err: err}
	}
	lim = lim.WithDefaults()
	head := make([]byte, 4096)
	n, err := src.At.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Internal, Subject: src.Name, Err: err}
	}
	head = head[:n]
	switch packingOf(head) {
	case "gzip":
		return onePacked(src, "gzip", lim, openGzip)
	case "zstd":
		return onePacked(src, "zstd", lim, openZstd)
	case "zip":
		return zipStreams(src, lim)
	}
	return []*Stream{plainStream(src)}, nil
}

// packingOf names the packing of content that begins with head, "" for none.
func packingOf(head []byte) string {
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return "gzip"
	case bytes.HasPrefix(head, zstdMagic):
		return "zstd"
	case bytes.HasPrefix(head, zipMagic), bytes.HasPrefix(head, zipEmpty):
		if zipDocument(head) {
			return ""
		}
		return "zip"
	}
	return ""
}

// zipDocument reports whether a zip archive's first entries say that it is a
// document (an Office file, a NumPy archive) and not a bundle of files.
func zipDocument(head []byte) bool {
	first := head[:min(len(head), 512)]
	return bytes.Contains(first, []byte("[Content_Types].xml")) ||
		bytes.Contains(first, []byte("_rels/.rels")) ||
		bytes.Contains(first, []byte("docProps/")) ||
		bytes.Contains(first, []byte("xl/")) ||
		bytes.Contains(first, []byte(".npyPK")) || npzEntry(head)
}

// npzEntry reports whether the first member of a zip archive is a .npy file.
func npzEntry(head []byte) bool {
	if len(head) < 30 {
		return false
	}
	n := int(head[26]) | int(head[27])<<8
	return len(head) >= 30+n && bytes.HasSuffix(head[30:30+n], []byte(".npy"))
}

// opener unpacks r. Trailing bytes that belong to no member are counted in
// garbage.
type opener func(name string, r io.Reader, garbage *atomic.Int64) (io.ReadCloser, error)

func onePacked(src *Raw, packing string, lim Limits, open opener) ([]*Stream, error) {
	var garbage atomic.Int64
	s := &Stream{Name: src.Name, Packing: packing, Size: -1}
	s.OpenRead = func() (io.ReadCloser, error) {
		in := &countingReader{r: io.NewSectionReader(src.At, 0, src.Size)}
		r, err := open(src.Name, in, &garbage)
		if err != nil {
			return nil, err
		}
		return &expansion{ReadCloser: r, in: in, name: src.Name, ratio: lim.Expansion}, nil
	}
	s.Warnings = func() []genesis.Finding { return garbageFinding(src.Name, garbage.Load()) }
	if err := refuseNested(s); err != nil {
		return nil, err
	}
	return []*Stream{s}, nil
}

// refuseNested refuses a stream whose content is packed once more.
func refuseNested(s *Stream) error {
	r, err := s.OpenRead()
	if err != nil {
		return err
	}
	defer r.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	inner := packingOf(head[:n])
	if inner == "" {
		return nil
	}
	return &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: s.Name,
		Msg:  fmt.Sprintf("is a %s archive inside a %s archive; one level of packing is read", inner, s.Packing),
		Hint: "unpack the outer one first"}
}

func garbageFinding(name string, n int64) []genesis.Finding {
	if n == 0 {
		return nil
	}
	return []genesis.Finding{{
		ID: "trailing-garbage", Code: "trailing-garbage", Severity: genesis.Warn, Source: name, Count: n,
		Message: fmt.Sprintf("%d bytes after the end of the packed content were ignored", n),
		Hint:    "check that the file was not cut or glued together on its way",
	}}
}

// countingReader counts the bytes taken from r.
type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// freeExpansion is how much may come out of a packing whatever its ratio.
const freeExpansion = 16 << 20

// expansion ends a stream that unpacks to more than ratio bytes per byte.
type expansion struct {
	io.ReadCloser
	in    *countingReader
	out   int64
	ratio int64
	name  string
}

func (e *expansion) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.out += int64(n)
	if e.out > freeExpansion && e.out/e.ratio > e.in.n {
		return 0, expansionError(e.name, e.ratio)
	}
	return n, err
}

func expansionError(name string, ratio int64) error {
	return &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: name,
		Msg:  fmt.Sprintf("unpacks to more than %d times its size: reading stopped", ratio),
		Hint: "raise the limit on expansion if the file is what it should be"}
}

func damaged(name, msg string, err error) error {
	return &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: name, Msg: msg, Err: err}
}
