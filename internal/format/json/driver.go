package json

import (
	"bufio"
	"bytes"
	"context"
	"io"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Driver reads JSON documents and JSON Lines.
type Driver struct{}

// Name returns "json".
func (Driver) Name() string { return "json" }

// Match recognises content that begins as a JSON object or array does.
func (Driver) Match(head []byte) int {
	if name := encodingOf(head); name != "" {
		head, _, _ = transform.Bytes(decoder(name), head[:len(head)&^1])
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte(mark)), " \t\r\n")
	if len(head) == 0 || head[0] != '{' && head[0] != '[' {
		return 0
	}
	next := bytes.TrimLeft(head[1:], " \t\r\n")
	if head[0] == '{' {
		return matchObject(next)
	}
	return matchArray(next)
}

const (
	likely   = 90
	possible = 40
)

func matchObject(next []byte) int {
	if len(next) == 0 || next[0] == '"' || next[0] == '}' {
		return likely
	}
	return 0
}

// matchArray is wary: "[Section]" begins other files.
func matchArray(next []byte) int {
	if len(next) == 0 {
		return possible
	}
	switch c := next[0]; {
	case bytes.IndexByte([]byte(`{["]`), c) >= 0:
		return likely
	case c == '-' || c >= '0' && c <= '9':
		return possible + 10
	}
	for _, word := range []string{"true", "false", "null", "NaN", "Infinity"} {
		if bytes.HasPrefix(next, []byte(word)) {
			return possible
		}
	}
	return 0
}

const mark = "\uFEFF"

// encodingOf returns the name of the UTF-16 that head is in, "" for UTF-8. A
// JSON text begins with two ASCII characters, so zeros tell (RFC 4627,
// section 3).
func encodingOf(head []byte) string {
	switch {
	case len(head) < 2:
	case head[0] == 0xFF && head[1] == 0xFE, head[0] != 0 && head[1] == 0:
		return "UTF-16LE"
	case head[0] == 0xFE && head[1] == 0xFF, head[0] == 0 && head[1] != 0:
		return "UTF-16BE"
	}
	return ""
}

func decoder(name string) transform.Transformer {
	order := unicode.LittleEndian
	if name == "UTF-16BE" {
		order = unicode.BigEndian
	}
	return unicode.UTF16(order, unicode.UseBOM).NewDecoder()
}

// decoded returns content as UTF-8 without a byte order mark, and what it was.
func decoded(r io.Reader) (io.Reader, string, error) {
	b := bufio.NewReaderSize(r, 4<<10)
	head, err := b.Peek(len(mark))
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	if name := encodingOf(head); name != "" {
		return transform.NewReader(b, decoder(name)), name, nil
	}
	if bytes.Equal(head, []byte(mark)) {
		_, err = b.Discard(len(mark))
		return b, "UTF-8", err
	}
	return b, "UTF-8", nil
}

// Open plans the tables of the source, which reads all of a document, and
// starts reading it.
func (Driver) Open(ctx context.Context, in *format.Stream, opt format.Options) (format.Reader, error) {
	src := &source{ctx: ctx, in: in, limits: opt.Limits.WithDefaults()}
	lined, err := src.lined()
	if err != nil {
		return nil, src.wrap(err)
	}
	var p *plan
	err = src.scan(func(s *scanner) (err error) {
		p, err = makePlan(s, src.limits, lined)
		return err
	})
	if err != nil {
		return nil, src.wrap(err)
	}
	return newReader(ctx, src, p, opt.MaxRows), nil
}

// source is a stream that can be scanned from its start.
type source struct {
	ctx      context.Context
	in       *format.Stream
	limits   format.Limits
	encoding string
}

// scan opens the content and calls do with a scanner over it.
func (f *source) scan(do func(*scanner) error) error {
	content, err := f.in.OpenRead()
	if err != nil {
		return err
	}
	defer content.Close()
	r, name, err := decoded(&cancelable{f.ctx, content})
	if err != nil {
		return err
	}
	f.encoding = name
	return do(newScanner(r, f.limits.RowBytes, f.limits.Depth))
}

// lined reports whether the source holds one value a line. Its first lines
// tell: most of them are whole values.
func (f *source) lined() (bool, error) {
	const look = 8
	var seen, good int
	err := f.scan(func(s *scanner) error {
		one := *s
		for seen < look {
			line, err := s.line()
			if line == nil || err != nil {
				return err
			}
			one.over(line, 0)
			c := one.peek()
			if c == 0 && one.pos == one.end {
				continue
			}
			seen++
			if (c == '{' || c == '[') && one.whole() == nil {
				good++
			}
			if seen == 1 && good == 0 && c != '{' {
				return nil // a line of its own never begins so
			}
		}
		return nil
	})
	if genesis.KindOf(err) == genesis.Invalid {
		return false, nil // a line longer than a row: the plan judges it
	}
	return seen > 1 && 2*good >= seen, err
}

// wrap makes an error name the source.
func (f *source) wrap(err error) error { return subject(err, f.in.Name) }

// cancelable is a reader that fails when its context is done.
type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, &genesis.Error{Kind: genesis.Canceled, Msg: "canceled", Err: err}
	}
	return c.r.Read(p)
}
