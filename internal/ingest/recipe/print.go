package recipe

import (
	"bytes"
	"slices"

	"go.yaml.in/yaml/v3"
)

const heading = `Genesis recipe: how the sources become this dataset. Edit a line and replay:
  genesis prepare FILES --name NAME --recipe THIS-FILE
The comments are the evidence for each decision and are not read back.`

// Print writes r as YAML, each decided line with its evidence as a comment. The
// columns are encoded one by one, because the encoder holds all it is given in
// memory, many times over, and a table may have a hundred thousand.
func Print(r *Recipe) ([]byte, error) {
	frame := *r
	frame.Tables = slices.Clone(r.Tables)
	for i := range frame.Tables {
		frame.Tables[i].Columns = nil
	}
	text, err := encode(&frame, heading, nil)
	if err != nil {
		return nil, err
	}
	if bytes.Count(text, noColumns) != len(r.Tables) {
		return whole(r) // somebody's text looks like the line that marks the place
	}
	var out bytes.Buffer
	for i := range r.Tables {
		before, after, _ := bytes.Cut(text, noColumns)
		out.Write(before)
		if err := printColumns(&out, r.Tables[i].Columns); err != nil {
			return nil, err
		}
		text = after
	}
	out.Write(text)
	return out.Bytes(), nil
}

// whole writes r in one go.
func whole(r *Recipe) ([]byte, error) {
	return encode(r, heading, func(root *yaml.Node) {
		each(root, "tables", func(i int, n *yaml.Node) {
			each(n, "columns", func(j int, n *yaml.Node) { annotate(n, r.Tables[i].Columns[j].Evidence) })
		})
	})
}

// noColumns is how a table without columns is written, and where they go.
var noColumns = []byte("\n    columns: []\n")

func printColumns(out *bytes.Buffer, columns []Column) error {
	if len(columns) == 0 {
		out.Write(noColumns)
		return nil
	}
	out.WriteString("\n    columns:\n")
	for i := range columns {
		text, err := encode(columns[i:i+1], "", func(root *yaml.Node) { annotate(root.Content[0], columns[i].Evidence) })
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			if len(bytes.TrimSpace(line)) > 0 {
				out.WriteString("      ")
			}
			out.Write(line)
		}
	}
	return nil
}

// encode writes v, with a comment above it and what comment adds.
func encode(v any, head string, comment func(root *yaml.Node)) ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(v); err != nil {
		return nil, err
	}
	root.HeadComment = head
	if comment != nil {
		comment(&root)
	}
	var buf bytes.Buffer
	enc := yaml.NewEncoder(&buf)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, err
	}
	return buf.Bytes(), enc.Close()
}

// annotate puts evidence behind the values of a mapping's keys.
func annotate(n *yaml.Node, evidence map[string]string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if why := evidence[n.Content[i].Value]; why != "" {
			n.Content[i+1].LineComment = why
		}
	}
}
