package identity

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func ref[T any](v T) *T { return &v }

func TestCreateAccount(t *testing.T) {
	w := open(t)
	w.account(t, "ada", genesis.DutyOfficer, genesis.DutySteward, genesis.DutySteward)
	a, err := w.Account(t.Context(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, a, genesis.Account{Subject: "ada", Duties: []genesis.Duty{genesis.DutySteward, genesis.DutyOfficer}, Groups: []string{}, Created: w.clock.now()})
	for name, tt := range map[string]struct {
		by   genesis.Principal
		r    genesis.AccountRequest
		kind genesis.ErrorKind
	}{
		"again":            {local, genesis.AccountRequest{Subject: "ada"}, genesis.Exists},
		"bad name":         {local, genesis.AccountRequest{Subject: "Ada Lovelace"}, genesis.Invalid},
		"the owner's name": {local, genesis.AccountRequest{Subject: "local"}, genesis.Invalid},
		"a derived name":   {local, genesis.AccountRequest{Subject: subjectOf("https://x.example", "1")}, genesis.Invalid},
		"no such duty":     {local, genesis.AccountRequest{Subject: "bob", Duties: []genesis.Duty{"king"}}, genesis.Invalid},
		"long name":        {local, genesis.AccountRequest{Subject: "bob", Name: strings.Repeat("x", 201)}, genesis.Invalid},
		"control":          {local, genesis.AccountRequest{Subject: "bob", Email: "a\nb"}, genesis.Invalid},
		"short password":   {local, genesis.AccountRequest{Subject: "bob", Password: "short"}, genesis.Invalid},
		"service password": {local, genesis.AccountRequest{Subject: "bob", Service: true, Password: password}, genesis.Invalid},
		"by a steward":     {genesis.Principal{Subject: "ada", Duties: []genesis.Duty{genesis.DutySteward}}, genesis.AccountRequest{Subject: "bob"}, genesis.Permission},
		"by another node":  {genesis.Principal{Subject: "ada", Node: "ornl", Duties: genesis.Duties}, genesis.AccountRequest{Subject: "bob"}, genesis.Permission},
		"narrowed":         {genesis.Principal{Subject: "ada", Duties: genesis.Duties, Scopes: []genesis.Scope{"read"}}, genesis.AccountRequest{Subject: "bob"}, genesis.Permission},
		"by nobody":        {genesis.Principal{}, genesis.AccountRequest{Subject: "bob"}, genesis.Permission},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateAccount(t.Context(), tt.by, tt.r)
			wants(t, err, tt.kind, nil)
		})
	}
	if _, err := w.CreateAccount(t.Context(), genesis.Principal{Subject: "op", Duties: genesis.Duties, Scopes: []genesis.Scope{"operate"}}, genesis.AccountRequest{Subject: "bob"}); err != nil {
		t.Errorf("a token narrowed to operate: %v", err)
	}
}

func TestAccountsPages(t *testing.T) {
	w := open(t)
	const n = 2*pageSize + 5
	for k := range n {
		if _, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: fmt.Sprintf("p%04d", k)}); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	cursor, pages := "", 0
	for {
		page, next, err := w.Accounts(t.Context(), cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			all = append(all, a.Subject)
		}
		pages++
		if cursor = next; cursor == "" {
			break
		}
		// what is written meanwhile neither repeats nor hides anybody
		if _, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: fmt.Sprintf("a%d", pages)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != n || pages != 3 || all[0] != "p0000" || all[n-1] != fmt.Sprintf("p%04d", n-1) {
		t.Errorf("%d accounts on %d pages, from %s to %s", len(all), pages, all[0], all[len(all)-1])
	}
	_, _, err := w.Accounts(t.Context(), "not a cursor!")
	wants(t, err, genesis.Invalid, nil)
}

func TestChangeAccount(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "bob")
	ada, secret := w.signIn(t, "ada")
	_, other := w.signIn(t, "ada")

	refused := func(by genesis.Principal, subject string, c genesis.AccountChange) {
		t.Helper()
		_, err := w.ChangeAccount(t.Context(), by, subject, c)
		wants(t, err, genesis.Permission, nil)
	}
	refused(ada, "bob", genesis.AccountChange{Name: ref("Eve")})
	refused(ada, "ada", genesis.AccountChange{Duties: &[]genesis.Duty{genesis.DutyOperator}})
	refused(ada, "ada", genesis.AccountChange{Citizenship: ref(genesis.USCitizen)})
	refused(ada, "ada", genesis.AccountChange{Student: ref(false)})
	refused(ada, "ada", genesis.AccountChange{Disabled: ref(false)})
	narrowed := ada
	narrowed.Scopes = []genesis.Scope{"read"}
	refused(narrowed, "ada", genesis.AccountChange{Name: ref("Ada")})
	elsewhere := ada
	elsewhere.Node = "ornl"
	refused(elsewhere, "ada", genesis.AccountChange{Name: ref("Ada")})

	a, err := w.ChangeAccount(t.Context(), ada, "ada", genesis.AccountChange{Name: ref("Ada"), Email: ref("ada@example.edu"), Current: password, Password: ref("quite another one")})
	if err != nil || a.Name != "Ada" || a.Email != "ada@example.edu" {
		t.Fatalf("%+v, %v", a, err)
	}
	w.who(t, secret) // the session that changed it goes on
	_, err = w.Authenticate(t.Context(), other)
	wants(t, err, genesis.Permission, Revoked)
	_, err = w.Password(t.Context(), "ada", password, "", "192.0.2.1")
	wants(t, err, genesis.Permission, WrongPassword)
	if got := w.last(); !strings.Contains(got, "refused ada") {
		t.Errorf("the last event is %s", got)
	}

	w.clock.add(recently + time.Second)
	refused(ada, "ada", genesis.AccountChange{Password: ref(password)}) // too long ago
	if _, err := w.ChangeAccount(t.Context(), ada, "ada", genesis.AccountChange{Name: ref("Ada L.")}); err != nil {
		t.Error(err)
	}
	_, err = w.ChangeAccount(t.Context(), local, "nobody", genesis.AccountChange{})
	wants(t, err, genesis.NotFound, nil)
	if _, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "robot", Service: true}); err != nil {
		t.Fatal(err)
	}
	_, err = w.ChangeAccount(t.Context(), local, "robot", genesis.AccountChange{Password: ref(password)})
	wants(t, err, genesis.Invalid, nil)
}

// TestOwnPasswordTakesTheOneBefore: a session that somebody left open, or an
// operator's token, is not enough to take an account over.
func TestOwnPasswordTakesTheOneBefore(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "op", genesis.DutyOperator)
	for _, subject := range []string{"ada", "op"} {
		who, _ := w.signIn(t, subject)
		set := func(by genesis.Principal, current string) error {
			_, err := w.ChangeAccount(t.Context(), by, subject, genesis.AccountChange{Current: current, Password: ref("quite another one")})
			return err
		}
		for _, current := range []string{"", "not the password", "quite another one", strings.Repeat("x", mostPassword+1)} {
			wants(t, set(who, current), genesis.Permission, WrongPassword)
			if got := w.last(); !strings.Contains(got, "refused "+subject) || current != "" && strings.Contains(got, current) {
				t.Errorf("the last event is %s", got)
			}
		}
		token, err := w.CreateToken(t.Context(), who, genesis.TokenRequest{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		wants(t, set(w.who(t, token.Secret), password), genesis.Permission, nil) // no session
		if subject == "op" {
			narrow, err := w.CreateToken(t.Context(), who, genesis.TokenRequest{Name: "y", Scopes: []genesis.Scope{"operate"}})
			if err != nil {
				t.Fatal(err)
			}
			wants(t, set(w.who(t, narrow.Secret), password), genesis.Permission, nil)
		}
		w.clock.add(recently + time.Second)
		wants(t, set(who, password), genesis.Permission, nil) // too long ago
		who, _ = w.signIn(t, subject)
		if err := set(who, password); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	w.account(t, "bob")
	bob, _ := w.signIn(t, "bob")
	var err error
	tries := 0
	for ; genesis.KindOf(err) != genesis.Unavailable && tries < 100; tries++ {
		_, err = w.ChangeAccount(t.Context(), bob, "bob", genesis.AccountChange{Current: "a guess", Password: ref("quite another one")})
	}
	if tries != 11 {
		t.Errorf("the %d. guess is refused: %v", tries, err)
	}
}

// TestResetKeepsTheSecondFactor: an operator who gives somebody a new password does
// not take their second factor away, and ends their sessions.
func TestResetKeepsTheSecondFactor(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "op", genesis.DutyOperator)
	ada, secret := w.signIn(t, "ada")
	setup, _ := w.secondFactor(t, ada)
	op, _ := w.signIn(t, "op")
	if _, err := w.ChangeAccount(t.Context(), op, "ada", genesis.AccountChange{Password: ref("quite another one")}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Revoked)
	_, err = w.Password(t.Context(), "ada", "quite another one", "", "192.0.2.1")
	wants(t, err, genesis.Permission, CodeNeeded)
	w.clock.add(totpStep)
	if _, err = w.Password(t.Context(), "ada", "quite another one", w.codeOf(t, setup), "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

// TestNoDefaultAccounts: a new node knows nobody, and takes nobody in by the names
// and passwords that are tried first.
func TestNoDefaultAccounts(t *testing.T) {
	w := open(t)
	if all, _, err := w.Accounts(t.Context(), ""); err != nil || len(all) != 0 {
		t.Errorf("there are %d accounts, %v", len(all), err)
	}
	for _, subject := range []string{"admin", "root", "sa", "local", "genesis", "test", "operator", ""} {
		w.attempts = newAttempts()
		for _, secret := range []string{"", "admin", "root", "password", "genesis", subject} {
			if _, err := w.Password(t.Context(), subject, secret, "", "192.0.2.1"); genesis.KindOf(err) != genesis.Permission {
				t.Errorf("%s with %q: %v", subject, secret, err)
			}
		}
	}
	for _, secret := range []string{"", "genesis", "gen_s_", "gen_p_" + strings.Repeat("0", 34)} {
		if _, err := w.Authenticate(t.Context(), secret); genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// TestChangesActAtOnce holds that a session that is in use has the new rights,
// and not the old ones, with the next request.
func TestChangesActAtOnce(t *testing.T) {
	w := open(t)
	w.account(t, "ada", genesis.DutySteward)
	_, secret := w.signIn(t, "ada")
	before := w.changes
	change := func(c genesis.AccountChange) {
		t.Helper()
		if _, err := w.ChangeAccount(t.Context(), local, "ada", c); err != nil {
			t.Fatal(err)
		}
	}
	change(genesis.AccountChange{Duties: &[]genesis.Duty{genesis.DutyOfficer}, Citizenship: ref(genesis.USPerson), Student: ref(true)})
	p := w.who(t, secret)
	if !p.Has(genesis.DutyOfficer) || p.Has(genesis.DutySteward) || p.Citizenship != genesis.USPerson || !p.Student {
		t.Errorf("after the change: %+v", p)
	}
	change(genesis.AccountChange{Disabled: ref(true)})
	_, err := w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Disabled)
	change(genesis.AccountChange{Disabled: ref(false)})
	w.who(t, secret)
	if w.changes != before+3 {
		t.Errorf("others were told of %d changes, want 3", w.changes-before)
	}
}

func TestVetting(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "olga", genesis.DutyOfficer)
	w.account(t, "sam", genesis.DutySteward, genesis.DutyOperator)
	ada, secret := w.signIn(t, "ada")
	olga, _ := w.signIn(t, "olga")
	sam, _ := w.signIn(t, "sam")
	until := w.clock.now().Add(30 * 24 * time.Hour)
	vet := func(by genesis.Principal, v genesis.Vetting) error {
		_, err := w.Vet(t.Context(), by, "ada", v)
		return err
	}
	ask := func(who genesis.Principal) error {
		_, err := w.RequestVetting(t.Context(), who, "for the reactor data")
		return err
	}
	state := func(want genesis.VettingState) {
		t.Helper()
		a, err := w.Account(t.Context(), "ada")
		if err != nil || a.Vetting.State != want || w.who(t, secret).Vetting != want {
			t.Errorf("the account says %q, the principal %q, want %q; %v", a.Vetting.State, w.who(t, secret).Vetting, want, err)
		}
	}
	vetted, no := genesis.Vetting{State: genesis.Vetted, Until: until}, genesis.Vetting{State: genesis.VettingRefused}

	state(genesis.VettingNone)
	wants(t, vet(olga, vetted), genesis.Conflict, nil) // nobody asked
	wants(t, ask(genesis.Principal{}), genesis.Permission, nil)
	if err := ask(ada); err != nil {
		t.Fatal(err)
	}
	state(genesis.VettingRequested)
	wants(t, ask(ada), genesis.Conflict, nil)

	wants(t, vet(sam, vetted), genesis.Permission, nil) // no officer
	narrowed := olga
	narrowed.Scopes = []genesis.Scope{"operate"}
	wants(t, vet(narrowed, vetted), genesis.Permission, nil)
	for _, bad := range []genesis.Vetting{{State: genesis.VettingRequested}, {State: genesis.VettingNone}, {State: genesis.VettingExpired},
		{State: genesis.Vetted}, {State: genesis.Vetted, Until: w.clock.now()}, {State: genesis.Vetted, Until: w.clock.now().AddDate(6, 0, 0)},
		{State: genesis.Vetted, Until: until, Note: strings.Repeat("x", 2001)}} {
		wants(t, vet(olga, bad), genesis.Invalid, nil)
	}
	if err := vet(olga, vetted); err != nil {
		t.Fatal(err)
	}
	state(genesis.Vetted)
	a, _ := w.Account(t.Context(), "ada")
	equal(t, a.Vetting, genesis.Vetting{State: genesis.Vetted, By: "nrel/olga", At: w.clock.now(), Until: until})

	vetted.Until = until.Add(time.Hour)
	if err := vet(olga, vetted); err != nil { // renewed
		t.Fatal(err)
	}
	w.clock.add(vetted.Until.Sub(w.clock.now()) - time.Second)
	_, secret = w.signIn(t, "ada") // the first session is long over
	state(genesis.Vetted)
	w.clock.add(time.Second)
	state(genesis.VettingExpired)
	wants(t, vet(olga, genesis.Vetting{State: genesis.Vetted, Until: w.clock.now().Add(time.Hour)}), genesis.Conflict, nil)
	if err := ask(w.who(t, secret)); err != nil {
		t.Fatal(err)
	}
	if err := vet(olga, no); err != nil {
		t.Fatal(err)
	}
	state(genesis.VettingRefused)
	vetted.Until = w.clock.now().Add(time.Hour)
	wants(t, vet(olga, vetted), genesis.Conflict, nil)
	if err := ask(w.who(t, secret)); err != nil {
		t.Fatal(err)
	}

	// nobody vets themselves
	if _, err := w.RequestVetting(t.Context(), olga, ""); err != nil {
		t.Fatal(err)
	}
	_, err := w.Vet(t.Context(), olga, "olga", genesis.Vetting{State: genesis.Vetted, Until: w.clock.now().Add(time.Hour)})
	wants(t, err, genesis.Permission, nil)
}

// TestTold holds how long and beside what the word of a provider counts.
func TestTold(t *testing.T) {
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	later := now.Add(time.Hour).UnixMicro()
	a := account{told: told{duties: []genesis.Duty{genesis.DutySteward}, citizenship: genesis.USPerson, student: true, vetted: true, until: later}}
	a.duties = []genesis.Duty{genesis.DutyOfficer}
	got := a.view(now)
	equal(t, got.Duties, []genesis.Duty{genesis.DutySteward, genesis.DutyOfficer})
	if got.Citizenship != genesis.USPerson || !got.Student || got.Vetting.State != genesis.Vetted {
		t.Errorf("while it counts: %+v", got)
	}
	got = a.view(now.Add(time.Hour))
	equal(t, got.Duties, []genesis.Duty{genesis.DutyOfficer})
	if got.Citizenship != "" || !got.Student || got.Vetting.State != genesis.VettingNone {
		t.Errorf("when it has lapsed: %+v", got)
	}
	a.Citizenship, a.Vetting.State = genesis.ForeignNational, genesis.VettingRefused
	got = a.view(now)
	if got.Citizenship != genesis.ForeignNational || got.Vetting.State != genesis.VettingRefused {
		t.Errorf("what was found here does not win: %+v", got)
	}
}
