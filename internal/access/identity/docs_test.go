package identity

import (
	"context"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"go.yaml.in/yaml/v3"
)

// TestDocumentation compiles the providers of docs/identity.md, and holds what
// it says of keys and secrets.
func TestDocumentation(t *testing.T) {
	b, err := os.ReadFile("../../../docs/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	providers := map[string]*provider{}
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(doc, -1) {
		var c struct {
			Providers []Provider `yaml:"providers"`
		}
		d := yaml.NewDecoder(strings.NewReader(block[1]))
		d.KnownFields(true)
		if err := d.Decode(&c); err != nil || len(c.Providers) != 1 {
			t.Fatalf("%s\n%v", block[1], err)
		}
		p, err := newProvider(c.Providers[0], http.DefaultClient, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		providers[p.ID] = p
	}
	for id, tt := range map[string]struct {
		claims string
		want   facts
		admit  bool
	}{
		"keycloak":  {`{"acr":"gold","groups":["/genesis/officers"],"citizenship":"US"}`, facts{assurance: genesis.AssuranceMFA, duties: []genesis.Duty{genesis.DutyOfficer}, citizenship: genesis.USCitizen}, true},
		"okta":      {`{"amr":["pwd","mfa"],"groups":["Genesis Stewards"],"employeeType":"student"}`, facts{assurance: genesis.AssuranceMFA, duties: []genesis.Duty{genesis.DutySteward}, student: true}, true},
		"login-gov": {`{"acr":"urn:acr.login.gov:auth-only"}`, facts{assurance: genesis.AssuranceMFA}, true},
		"cilogon": {`{"acr":"https://refeds.org/profile/mfa","idp":"urn:mace:incommon:example.org","affiliation":"member@example.org;student@example.org","isMemberOf":["CO:members:genesis-stewards"]}`,
			facts{assurance: genesis.AssuranceMFA, duties: []genesis.Duty{genesis.DutySteward}, student: true}, true},
		"campus": {`{"groups":"genesis-stewards"}`, facts{assurance: genesis.AssurancePassword}, true}, // not a list: does not hold
	} {
		if providers[id] == nil {
			t.Errorf("there is no %s", id)
			continue
		}
		c, err := readClaims([]byte(tt.claims))
		if err != nil {
			t.Fatal(err)
		}
		f, admitted := providers[id].rules.apply(context.Background(), c)
		if !f.same(tt.want) || admitted != tt.admit {
			t.Errorf("%s: %+v, admitted %v", id, f, admitted)
		}
	}
	if _, admitted := providers["cilogon"].rules.apply(context.Background(), claims{"idp": "http://google.com/accounts/o8/id"}); admitted {
		t.Error("cilogon takes everybody in")
	}
	pattern := regexp.MustCompile("`(gen_.*?)`\\.\n").FindStringSubmatch(doc)
	if pattern == nil {
		t.Fatal("there is no pattern of secrets")
	}
	for kind := range secretLetters {
		if secret, _ := newSecret(kind); regexp.MustCompile(pattern[1]).FindString(secret) != secret {
			t.Errorf("%s does not find %s", pattern[1], secret)
		}
	}
}

// TestWaysInAreDocumented: every function that makes a session is a way in that
// docs/identity.md has a row for, with what is checked and what it is worth.
func TestWaysInAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]string{"signin.go": "| password, and a code |", "link.go": "| OpenID Connect |", "device.go": "| device code |", "token.go": "| token |"}
	for _, row := range append(slices.Collect(maps.Values(ways)), "| the home's socket |") {
		if !strings.Contains(string(doc), "\n"+row) {
			t.Errorf("docs/identity.md has no row %s", row)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	makes := regexp.MustCompile(`newSession\(|insertToken\(`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && makes.Match(b) && ways[file] == "" {
			t.Errorf("%s makes credentials, and is no way in that is documented", file)
		}
	}
}

func (f facts) same(other facts) bool {
	return f.assurance == other.assurance && told{duties: f.duties, citizenship: f.citizenship, student: f.student, vetted: f.vetted}.same(
		told{duties: other.duties, citizenship: other.citizenship, student: other.student, vetted: other.vetted})
}
