package edge

import (
	"strconv"
	"strings"
)

// Range is a part of something whose size is known.
type Range struct{ Offset, Length int64 }

// Content returns the Content-Range of r in something of size bytes.
func (r Range) Content(size int64) string {
	return "bytes " + strconv.FormatInt(r.Offset, 10) + "-" + strconv.FormatInt(r.Offset+r.Length-1, 10) + "/" + strconv.FormatInt(size, 10)
}

// ParseRange reads a Range header (RFC 9110, section 14.2). nil means the whole:
// no header, another unit, one that does not parse, or several ranges, which a
// server may leave unheard. Errors: Invalid (none of the bytes are there: 416).
func ParseRange(header string, size int64) (*Range, error) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash || len(header) > 100 {
		return nil, nil
	}
	from, okFrom := position(first)
	to, okTo := position(last)
	switch {
	case !okFrom || !okTo || first == "" && last == "" || first != "" && last != "" && to < from:
		return nil, nil
	case first == "": // the last so many
		from, to = max(0, size-to), size-1
	case last == "" || to >= size:
		to = size - 1
	}
	if from > to || from >= size {
		return nil, refusal("read range", "lies behind the end", "the size is in Content-Range")
	}
	return &Range{from, to - from + 1}, nil
}

// position reads a number of digits alone; "" is 0.
func position(s string) (int64, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// Unsatisfied is the Content-Range of a 416.
func Unsatisfied(size int64) string { return "bytes */" + strconv.FormatInt(size, 10) }
