package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"go.yaml.in/yaml/v3"
)

// MaxSize is the longest recipe that is read, in bytes.
const MaxSize = 16 << 20

// Parse reads a recipe. Its errors are of kind Invalid and name the line.
func Parse(text []byte) (*Recipe, error) {
	if len(text) > MaxSize {
		return nil, invalid(0, "is %d bytes long; the most is %d", len(text), MaxSize)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var r Recipe
	if err := dec.Decode(&r); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, invalid(0, "is empty")
		}
		return nil, invalid(0, "%s", plain(err, text))
	}
	if r.Format != Format {
		return nil, invalid(0, "has format %d; this program reads format %d", r.Format, Format)
	}
	if err := number(text, &r); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return &r, nil
}

func invalid(line int, msg string, args ...any) error {
	text := fmt.Sprintf(msg, args...)
	if line > 0 {
		text = fmt.Sprintf("line %d: %s", line, text)
	}
	return &genesis.Error{Op: "read recipe", Kind: genesis.Invalid, Msg: text, Hint: "docs/recipes.md lists what a recipe may say"}
}

// plain takes the Go out of a YAML decoder's error.
func plain(err error, text []byte) string {
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) {
		var root yaml.Node
		_ = yaml.Unmarshal(text, &root) // it has been parsed before
		for i, msg := range wrong.Errors {
			wrong.Errors[i] = named(msg, &root)
		}
		err = wrong
	}
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	s = strings.ReplaceAll(s, "unmarshal errors:\n  ", "")
	s = regexp.MustCompile(` in type [\w.]+`).ReplaceAllString(s, "")
	s = regexp.MustCompile(`into [\w.\[\]*]+`).ReplaceAllString(s, "into the type this key needs")
	return strings.ReplaceAll(s, "field ", "unknown key ")
}

// number notes on which line each entry stands, so that later errors can say.
// The decoder passes over entries without content, which are refused here.
func number(text []byte, r *Recipe) (err error) {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil || len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	list := func(n *yaml.Node, key string, have int, f func(i int, item *yaml.Node)) {
		items, line := entries(n, key)
		switch {
		case err != nil || items == nil:
		case len(items) != have:
			err = invalid(line, "an entry of %s is empty", key)
		default:
			for i, item := range items {
				f(i, item)
			}
		}
	}
	list(root, "tables", len(r.Tables), func(i int, n *yaml.Node) {
		t := &r.Tables[i]
		list(n, "columns", len(t.Columns), func(j int, n *yaml.Node) { t.Columns[j].Line = n.Line })
		list(n, "derive", len(t.Derive), func(j int, n *yaml.Node) { t.Derive[j].Line = n.Line })
		list(n, "rules", len(t.Rules), func(j int, n *yaml.Node) { t.Rules[j].Line = n.Line })
	})
	list(root, "splits", len(r.Splits), func(i int, n *yaml.Node) { r.Splits[i].Line = n.Line })
	return err
}

// entries returns the items of the sequence under key in a mapping, and its
// line.
func entries(n *yaml.Node, key string) ([]*yaml.Node, int) {
	if n.Kind != yaml.MappingNode {
		return nil, 0
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i+1].Kind == yaml.SequenceNode {
			return n.Content[i+1].Content, n.Content[i].Line
		}
	}
	return nil, 0
}

// each calls f for every item of the sequence under key in a mapping.
func each(n *yaml.Node, key string, f func(i int, item *yaml.Node)) {
	items, _ := entries(n, key)
	for i, item := range items {
		f(i, item)
	}
}

var (
	columnName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,127}$`)
	types      = []genesis.Type{"", genesis.Integer, genesis.Float, genesis.Boolean, genesis.Timestamp, genesis.Date, genesis.Categorical, genesis.Text, genesis.Identifier}
	roles      = []genesis.Role{"", genesis.Feature, genesis.Target, genesis.ID, genesis.Group, genesis.Time, genesis.Weight, genesis.Qualifier, genesis.Ignore}
)

func (r *Recipe) check() error {
	seen := map[string]bool{}
	for i := range r.Tables {
		t := &r.Tables[i]
		if t.Name == "" || seen[t.Name] {
			return invalid(0, "table %d has no name of its own", i+1)
		}
		seen[t.Name] = true
		if err := t.check(); err != nil {
			return err
		}
	}
	for _, s := range r.Splits {
		if s.By == "" {
			return invalid(s.Line, `a split needs a line such as "by: random"`)
		}
	}
	return nil
}

func (t *Table) check() error {
	names := map[string]bool{}
	claim := func(line int, name string) error {
		if !columnName.MatchString(name) {
			return invalid(line, "%q is not a column name: use a-z, 0-9 and _", name)
		}
		if names[name] {
			return invalid(line, "a second column is called %q", name)
		}
		names[name] = true
		return nil
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if err := c.check(); err != nil {
			return err
		}
		if c.Name != "" && !c.Drop {
			if err := claim(c.Line, c.Name); err != nil {
				return err
			}
		}
	}
	for _, d := range t.Derive {
		if d.Expr == "" || d.Type == "" {
			return invalid(d.Line, "a derived column needs name, expr and type")
		}
		if err := checkWords(d.Line, d.Type, d.Role); err != nil {
			return err
		}
		if err := claim(d.Line, d.Name); err != nil {
			return err
		}
	}
	return t.checkRules()
}

func (c *Column) check() error {
	if err := checkWords(c.Line, c.Type, c.Role); err != nil {
		return err
	}
	if len(c.Decimal) > 1 || len(c.Thousands) > 3 || c.Decimal != "" && c.Decimal == c.Thousands {
		return invalid(c.Line, "decimal and thousands must be two different single characters")
	}
	return nil
}

func checkWords(line int, typ genesis.Type, role genesis.Role) error {
	if !slices.Contains(types, typ) {
		return invalid(line, "%q is not a type; the types are integer, float, boolean, timestamp, date, categorical, text and identifier", typ)
	}
	if !slices.Contains(roles, role) {
		return invalid(line, "%q is not a role; the roles are feature, target, id, group, time, weight, qualifier and ignore", role)
	}
	return nil
}

func (t *Table) checkRules() error {
	for _, r := range t.Rules {
		if (r.Column == "") == (r.Expr == "") {
			return invalid(r.Line, "a rule needs either a column or an expr")
		}
		if _, err := regexp.Compile(r.Matches); err != nil {
			return invalid(r.Line, "matches: %s", err)
		}
	}
	return nil
}
