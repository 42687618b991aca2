package oidc

import (
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// secret is a password that somebody else than the person chose.
const secret = "somebody else chose this 77"

var opal = genesis.Principal{Subject: "opal", Node: "nrel", Duties: []genesis.Duty{genesis.DutyOperator}, Assurance: genesis.AssuranceMFA}

// officerByRule makes a person of the provider an officer, a citizen and vetted, by rules.
func (n *node) officerByRule(id string) {
	n.provider.set(func() {
		n.provider.claims[id] = map[string]any{"groups": []string{"genesis-officers"}, "citizenship": "US", "level": 3}
		n.provider.acr = "https://refeds.org/profile/mfa"
	})
}

// TestOfficersByRule: who is an officer by a rule, or ever was, is kept from operators as
// one who was made it here: how they sign in is changed by officers alone.
func TestOfficersByRule(t *testing.T) {
	n := startNode(t, campusRules)
	n.officerByRule("id-1")
	p := n.in(t, ada)
	if !slices.Equal(p.Duties, []genesis.Duty{genesis.DutyOfficer}) {
		t.Fatalf("she is %v", p.Duties)
	}
	pw, officer, none := secret, []genesis.Duty{genesis.DutyOfficer}, []genesis.Duty{}
	refusedAll := func(when string) {
		t.Helper()
		for what, err := range map[string]error{
			"password": second(n.ChangeAccount(t.Context(), opal, p.Subject, genesis.AccountChange{Password: &pw})),
			"no more":  second(n.ChangeAccount(t.Context(), opal, p.Subject, genesis.AccountChange{Password: new(string)})),
			"for ever": second(n.ChangeAccount(t.Context(), opal, p.Subject, genesis.AccountChange{Duties: &officer})),
			"link":     n.Link(t.Context(), opal, p.Subject, "campus", "id-2"),
			"unlink":   n.Unlink(t.Context(), opal, p.Subject, "campus", "id-1"),
			"totp":     n.RemoveTOTP(t.Context(), opal, p.Subject),
		} {
			if genesis.KindOf(err) != genesis.Permission {
				t.Errorf("%s, %s: %v", when, what, err)
			}
		}
	}
	refusedAll("while the rule holds")
	n.wait(31 * 24 * time.Hour)
	refusedAll("once it lapsed")
	n.wait(-31 * 24 * time.Hour)
	n.provider.set(func() { n.provider.claims["id-1"] = nil })
	n.in(t, ada)
	refusedAll("once the provider says otherwise")
	if _, err := n.ChangeAccount(t.Context(), opal, p.Subject, genesis.AccountChange{Duties: &none}); err != nil {
		t.Errorf("an operator changes the other duties: %v", err)
	}
	if err := n.Unlink(t.Context(), owner, p.Subject, "campus", "id-1"); err != nil {
		t.Errorf("an officer unlinks: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestOneWay: an account has one way to sign in; another takes an officer.
func TestOneWay(t *testing.T) {
	n := startNode(t, campusRules)
	for subject, password := range map[string]string{"mallory": secret, "empty": "", "lost": ""} {
		if _, err := n.CreateAccount(t.Context(), opal, genesis.AccountRequest{Subject: subject, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	pw := secret
	b := n.in(t, bob)
	for _, tt := range []struct {
		what string
		err  error
		want genesis.ErrorKind
	}{
		{"link of an account with a password", n.Link(t.Context(), opal, "mallory", "campus", "id-1"), genesis.Permission},
		{"link of one with none", n.Link(t.Context(), opal, "empty", "campus", "id-1"), ""},
		{"a second link", n.Link(t.Context(), opal, "empty", "campus", "id-3"), genesis.Permission},
		{"a password for a link", second(n.ChangeAccount(t.Context(), opal, "empty", genesis.AccountChange{Password: &pw})), genesis.Permission},
		{"one's own", second(n.ChangeAccount(t.Context(), b, b.Subject, genesis.AccountChange{Password: &pw})), genesis.Permission},
		{"an officer's second link", n.Link(t.Context(), owner, "empty", "campus", "id-3"), ""},
		{"an officer's password", second(n.ChangeAccount(t.Context(), owner, "empty", genesis.AccountChange{Password: &pw})), ""},
		{"unlinking", n.Unlink(t.Context(), opal, b.Subject, "campus", "id-2"), ""},
		{"a password for no link", second(n.ChangeAccount(t.Context(), opal, b.Subject, genesis.AccountChange{Password: &pw})), ""},
	} {
		if genesis.KindOf(tt.err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.what, tt.err, tt.want)
		}
	}
	// Coming back makes no second way, either.
	if page := n.browser(t).signIn(bob, "/"); page.status != 403 {
		t.Errorf("coming back to an account that has a password now: %+v", page)
	}
}

// TestToldCountsWhereItWasTold: what a provider told of a person counts for sessions that
// began with its word about that person, and what these made.
func TestToldCountsWhereItWasTold(t *testing.T) {
	n := startNode(t, campusRules)
	if _, err := n.CreateAccount(t.Context(), owner, genesis.AccountRequest{Subject: "mallory", Password: secret}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"id-1", "id-2"} { // as an officer may
		if err := n.Link(t.Context(), owner, "mallory", "campus", id); err != nil {
			t.Fatal(err)
		}
	}
	must := func(token genesis.NewToken, err error) genesis.NewToken {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	is := func(token genesis.NewToken) genesis.Principal {
		t.Helper()
		p, err := n.Authenticate(t.Context(), token.Secret)
		if err != nil {
			t.Fatal(err)
		}
		if now, err := n.Current(t.Context(), p); err != nil || !slices.Equal(now.Duties, p.Duties) || now.Citizenship != p.Citizenship || now.Vetting != p.Vetting {
			t.Errorf("work that goes on has %+v, %v; the request %+v", now, err, p)
		}
		return p
	}
	terminal := func(by genesis.Principal) genesis.NewToken {
		t.Helper()
		d, err := n.StartDevice(t.Context(), "192.0.2.1")
		if err == nil {
			err = n.ApproveDevice(t.Context(), by, d.UserCode)
		}
		if err != nil {
			t.Fatal(err)
		}
		return must(n.PollDevice(t.Context(), d.DeviceCode))
	}
	byPassword := must(n.Password(t.Context(), "mallory", secret, "", "127.0.0.1"))
	n.in(t, bob)
	byBob := n.got
	n.officerByRule("id-1")
	told := n.in(t, ada)
	byAda := n.got
	request := genesis.TokenRequest{Name: "x"}
	fromAda := must(n.CreateToken(t.Context(), told, request))
	fromToken := must(n.CreateToken(t.Context(), is(fromAda), request))
	for what, token := range map[string]genesis.NewToken{"session": byAda, "token": fromAda, "token of a token": fromToken, "terminal": terminal(told)} {
		if p := is(token); !p.Has(genesis.DutyOfficer) || p.Citizenship != genesis.USCitizen || p.Vetting != genesis.Vetted {
			t.Errorf("her %s is %+v", what, p)
		}
	}
	n.wait(2 * time.Second) // beyond what is kept at hand
	for what, token := range map[string]genesis.NewToken{"password": byPassword, "new password": must(n.Password(t.Context(), "mallory", secret, "", "127.0.0.1")),
		"another's session": byBob, "terminal": terminal(is(byPassword)), "token": must(n.CreateToken(t.Context(), is(byPassword), request))} {
		if p := is(token); len(p.Duties) != 0 || p.Citizenship != "" || p.Vetting != "" {
			t.Errorf("by %s: duties %v, citizenship %q, vetting %q", what, p.Duties, p.Citizenship, p.Vetting)
		}
	}
}
