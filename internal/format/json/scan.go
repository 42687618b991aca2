package json

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

// kind is what a scalar is.
type kind uint8

const (
	null kind = iota
	boolean
	number
	special // NaN, Infinity, -Infinity: not JSON, but written by many programs
	text
)

// scanner takes JSON apart in one pass over a sliding buffer. It accepts
// exactly RFC 8259, and besides NaN, Infinity and -Infinity, which it counts.
// Slices it returns are valid until its next method call.
type scanner struct {
	r    io.Reader // nil: buf is all there is
	buf  []byte
	pos  int   // next unread byte
	end  int   // end of what is read
	keep int   // bytes from here on must stay in buf; −1: none but buf[pos:]
	base int64 // offset of buf[0] in the stream
	max  int   // largest token or kept range
	fail error // read error other than io.EOF
	eof  bool

	depth, maxDepth int
	scratch         []byte // unescaped strings
	note            func(code string)
}

const firstBuffer = 256 << 10

func newScanner(r io.Reader, maxToken, maxDepth int) *scanner {
	return &scanner{r: r, buf: make([]byte, firstBuffer), keep: -1, max: maxToken, maxDepth: maxDepth,
		note: func(string) {}}
}

// over lets s scan b, which begins at offset base of the stream.
func (s *scanner) over(b []byte, base int64) {
	s.r, s.buf, s.pos, s.end, s.base, s.keep = nil, b, 0, len(b), base, -1
	s.eof, s.depth = true, 0
}

// offset returns where the next unread byte stands in the stream.
func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

// fill reads more behind buf[:end], moving what is still needed to the front.
// It reports whether there is more.
func (s *scanner) fill() bool {
	if s.eof || s.fail != nil {
		return false
	}
	s.shift()
	if s.end == len(s.buf) && !s.grow() {
		return false
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err == io.EOF {
			s.eof = true
		} else if err != nil {
			s.fail = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	s.fail = io.ErrNoProgress
	return false
}

func (s *scanner) shift() {
	from := s.pos
	if s.keep >= 0 && s.keep < from {
		from = s.keep
	}
	if from == 0 {
		return
	}
	copy(s.buf, s.buf[from:s.end])
	s.pos, s.end, s.base = s.pos-from, s.end-from, s.base+int64(from)
	if s.keep >= 0 {
		s.keep -= from
	}
}

func (s *scanner) grow() bool {
	if len(s.buf) >= s.max {
		s.fail = invalid(fmt.Sprintf("byte %d: a value is longer than the limit of %d bytes a row", s.base, s.max),
			"raise the row limit, or check that the file is what it says")
		return false
	}
	bigger := make([]byte, min(2*len(s.buf), max(s.max, len(s.buf)+1)))
	copy(bigger, s.buf[:s.end])
	s.buf = bigger
	return true
}

// peek skips white space and returns the next byte without consuming it, or 0
// at the end.
func (s *scanner) peek() byte {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\t', '\n', '\r':
				s.pos++
			default:
				return c
			}
		}
		if !s.fill() {
			return 0
		}
	}
}

// enter consumes the opening bracket of a container.
func (s *scanner) enter() error {
	if s.depth++; s.depth > s.maxDepth {
		return invalid(fmt.Sprintf("byte %d: nested deeper than %d levels", s.offset(), s.maxDepth), "")
	}
	s.pos++
	return nil
}

// object scans an object. For every member it calls member with the key, which
// is valid only until member calls colon, as it must before the value.
func (s *scanner) object(member func(key []byte) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == '}' {
		return s.leave()
	}
	for {
		if s.peek() != '"' {
			return s.unexpected("a key in quotes")
		}
		key, err := s.str()
		if err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			return s.leave()
		default:
			return s.unexpected("a comma or }")
		}
	}
}

func (s *scanner) leave() error {
	s.depth--
	s.pos++
	return nil
}

func (s *scanner) colon() error {
	if s.peek() != ':' {
		return s.unexpected("a colon")
	}
	s.pos++
	return nil
}

// array scans an array and calls element before each of its values, which
// element must consume.
func (s *scanner) array(element func(i int) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	if s.peek() == ']' {
		return s.leave()
	}
	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			return s.leave()
		default:
			return s.unexpected("a comma or ]")
		}
	}
}

// skip consumes one value and checks it.
func (s *scanner) skip() error {
	switch s.peek() {
	case '{':
		return s.object(func([]byte) error {
			if err := s.colon(); err != nil {
				return err
			}
			return s.skip()
		})
	case '[':
		return s.array(func(int) error { return s.skip() })
	}
	_, _, err := s.scalar()
	return err
}

// raw consumes one value and returns its bytes as the source spells them.
func (s *scanner) raw() ([]byte, error) {
	s.peek()
	outer := s.keep
	if outer >= 0 {
		return nil, s.skip() // an outer value is being kept; it has these bytes
	}
	s.keep = s.pos
	err := s.skip()
	b := s.buf[s.keep:s.pos]
	s.keep = -1
	return b, err
}

// whole checks that the content is one value and nothing else.
func (s *scanner) whole() error {
	if err := s.skip(); err != nil {
		return err
	}
	if s.peek() != 0 || s.pos < s.end {
		return s.unexpected("the end of the line")
	}
	return nil
}

// line consumes a line and returns it with its end, nil when there is none.
func (s *scanner) line() ([]byte, error) {
	from := s.pos
	for {
		if i := bytes.IndexByte(s.buf[from:s.end], '\n'); i >= 0 {
			b := s.buf[s.pos : from+i+1]
			s.pos = from + i + 1
			return b, nil
		}
		ahead := s.end - s.pos
		if !s.fill() {
			break
		}
		from = s.pos + ahead
	}
	if s.fail != nil || s.pos == s.end {
		return nil, s.fail
	}
	b := s.buf[s.pos:s.end]
	s.pos = s.end
	return b, nil
}

// atEnd reports whether everything was consumed.
func (s *scanner) atEnd() bool { return s.pos == s.end && !s.fill() }

// scalar consumes a scalar and returns its kind and text: a string unescaped,
// everything else as spelled.
func (s *scanner) scalar() (kind, []byte, error) {
	switch c := s.peek(); {
	case c == '"':
		b, err := s.str()
		return text, b, err
	case c >= '0' && c <= '9' || c == '-':
		return s.number()
	case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		return s.word()
	}
	return null, nil, s.unexpected("a value")
}

// str consumes a string and returns it unescaped.
func (s *scanner) str() ([]byte, error) {
	var escaped bool
	var high byte
	i := s.pos + 1
	for {
		for i < s.end {
			c := s.buf[i]
			if c == '"' {
				return s.closeString(i, escaped, high)
			}
			if c < ' ' {
				s.pos = i
				return nil, s.unexpected("the rest of a string, where control characters are escaped")
			}
			high |= c
			i++
			if c == '\\' {
				escaped = true
				i++ // whatever it is; unescape judges it
			}
		}
		ahead := i - s.pos
		if !s.fill() {
			s.pos = s.end
			return nil, s.unexpected("the closing quote of a string")
		}
		i = s.pos + ahead
	}
}

func (s *scanner) closeString(end int, escaped bool, high byte) ([]byte, error) {
	b := s.buf[s.pos+1 : end]
	if escaped {
		var lone, ok bool
		if s.scratch, lone, ok = unescape(s.scratch[:0], b); !ok {
			return nil, invalid(fmt.Sprintf("byte %d: a string with a wrong escape sequence", s.offset()), "")
		}
		b = s.scratch
		if lone {
			s.note(codeUTF8)
		}
	}
	s.pos = end + 1
	if high >= utf8.RuneSelf && !utf8.Valid(b) {
		s.note(codeUTF8)
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return b, nil
}

// number consumes a number, which keeps its spelling, or -Infinity.
func (s *scanner) number() (kind, []byte, error) {
	i := s.pos + 1
	for {
		for i < s.end && numeric[s.buf[i]] {
			i++
		}
		if i < s.end {
			break
		}
		ahead := i - s.pos
		more := s.fill()
		if i = s.pos + ahead; !more {
			break
		}
	}
	b := s.buf[s.pos:i]
	if len(b) == 1 && b[0] == '-' && i < s.end && s.buf[i] == 'I' {
		return s.word()
	}
	if !validNumber(b) {
		return null, nil, s.unexpected("a number")
	}
	s.pos = i
	return number, b, nil
}

// word consumes a literal: true, false, null and the special numbers.
func (s *scanner) word() (kind, []byte, error) {
	const longest = len("-Infinity")
	for s.end-s.pos <= longest && s.fill() {
	}
	i := s.pos + 1
	for i < s.end && i-s.pos <= longest && letter(s.buf[i]) {
		i++
	}
	b := s.buf[s.pos:i]
	k, ok := literal(b)
	if !ok {
		return null, nil, s.unexpected("a value")
	}
	if k == special {
		s.note(codeSpecial)
	}
	s.pos = i
	return k, b, nil
}

func literal(b []byte) (kind, bool) {
	switch string(b) {
	case "null":
		return null, true
	case "true", "false":
		return boolean, true
	case "NaN", "Infinity", "-Infinity":
		return special, true
	}
	return null, false
}

// unexpected says what stands at pos instead of what was wanted: another byte,
// or the end of the stream.
func (s *scanner) unexpected(want string) error {
	if s.fail != nil {
		return s.fail
	}
	if s.pos >= s.end {
		return &endError{fmt.Sprintf("byte %d: the content ends where %s is expected", s.offset(), want)}
	}
	return invalid(fmt.Sprintf("byte %d: %s instead of %s", s.offset(), show(s.buf[s.pos]), want), "")
}

// endError says that the content ended inside a value. It becomes a truncated
// file, or a bad line where another line follows.
type endError struct{ msg string }

func (e *endError) Error() string { return e.msg }

func show(c byte) string {
	if c > ' ' && c < utf8.RuneSelf {
		return "'" + string(rune(c)) + "'"
	}
	return fmt.Sprintf("byte 0x%02x", c)
}
