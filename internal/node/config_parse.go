package node

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"go.yaml.in/yaml/v3"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

// parseConfig reads b over the defaults. Its errors name the line and the key.
func parseConfig(path string, b []byte) (Config, error) {
	var c Config
	setDefaults(keys, &c)
	dec := yaml.NewDecoder(bytes.NewReader(b))
	var doc yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return c, nil // empty
	}
	if err == nil {
		if next := dec.Decode(&yaml.Node{}); !errors.Is(next, io.EOF) {
			err = &lineError{line: doc.Line, msg: "only one document is read; there is more after it"}
		}
	}
	r := reading{lines: map[string]int{}}
	if err == nil {
		err = r.document(&doc, &c)
	}
	if err == nil {
		err = r.agree(&c)
	}
	var at *lineError
	switch {
	case errors.As(err, &at):
		return Config{}, configError(path, at.line, at.msg, at.hint)
	case err != nil:
		return Config{}, configError(path, 0, strings.TrimPrefix(err.Error(), "yaml: "), "")
	}
	return c, nil
}

func configError(path string, line int, msg, hint string) error {
	if line > 0 {
		msg = "line " + strconv.Itoa(line) + ": " + msg
	}
	if hint == "" {
		hint = "docs/config.md lists the keys"
	}
	return &genesis.Error{Op: "read config", Kind: genesis.Invalid, Subject: path, Msg: msg, Hint: hint}
}

// lineError is a mistake at a line.
type lineError struct {
	line      int
	msg, hint string
}

func (e *lineError) Error() string { return e.msg }

// setDefaults fills what keys describe with their defaults.
func setDefaults(keys []key, into any) {
	for _, k := range keys {
		if k.def == "" {
			continue
		}
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(k.def), &n); err == nil {
			err = (&reading{}).value(k, k.name, n.Content[0], into)
			if err != nil {
				panic(k.name + ": " + err.Error()) // the table is wrong: every run and test sees it
			}
		}
	}
}

// reading reads one file, and remembers where its keys stand.
type reading struct{ lines map[string]int }

func (r *reading) document(doc *yaml.Node, c *Config) error {
	if len(doc.Content) != 1 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil // comments alone
	}
	return r.group(keys, "", "", root, c)
}

// group reads the mapping of the keys whose names begin with prefix. shown is
// what stands before names in errors: "identity.providers[0].".
func (r *reading) group(keys []key, shown, prefix string, n *yaml.Node, into any) error {
	if n.Kind != yaml.MappingNode {
		return &lineError{n.Line, describe(shown+prefix) + "is not a group of keys", ""}
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		full := prefix + name.Value
		if name.Kind != yaml.ScalarNode || seen[full] {
			return &lineError{name.Line, shown + full + ": is there twice, or is no key", ""}
		}
		seen[full] = true
		if err := r.entry(keys, shown, full, name.Line, value, into); err != nil {
			return err
		}
	}
	return nil
}

// entry reads a key's value, or the group that a name begins.
func (r *reading) entry(keys []key, shown, full string, line int, value *yaml.Node, into any) error {
	for _, k := range keys {
		switch {
		case k.name == full:
			if r.lines != nil {
				r.lines[shown+full] = line
			}
			return r.value(k, shown+full, value, into)
		case strings.HasPrefix(k.name, full+"."):
			return r.group(keys, shown, full+".", value, into)
		}
	}
	e := &lineError{line: line, msg: shown + full + ": is not a key"}
	if near := nearest(keys, full); near != "" {
		e.hint = "did you mean " + shown + near + "?"
	}
	return e
}

// value reads one value into its field.
func (r *reading) value(k key, shown string, n *yaml.Node, into any) error {
	wrong := func(n *yaml.Node, msg string) error { return &lineError{n.Line, shown + ": " + msg, ""} }
	field := reflect.ValueOf(k.field(into)).Elem()
	switch k.kind {
	case objects:
		return r.objects(k, shown, n, field)
	case textList:
		if n.Kind != yaml.SequenceNode {
			return wrong(n, "is not a list")
		}
		list := reflect.MakeSlice(field.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag != "!!str" || !k.form.ok(item.Value) {
				return wrong(item, strconv.Quote(cut(item.Value))+" is not "+k.form.says)
			}
			list.Index(i).SetString(item.Value)
		}
		field.Set(list)
		return nil
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return wrong(n, "has no value; leave the line out for the default")
	}
	if msg := k.scalar(n, field); msg != "" {
		return wrong(n, strconv.Quote(cut(n.Value))+" "+msg)
	}
	return nil
}

// objects reads a list of groups.
func (r *reading) objects(k key, shown string, n *yaml.Node, field reflect.Value) error {
	if n.Kind != yaml.SequenceNode {
		return &lineError{n.Line, shown + ": is not a list", ""}
	}
	list := reflect.MakeSlice(field.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		into := list.Index(i).Addr().Interface()
		setDefaults(k.of, into)
		name := shown + "[" + strconv.Itoa(i) + "]"
		if r.lines != nil {
			r.lines[name] = item.Line
		}
		if err := r.group(k.of, name+".", "", item, into); err != nil {
			return err
		}
	}
	field.Set(list)
	return nil
}

// scalar sets a field, or says what is wrong with the value.
func (k key) scalar(n *yaml.Node, field reflect.Value) string {
	switch k.kind {
	case plainText:
		if n.Tag == "!!bool" || !k.form.ok(n.Value) {
			return "is not " + k.form.says
		}
		field.SetString(n.Value)
	case truth:
		if n.Tag != "!!bool" || n.Value != "true" && n.Value != "false" {
			return "is not true or false"
		}
		field.SetBool(n.Value == "true")
	default:
		v, err := k.measure(n.Value)
		if err != "" {
			return err
		}
		if !k.within(v) {
			return "is not between " + k.least + " and " + k.most
		}
		if field.CanFloat() {
			field.SetFloat(v)
		} else {
			field.SetInt(int64(v))
		}
	}
	return ""
}

// measure reads what can be compared with bounds. Bytes, nanoseconds and counts
// within the bounds are whole numbers that a float64 holds exactly.
func (k key) measure(s string) (v float64, wrong string) {
	switch k.kind {
	case size:
		n, err := humanize.ParseBytes(s)
		if err != nil {
			return 0, `is not a size like "512MB"`
		}
		return float64(n), ""
	case duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, `is not a duration like "30s" or "24h"`
		}
		return float64(d), ""
	case number:
		n, err := strconv.ParseInt(s, 10, 53)
		if err != nil {
			return 0, "is not a whole number"
		}
		return float64(n), ""
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, "is not a number"
	}
	return v, ""
}

func (k key) within(v float64) bool {
	least, _ := k.measure(k.least)
	most, _ := k.measure(k.most)
	return v >= least && v <= most || k.zero && v == 0
}

// agree checks what no key can say alone.
func (r *reading) agree(c *Config) error {
	at := func(key, msg, hint string) error { return &lineError{r.lines[key], key + ": " + msg, hint} }
	host, _, _ := strings.Cut(c.Serve.Listen, ":")
	if h, ok := strings.CutPrefix(c.Serve.Listen, "["); ok {
		host, _, _ = strings.Cut(h, "]")
	}
	tls := c.Serve.TLS
	switch {
	case tls.Cert != "" && tls.Key == "":
		return at("serve.tls.cert", "has no serve.tls.key beside it", "")
	case tls.Key != "" && tls.Cert == "":
		return at("serve.tls.key", "has no serve.tls.cert beside it", "")
	case tls.Cert == "" && !loopback(host) && !c.Serve.Insecure:
		return at("serve.listen", strconv.Quote(c.Serve.Listen)+" is reached by others, and there is no TLS: tokens and data would pass in the clear",
			"set serve.tls.cert and serve.tls.key, or listen on 127.0.0.1, or set serve.insecure: true behind a proxy of your own")
	case c.Identity.Session.Idle > c.Identity.Session.Absolute:
		return at("identity.session.idle", "is longer than identity.session.absolute", "")
	case c.Uploads.Max > c.Uploads.Quota:
		return at("uploads.max", "is larger than uploads.quota", "")
	}
	return r.providers(c.Identity.Providers)
}

// ListenOn replaces serve.listen, unless addr is "". Errors: Invalid, as for
// config.yaml.
func (c *Config) ListenOn(addr string) error {
	if addr == "" {
		return nil
	}
	if !listenForm.ok(addr) {
		return configError("--listen", 0, strconv.Quote(cut(addr))+" is not "+listenForm.says, "")
	}
	changed := *c
	changed.Serve.Listen = addr
	if err := (&reading{}).agree(&changed); err != nil {
		return configError("--listen", 0, err.Error(), err.(*lineError).hint)
	}
	*c = changed
	return nil
}

func (r *reading) providers(all []identity.Provider) error {
	for i, p := range all {
		name := "identity.providers[" + strconv.Itoa(i) + "]"
		at := func(msg string) error { return &lineError{r.lines[name], name + ": " + msg, ""} }
		switch {
		case p.ID == "" || p.Issuer == "" || p.ClientID == "":
			return at("needs id, issuer and client_id")
		case slices.ContainsFunc(all[:i], func(q identity.Provider) bool { return q.ID == p.ID }):
			return at("has the id of another provider")
		}
		for j, rule := range p.Rules {
			if rule.When == "" {
				name += ".rules[" + strconv.Itoa(j) + "]"
				return at("needs when")
			}
		}
	}
	return nil
}

func describe(prefix string) string {
	if prefix = strings.TrimSuffix(prefix, "."); prefix == "" {
		return ""
	}
	return prefix + ": "
}

func cut(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// nearest returns the key that a mistyped one probably means, or "": one whose
// spelling differs little, or that has the same last part.
func nearest(keys []key, typed string) string {
	best, least := "", 2+len(typed)/3
	for _, k := range keys {
		for _, name := range []string{k.name, groupOf(k.name)} {
			if d := distance(name, typed); name != "" && d < least {
				best, least = name, d
			}
		}
	}
	if best != "" {
		return best
	}
	for _, k := range keys {
		if strings.HasSuffix(k.name, "."+typed[strings.LastIndexByte(typed, '.')+1:]) {
			return k.name
		}
	}
	return ""
}

// groupOf is the name of the group a key is in: "serve".
func groupOf(name string) string {
	group, _, ok := strings.Cut(name, ".")
	if !ok {
		return ""
	}
	return group
}

// distance counts the letters to change, put in or leave out (Levenshtein).
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
