package apidoc

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// document is what the page needs of an OpenAPI document.
type document struct {
	Info  struct{ Title, Version, Description string }
	Paths map[string]map[string]operation

	Components struct{ Schemas map[string]schema }
}

type operation struct {
	OperationID, Summary, Description string
	Parameters                        []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody *struct{ Content map[string]media }
	Responses   map[string]struct {
		Description string
		Content     map[string]media
	}
}

type media struct{ Schema schema }

type schema struct {
	Type        any
	Ref         string `json:"$ref"`
	Description string
	Format      string
	Enum        []any
	Default     any
	Minimum     *float64
	Maximum     *float64
	MaxLength   *int
	Items       *schema
	Additional  json.RawMessage `json:"additionalProperties"`
	Properties  map[string]schema
	Required    []string
}

// page is what the template shows.
type page struct {
	Title, Version, Description string
	Groups                      []group
	Schemas                     []object
}

type group struct {
	Name       string
	Operations []shown
}

type shown struct {
	Method, Path, ID, Summary, Description string
	Parameters                             []field
	Body                                   []content
	Responses                              []response
}

type response struct {
	Status, Description string
	Content             []content
}

type content struct {
	Media string
	Type  typeName
}

type object struct {
	Name, Description string
	Fields            []field
}

type field struct {
	Name, In    string
	Type        typeName
	Required    bool
	Description string
}

// typeName is how a type is called, with the schema it links to, if any.
type typeName struct{ Before, Link string }

// methods in the order in which they are shown.
var methods = []string{"get", "head", "post", "put", "patch", "delete"}

func (d *document) page() page {
	p := page{Title: d.Info.Title, Version: d.Info.Version, Description: d.Info.Description}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range methods {
			if op, ok := d.Paths[path][method]; ok {
				p.add(groupOf(path), op.show(method, path))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		s := d.Components.Schemas[name]
		p.Schemas = append(p.Schemas, object{Name: name, Description: s.Description, Fields: s.fields()})
	}
	return p
}

func (p *page) add(name string, op shown) {
	if n := len(p.Groups); n == 0 || p.Groups[n-1].Name != name {
		p.Groups = append(p.Groups, group{Name: name})
	}
	g := &p.Groups[len(p.Groups)-1]
	g.Operations = append(g.Operations, op)
}

// groupOf is the first part of a path after its version: "versions".
func groupOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) > 1 && parts[0] == "v1" {
		return parts[1]
	}
	return parts[0]
}

func (op operation) show(method, path string) shown {
	out := shown{Method: strings.ToUpper(method), Path: path, ID: op.OperationID, Summary: op.Summary, Description: op.Description}
	for _, p := range op.Parameters {
		out.Parameters = append(out.Parameters, field{Name: p.Name, In: p.In, Type: p.Schema.name(), Required: p.Required,
			Description: join(cmp.Or(p.Description, p.Schema.Description), p.Schema.bounds())})
	}
	if op.RequestBody != nil {
		out.Body = contents(op.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		out.Responses = append(out.Responses, response{Status: status, Description: r.Description, Content: contents(r.Content)})
	}
	return out
}

func contents(byMedia map[string]media) (all []content) {
	for _, name := range slices.Sorted(maps.Keys(byMedia)) {
		all = append(all, content{Media: name, Type: byMedia[name].Schema.name()})
	}
	return all
}

func (s schema) fields() (all []field) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		all = append(all, field{Name: name, Type: p.name(), Required: slices.Contains(s.Required, name), Description: join(p.Description, p.bounds())})
	}
	return all
}

func (s schema) name() typeName {
	if s.Ref != "" {
		return typeName{Link: s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]}
	}
	kind := s.kind()
	var values schema
	switch {
	case kind == "array" && s.Items != nil:
		t := s.Items.name()
		t.Before = "list of " + t.Before
		return t
	case kind == "object" && json.Unmarshal(s.Additional, &values) == nil:
		t := values.name()
		t.Before = "object of " + t.Before
		return t
	case s.Format != "":
		kind += " (" + s.Format + ")"
	}
	return typeName{Before: cmp.Or(kind, "anything")}
}

// kind is the type without "or null", which a missing member says as well.
func (s schema) kind() string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		for _, one := range t {
			if one != "null" {
				return fmt.Sprint(one)
			}
		}
	}
	return ""
}

// bounds says what values are taken.
func (s schema) bounds() string {
	var parts []string
	if s.Enum != nil {
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		parts = append(parts, "one of "+strings.Join(words, ", "))
	}
	if s.Minimum != nil {
		parts = append(parts, fmt.Sprintf("at least %g", *s.Minimum))
	}
	if s.Maximum != nil {
		parts = append(parts, fmt.Sprintf("at most %g", *s.Maximum))
	}
	if s.MaxLength != nil {
		parts = append(parts, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("default %v", s.Default))
	}
	return strings.Join(parts, "; ")
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " (" + b + ")"
}
