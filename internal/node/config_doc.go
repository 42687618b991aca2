package node

import (
	"slices"
	"strings"
)

// configTemplate is the config.yaml of a new home: the keys that matter to most,
// commented out, with their defaults.
func configTemplate() string {
	var b strings.Builder
	b.WriteString("# Configuration of this Genesis home. Every key is optional. These are the\n" +
		"# defaults, and examples where there is none; docs/config.md explains them all.\n")
	for _, g := range groups {
		b.WriteString("\n# " + g.doc + "\n")
		writeTree(&b, treeOf(g.name))
	}
	return b.String()
}

// treeOf returns the keys of a group as config.yaml nests them.
func treeOf(group string) (all []key) {
	for _, k := range keys {
		if groupOf(k.name) == group {
			all = append(all, k)
		}
	}
	return all
}

// writeTree writes keys as commented YAML, opening groups as they come.
func writeTree(b *strings.Builder, all []key) {
	var open []string
	for _, k := range all {
		parts := strings.Split(k.name, ".")
		groups, name := parts[:len(parts)-1], parts[len(parts)-1]
		for i, g := range groups {
			if i >= len(open) || !slices.Equal(open[:i+1], groups[:i+1]) {
				b.WriteString("# " + strings.Repeat("  ", i) + g + ":\n")
			}
		}
		open = groups
		value := k.def
		if value == "" {
			value = k.sample()
		}
		b.WriteString("# " + strings.Repeat("  ", len(groups)) + name + ": " + value + "\n")
	}
}

// sample is a value to learn from.
func (k key) sample() string {
	if k.kind != objects {
		return k.example
	}
	parts := make([]string, 0, len(k.of))
	for _, sub := range k.of {
		parts = append(parts, sub.name+": "+sub.sample())
	}
	return "[{" + strings.Join(parts, ", ") + "}]"
}

// configDoc is docs/config.md.
func configDoc() string {
	var b strings.Builder
	b.WriteString(configIntro)
	for _, g := range groups {
		title := g.doc
		if g.name != "" {
			title = "`" + g.name + "`: " + strings.ToLower(g.doc[:1]) + g.doc[1:]
		}
		b.WriteString("\n## " + title + "\n")
		all := treeOf(g.name)
		writeTable(&b, all)
		for _, k := range all {
			writeObjects(&b, k)
		}
	}
	b.WriteString("\n## An example\n\n```yaml\n" + configExample + "```\n")
	return b.String()
}

const configIntro = `# Configuration

<!-- Made from internal/node/config_keys.go by: go test ./internal/node -run TestConfigDoc -update -->

A home has one configuration file, ` + "`config.yaml`" + `. Every key is optional. The file is
read when a command or ` + "`genesis serve`" + ` opens the home; a key that does not exist, a
value of the wrong kind or out of range is an error that names the line:

` + "```" + `
genesis: error: read config "/data/genesis/config.yaml": line 3: serve.lisen: is not a key
genesis: hint: did you mean serve.listen?
` + "```" + `

A dot in a name below is a level of nesting in the file. Sizes are written ` + "`64MiB`" + ` (2²⁰)
or ` + "`512MB`" + ` (10⁶), durations ` + "`90s`, `15m` or `24h`" + `. Paths of files that belong to the node
are seen from the home. Secrets stand in files of their own, never here. Aliases
of YAML are not taken.
`

// configExample is a whole file; a test reads it.
const configExample = `node: nrel
institution: National Laboratory of the Rockies
sector: laboratory
url: https://data.example.gov
memory: 16GB
paths: [/data/raw]
serve:
  listen: 0.0.0.0:443
  tls: {cert: keys/tls.crt, key: keys/tls.key}
  rate: {per_second: 20, burst: 100}
runs: {concurrent: 4, memory: 32GB, time: 12h}
identity:
  providers:
    - id: campus
      issuer: https://login.example.gov
      client_id: genesis
      client_secret_file: keys/campus.secret
      rules:
        - {when: "'data-stewards' in claims.groups", duties: [steward]}
        - {when: "claims.acr == 'https://refeds.org/profile/mfa'", assurance: mfa}
telemetry:
  metrics: {listen: "127.0.0.1:9472"}
log: {format: json}
`

func writeTable(b *strings.Builder, all []key) {
	b.WriteString("\n| key | takes | default | means |\n|---|---|---|---|\n")
	for _, k := range all {
		def := "–"
		if k.def != "" {
			def = "`" + k.def + "`"
		}
		b.WriteString("| `" + k.name + "` | " + k.takes() + " | " + def + " | " + k.doc)
		if k.kind != objects {
			b.WriteString(" Example: `" + k.example + "`")
		}
		b.WriteString(" |\n")
	}
}

// takes says which values a key takes.
func (k key) takes() string {
	switch k.kind {
	case plainText:
		return k.form.says
	case textList:
		return "list; each " + k.form.says
	case truth, objects:
		return string(k.kind)
	}
	s := string(k.kind) + ", " + k.least + " to " + k.most
	if k.zero {
		s += ", or 0"
	}
	return s
}

// writeObjects explains the members of a list of groups.
func writeObjects(b *strings.Builder, k key) {
	if k.kind != objects {
		return
	}
	b.WriteString("\nEach of `" + k.name + "` has:\n")
	writeTable(b, k.of)
	for _, sub := range k.of {
		writeObjects(b, sub)
	}
}
