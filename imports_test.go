package genesis_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	{"internal/guest"},
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
	{[]string{"internal/access/accesstest"}, nil,
		"it is a world for tests"},
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
	"client":      {[]string{"internal/guest", "."}, "a client knows the vocabulary, the wire and how to act at another node, not the inside of a node"},
	"internal/nn": {nil, "networks know nothing of datasets"},
	".":           {nil, "the vocabulary imports the standard library alone"},
}

// goPackage is a package and what it imports.
type goPackage struct {
	path    string // inside this module, "." for its root
	imports []string
	tests   []string // what its tests import besides
}

func TestImports(t *testing.T) {
	for _, v := range violations(readPackages(t)) {
		t.Error(v)
	}
}

// readPackages reads the imports of all packages of this module. It parses the
// files instead of asking `go list`, which sees those of one platform alone, and
// behind whose back the test's result would be cached.
func readPackages(t *testing.T) []goPackage {
	t.Helper()
	byPath := map[string]*goPackage{}
	err := filepath.WalkDir(".", func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && file != "." && (otherModule(file) || strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata" && file != "internal/testdata") {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(file))
		if byPath[dir] == nil {
			byPath[dir] = &goPackage{path: dir}
		}
		return byPath[dir].read(file)
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for _, p := range byPath {
		all = append(all, *p)
	}
	slices.SortFunc(all, func(a, b goPackage) int { return strings.Compare(a.path, b.path) })
	return all
}

func otherModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// read adds the imports of one file.
func (p *goPackage) read(file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	into := &p.imports
	if strings.HasSuffix(file, "_test.go") {
		into = &p.tests
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if imported = within(imported); !slices.Contains(*into, imported) {
			*into = append(*into, imported)
		}
	}
	return nil
}

// violations returns what breaks the tables above, each with its reason.
func violations(all []goPackage) []string {
	var bad []string
	for _, p := range all {
		if _, ok := layer(p.path); !ok {
			bad = append(bad, p.path+" is in no layer: add it to the table in imports_test.go and to the design")
			continue
		}
		for _, imported := range p.imports {
			if reason := forbids(p.path, imported); reason != "" {
				bad = append(bad, fmt.Sprintf("%s imports %s: %s", p.path, imported, reason))
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
		if from == "." && thirdParty(imported) {
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

// ours reports whether a package is of this module; the standard library has
// internal packages, too, but nobody else can import those.
func ours(pkg string) bool {
	_, ok := layer(pkg)
	return ok || strings.HasPrefix(pkg, "internal/")
}

// thirdParty reports whether a package is neither ours nor of the standard
// library, whose paths have no dot in their first element.
func thirdParty(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return pkg != "." && strings.Contains(first, ".")
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
	if bad := violations([]goPackage{{path: "internal/util"}}); len(bad) != 1 {
		t.Errorf("a package in no layer gives %v", bad)
	}
}

// TestDependenciesAreExplained holds docs/decisions/0003-dependencies.md against
// what is imported: every foreign module has its reason and licence there.
func TestDependenciesAreExplained(t *testing.T) {
	text, err := os.ReadFile("docs/decisions/0003-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.Split(line, "|"); len(cells) == 5 {
			explained[strings.Trim(cells[1], " `")] = false
		}
	}
	delete(explained, "module")
	delete(explained, "---")
	for _, p := range readPackages(t) {
		for _, imported := range slices.Concat(p.imports, p.tests) {
			if thirdParty(imported) && !explain(explained, imported) {
				t.Errorf("%s imports %s, which docs/decisions/0003-dependencies.md does not explain", p.path, imported)
			}
		}
	}
	for module, used := range explained {
		if !used {
			t.Errorf("docs/decisions/0003-dependencies.md explains %s, which nothing imports", module)
		}
	}
}

// explain marks the module that pkg is of as used.
func explain(explained map[string]bool, pkg string) bool {
	for module := range explained {
		if pkg == module || strings.HasPrefix(pkg, module+"/") {
			explained[module] = true
			return true
		}
	}
	return false
}
