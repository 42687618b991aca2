package oidc

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

// campusRules are those of docs/identity.md, in short.
func campusRules(p *identity.Provider) {
	p.UserInfo = true
	p.ACRValues = []string{"https://refeds.org/profile/mfa"}
	p.Admit = `!(claims.sub in ["id-9"]) && claims.?blocked.orValue(false) == false`
	p.Rules = []identity.Rule{
		{When: `"genesis-stewards" in claims.groups`, Duties: []genesis.Duty{genesis.DutySteward}},
		{When: `"genesis-officers" in claims.groups && claims.acr == "https://refeds.org/profile/mfa"`, Duties: []genesis.Duty{genesis.DutyOfficer}},
		{When: `claims.acr == "https://refeds.org/profile/mfa" || claims.amr.exists(m, m in ["mfa", "hwk"])`, Assurance: genesis.AssuranceMFA},
		{When: `claims.citizenship == "US"`, Citizenship: genesis.USCitizen},
		{When: `claims.citizenship != "US"`, Citizenship: genesis.ForeignNational},
		{When: `claims.affiliation.exists(a, a.startsWith("student@"))`, Student: true},
		{When: `claims.level >= 3`, Vetting: genesis.Vetted},
	}
}

func TestMapping(t *testing.T) {
	n := startNode(t, campusRules)
	say := func(claims, info map[string]any, acr string, amr ...string) genesis.Principal {
		t.Helper()
		n.provider.set(func() {
			n.provider.claims["id-1"], n.provider.info["id-1"], n.provider.acr, n.provider.amr = claims, info, acr, amr
		})
		p := n.in(t, ada)
		p.Credential = ""
		return p
	}
	plain := say(nil, nil, "")
	want := genesis.Principal{Subject: plain.Subject, Node: "nrel", Assurance: genesis.AssurancePassword}
	same := func(got genesis.Principal) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want −, got +:\n%s", diff)
		}
	}
	same(plain)

	groups := map[string]any{"groups": []string{"genesis-stewards", "genesis-officers", "wind"}}
	want.Duties = []genesis.Duty{genesis.DutySteward}
	same(say(groups, nil, "", "pwd"))
	a, err := n.Account(t.Context(), plain.Subject)
	if err != nil || !slices.Equal(a.Groups, []string{"genesis-stewards", "genesis-officers", "wind"}) {
		t.Errorf("groups are %v, %v", a.Groups, err)
	}
	want.Duties, want.Assurance = []genesis.Duty{genesis.DutySteward, genesis.DutyOfficer}, genesis.AssuranceMFA
	same(say(groups, nil, "https://refeds.org/profile/mfa"))
	want.Duties, want.Assurance = nil, genesis.AssuranceMFA
	same(say(nil, nil, "", "pwd", "hwk"))
	want.Assurance, want.Citizenship = genesis.AssurancePassword, genesis.USCitizen
	same(say(map[string]any{"citizenship": "US"}, nil, ""))
	want.Citizenship = genesis.ForeignNational
	same(say(map[string]any{"citizenship": "FR"}, nil, ""))
	want.Citizenship, want.Vetting = "", genesis.Vetted
	same(say(map[string]any{"level": 3}, nil, ""))
	want.Vetting = ""
	same(say(map[string]any{"level": "3"}, nil, "")) // of another type than the rule thinks: does not hold
	want.Student = true
	same(say(nil, map[string]any{"affiliation": []string{"student@campus"}}, "")) // in the userinfo answer alone
	want.Student = false
	same(say(map[string]any{"affiliation": []string{"staff@campus"}}, map[string]any{"affiliation": []string{"student@campus"}}, "")) // what is signed is not replaced

	n.provider.set(func() { n.provider.claims["id-1"] = map[string]any{"blocked": true} })
	n.out(t, http.StatusForbidden, "this node does not take you in")
	if e := n.events[len(n.events)-1]; e.Outcome != genesis.Refused || e.Subject != plain.Subject || !strings.Contains(string(e.Detail), "not-admitted") {
		t.Errorf("recorded: %+v %s", e, e.Detail)
	}
}

// TestUserInfoOfSomebodyElse answers the second question about another person.
func TestUserInfoOfSomebodyElse(t *testing.T) {
	n := startNode(t, campusRules)
	n.wire.info = func(c map[string]any) { c["sub"] = "id-2" }
	n.out(t, http.StatusForbidden, "speaks of somebody else")
	n.wire.info = func(c map[string]any) { delete(c, "sub") }
	n.out(t, http.StatusForbidden, "speaks of somebody else")
}

// TestMappingLapses holds that a token does not keep what the provider gave when
// its person does not sign in again.
func TestMappingLapses(t *testing.T) {
	n := startNode(t, campusRules, func(p *identity.Provider) { p.Remember = 48 * time.Hour })
	n.provider.set(func() { n.provider.claims["id-1"] = map[string]any{"groups": []string{"genesis-stewards"}} })
	p := n.in(t, ada)
	token, err := n.CreateToken(t.Context(), p, genesis.TokenRequest{Name: "x", Days: 100})
	if err != nil {
		t.Fatal(err)
	}
	duties := func() []genesis.Duty {
		t.Helper()
		p, err := n.Authenticate(t.Context(), token.Secret)
		if err != nil {
			t.Fatal(err)
		}
		return p.Duties
	}
	n.wait(47 * time.Hour)
	if got := duties(); !slices.Equal(got, []genesis.Duty{genesis.DutySteward}) {
		t.Errorf("after 47 hours: %v", got)
	}
	n.wait(time.Hour)
	if got := duties(); len(got) != 0 {
		t.Errorf("after 48 hours: %v", got)
	}
}

// TestGroupTakenAway holds that all credentials lose what a new sign-in does not
// give any more, at once.
func TestGroupTakenAway(t *testing.T) {
	n := startNode(t, campusRules)
	n.provider.set(func() { n.provider.claims["id-1"] = map[string]any{"groups": []string{"genesis-stewards"}} })
	n.in(t, ada)
	first := n.got.Secret
	n.provider.set(func() { n.provider.claims["id-1"] = nil })
	changes := n.changes
	n.in(t, ada)
	p, err := n.Authenticate(t.Context(), first)
	if err != nil || len(p.Duties) != 0 {
		t.Errorf("the first session is still %v, %v", p.Duties, err)
	}
	if n.changes != changes+1 {
		t.Errorf("others were told of %d changes", n.changes-changes)
	}
	n.in(t, ada)
	if n.changes != changes+1 {
		t.Error("others were told of a change that was none")
	}
}

// TestDisabledAtHome disables an account that signs in at the provider.
func TestDisabledAtHome(t *testing.T) {
	n := startNode(t)
	p := n.in(t, ada)
	secret := n.got.Secret
	yes := true
	if _, err := n.ChangeAccount(t.Context(), owner, p.Subject, genesis.AccountChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	n.out(t, http.StatusForbidden, "this account is disabled")
	if _, err := n.Authenticate(t.Context(), secret); err == nil || !strings.Contains(err.Error(), "this account is disabled") {
		t.Errorf("the session: %v", err)
	}
	if err := n.Unlink(t.Context(), owner, p.Subject, "campus", "id-1"); err != nil {
		t.Fatal(err)
	}
	n.out(t, http.StatusForbidden, "this account is disabled") // no way round
}

func TestLink(t *testing.T) {
	n := startNode(t, campusRules)
	if _, err := n.CreateAccount(t.Context(), owner, genesis.AccountRequest{Subject: "ada", Name: "Countess of L."}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.CreateAccount(t.Context(), owner, genesis.AccountRequest{Subject: "fox", Duties: []genesis.Duty{genesis.DutyOfficer}}); err != nil {
		t.Fatal(err)
	}
	operator := genesis.Principal{Subject: "opal", Node: owner.Node, Duties: []genesis.Duty{genesis.DutyOperator}}
	p := n.in(t, ada)
	err := n.Link(t.Context(), owner, "ada", "campus", "id-1")
	if genesis.KindOf(err) != genesis.Exists || !strings.Contains(err.Error(), p.Subject) {
		t.Errorf("linking somebody who has an account: %v", err)
	}
	secret := n.got.Secret
	if err := n.Unlink(t.Context(), owner, p.Subject, "campus", "id-1"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Authenticate(t.Context(), secret); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("the session goes on: %v", err)
	}
	for _, tt := range []struct {
		by                       genesis.Principal
		subject, provider, value string
		kind                     genesis.ErrorKind
	}{
		{p, "ada", "campus", "id-1", genesis.Permission},
		{owner, "nobody", "campus", "id-1", genesis.NotFound},
		{owner, "ada", "elsewhere", "id-1", genesis.NotFound},
		{owner, "ada", "campus", "", genesis.Invalid},
		{operator, "fox", "campus", "id-1", genesis.Permission},  // or operators would be officers
		{operator, "opal", "campus", "id-1", genesis.Permission}, // or a narrowed token would be a session
		{owner, "ada", "campus", "id-1", ""},
	} {
		if err := n.Link(t.Context(), tt.by, tt.subject, tt.provider, tt.value); genesis.KindOf(err) != tt.kind {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	if now := n.in(t, ada); now.Subject != "ada" {
		t.Errorf("after linking she is %s", now.Subject)
	}
	if other := n.in(t, bob); other.Subject == "ada" {
		t.Error("so is bob")
	}
}

// TestSubjectClaim knows people by another claim than sub.
func TestSubjectClaim(t *testing.T) {
	n := startNode(t, func(p *identity.Provider) { p.SubjectClaim = "oid" })
	n.out(t, http.StatusForbidden, "does not say who you are (claim oid)")
	n.provider.set(func() {
		n.provider.claims["id-1"], n.provider.claims["id-2"] = map[string]any{"oid": "one"}, map[string]any{"oid": "one"}
	})
	if p, other := n.in(t, ada), n.in(t, bob); p.Subject != other.Subject {
		t.Errorf("one person with two subs is %s and %s", p.Subject, other.Subject)
	}
}
