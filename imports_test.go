package genesis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/opengenesis/genesis"

// layers is the order in which packages may import each other, highest first: a
// package may import those of lower layers, and none of its own or of higher
// ones. Subpackages count as the package they belong to.
var layers = [][]string{
	{"cmd/genesis"},
	{"internal/node", "client"},
	{"internal/api", "internal/flight", "internal/web"},
	{"internal/federation"},
	{"internal/work"},
	{"internal/learn", "internal/ingest"},
	{"internal/stream", "internal/catalog"},
	{"internal/access", "internal/journal"},
	{"internal/store", "internal/blob", "internal/format", "internal/nn"},
	{"internal/testdata", "examples"}, // helpers and data: import nothing of ours
	{"."},
}

// only says which packages alone may import what, and why.
var only = []struct {
	imported  []string // path, or a prefix that ends in /
	importers []string
	reason    string
}{
	{[]string{"internal/format/text", "internal/format/json", "internal/format/xlsx", "internal/blob/file"}, []string{"internal/node"},
		"drivers are an explicit list in node; everybody else sees the interface"},
	{[]string{"internal/format/parquet"}, []string{"internal/node", "internal/ingest", "internal/stream"},
		"Parquet is a raw format and the storage format: ingest writes it, stream reads it, node lists the driver"},
	{[]string{"internal/testdata"}, nil,
		"it finds files for tests; the product must not depend on them"},
	{[]string{"internal/blob/blobtest"}, nil,
		"it is a test suite"},
	{[]string{"modernc.org/", "github.com/pressly/goose/"}, []string{"internal/store"},
		"only store knows which database this is"},
}

// mayImport lists, for packages with a closed list, all of this module that they
// may import.
var mayImport = map[string]struct {
	packages []string
	reason   string
}{
	"cmd/genesis": {[]string{"internal/node", "client", "examples", "."}, "every command is a client of the node's API, so that nothing goes round access"},
	"client":      {[]string{"."}, "a client knows the vocabulary and the wire, not the inside of a node"},
	"internal/nn": {nil, "networks know nothing of datasets"},
	".":           {nil, "the vocabulary imports the standard library alone"},
}

// goPackage is what `go list` says about a package.
type goPackage struct {
	ImportPath string
	Imports    []string // without those of tests
}

func TestImports(t *testing.T) {
	for _, v := range violations(listPackages(t)) {
		t.Error(v)
	}
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// violations returns what breaks the tables above, each with its reason.
func violations(all []goPackage) []string {
	var bad []string
	for _, p := range all {
		from := within(p.ImportPath)
		if _, ok := layer(from); !ok {
			bad = append(bad, from+" is in no layer: add it to the table in imports_test.go and to the design")
			continue
		}
		for _, imported := range p.Imports {
			if reason := forbids(from, within(imported)); reason != "" {
				bad = append(bad, fmt.Sprintf("%s imports %s: %s", from, within(imported), reason))
			}
		}
	}
	return bad
}

// within returns the path inside this module, or the whole path of a package
// from elsewhere.
func within(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// forbids says why from may not import imported, or "".
func forbids(from, imported string) string {
	for _, rule := range only {
		if matches(rule.imported, imported) && !covers(rule.importers, from) && !sameFamily(from, imported) {
			return rule.reason
		}
	}
	if !ours(imported) {
		if from == "." && strings.Contains(strings.Split(imported, "/")[0], ".") {
			return mayImport["."].reason
		}
		return ""
	}
	if closed, ok := mayImport[family(from)]; ok && !sameFamily(from, imported) && !covers(closed.packages, imported) {
		return closed.reason
	}
	return forbidsLayer(from, imported)
}

func forbidsLayer(from, imported string) string {
	if sameFamily(from, imported) {
		return ""
	}
	above, _ := layer(from)
	below, ok := layer(imported)
	switch {
	case !ok:
		return "it is in no layer"
	case above == below:
		return fmt.Sprintf("they are of one layer, %v, and siblings do not import each other", layers[above])
	case above > below:
		return fmt.Sprintf("imports go down, from %v to %v", layers[below], layers[above])
	}
	return ""
}

// family returns the entry of layers to which a package belongs.
func family(pkg string) string {
	for _, l := range layers {
		for _, name := range l {
			if covers([]string{name}, pkg) {
				return name
			}
		}
	}
	return pkg
}

func sameFamily(a, b string) bool { return family(a) == family(b) }

// layer returns the number of a package's layer, 0 for the highest.
func layer(pkg string) (int, bool) {
	i := slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, family(pkg)) })
	return i, i >= 0
}

func ours(pkg string) bool {
	_, ok := layer(pkg)
	return ok || strings.HasPrefix(pkg, "internal/") && !strings.Contains(path.Dir(pkg), ".")
}

// covers reports whether pkg is one of packages or inside one.
func covers(packages []string, pkg string) bool {
	return slices.ContainsFunc(packages, func(p string) bool { return pkg == p || p != "." && strings.HasPrefix(pkg, p+"/") })
}

func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return pkg == p || strings.HasSuffix(p, "/") && strings.HasPrefix(pkg+"/", p)
	})
}

// TestImportRules shows that the rules can fail.
func TestImportRules(t *testing.T) {
	for _, tt := range []struct {
		from, imported string
		ok             bool
	}{
		{"internal/catalog", "internal/store", true},
		{"internal/catalog", "internal/journal", true},
		{"internal/work", "internal/ingest/recipe", true},
		{"internal/ingest", "internal/ingest/recipe", true},
		{"internal/ingest/infer", "internal/ingest/unit", true},
		{"internal/ingest", "internal/format/parquet", true},
		{"internal/node", "internal/format/text", true},
		{"internal/store", "modernc.org/sqlite", true},
		{"cmd/genesis", "client", true},
		{"internal/nn", "internal/nn/kernel", true},
		{"internal/nn", "math", true},
		{".", "encoding/json", true},

		{"internal/store", "internal/catalog", false},
		{"internal/catalog", "internal/stream", false},
		{"internal/access", "internal/journal", false},
		{"internal/blob", "internal/format", false},
		{"internal/ingest", "internal/learn", false},
		{"internal/ingest/infer", "internal/format/text", false},
		{"internal/work", "internal/blob/file", false},
		{"internal/learn", "internal/format/parquet", false},
		{"internal/ingest", "internal/testdata", false},
		{"internal/catalog", "modernc.org/sqlite", false},
		{"internal/catalog", "internal/new", false},
		{"cmd/genesis", "internal/catalog", false},
		{"client", "internal/api", false},
		{"internal/nn", ".", false},
		{".", "internal/format", false},
		{".", "github.com/google/uuid", false},
	} {
		if reason := forbids(tt.from, tt.imported); (reason == "") != tt.ok {
			t.Errorf("%s → %s: allowed is %v, want %v (%s)", tt.from, tt.imported, reason == "", tt.ok, reason)
		}
	}
	if bad := violations([]goPackage{{ImportPath: module + "/internal/util"}}); len(bad) != 1 {
		t.Errorf("a package in no layer gives %v", bad)
	}
}
