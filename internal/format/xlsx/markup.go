package xlsx

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// tokenKind is what a token of XML is.
type tokenKind uint8

const (
	end   tokenKind = iota // of an element
	start                  // of an element
	chars                  // character data, still escaped unless verbatim
	eof
)

// markup takes the XML of a workbook's parts apart over a sliding buffer. It
// knows what those parts use: elements, attributes, character data, CDATA,
// comments, processing instructions and the predefined entities. A document
// type declaration, the door of entity attacks, is refused. Slices are valid
// until the next call of next.
type markup struct {
	part string // for messages
	r    io.Reader
	buf  []byte
	pos  int
	end  int
	base int64
	max  int
	fail error
	eof  bool

	name     []byte // of the element, without its prefix
	attrs    []byte
	text     []byte
	verbatim bool // text is CDATA
	closing  bool // the element was <empty/>: its end is next
	depth    int
}

const (
	firstBuffer = 64 << 10
	deepest     = 200
)

func newMarkup(part string, r io.Reader, longest int) *markup {
	return &markup{part: part, r: r, buf: make([]byte, firstBuffer), max: longest}
}

// fill reads more, keeping buf[pos:end], and reports whether there is more.
func (x *markup) fill() bool {
	if x.eof || x.fail != nil {
		return false
	}
	if x.pos > 0 {
		copy(x.buf, x.buf[x.pos:x.end])
		x.base += int64(x.pos)
		x.pos, x.end = 0, x.end-x.pos
	}
	if x.end == len(x.buf) && !x.grow() {
		return false
	}
	for range 100 {
		n, err := x.r.Read(x.buf[x.end:])
		x.end += n
		if err == io.EOF {
			x.eof = true
		} else if err != nil {
			x.fail = err
		}
		if n > 0 || err != nil {
			return n > 0
		}
	}
	x.fail = io.ErrNoProgress
	return false
}

func (x *markup) grow() bool {
	if len(x.buf) >= x.max {
		x.fail = x.damaged(fmt.Sprintf("a cell or tag of more than %d bytes", x.max))
		return false
	}
	bigger := make([]byte, min(2*len(x.buf), max(x.max, len(x.buf)+1)))
	copy(bigger, x.buf[:x.end])
	x.buf = bigger
	return true
}

func (x *markup) damaged(msg string) error {
	return invalid(fmt.Sprintf("%s, byte %d: %s", x.part, x.base+int64(x.pos), msg), "")
}

// until returns the position behind the next occurrence of mark at or after
// pos+from, −1 if there is none.
func (x *markup) until(mark string, from int) int {
	for {
		at := min(x.pos+from, x.end)
		if i := bytes.Index(x.buf[at:x.end], []byte(mark)); i >= 0 {
			return at + i + len(mark)
		}
		from = max(from, x.end-x.pos-len(mark)+1)
		if !x.fill() {
			return -1
		}
	}
}

// next returns the kind of the next token.
func (x *markup) next() (tokenKind, error) {
	if x.closing {
		x.closing = false
		x.depth--
		return end, nil
	}
	for {
		if x.pos == x.end && !x.fill() {
			return x.finish()
		}
		if x.buf[x.pos] != '<' {
			return x.characters()
		}
		for x.end-x.pos < len("<![CDATA[") && x.fill() {
		}
		kind, skipped, err := x.tag()
		if err != nil || !skipped {
			return kind, err
		}
	}
}

func (x *markup) finish() (tokenKind, error) {
	if x.fail != nil {
		return eof, x.fail
	}
	if x.depth > 0 {
		return eof, x.damaged("the XML ends inside an element")
	}
	return eof, nil
}

func (x *markup) characters() (tokenKind, error) {
	to := x.until("<", 0)
	if to < 0 {
		to = x.end + 1
	}
	if x.fail != nil {
		return eof, x.fail
	}
	x.text, x.verbatim = x.buf[x.pos:to-1], false
	x.pos = to - 1
	return chars, nil
}

// tag consumes what begins with '<'. Comments and processing instructions are
// skipped.
func (x *markup) tag() (kind tokenKind, skipped bool, err error) {
	head := x.buf[x.pos:x.end]
	switch {
	case bytes.HasPrefix(head, []byte("<?")):
		err = x.skip("?>")
		return kind, true, err
	case bytes.HasPrefix(head, []byte("<!--")):
		err = x.skip("-->")
		return kind, true, err
	case bytes.HasPrefix(head, []byte("<![CDATA[")):
		from := len("<![CDATA[")
		to := x.until("]]>", from)
		if to < 0 {
			return kind, false, x.cut()
		}
		x.text, x.verbatim = x.buf[x.pos+from:to-3], true
		x.pos = to
		return chars, false, nil
	case bytes.HasPrefix(head, []byte("<!")):
		return kind, false, x.damaged("a document type declaration, which workbooks do not have")
	}
	kind, err = x.element()
	return kind, false, err
}

func (x *markup) skip(mark string) error {
	to := x.until(mark, 2)
	if to < 0 {
		return x.cut()
	}
	x.pos = to
	return nil
}

func (x *markup) cut() error {
	if x.fail != nil {
		return x.fail
	}
	return x.damaged("the XML ends inside a tag")
}

func (x *markup) element() (tokenKind, error) {
	to := x.tagEnd()
	if to < 0 {
		return eof, x.cut()
	}
	body := x.buf[x.pos+1 : to-1]
	if len(body) > 0 && body[0] == '/' {
		if x.depth--; x.depth < 0 {
			return eof, x.damaged("an end tag without its start")
		}
		x.name, x.attrs = local(bytes.TrimSpace(body[1:])), nil
		x.pos = to
		return end, nil
	}
	if len(body) > 0 && body[len(body)-1] == '/' {
		x.closing, body = true, body[:len(body)-1]
	}
	if x.depth++; x.depth > deepest {
		return eof, x.damaged(fmt.Sprintf("nested deeper than %d elements", deepest))
	}
	i := bytes.IndexAny(body, " \t\r\n")
	if i < 0 {
		i = len(body)
	}
	x.name, x.attrs = local(body[:i]), body[i:]
	x.pos = to
	return start, nil
}

// tagEnd returns the position behind the tag at pos, −1 if it has no end. A '>'
// inside an attribute's value does not end it.
func (x *markup) tagEnd() int {
	var quote byte
	for i := 1; ; {
		for ; x.pos+i < x.end; i++ {
			switch c := x.buf[x.pos+i]; {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '>':
				return x.pos + i + 1
			case c == '"' || c == '\'':
				quote = c
			}
		}
		if !x.fill() {
			return -1
		}
	}
}

// local cuts the namespace prefix off a name.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// is reports whether the element has the given name.
func (x *markup) is(name string) bool { return string(x.name) == name }

// attr returns the value of an attribute of the element, still escaped.
func (x *markup) attr(name string) []byte {
	rest := x.attrs
	for {
		i := bytes.IndexByte(rest, '=')
		if i < 0 {
			return nil
		}
		key := local(bytes.TrimSpace(rest[:i]))
		rest = bytes.TrimLeft(rest[i+1:], " \t\r\n")
		if len(rest) == 0 {
			return nil
		}
		j := bytes.IndexByte(rest[1:], rest[0])
		if j < 0 {
			return nil
		}
		if string(key) == name {
			return rest[1 : 1+j]
		}
		rest = rest[j+2:]
	}
}

// attrText returns an attribute's value as text.
func (x *markup) attrText(name string) string { return string(unescape(nil, x.attr(name))) }

// appendText appends the character data of the token to dst.
func (x *markup) appendText(dst []byte) []byte {
	if x.verbatim {
		return append(dst, x.text...)
	}
	return unescape(dst, x.text)
}

// unescape appends b with entities resolved (XML 1.0, section 4.6) and line
// ends normalised (section 2.11).
func unescape(dst, b []byte) []byte {
	for {
		i := bytes.IndexAny(b, "&\r")
		if i < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:i]...)
		if b[i] == '\r' {
			dst = append(dst, '\n')
			b = bytes.TrimPrefix(b[i+1:], []byte("\n"))
			continue
		}
		r, n := entity(b[i:])
		if n == 0 {
			r, n = '&', 1
		}
		dst, b = utf8.AppendRune(dst, r), b[i+n:]
	}
}

// entity decodes the entity at the start of b and returns its length, 0 for
// none that is known.
func entity(b []byte) (rune, int) {
	const longest = len("&#x10FFFF;")
	i := bytes.IndexByte(b[:min(len(b), longest)], ';')
	if i < 2 {
		return 0, 0
	}
	switch name := string(b[1:i]); name {
	case "amp":
		return '&', i + 1
	case "lt":
		return '<', i + 1
	case "gt":
		return '>', i + 1
	case "quot":
		return '"', i + 1
	case "apos":
		return '\'', i + 1
	default:
		return numericEntity(name, i+1)
	}
}

func numericEntity(name string, length int) (rune, int) {
	if name[0] != '#' {
		return 0, 0
	}
	digits, radix := name[1:], 10
	if len(digits) > 1 && digits[0]|0x20 == 'x' {
		digits, radix = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, radix, 21)
	if err != nil || !utf8.ValidRune(rune(v)) {
		return 0, 0
	}
	return rune(v), length
}
