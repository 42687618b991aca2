package text

import (
	"bytes"
	"fmt"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// chunk is some whole rows of the file, and what a worker makes of them.
type chunk struct {
	buf      []byte
	encoding string // as far as it is known here
	err      error  // ends the file instead of rows
	base     int64  // lines before it; set by the assembler
	parsed   parsed
	done     chan struct{}
}

// splitter cuts decoded text into chunks of whole rows.
type splitter struct {
	in   *charset
	d    dialect
	size int // of a chunk, about
	row  int // bytes a row may have
	buf  []byte
	eof  bool
	err  error
	gaps []gap // scratch: the stretches outside quotes
}

// gap is a stretch of bytes outside quoted cells.
type gap struct{ from, to int }

// prime reads at least n bytes, or all there are, for a look at the dialect.
func (s *splitter) prime(n int) []byte {
	s.fill(n)
	return s.buf
}

// fill makes buf n bytes long, or as long as the rest of the file.
func (s *splitter) fill(n int) {
	if len(s.buf) >= n || s.eof {
		return
	}
	grown := make([]byte, n, n+n/8) // the rest is for unescaped cells
	have := copy(grown, s.buf)
	got, err := readFull(s.in, grown[have:])
	s.buf = grown[:have+got]
	if err != nil {
		s.eof = true
		if err != io.EOF {
			s.err = err
		}
		s.buf = bytes.TrimSuffix(s.buf, []byte{0x1a}) // the end mark of CP/M and DOS
	}
}

func readFull(r io.Reader, p []byte) (int, error) {
	n := 0
	for n < len(p) {
		got, err := r.Read(p[n:])
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// next returns the next chunk, or nil at the end.
func (s *splitter) next(name string) *chunk {
	want := s.size
	for {
		s.fill(want)
		if len(s.buf) == 0 {
			if s.err != nil {
				err := s.err
				s.err = nil
				return &chunk{err: err}
			}
			return nil
		}
		final := s.eof && s.err == nil
		window := s.buf
		if len(window) > want {
			window, final = window[:want], false
		}
		if cut := s.cut(window, final); cut > 0 {
			return s.take(cut)
		}
		if s.eof && len(window) == len(s.buf) {
			// The file ends inside this row, and not for want of a line end.
			s.buf = nil
			continue
		}
		if want >= 2*s.row || len(window) > s.row && bytes.IndexByte(window, s.d.nl) < 0 {
			return &chunk{err: &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: name,
				Msg:  fmt.Sprintf("has a row of more than %d bytes", s.row),
				Hint: "the limit on a row is 64 MiB unless configured otherwise"}}
		}
		want = min(2*want, 2*s.row)
	}
}

// take cuts the first n bytes off as a chunk. A short remainder is moved out of
// the way, so that the worker may write unescaped cells behind the chunk.
func (s *splitter) take(n int) *chunk {
	whole, rest := s.buf[:n], s.buf[n:]
	if len(rest) > n/8 {
		whole, s.buf = s.buf[:n:n], rest
	} else {
		s.buf = bytes.Clone(rest)
	}
	return &chunk{buf: whole, encoding: s.in.name}
}

// cut returns where the last whole row of buf ends; 0 when none does.
func (s *splitter) cut(buf []byte, final bool) int {
	if final {
		return len(buf)
	}
	s.gaps = s.gaps[:0]
	pos, from := 0, 0
	for {
		q := bytes.IndexByte(buf[pos:], '"')
		if q < 0 {
			s.gaps = append(s.gaps, gap{from, len(buf)})
			break
		}
		q += pos
		if !s.d.opensCell(buf, q) {
			pos = q + 1
			continue
		}
		end, v := s.d.quoteEnd(buf, q+1, false)
		if v == more && len(buf)-q > s.row {
			v = broken
		}
		if v == more {
			s.gaps = append(s.gaps, gap{from, q})
			break
		}
		if v == broken { // the rest of its line is no quoted cell
			line := bytes.IndexByte(buf[q:], s.d.nl)
			if line < 0 {
				s.gaps = append(s.gaps, gap{from, q})
				break
			}
			pos = q + line
			continue
		}
		s.gaps = append(s.gaps, gap{from, q})
		pos, from = end+1, end+1
	}
	for i := len(s.gaps) - 1; i >= 0; i-- {
		g := s.gaps[i]
		if k := bytes.LastIndexByte(buf[g.from:g.to], s.d.nl); k >= 0 {
			return g.from + k + 1
		}
	}
	return 0
}

// span is the cell buf[start:end].
func span(start, end int) format.Span {
	return format.Span{Start: uint32(start), End: uint32(end)}
}
