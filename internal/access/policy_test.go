package access_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

const ours = `// Ours.
@id("no-students")
@says("students work with what is open")
forbid (principal, action == Action::"train", resource is Asset)
when { principal.student && resource.tier == "registered" };

permit (principal, action in [Action::"discover", Action::"read"], resource is Asset)
when { principal.member == "acme" && resource.name like "shared-*" };
`

// policies writes policy files into a folder.
func policies(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPoliciesOfTheDocumentation takes up the policies that docs/policy.md offers.
func TestPoliciesOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, block := range regexp.MustCompile("(?s)```cedar\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		files[regexp.MustCompile(`@id\("(.*?)"\)`).FindStringSubmatch(block[1])[1]+".cedar"] = block[1]
	}
	if len(files) != 2 {
		t.Fatal(files)
	}
	w := accesstest.Open(t, func(c *access.Config) { c.PolicyDir = policies(t, files) })
	open, shared := accesstest.Dataset("open"), accesstest.Dataset("shared")
	w.Publish(open, genesis.Terms{Tier: genesis.TierPublic})
	w.Publish(shared, genesis.Terms{Tier: genesis.TierRegistered})
	const all = "no: second-factor-for-all.cedar#second-factor-for-all"
	one := edit(mia, func(p *genesis.Principal) { p.Assurance = genesis.AssurancePassword })
	both := edit(mia, func(p *genesis.Principal) { p.Assurance = genesis.AssuranceMFA })
	rule(t, w, one, genesis.Read, open, "public")
	rule(t, w, one, genesis.Read, shared, all)
	rule(t, w, both, genesis.Read, shared, "registered")
	rule(t, w, genesis.Principal{}, genesis.Read, open, "public")
	rule(t, w, access.Local("nrel"), genesis.Read, shared, "registered")
	operator := edit(ann, func(p *genesis.Principal) {
		p.Duties, p.Assurance = []genesis.Duty{genesis.DutyOperator}, genesis.AssurancePassword
	})
	rule(t, w, operator, genesis.Operate, access.Resource{Part: access.Machine}, all)
	student := edit(both, func(p *genesis.Principal) { p.Student = true })
	w.Publish(shared, genesis.Terms{Tier: genesis.TierControlled})
	w.Give(shared.Name, "person:mit/mia", genesis.TrainOn)
	rule(t, w, both, genesis.TrainOn, shared, "grant")
	rule(t, w, student, genesis.TrainOn, shared, "no: no-students.cedar#no-students")
}

func TestPoliciesOfAnInstitution(t *testing.T) {
	dir := policies(t, map[string]string{"ours.cedar": ours, "notes.txt": "not a policy"})
	w := accesstest.Open(t, func(c *access.Config) { c.PolicyDir = dir })
	r, shared := accesstest.Dataset("turbines"), accesstest.Dataset("shared-wind")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	w.Publish(shared, genesis.Terms{Tier: genesis.TierControlled, Hidden: true})
	student := edit(mia, func(p *genesis.Principal) { p.Student = true })
	rule(t, w, student, genesis.TrainOn, r, "no: ours.cedar#no-students")
	rule(t, w, student, genesis.Read, r, "registered")
	rule(t, w, mia, genesis.TrainOn, r, "registered")
	rule(t, w, eve, genesis.Read, shared, "ours.cedar#7")
	rule(t, w, mia, genesis.Read, shared, "no: default")
	if d := w.Answer(student, genesis.TrainOn, r); d.Reason != "students work with what is open" {
		t.Errorf("%+v", d)
	}
	if d := w.Answer(eve, genesis.Read, shared); d.Reason != "a policy of this institution decides so" {
		t.Errorf("%+v", d)
	}
	w.Publish(shared, genesis.Terms{Tier: genesis.TierRestricted})
	rule(t, w, eve, genesis.Read, shared, "no: restricted") // what forbids still holds

	if err := os.WriteFile(filepath.Join(dir, "more.cedar"), []byte("permit (principal, action, resource) when { principal.rich };"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Reload(); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("reloaded: %v", err)
	}
	rule(t, w, student, genesis.TrainOn, r, "no: ours.cedar#no-students")
	if err := os.Remove(filepath.Join(dir, "more.cedar")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "ours.cedar")); err != nil {
		t.Fatal(err)
	}
	if err := w.Reload(); err != nil {
		t.Errorf("reloaded: %v", err)
	}
	rule(t, w, student, genesis.TrainOn, r, "registered")
}

// TestPolicyThatFails has a policy whose evaluation fails for some questions: those
// are refused, although it might have permitted.
func TestPolicyThatFails(t *testing.T) {
	for _, effect := range []string{"permit", "forbid"} {
		text := effect + ` (principal, action == Action::"train", resource is Asset) when { resource.name == "many" && 9223372036854775807 + 1 == 0 };`
		w := accesstest.Open(t, func(c *access.Config) { c.PolicyDir = policies(t, map[string]string{"a.cedar": text}) })
		many, few := accesstest.Dataset("many"), accesstest.Dataset("few")
		w.Publish(many, genesis.Terms{Tier: genesis.TierPublic})
		w.Publish(few, genesis.Terms{Tier: genesis.TierPublic})
		rule(t, w, mia, genesis.TrainOn, many, "no: broken-policy")
		rule(t, w, mia, genesis.TrainOn, few, "public-use")
		rule(t, w, mia, genesis.Read, many, "public")
	}
}

func TestPoliciesAreRefusedWhole(t *testing.T) {
	good := "permit (principal, action, resource) when { principal.owner };\n"
	tests := []struct {
		name, text, want string
	}{
		{"syntax", good + "\npermit (principal action, resource);", "line 3: "},
		{"half", good + "permit (principal", "line 2: "},
		{"attribute", good + good + "forbid (principal, action, resource is Asset)\nwhen { resource.teir == \"public\" };", "line 3: "},
		{"optional attribute", "forbid (principal, action, resource is Asset) when { resource.creator == principal };", "line 1: "},
		{"type", "forbid (principal, action, resource is Asset) when { resource.hidden == \"yes\" };", "line 1: "},
		{"entity", "forbid (principal is User, action, resource);", "line 1: "},
		{"action", "forbid (principal, action == Action::\"delete\", resource);", "line 1: "},
		{"function", "forbid (principal, action, resource) when { shell(\"rm\") };", "line 1: "},
		{"text", "not a policy", "line 1: "},
		{"not text", "\xff\xfe\x00", ""},
		{"same id", "@id(\"a\") permit (principal, action, resource) when { false };\n@id(\"a\") permit (principal, action, resource) when { false };", "line 2: a policy before it has the same id"},
		{"long", "//" + strings.Repeat("x", 64<<10), "is longer than 65536 bytes"},
		{"deep", "permit (principal, action, resource) when { " + strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100) + " };", "nests deeper than 100"},
	}
	for _, tt := range tests {
		dir := policies(t, map[string]string{"a.cedar": good, "b.cedar": tt.text})
		_, err := access.Open(t.Context(), access.Config{PolicyDir: dir})
		e, ok := err.(*genesis.Error)
		if !ok || e.Kind != genesis.Invalid || e.Subject != filepath.Join(dir, "b.cedar") || !strings.HasPrefix(e.Msg, tt.want) || strings.Contains(e.Msg, "\n") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	many := map[string]string{}
	for i := range 65 {
		many[string(rune('a'+i/26))+string(rune('a'+i%26))+".cedar"] = ""
	}
	refused := func(files map[string]string, kind genesis.ErrorKind, want string) {
		t.Helper()
		_, err := access.Open(t.Context(), access.Config{PolicyDir: policies(t, files)})
		if e, ok := err.(*genesis.Error); !ok || e.Kind != kind || e.Msg != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refused(many, genesis.Invalid, "holds more than 64 policy files")
	lots := map[string]string{"a.cedar": strings.Repeat(good, 251), "b.cedar": strings.Repeat(good, 250)}
	refused(lots, genesis.Invalid, "holds more than 500 policies")
	refused(map[string]string{"a.cedar": `@id("b.cedar#c") ` + good, "a.cedar#b.cedar": `@id("c") ` + good}, genesis.Invalid, "line 1: its id is taken")
	dangling := policies(t, nil)
	if err := os.Symlink("absent", filepath.Join(dangling, "a.cedar")); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Open(t.Context(), access.Config{PolicyDir: dangling}); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("a file that leads nowhere: %v", err)
	}
	accesstest.Open(t, func(c *access.Config) {
		c.PolicyDir = policies(t, map[string]string{"long.cedar": "//" + strings.Repeat("x", 64<<10-2), "lots.cedar": strings.Repeat(good, 500),
			"deep.cedar": ""})
	})
	full := map[string]string{"a.cedar": "permit (principal, action in Action::\"train\", resource) when { " + strings.Repeat("(", 99) + "true" + strings.Repeat(")", 99) + " };"}
	for i := range 63 {
		full[string(rune('b'+i/26))+string(rune('a'+i%26))+".cedar"] = ""
	}
	w := accesstest.Open(t, func(c *access.Config) { c.PolicyDir = policies(t, full) })
	if !w.May(mia, genesis.TrainOn, accesstest.Dataset("turbines")) || w.May(mia, genesis.Infer, accesstest.Dataset("turbines")) {
		t.Error("a policy about one action is not about that one alone")
	}
	if _, err := access.Open(t.Context(), access.Config{PolicyDir: filepath.Join(t.TempDir(), "absent")}); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestDocumentNamesEveryPolicy holds docs/policy.md against the policies and the
// schema, in both directions.
func TestDocumentNamesEveryPolicy(t *testing.T) {
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, permits := table(t, "permits")
	_, forbids := table(t, "forbids")
	quoted := regexp.MustCompile("`([a-z-]+)`")
	var told []string
	for _, row := range slices.Concat(permits, forbids) {
		for _, m := range quoted.FindAllStringSubmatch(row[0], -1) {
			told = append(told, m[1])
		}
	}
	slices.Sort(told)
	files, _ := filepath.Glob("policy/*.cedar")
	id := regexp.MustCompile(`@id\("([^"]+)"\)`)
	var are []string
	effects := 0
	for _, file := range files {
		policy, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range id.FindAllStringSubmatch(string(policy), -1) {
			are = append(are, m[1])
		}
		effects += len(regexp.MustCompile(`(?m)^(permit|forbid) \(`).FindAll(policy, -1))
	}
	slices.Sort(are)
	if !slices.Equal(told, are) || effects != len(are) {
		t.Errorf("the document tells of %v\nand there are %v, %d in all", told, are, effects)
	}
	schema, err := os.ReadFile("policy/schema.cedarschema")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)\??: `).FindAllStringSubmatch(string(schema), -1) {
		if !strings.Contains(string(text), "`"+m[1]+"`") {
			t.Errorf("the document does not tell of the attribute %s", m[1])
		}
	}
}

// FuzzPolicies loads arbitrary policy files: they are taken or refused, with a line,
// and what is taken decides without ending the program.
func FuzzPolicies(f *testing.F) {
	f.Add(ours)
	f.Add("permit (principal, action, resource);")
	f.Add(`forbid (principal == Person::"ada", action in [Action::"read"], resource in Asset::"x") unless { if context.granted then true else [1, 2].contains(3) };`)
	f.Add(`permit (principal, action, resource) when { {"a": 1}["a"] < -2 * 3 && ip("10.0.0.1").isLoopback() && "x" like "*\*" };`)
	files, _ := filepath.Glob("policy/*.cedar")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		if err := access.TryPolicies([]byte(text), mia); err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes take %v", len(text), took)
		}
	})
}
