package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// CanonicalJSON returns the one canonical JSON text of v by RFC 8785: no white
// space, object members sorted by the UTF-16 code units of their names, strings
// with the fewest escapes, numbers as ECMAScript prints doubles. v is first
// turned into JSON by encoding/json, so struct tags and Marshalers count; a
// json.RawMessage is canonicalised as it is.
//
// Integers beyond ±2⁵³, which not every reader can hold, become strings of
// digits; floats stay numbers. Errors, of kind Invalid: a value JSON cannot
// express (NaN, infinities, numbers beyond the doubles, text that is not UTF-8),
// an object that names a member twice, nesting deeper than 1000.
func CanonicalJSON(v any) ([]byte, error) {
	text, err := plainJSON(v)
	if err != nil {
		return nil, notCanonical(err.Error(), err)
	}
	if err := checkEscapes(text); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	tree, err := readTree(dec, 0)
	if err != nil {
		return nil, err
	}
	c := canonical{source: v, out: make([]byte, 0, len(text))}
	if err := c.value(tree); err != nil {
		return nil, err
	}
	return c.out, nil
}

func notCanonical(msg string, err error) *Error {
	return &Error{Op: "write canonical JSON", Kind: Invalid, Msg: msg, Err: err}
}

// plainJSON is json.Marshal without the escapes that make JSON safe inside HTML.
func plainJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

// checkEscapes refuses text with half a surrogate pair, and with the escape by
// which encoding/json stands in for bytes that are not UTF-8: what differs must
// not become the same. text is valid JSON.
func checkEscapes(text []byte) error {
	if !utf8.Valid(text) {
		return notCanonical("a text is not UTF-8", nil)
	}
	unit := func(i int) rune { // the code unit of the \uXXXX at i, else −1
		if i+6 > len(text) || text[i] != '\\' || text[i+1] != 'u' {
			return -1
		}
		u, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
		if err != nil {
			return -1
		}
		return rune(u)
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch u := unit(i); {
		case u == utf8.RuneError:
			return notCanonical("a text is not UTF-8", nil)
		case !utf16.IsSurrogate(u):
			i++ // past the escaped character
		case utf16.DecodeRune(u, unit(i+6)) == utf8.RuneError:
			return notCanonical("a text holds half a surrogate pair", nil)
		default:
			i += 11
		}
	}
	return nil
}

// object is a JSON object; its members are sorted when it is written.
type object map[string]any

const maxDepth = 1000

// readTree reads the next value: nil, bool, json.Number, string, []any, object.
func readTree(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, notCanonical(fmt.Sprintf("it is nested deeper than %d", maxDepth), nil)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, notCanonical(err.Error(), err)
	}
	switch token {
	case json.Delim('['):
		return readArray(dec, depth)
	case json.Delim('{'):
		return readObject(dec, depth)
	}
	return token, nil
}

func readArray(dec *json.Decoder, depth int) (any, error) {
	array := []any{}
	for dec.More() {
		v, err := readTree(dec, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, closing(dec)
}

func readObject(dec *json.Decoder, depth int) (any, error) {
	obj := object{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, notCanonical(err.Error(), err)
		}
		name := key.(string)
		if _, ok := obj[name]; ok {
			return nil, notCanonical(fmt.Sprintf("an object names %q twice", name), nil)
		}
		if obj[name], err = readTree(dec, depth+1); err != nil {
			return nil, err
		}
	}
	return obj, closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return notCanonical(err.Error(), err)
	}
	return nil
}

// canonical writes a tree.
type canonical struct {
	out    []byte
	source any             // what the tree was made from
	floats map[string]bool // see isFloat
}

func (c *canonical) value(v any) error {
	switch v := v.(type) {
	case nil:
		c.out = append(c.out, "null"...)
	case bool:
		c.out = strconv.AppendBool(c.out, v)
	case string:
		c.out = appendString(c.out, v)
	case json.Number:
		return c.number(string(v))
	case []any:
		return c.array(v)
	case object:
		return c.object(v)
	}
	return nil
}

func (c *canonical) array(array []any) error {
	c.out = append(c.out, '[')
	for i, v := range array {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		if err := c.value(v); err != nil {
			return err
		}
	}
	c.out = append(c.out, ']')
	return nil
}

func (c *canonical) object(obj object) error {
	type member struct {
		units []uint16
		name  string
	}
	members := make([]member, 0, len(obj))
	for name := range obj {
		members = append(members, member{utf16.Encode([]rune(name)), name})
	}
	slices.SortFunc(members, func(a, b member) int { return slices.Compare(a.units, b.units) })
	c.out = append(c.out, '{')
	for i, m := range members {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(appendString(c.out, m.name), ':')
		if err := c.value(obj[m.name]); err != nil {
			return err
		}
	}
	c.out = append(c.out, '}')
	return nil
}

// appendString writes s with the escapes of RFC 8785, section 3.2.2.2.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '"' || ch == '\\':
			b = append(b, '\\', ch)
		case ch >= 0x20:
			b = append(b, ch)
		case ch >= '\b' && ch <= '\r' && ch != '\v':
			b = append(b, '\\', "btn_fr"[ch-'\b'])
		default:
			b = append(b, '\\', 'u', '0', '0', hex[ch>>4], hex[ch&15])
		}
	}
	return append(b, '"')
}

// number writes a JSON number.
func (c *canonical) number(literal string) error {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return notCanonical("the number "+literal+" is beyond what a double holds", err)
	}
	if isInteger(literal) && beyondExact(literal, f) && !c.isFloat(literal) {
		c.out = appendString(c.out, literal)
		return nil
	}
	c.out = appendFloat(c.out, f)
	return nil
}

func isInteger(literal string) bool {
	for i := range len(literal) {
		if ch := literal[i]; ch != '-' && (ch < '0' || ch > '9') {
			return false
		}
	}
	return true
}

// beyondExact reports whether an integer exceeds 2⁵³ in size. 2⁵³+1 rounds to
// 2⁵³ as a double, so the digits decide there.
func beyondExact(literal string, f float64) bool {
	const exact = 1 << 53
	return math.Abs(f) > exact || math.Abs(f) == exact && literal != "9007199254740992" && literal != "-9007199254740992"
}

// isFloat reports whether an integer literal was a Go float: encoding/json
// writes floats below 1e21 without an exponent, so that 1e20 looks like an
// integer. The floats are looked up in the value only when there is such a
// literal, which is rare.
func (c *canonical) isFloat(literal string) bool {
	if c.floats == nil {
		c.floats = map[string]bool{}
		noteFloats(reflect.ValueOf(c.source), c.floats)
	}
	return c.floats[literal]
}

// noteFloats collects how encoding/json writes the large integral floats in v.
func noteFloats(v reflect.Value, floats map[string]bool) {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); f == math.Trunc(f) && math.Abs(f) >= 1<<53 {
			floats[strconv.FormatFloat(f, 'f', -1, v.Type().Bits())] = true
		}
	case reflect.Pointer, reflect.Interface:
		noteFloats(v.Elem(), floats)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				noteFloats(v.Field(i), floats)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			noteFloats(v.Index(i), floats)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			noteFloats(it.Value(), floats)
		}
	}
}

// appendFloat writes f as ECMAScript's Number::toString does (RFC 8785, section
// 3.2.2.3): shortest digits that read back as f, an exponent outside
// 1e−6 ≤ |f| < 1e21.
func appendFloat(b []byte, f float64) []byte {
	if f == 0 {
		return append(b, '0') // also −0
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); b[n-2] == '0' && (b[n-3] == '-' || b[n-3] == '+') { // Go writes at least two digits of exponent
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}
