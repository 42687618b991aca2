package text

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Driver reads delimited text.
type Driver struct{}

// Name returns "text".
func (Driver) Name() string { return "text" }

// Match says how surely head is delimited text. Text is what remains when
// nothing else claims a file, so it never claims much.
func (Driver) Match(head []byte) int {
	if len(head) == 0 || !looksText(head) {
		return 0
	}
	if b := bytes.TrimLeft(head, " \t\r\n\xef\xbb\xbf"); len(b) > 0 && (b[0] == '{' || b[0] == '[') {
		return 10
	}
	return 30
}

// looksText reports whether head has almost no control bytes, or is UTF-16.
func looksText(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return true
	}
	if nulShare(head, 1) > 0.4 && nulShare(head, 0) < 0.05 || nulShare(head, 0) > 0.4 && nulShare(head, 1) < 0.05 {
		return true
	}
	control := 0
	for _, b := range head {
		if b < 0x20 && b != '\n' && b != '\r' && b != '\t' && b != '\f' || b == 0x7f {
			control++
		}
	}
	return control*50 < len(head) || control <= 2
}

// Open starts reading. It returns *genesis.Error of kind Invalid for an empty
// file, Unsupported for text without a table in it.
func (Driver) Open(ctx context.Context, in *format.Stream, opt format.Options) (format.Reader, error) {
	lim := opt.Limits.WithDefaults()
	src, err := open(in)
	if err != nil {
		return nil, err
	}
	cs, err := newCharset(src, opt.Encoding)
	if err != nil {
		src.Close()
		return nil, err
	}
	s := &splitter{in: cs, size: lim.Batch, row: lim.RowBytes}
	sample := s.prime(max(sniffSize, lim.Batch))
	if len(sample) == 0 {
		defer src.Close()
		if s.err != nil {
			return nil, s.err
		}
		return nil, &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: in.Name, Msg: "is empty"}
	}
	forced, err := delimiter(opt.Delimiter)
	if err != nil {
		src.Close()
		return nil, err
	}
	s.d = sniff(sample, forced)
	r := newReader(ctx, in, opt, lim, s.d)
	if r.line, err = headerLine(opt.Header); err != nil {
		src.Close()
		return nil, err
	}
	r.start(s, src, opt.Threads)
	return r, nil
}

func open(in *format.Stream) (io.ReadCloser, error) {
	if in.At != nil && in.Size >= 0 {
		return io.NopCloser(io.NewSectionReader(in.At, 0, in.Size)), nil
	}
	return in.OpenRead()
}

func delimiter(s string) (byte, error) {
	switch s {
	case "":
		return 0, nil
	case "tab", `\t`, "\t":
		return '\t', nil
	case "space", " ":
		return blanks, nil
	case ",", ";", "|":
		return s[0], nil
	}
	return 0, &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: s, Msg: "is not a delimiter that is read",
		Hint: "one of , ; | tab space"}
}

func headerLine(s string) (int64, error) {
	switch s {
	case "", "auto", "none":
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: s, Msg: "does not say where the header is",
			Hint: "auto, none, or the number of its line from 1"}
	}
	return n, nil
}

// start runs the splitter and the workers.
func (r *reader) start(s *splitter, src io.Closer, threads int) {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	r.order = make(chan *chunk, threads+1)
	jobs := make(chan *chunk, threads+1)
	r.group.Add(threads + 1)
	go func() {
		defer r.group.Done()
		defer src.Close()
		defer close(jobs)
		defer close(r.order)
		r.feed(s, jobs)
	}()
	for range threads {
		go func() {
			defer r.group.Done()
			for c := range jobs {
				if c.err == nil && r.ctx.Err() == nil {
					c.parsed = r.d.parse(c.buf, int(r.hint.Load()), c.encoding != "UTF-8")
				}
				close(c.done)
			}
		}()
	}
}

// feed sends chunks to the workers, and in the same order to the assembler.
func (r *reader) feed(s *splitter, jobs chan<- *chunk) {
	for {
		c := s.next(r.in.Name)
		if c == nil {
			return
		}
		c.done = make(chan struct{})
		select {
		case r.order <- c:
		case <-r.ctx.Done():
			return
		}
		jobs <- c // the workers never stop before the channel is closed
	}
}

// reader is the assembler: it takes chunks in order and yields batches.
type reader struct {
	ctx    context.Context
	cancel context.CancelFunc
	in     *format.Stream
	opt    format.Options
	lim    format.Limits
	d      dialect
	line   int64 // of the header, when it was asked for
	order  chan *chunk
	group  sync.WaitGroup
	hint   atomic.Int64 // cells of a row: what the fast paths expect

	queue  []*chunk // chunks pulled and not yet used up; the first is current
	at     int      // row of the current chunk that is next
	lines  int64    // in all chunks pulled
	pulled bool     // no chunk is left to pull
	failed error    // met while pulling, reported after the rows before it

	tables   []format.Table
	table    *table // the one being read; nil before a header is found
	gap      bool   // the row before the next one was blank
	wait     int    // doubtful rows to pass before another block is searched for
	out      []*format.Batch
	total    int64 // rows yielded
	encoding string
	preamble []byte
	notes    notes
	ended    bool
}

func newReader(ctx context.Context, in *format.Stream, opt format.Options, lim format.Limits, d dialect) *reader {
	r := &reader{in: in, opt: opt, lim: lim, d: d, encoding: "UTF-8"}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.notes.source = in.Name
	r.hint.Store(int64(d.width))
	return r
}

// Close stops the goroutines and waits for them.
func (r *reader) Close() error {
	r.cancel()
	for range r.order {
	}
	r.group.Wait()
	return nil
}

// Tables returns the tables found so far.
func (r *reader) Tables() []format.Table { return r.tables }
