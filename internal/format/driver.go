package format

import (
	"context"
	"io"

	"github.com/opengenesis/genesis"
)

// Driver recognises and reads one raw format.
type Driver interface {
	// Name is the format's short name: "csv", "parquet".
	Name() string
	// Match says how surely a file that begins with head, at most [HeadSize]
	// bytes of decompressed content, is of this format: 0 no, 100 by its magic
	// number. The highest wins.
	Match(head []byte) int
	// Open starts reading a stream. It returns *genesis.Error of kind Invalid
	// (damaged), Unsupported (a known format it does not read) or Canceled.
	// Opening the same stream with the same options again yields the same
	// batches.
	Open(ctx context.Context, in *Stream, opt Options) (Reader, error)
}

// Reader yields a stream's batches in order. It may read ahead on goroutines
// of its own until Close.
type Reader interface {
	// Next returns the next batch, or io.EOF. The batch belongs to the caller
	// and stays valid; drivers do not reuse its memory.
	Next() (*Batch, error)
	// Tables returns the tables found so far; complete after io.EOF. Tables and
	// their columns are only ever appended to while reading.
	Tables() []Table
	// About returns what was recognised: encoding, packing, preamble, and the
	// findings so far (source-level: encoding, preamble, ragged rows, …).
	About() About
	Close() error
}

// About is what a reader recognised about its stream.
type About struct {
	Source   genesis.Source // Format, Encoding, Packing, Preamble
	Findings []genesis.Finding
}

// Options steer reading. The zero value recognises everything.
type Options struct {
	Limits    Limits
	Sheets    []string // XLSX: these sheets only
	Header    string   // text: "", "auto", "none" or a line number from 1
	Delimiter string   // text: "", or one of , ; | tab space
	Encoding  string   // text: "" or an IANA name
	Threads   int      // goroutines for decoding; 0: one per core
	Columns   []string // typed sources only: read these columns; nil: all
	// Tolerate makes a reader report a damaged column as a finding and leave it
	// out, where the format allows, instead of refusing the file: `inspect`.
	Tolerate bool
	// MaxRows stops after about so many rows; 0: no limit.
	MaxRows int64
}

// HeadSize is how much of a stream recognition looks at.
const HeadSize = 64 << 10

// Stream is decompressed content that can be opened more than once: a file, the
// content of a .gz or .zst, or one member of a zip archive.
type Stream struct {
	Name    string // path as given; members as "archive.zip!member.csv"
	Packing string // "", "gzip", "zstd", "zip"
	Size    int64  // of the content; −1 when not known before reading
	// OpenRead returns the content from the start. Damage in the packing
	// (truncation, wrong checksum, expansion beyond the limit) is a read error,
	// reported before or instead of io.EOF.
	OpenRead func() (io.ReadCloser, error)
	// At gives random access; nil for packed content, which [Stream.Spool] copies
	// to a temporary file first.
	At io.ReaderAt
	// Warnings found in the packing, after it was read to its end once
	// (trailing garbage after a gzip member).
	Warnings func() []genesis.Finding
}

// Limits bound what a hostile file may cost. Zero fields mean the default.
type Limits struct {
	Columns   int   // 100,000
	Expansion int64 // 1,000 bytes out per byte in, beyond the first 16 MiB
	Depth     int   // JSON nesting: 1,000
	RowBytes  int   // 64 MiB
	Batch     int   // target bytes of raw text in a batch: 1 MiB
	Members   int   // files in an archive: 10,000
}

// WithDefaults fills the zero fields.
func (l Limits) WithDefaults() Limits {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&l.Columns, 100_000)
	def(&l.Depth, 1_000)
	def(&l.RowBytes, 64<<20)
	def(&l.Batch, 1<<20)
	def(&l.Members, 10_000)
	if l.Expansion == 0 {
		l.Expansion = 1_000
	}
	return l
}
