package genesis_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dangerous lists imports that docs/security.md says something of, and the packages
// that alone may have them.
var dangerous = []struct {
	imported  []string // path, or a prefix that ends in /
	importers []string
	reason    string
}{
	{[]string{"os/exec"}, []string{"internal/work/run"}, "processes are runs, and begin without a shell"},
	{[]string{"unsafe", "reflect/unsafe"}, []string{"internal/ingest/infer", "internal/store", "internal/stream/cache"}, "memory is the compiler's to keep safe; infer sees bytes as text without a copy, store stands between the database engine and its files, and cache sees the body of a message as words"},
	{[]string{"C", "plugin"}, nil, "no foreign code"},
	{[]string{"encoding/xml"}, nil, "workbooks are read by a parser that refuses document types"},
	{[]string{"encoding/gob", "net/rpc/"}, nil, "what comes in is of types that we wrote down"},
	{[]string{"text/template"}, nil, "it does not know what it writes into"},
	{[]string{"html/template"}, []string{"internal/web", "internal/api/edge/apidoc", "cmd/genesis"}, "pages are in the first two; the third writes a report to a file"},
	{[]string{"net/http/pprof", "expvar"}, nil, "nothing for debugging is served"},
	{[]string{"math/rand/"}, []string{"client", "internal/blob", "internal/federation", "internal/ingest", "internal/store"}, "what nobody may guess is of crypto/rand; these spread retries and sample rows"},
	{[]string{"crypto/md5", "crypto/des", "crypto/rc4", "crypto/dsa", "golang.org/x/crypto/ssh/"}, nil, "broken, or for what we do not do"},
	{[]string{"crypto/sha1"}, []string{"internal/access/identity"}, "codes of RFC 6238 alone"},
}

func TestDangerousImports(t *testing.T) {
	for _, p := range readPackages(t) {
		for _, imported := range p.imports {
			for _, rule := range dangerous {
				if matches(rule.imported, imported) && !covers(rule.importers, p.path) {
					t.Errorf("%s imports %s: %s", p.path, imported, rule.reason)
				}
			}
			if strings.Contains(imported, "crypto") && imported != "golang.org/x/crypto/argon2" && thirdParty(imported) {
				t.Errorf("%s imports %s: cryptography is that of the standard library", p.path, imported)
			}
		}
	}
}

// eachCall calls f for every call of a function or method in the product: with the
// package's folder, the file, and what stands before and after the dot.
func eachCall(t *testing.T, f func(dir, file, of, name string, call *ast.CallExpr)) {
	t.Helper()
	for dir, files := range packages(t) {
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				if s, ok := call.Fun.(*ast.SelectorExpr); ok {
					of, _ := s.X.(*ast.Ident)
					if of == nil {
						of = ast.NewIdent("")
					}
					f(dir, file, of.Name, s.Sel.Name, call)
				}
				return true
			})
		}
	}
}

// written reports whether an expression is text that stands in the code.
func written(e ast.Expr, constants map[string]bool) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.BinaryExpr:
		return written(e.X, constants) && written(e.Y, constants)
	case *ast.ParenExpr:
		return written(e.X, constants)
	case *ast.Ident:
		return constants[e.Name]
	}
	return false
}

// constantsOf returns the names of a file's constants.
func constantsOf(t *testing.T, file string) map[string]bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, spec := range d.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					names[name.Name] = true
				}
			}
		}
		return true
	})
	return names
}

// TestNothingIsMadeOfInput: formats, patterns and templates stand in the code. Two
// places take a pattern from a recipe, whose author means one: Go's have no
// backtracking.
func TestNothingIsMadeOfInput(t *testing.T) {
	at := map[string]int{ // which argument is the text
		"fmt.Sprintf": 0, "fmt.Printf": 0, "fmt.Errorf": 0, "fmt.Fprintf": 1, "fmt.Appendf": 1, "fmt.Sscanf": 1,
		"regexp.MustCompile": 0, "regexp.Compile": 0, "regexp.MatchString": 0,
	}
	recipes := []string{"internal/ingest/recipe/parse.go", "internal/ingest/rules.go"}
	wrappers := []string{ // take a format from their callers, which are of the same package; go vet looks at those
		"internal/ingest/recipe/parse.go", "internal/format/json/finding.go", "internal/format/parquet/driver.go", "internal/format/parquet/meta.go",
		"internal/access/page.go", "internal/ingest/decide.go", "cmd/genesis/print.go", "internal/journal/query.go",
		"internal/access/identity/exchange.go", "internal/access/identity/vouch/doc.go",
	}
	seen := map[string]int{}
	eachCall(t, func(_, file, of, name string, call *ast.CallExpr) {
		what := of + "." + name
		if of == "template" && (name == "Parse" || name == "ParseFiles" || name == "ParseGlob") || name == "ParseGlob" {
			t.Errorf("%s: a template is made of what is not in the binary", file)
		}
		i, ok := at[what]
		if !ok {
			return
		}
		seen[of]++
		known := of == "regexp" && slices.Contains(recipes, file) || of == "fmt" && slices.Contains(wrappers, file)
		if !known && !written(call.Args[i], constantsOf(t, file)) {
			t.Errorf("%s: the text of %s does not stand there", file, what)
		}
	})
	if seen["fmt"] < 100 || seen["regexp"] < 10 {
		t.Errorf("looked at %v calls: is the test right?", seen)
	}
}

// TestCiphers: what is encrypted is authenticated: AES in GCM, and for cursors, which
// must be alike for the same position, in CTR under the MAC as its IV.
func TestCiphers(t *testing.T) {
	modes := 0
	eachCall(t, func(_, file, of, name string, _ *ast.CallExpr) {
		switch {
		case of == "cipher" && strings.HasPrefix(name, "NewGCM"):
			modes++
		case of == "cipher" && name == "NewCTR" && file == "internal/api/edge/cursor.go":
		case of == "cipher", of == "aes" && name != "NewCipher", of == "rsa":
			t.Errorf("%s: %s.%s is not an authenticated mode", file, of, name)
		}
	})
	if modes < 2 {
		t.Errorf("there are %d uses of GCM", modes)
	}
}

// TestCertificatesAreChecked: nothing in the product turns off the checking of
// certificates, or does it by itself.
func TestCertificatesAreChecked(t *testing.T) {
	for _, files := range packages(t) {
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && slices.Contains([]string{"InsecureSkipVerify", "VerifyPeerCertificate", "VerifyConnection", "CipherSuites", "CurvePreferences"}, id.Name) {
					t.Errorf("%s sets %s", file, id.Name)
				}
				return true
			})
		}
	}
}

// outbound is what code has that connects to somewhere.
var outbound = regexp.MustCompile(`http\.(DefaultClient|DefaultTransport|Client\{|Transport\{|Get\(|Post\(|PostForm\(|Head\()|net\.Dial|tls\.Dial|otlptracehttp\.New`)

// TestOutboundIsListed: docs/security.md lists every package that connects to
// somewhere, and no other.
func TestOutboundIsListed(t *testing.T) {
	doc := section(t, "## Where a node connects to")
	found := map[string]bool{}
	for dir, files := range packages(t) {
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if outbound.Match(b) {
				found[dir] = true
			}
		}
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| .* \\| `([a-z/]+)` \\|$").FindAllStringSubmatch(doc, -1) {
		listed[m[1]] = true
	}
	for dir := range found {
		if !listed[dir] {
			t.Errorf("%s connects to somewhere, and docs/security.md does not say where", dir)
		}
	}
	for dir := range listed {
		if !found[dir] {
			t.Errorf("docs/security.md says that %s connects to somewhere", dir)
		}
	}
}

// TestLogsAreListed: docs/security.md lists every package that makes something that
// writes log lines.
func TestLogsAreListed(t *testing.T) {
	doc := section(t, "## What is logged")
	eachCall(t, func(dir, file, of, name string, call *ast.CallExpr) {
		made := of == "slog" && (name == "NewTextHandler" || name == "NewJSONHandler" || name == "SetDefault") || of == "log" && (strings.HasPrefix(name, "Print") || strings.HasPrefix(name, "Fatal"))
		if made && !discards(call) && !strings.Contains(doc, "`"+dir+"`") {
			t.Errorf("%s logs with %s.%s, and docs/security.md does not say so", file, of, name)
		}
	})
}

// discards reports whether what a call makes writes nowhere.
func discards(call *ast.CallExpr) bool {
	if len(call.Args) == 0 {
		return false
	}
	s, ok := call.Args[0].(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Discard"
}

// section returns a part of docs/security.md.
func section(t *testing.T, title string) string {
	t.Helper()
	b, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\n"+title+"\n")
	if !ok {
		t.Fatalf("docs/security.md has no part %q", title)
	}
	part, _, _ := strings.Cut(rest, "\n## ")
	return part
}

// TestRemediation: how soon a weakness of a library is gone is written down, and
// every change is held against the list of known ones.
func TestRemediation(t *testing.T) {
	doc := section(t, "## Third-party code")
	for _, want := range []string{"within 7 days", "within 30", "every quarter"} {
		if !strings.Contains(doc, want) {
			t.Errorf("docs/security.md does not say %q", want)
		}
	}
	ci, err := os.ReadFile(".ci/run")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^\s*(if ! )?"\$home/bin/govulncheck" \./\.\.\.`).Match(ci) {
		t.Error(".ci/run does not look for known weaknesses")
	}
}
