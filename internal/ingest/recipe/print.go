package recipe

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

const heading = `Genesis recipe: how the sources become this dataset. Edit a line and replay:
  genesis prepare FILES --name NAME --recipe THIS-FILE
The comments are the evidence for each decision and are not read back.`

// Print writes r as YAML, each decided line with its evidence as a comment.
func Print(r *Recipe) ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(r); err != nil {
		return nil, err
	}
	root.HeadComment = heading
	each(&root, "tables", func(i int, n *yaml.Node) {
		each(n, "columns", func(j int, n *yaml.Node) { annotate(n, r.Tables[i].Columns[j].Evidence) })
	})
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
