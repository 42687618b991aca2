package json

import (
	"unicode/utf16"
	"unicode/utf8"
)

// numeric holds the bytes that numbers are made of.
var numeric = func() (t [256]bool) {
	for _, c := range []byte("0123456789+-.eE") {
		t[c] = true
	}
	return t
}()

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// validNumber reports whether b is a number of RFC 8259, section 6.
func validNumber(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	n := digits(b)
	if n == 0 || n > 1 && b[0] == '0' {
		return false
	}
	b = b[n:]
	if len(b) > 0 && b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

func digits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

// unescape appends the string spelled b (RFC 8259, section 7) to dst. A
// surrogate without its other half becomes U+FFFD, and lone is true.
func unescape(dst, b []byte) (text []byte, lone, ok bool) {
	for len(b) > 0 {
		if b[0] != '\\' {
			dst, b = append(dst, b[0]), b[1:]
			continue
		}
		if len(b) < 2 {
			return dst, lone, false
		}
		if b[1] == 'u' {
			r, n := unicodeEscape(b)
			if n == 0 {
				return dst, lone, false
			}
			lone = lone || r == utf8.RuneError && !fffd(b)
			dst, b = utf8.AppendRune(dst, r), b[n:]
			continue
		}
		c := plainEscape(b[1])
		if c == 0 {
			return dst, lone, false
		}
		dst, b = append(dst, c), b[2:]
	}
	return dst, lone, true
}

// fffd reports whether b begins with the escape of U+FFFD itself.
func fffd(b []byte) bool {
	r, ok := hex4(b)
	return ok && r == utf8.RuneError
}

func plainEscape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// unicodeEscape decodes \uXXXX, or a pair of them, at the start of b and
// returns its length, 0 if it is malformed.
func unicodeEscape(b []byte) (rune, int) {
	r, ok := hex4(b)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(b[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		d := rune(c|0x20) - 'a' + 10
		if c >= '0' && c <= '9' {
			d = rune(c - '0')
		} else if d < 10 || d > 15 {
			return 0, false
		}
		r = r<<4 | d
	}
	return r, true
}
