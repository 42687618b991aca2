package recipe

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// misfit is how the decoder says that a value is of another kind than its key takes.
var misfit = regexp.MustCompile("^line (\\d+): cannot unmarshal (!!\\w+)(?: `(.*)`)? into (\\S+)$")

// fields are the Go types of the fields, and of the entries of lists, that a key stands for.
var fields = func() map[string][]string {
	out := map[string][]string{}
	collect(reflect.TypeFor[Recipe](), out)
	return out
}()

func collect(t reflect.Type, out map[string][]string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		f := t.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key != "" && key != "-" {
			for u := f.Type; ; u = u.Elem() {
				out[key] = append(out[key], u.String())
				if u.Kind() != reflect.Slice && u.Kind() != reflect.Pointer {
					break
				}
			}
		}
		if key != "-" {
			collect(f.Type, out)
		}
	}
}

// takes is what keys take, by the Go type of their field.
var takes = map[string]string{"string": "a text", "bool": "true or false", "int": "a whole number", "uint64": "a whole number from 0", "float64": "a number",
	"[]string": "a list of texts, such as [a, b]", "[]float64": "a list of numbers, such as [0.8, 0.1, 0.1]"}

var kinds = map[string]string{"!!str": "the text", "!!int": "the number", "!!float": "the number", "!!bool": "the value", "!!seq": "a list", "!!map": "a mapping", "!!timestamp": "the date", "!!null": "nothing"}

// named says which key a decoder's complaint is about and what the key takes.
func named(msg string, root *yaml.Node) string {
	m := misfit.FindStringSubmatch(msg)
	if m == nil {
		return msg
	}
	line, tag, value, into := m[1], m[2], m[3], m[4]
	key := keyOf(root, "", func(key string, n *yaml.Node) bool {
		return slices.Contains(fields[key], into) && fmt.Sprint(n.Line) == line && n.ShortTag() == tag && (value == "" || strings.HasPrefix(n.Value, strings.TrimSuffix(value, "...")))
	})
	if key == "" {
		return msg
	}
	want := takes[into]
	switch {
	case want != "":
	case strings.HasPrefix(into, "[]"):
		want = "a list of entries, each behind a dash"
	case strings.HasPrefix(into, "recipe."):
		want = "keys and values"
	default:
		want = "a text"
	}
	got := kinds[tag]
	if value != "" {
		got = strings.TrimSpace(got + " " + fmt.Sprintf("%q", value))
	}
	return fmt.Sprintf("line %s: %s takes %s, and not %s", line, key, want, got)
}

// keyOf returns the key under which the first node stands that is meant; key is the one
// above n.
func keyOf(n *yaml.Node, key string, meant func(key string, n *yaml.Node) bool) string {
	if meant(key, n) {
		return key
	}
	for i, child := range n.Content {
		under := key
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			under = n.Content[i-1].Value
		}
		if found := keyOf(child, under, meant); found != "" {
			return found
		}
	}
	return ""
}
