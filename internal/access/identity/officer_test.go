package identity

import (
	"testing"

	"github.com/opengenesis/genesis"
)

// TestOfficersAreMadeByOfficers: whoever runs the node does not become its security
// officer by way of accounts, and nobody changes their own duties.
func TestOfficersAreMadeByOfficers(t *testing.T) {
	w := open(t)
	owner := genesis.Principal{Subject: "local", Node: "nrel", Duties: genesis.Duties, Assurance: genesis.AssuranceMFA}
	for subject, duties := range map[string][]genesis.Duty{"opal": {genesis.DutyOperator}, "fox": {genesis.DutyOfficer}, "max": {genesis.DutyOperator, genesis.DutyOfficer}, "ada": nil} {
		if _, err := w.CreateAccount(t.Context(), owner, genesis.AccountRequest{Subject: subject, Duties: duties, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	who := func(subject string) genesis.Principal {
		p, _ := w.signIn(t, subject)
		return p
	}
	opal, fox, max, ada := who("opal"), who("fox"), who("max"), who("ada")
	officer, steward, none := []genesis.Duty{genesis.DutyOfficer}, []genesis.Duty{genesis.DutySteward}, []genesis.Duty{}
	citizen, secret, yes := genesis.USCitizen, "another long password", true
	for _, c := range []struct {
		what    string
		by      genesis.Principal
		subject string
		change  genesis.AccountChange
		want    genesis.ErrorKind
	}{
		{"an operator makes an officer", opal, "ada", genesis.AccountChange{Duties: &officer}, genesis.Permission},
		{"an operator unmakes one", opal, "fox", genesis.AccountChange{Duties: &none}, genesis.Permission},
		{"an operator takes an officer's sign-in", opal, "fox", genesis.AccountChange{Password: &secret}, genesis.Permission},
		{"an operator changes their own duties", opal, "opal", genesis.AccountChange{Duties: &steward}, genesis.Permission},
		{"an officer changes their own duties", fox, "fox", genesis.AccountChange{Duties: &none}, genesis.Permission},
		{"an operator says a citizenship", opal, "ada", genesis.AccountChange{Citizenship: &citizen}, genesis.Permission},
		{"an officer says their own citizenship", max, "max", genesis.AccountChange{Citizenship: &citizen}, genesis.Permission},
		{"somebody says their own citizenship", ada, "ada", genesis.AccountChange{Citizenship: &citizen}, genesis.Permission},
		{"an officer makes a steward", fox, "ada", genesis.AccountChange{Duties: &steward}, genesis.Permission},
		{"an officer says a citizenship and more", fox, "ada", genesis.AccountChange{Citizenship: &citizen, Student: &yes}, genesis.Permission},
		{"an officer says a citizenship", fox, "ada", genesis.AccountChange{Citizenship: &citizen}, ""},
		{"an operator makes a steward", opal, "ada", genesis.AccountChange{Duties: &steward}, ""},
		{"an operator gives a new password", opal, "ada", genesis.AccountChange{Password: &secret}, ""},
		{"an operator disables an officer", opal, "fox", genesis.AccountChange{Disabled: &yes}, ""},
		{"an operator and officer makes an officer", max, "ada", genesis.AccountChange{Duties: &officer}, ""},
		{"the owner makes an operator of an officer", owner, "max", genesis.AccountChange{Duties: &steward}, ""},
	} {
		if _, err := w.ChangeAccount(t.Context(), c.by, c.subject, c.change); genesis.KindOf(err) != c.want {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	_, err := w.CreateAccount(t.Context(), opal, genesis.AccountRequest{Subject: "eve", Duties: officer, Password: password})
	wants(t, err, genesis.Permission, nil)
	wants(t, w.RemoveTOTP(t.Context(), opal, "fox"), genesis.Permission, nil)
}
