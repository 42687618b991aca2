package text

import (
	"bytes"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/opengenesis/genesis"
)

// evidence is how many bytes, from the first one that is not ASCII, decide
// which encoding it is.
const evidence = 64 << 10

// charset decodes a source to UTF-8. What it decides depends on the bytes, not
// on how they are read: byte order marks, NUL bytes in every second place, and
// the [evidence] that begins at the first byte beyond ASCII.
type charset struct {
	src     io.Reader
	ahead   []byte // read from src and not yet given out
	err     error  // that follows ahead
	decoded io.Reader
	settled bool   // UTF-8 is certain
	name    string // "UTF-8" until something else is seen
}

// newCharset starts decoding; label is an IANA name or "" for recognition.
func newCharset(src io.Reader, label string) (*charset, error) {
	c := &charset{src: src, name: "UTF-8"}
	head := c.peek(4096)
	if label != "" {
		return c, c.declared(label, head)
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		c.ahead = c.ahead[3:]
		c.settled = true
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		c.decode("UTF-16LE", unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM))
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		c.decode("UTF-16BE", unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM))
	case nulShare(head, 1) > 0.4 && nulShare(head, 0) < 0.05:
		c.decode("UTF-16LE", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM))
	case nulShare(head, 0) > 0.4 && nulShare(head, 1) < 0.05:
		c.decode("UTF-16BE", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM))
	}
	return c, nil
}

func (c *charset) declared(label string, head []byte) error {
	enc, err := htmlindex.Get(label)
	if err != nil {
		enc, err = ianaindex.IANA.Encoding(label)
	}
	if err != nil || enc == nil {
		return &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: label, Msg: "is not an encoding that is read",
			Hint: "give an IANA name such as UTF-8, ISO-8859-1, GBK or UTF-16LE"}
	}
	if enc == unicode.UTF8 {
		c.settled = true
		c.ahead = bytes.TrimPrefix(c.ahead, []byte("\xef\xbb\xbf"))
		return nil
	}
	_ = head
	c.decode(label, enc)
	return nil
}

// nulShare returns which part of every second byte, from the given one, is NUL.
func nulShare(b []byte, from int) float64 {
	n, zero := 0, 0
	for i := from; i < len(b); i += 2 {
		n++
		if b[i] == 0 {
			zero++
		}
	}
	if n == 0 {
		return 0
	}
	return float64(zero) / float64(n)
}

func (c *charset) decode(name string, enc encoding.Encoding) {
	c.name = name
	c.decoded = enc.NewDecoder().Reader(rawReader{c})
}

// rawReader gives out the bytes of a charset undecoded.
type rawReader struct{ c *charset }

func (r rawReader) Read(p []byte) (int, error) { return r.c.raw(p) }

func (c *charset) raw(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if c.err != nil {
		return 0, c.err
	}
	return c.src.Read(p)
}

// peek returns up to n bytes that come next, without taking them.
func (c *charset) peek(n int) []byte {
	for len(c.ahead) < n && c.err == nil {
		buf := make([]byte, n)
		copy(buf, c.ahead)
		got, err := io.ReadAtLeast(c.src, buf[len(c.ahead):], 1)
		c.ahead = buf[:len(c.ahead)+got]
		c.err = err
	}
	return c.ahead[:min(n, len(c.ahead))]
}

// Read returns UTF-8, save for broken sequences in what is otherwise UTF-8.
func (c *charset) Read(p []byte) (int, error) {
	if c.decoded != nil {
		return c.decoded.Read(p)
	}
	n, err := c.raw(p)
	if c.settled {
		return n, err
	}
	i := indexNonASCII(p[:n])
	if i < 0 {
		return n, err
	}
	if err != nil {
		c.err = err
	}
	c.ahead = append(append([]byte{}, p[i:n]...), c.ahead...)
	if i > 0 {
		return i, nil
	}
	c.settle()
	return c.Read(p)
}

// settle decides the encoding from the bytes that come next, the first of which
// is not ASCII.
func (c *charset) settle() {
	b := c.peek(evidence)
	good, bad := utf8Evidence(b)
	switch {
	case bad == 0 || good >= 10*bad:
		c.settled = true
	case looksGBK(b):
		c.decode("GBK", simplifiedchinese.GBK)
	case hasC1(b):
		c.decode("windows-1252", charmap.Windows1252)
	default:
		c.decode("ISO-8859-1", charmap.Windows1252) // identical without 0x80–0x9f
	}
}

// utf8Evidence counts multi-byte sequences that are UTF-8 and bytes that are
// not. A sequence cut by the end of b counts as neither.
func utf8Evidence(b []byte) (good, bad int) {
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			i := indexNonASCII(b)
			if i < 0 {
				return good, bad
			}
			b = b[i:]
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case r != utf8.RuneError || n > 1:
			good++
		case !utf8.FullRune(b):
			return good, bad
		default:
			bad++
		}
		b = b[n:]
	}
	return good, bad
}

// looksGBK reports whether the bytes beyond ASCII come in pairs of the GB 2312
// area, as Chinese text has them. Accented Latin letters mostly stand alone.
func looksGBK(b []byte) bool {
	pairs, odd := 0, 0
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		if i+1 == len(b) {
			break
		}
		if b[i] >= 0xa1 && b[i] <= 0xf7 && b[i+1] >= 0xa1 && b[i+1] != 0xff {
			pairs++
			i += 2
			continue
		}
		odd++
		i++
	}
	return pairs > 0 && pairs >= 9*odd
}

// hasC1 reports whether b holds bytes that Windows-1252 prints and ISO-8859-1
// does not.
func hasC1(b []byte) bool {
	for _, x := range b {
		if x >= 0x80 && x < 0xa0 {
			return true
		}
	}
	return false
}
