package genesis_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// namedTest is how docs/security.md names a test: `folder:Test`.
var namedTest = regexp.MustCompile("`([a-z0-9_./-]+):((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// TestSecurityTestsExist: every test that docs/security.md names is in the tree.
func TestSecurityTestsExist(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindAllStringSubmatch(string(doc), -1)
	if len(named) < 80 {
		t.Errorf("docs/security.md names %d tests: is the pattern right?", len(named))
	}
	for _, m := range named {
		if !hasTest(t, m[1], m[2]) {
			t.Errorf("%s has no %s", m[1], m[2])
		}
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}

// TestSecurityRows: every row of the ASVS tables has its requirement, how it is
// met and at least one test.
func TestSecurityRows(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tables, ok := strings.Cut(string(doc), "\n## OWASP ASVS 5.0.0\n")
	if !ok {
		t.Fatal("docs/security.md has no part about the ASVS")
	}
	ids := map[string]bool{}
	row := regexp.MustCompile(`^\| ([0-9][0-9., –]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$`)
	unmet := false
	for line := range strings.Lines(tables) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "### ") {
			unmet = line == "### Not met"
		}
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| id ") {
			continue
		}
		m := row.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("this row is not whole: %s", line)
			continue
		}
		if ids[m[1]] {
			t.Errorf("%s has two rows", m[1])
		}
		ids[m[1]] = true
		if unmet && !namedTest.MatchString(m[4]) {
			continue // says what is missing instead
		}
		if !namedTest.MatchString(m[4]) {
			t.Errorf("%s names no test", m[1])
		}
	}
	if len(ids) < 60 {
		t.Errorf("there are %d rows", len(ids))
	}
}

// TestRequirementsAreAccountedFor: every requirement of levels 1 and 2 is on the page
// once, in a table or with the reason why it does not apply.
func TestRequirementsAreAccountedFor(t *testing.T) {
	list, err := os.ReadFile("testdata/asvs-5.0.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	all, levels := []string{}, map[string]int{}
	for line := range strings.Lines(string(list)) {
		if id, level, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			all = append(all, id)
			levels[level]++
		}
	}
	if levels["1"] != 70 || levels["2"] != 183 || len(levels) != 2 {
		t.Fatalf("the list has %v", levels)
	}
	doc := section(t, "## OWASP ASVS 5.0.0")
	times := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^(?:\| |- \*\*)([0-9][0-9., –]*)(?: \||\*\*: .)`).FindAllStringSubmatch(doc, -1) {
		for part := range strings.SplitSeq(m[1], ", ") {
			meant := requirements(all, part)
			if len(meant) == 0 {
				t.Errorf("%s is no requirement of level 1 or 2", part)
			}
			for _, id := range meant {
				times[id]++
			}
		}
	}
	for _, id := range all {
		if times[id] != 1 {
			t.Errorf("%s is on the page %d times", id, times[id])
		}
	}
}

// requirements returns those that "3.3.1", "3.3.1–3.3.4", the section "3.3" or the
// chapter "3" mean, of a list in order.
func requirements(all []string, text string) []string {
	first, last, isRange := strings.Cut(text, "–")
	if isRange {
		from, to := slices.Index(all, first), slices.Index(all, last)
		if from < 0 || to <= from || first[:strings.LastIndex(first, ".")] != last[:strings.LastIndex(last, ".")] {
			return nil
		}
		return all[from : to+1]
	}
	var out []string
	for _, id := range all {
		if id == text || strings.Count(text, ".") < 2 && strings.HasPrefix(id, text+".") {
			out = append(out, id)
		}
	}
	return out
}

// TestKeysAreListed: every key file that the code makes is in the table of keys.
func TestKeysAreListed(t *testing.T) {
	doc, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	keyFile := regexp.MustCompile(`"([a-z]+\.key)"`)
	found := map[string]bool{}
	for _, files := range packages(t) {
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range keyFile.FindAllStringSubmatch(string(b), -1) {
				found[m[1]] = true
			}
		}
	}
	for name := range found {
		if !strings.Contains(string(doc), "`keys/"+name+"`") {
			t.Errorf("keys/%s is in no row of docs/security.md", name)
		}
	}
	if len(found) == 0 {
		t.Error("no key file was found in the code")
	}
}
