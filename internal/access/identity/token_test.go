package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func TestSecrets(t *testing.T) {
	for kind, letter := range secretLetters {
		secret, _ := newSecret(kind)
		if !strings.HasPrefix(secret, "gen_"+string(letter)+"_") || !wellFormed(secret) {
			t.Errorf("%s: %s", kind, secret)
		}
		for at := range secret { // any one mistyped character is noticed
			for _, c := range []byte("0Aa_ ") {
				if secret[at] == c {
					continue
				}
				if b := []byte(secret); wellFormed(string(slices.Replace(b, at, at+1, c))) {
					t.Fatalf("%s passes for %s", b, secret)
				}
			}
		}
		for _, bad := range []string{"", secret + "0", secret[1:], strings.ToUpper(secret)} {
			if wellFormed(bad) {
				t.Errorf("%q passes", bad)
			}
		}
	}
}

// TestRandomDigits holds that digits are as likely as each other: with 62 digits
// and 124,000 draws, chi-squared above 120 happens once in a hundred thousand.
func TestRandomDigits(t *testing.T) {
	counts := map[rune]int{}
	const n = 124_000
	for _, r := range randomBase62(n) {
		counts[r]++
	}
	chi := 0.0
	for _, d := range base62 {
		diff := float64(counts[d]) - n/62.0
		chi += diff * diff / (n / 62.0)
	}
	if chi > 120 || len(counts) != 62 {
		t.Errorf("chi-squared is %.0f over %d digits", chi, len(counts))
	}
}

func TestCreateToken(t *testing.T) {
	w := open(t)
	w.account(t, "ada", genesis.DutySteward)
	w.account(t, "op", genesis.DutyOperator)
	if _, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "robot", Service: true, Duties: []genesis.Duty{genesis.DutySteward, genesis.DutyOperator}}); err != nil {
		t.Fatal(err)
	}
	ada, _ := w.signIn(t, "ada")
	op, _ := w.signIn(t, "op")

	token, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, token.Token, genesis.Token{ID: token.Token.ID, Subject: "ada", Kind: genesis.PersonalToken, Name: "laptop",
		Created: w.clock.now(), Expires: w.clock.now().Add(30 * 24 * time.Hour)})
	if !strings.HasPrefix(token.Secret, "gen_p_") {
		t.Errorf("the secret begins with %s", token.Secret[:6])
	}
	p := w.who(t, token.Secret)
	equal(t, p.Duties, []genesis.Duty{genesis.DutySteward})

	service, err := w.CreateToken(t.Context(), op, genesis.TokenRequest{Subject: "robot", Name: "nightly", Scopes: []genesis.Scope{"operate", "read:turbines"}, Days: 366})
	if err != nil {
		t.Fatal(err)
	}
	robot := w.who(t, service.Secret)
	if service.Token.Kind != genesis.ServiceToken || !strings.HasPrefix(service.Secret, "gen_v_") || robot.Subject != "robot" {
		t.Errorf("%+v", service.Token)
	}
	equal(t, robot.Duties, []genesis.Duty{genesis.DutyOperator}) // op is no steward, so its tokens are none
	if robot.InScope(genesis.Read, "other") || !robot.InScope(genesis.Read, "turbines") {
		t.Errorf("scopes are %v", robot.Scopes)
	}
	if _, err := w.CreateToken(t.Context(), local, genesis.TokenRequest{Subject: "robot", Name: "by the owner"}); err != nil {
		t.Errorf("the owner makes no token of a service: %v", err)
	}

	for name, tt := range map[string]struct {
		by   genesis.Principal
		r    genesis.TokenRequest
		kind genesis.ErrorKind
	}{
		"no name":             {ada, genesis.TokenRequest{}, genesis.Invalid},
		"control":             {ada, genesis.TokenRequest{Name: "a\x00"}, genesis.Invalid},
		"too long":            {ada, genesis.TokenRequest{Name: "x", Days: 367}, genesis.Invalid},
		"negative":            {ada, genesis.TokenRequest{Name: "x", Days: -1}, genesis.Invalid},
		"no scope":            {ada, genesis.TokenRequest{Name: "x", Scopes: []genesis.Scope{"rule"}}, genesis.Invalid},
		"many scopes":         {ada, genesis.TokenRequest{Name: "x", Scopes: slices.Repeat([]genesis.Scope{"read"}, 65)}, genesis.Invalid},
		"of another":          {ada, genesis.TokenRequest{Subject: "op", Name: "x"}, genesis.Permission},
		"of a person":         {op, genesis.TokenRequest{Subject: "ada", Name: "x"}, genesis.Permission},
		"of a service, by no": {ada, genesis.TokenRequest{Subject: "robot", Name: "x"}, genesis.Permission},
		"of nobody":           {op, genesis.TokenRequest{Subject: "nobody", Name: "x"}, genesis.NotFound},
		"of the owner":        {local, genesis.TokenRequest{Name: "x"}, genesis.NotFound},
		"by nobody":           {genesis.Principal{}, genesis.TokenRequest{Name: "x"}, genesis.Permission},
		"no credential":       {genesis.Principal{Subject: "ada"}, genesis.TokenRequest{Name: "x"}, genesis.Permission},
		"another's":           {genesis.Principal{Subject: "ada", Credential: op.Credential}, genesis.TokenRequest{Name: "x"}, genesis.Permission},
		"elsewhere":           {genesis.Principal{Subject: "ada", Node: "ornl", Credential: ada.Credential}, genesis.TokenRequest{Name: "x"}, genesis.Permission},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.CreateToken(t.Context(), tt.by, tt.r)
			wants(t, err, tt.kind, nil)
		})
	}
}

func TestTokensHaveALimit(t *testing.T) {
	w := open(t, func(c *Config) { c.Limits.Tokens = 3 })
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	var made genesis.NewToken
	for range 3 {
		var err error
		if made, err = w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x"})
	wants(t, err, genesis.Conflict, nil)
	if err := w.RevokeToken(t.Context(), ada, made.Token.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x"}); err != nil {
		t.Error(err)
	}
}

// allowed is all that somebody could do, as far as this package decides: actions
// on names, duties, assurance.
func allowed(p genesis.Principal) map[string]bool {
	out := map[string]bool{"assurance " + string(p.Assurance): true}
	if p.Assurance == genesis.AssuranceMFA {
		out["assurance "+string(genesis.AssurancePassword)] = true
	}
	for _, a := range genesis.Actions {
		for _, name := range []genesis.Name{"", "a", "b", "c"} {
			if p.InScope(a, name) {
				out[fmt.Sprintf("%s %q", a, name)] = true
			}
		}
	}
	for _, d := range p.Duties {
		out["duty "+string(d)] = true
	}
	return out
}

// TestTokensAreNeverWider makes random chains of tokens, each by the one before
// it, while the account changes, and holds that none can do what its maker could
// not when it was made, nor lasts longer than a token that made it, nor outlives
// its revocation.
func TestTokensAreNeverWider(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	scope := func() genesis.Scope {
		s := genesis.Scope(genesis.Actions[random.IntN(len(genesis.Actions))])
		if name := []string{"", ":a", ":b", ":c"}[random.IntN(4)]; name != "" {
			s += genesis.Scope(name)
		}
		return s
	}
	w := open(t, func(c *Config) { c.Limits.Tokens = 1000 })
	w.account(t, "ada", genesis.Duties...)
	made, refusedOnes := 0, 0
	for range 60 {
		p, secret := w.signIn(t, "ada")
		type link struct {
			secret  string
			expires time.Time
			id      string
		}
		chain := []link{{secret: secret}}
		for range 5 {
			r := genesis.TokenRequest{Name: "x", Days: random.IntN(3) * 100}
			for range random.IntN(4) {
				r.Scopes = append(r.Scopes, scope())
			}
			duties := slices.DeleteFunc(slices.Clone(genesis.Duties), func(genesis.Duty) bool { return random.IntN(3) == 0 })
			maker, could := p, allowed(p)
			token, err := w.CreateToken(t.Context(), maker, r)
			if err != nil {
				wants(t, err, genesis.Permission, nil)
				refusedOnes++
				continue
			}
			made++
			if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Duties: ref(genesis.Duties)}); err != nil {
				t.Fatal(err)
			}
			p = w.who(t, token.Secret)
			for what := range allowed(p) {
				if !could[what] {
					t.Fatalf("a token of %+v asked for with %v can do %s", maker, r.Scopes, what)
				}
			}
			if last := chain[len(chain)-1]; len(chain) > 1 && token.Token.Expires.After(last.expires) {
				t.Fatalf("a token ends on %s, its maker on %s", token.Token.Expires, last.expires)
			}
			chain = append(chain, link{token.Secret, token.Token.Expires, token.Token.ID})
			if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Duties: &duties}); err != nil {
				t.Fatal(err)
			}
			p = w.who(t, token.Secret)
		}
		if len(chain) > 2 {
			at := 1 + random.IntN(len(chain)-2)
			if err := w.RevokeToken(t.Context(), local, chain[at].id); err != nil {
				t.Fatal(err)
			}
			for n, l := range chain {
				_, err := w.Authenticate(t.Context(), l.secret)
				if gone := err != nil; gone != (n >= at) {
					t.Fatalf("token %d of a chain that was cut at %d: %v", n, at, err)
				}
			}
		}
		if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Duties: ref(genesis.Duties)}); err != nil {
			t.Fatal(err)
		}
	}
	if made < 50 || refusedOnes < 20 {
		t.Errorf("%d tokens were made and %d refused: too few to say anything", made, refusedOnes)
	}
}

func TestExpiry(t *testing.T) {
	w := open(t, func(c *Config) { c.Limits = Limits{Session: 10 * time.Hour, Idle: time.Hour} })
	w.account(t, "ada")
	ada, secret := w.signIn(t, "ada")
	token, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x", Days: 1})
	if err != nil {
		t.Fatal(err)
	}
	for range 11 { // kept awake until it ends anyway
		w.clock.add(54 * time.Minute)
		w.who(t, secret)
	}
	w.clock.add(6 * time.Minute)
	_, err = w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Expired)

	_, secret = w.signIn(t, "ada")
	w.clock.add(time.Hour - time.Microsecond)
	w.who(t, secret)
	w.clock.add(time.Hour)
	_, err = w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Expired)

	w.clock.t = token.Token.Expires.Add(-time.Microsecond)
	w.who(t, token.Secret) // a token is not idle
	w.clock.add(time.Microsecond)
	_, err = w.Authenticate(t.Context(), token.Secret)
	wants(t, err, genesis.Permission, Expired)
	_, err = w.CreateToken(t.Context(), w.principalOf(t, token.Token.ID), genesis.TokenRequest{Name: "y"})
	wants(t, err, genesis.Permission, Expired)
}

// principalOf is who would come with a credential if it were still good.
func (w *world) principalOf(t *testing.T, id string) genesis.Principal {
	t.Helper()
	_, subject, err := tokenBy(t.Context(), w.db.Read(), "test", id)
	if err != nil {
		t.Fatal(err)
	}
	return genesis.Principal{Subject: subject, Node: "nrel", Credential: id}
}

func TestUnknownTokens(t *testing.T) {
	w := open(t)
	stranger, _ := newSecret(genesis.PersonalToken)
	for _, s := range []string{"", "Bearer", stranger, stranger[:len(stranger)-1] + "!", strings.Repeat("x", 1<<20)} {
		_, err := w.Authenticate(t.Context(), s)
		wants(t, err, genesis.Permission, Unknown)
		if s != "" && strings.Contains(err.Error(), s) {
			t.Error("the error tells the secret")
		}
	}
}

func TestRevocation(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "bob")
	w.account(t, "olga", genesis.DutyOfficer)
	ada, session := w.signIn(t, "ada")
	bob, _ := w.signIn(t, "bob")
	olga, _ := w.signIn(t, "olga")
	token := func(scopes ...genesis.Scope) genesis.NewToken {
		t.Helper()
		made, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x", Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		w.who(t, made.Secret) // hot
		return made
	}
	gone := func(secret string) {
		t.Helper()
		_, err := w.Authenticate(t.Context(), secret)
		wants(t, err, genesis.Permission, Revoked)
	}

	first := token()
	wants(t, w.RevokeToken(t.Context(), bob, first.Token.ID), genesis.Private, nil)
	wants(t, w.RevokeToken(t.Context(), bob, "nothing"), genesis.NotFound, nil)
	if err := w.RevokeToken(t.Context(), ada, first.Token.ID); err != nil {
		t.Fatal(err)
	}
	gone(first.Secret)
	events := len(w.events)
	if err := w.RevokeToken(t.Context(), ada, first.Token.ID); err != nil || len(w.events) != events {
		t.Errorf("again: %v, %d events more", err, len(w.events)-events)
	}

	second, third := token("read"), token()
	narrowed := w.who(t, second.Secret)
	wants(t, w.RevokeToken(t.Context(), narrowed, third.Token.ID), genesis.Private, nil)
	wants(t, w.SignOut(t.Context(), narrowed), genesis.Permission, nil)
	if err := w.RevokeToken(t.Context(), narrowed, second.Token.ID); err != nil { // itself
		t.Fatal(err)
	}
	gone(second.Secret)

	for _, id := range []string{third.Token.ID, ada.Credential} { // by an officer
		if err := w.RevokeToken(t.Context(), olga, id); err != nil {
			t.Fatal(err)
		}
	}
	gone(third.Secret)
	gone(session)
	tokens, _, err := w.Tokens(t.Context(), "ada", "")
	if err != nil || len(tokens) != 4 || slices.ContainsFunc(tokens, func(tok genesis.Token) bool { return tok.Revoked == nil }) {
		t.Errorf("%+v, %v", tokens, err)
	}
}

// TestRevocationBehindTheBack holds that what another process revokes is
// refused within a second.
func TestRevocationBehindTheBack(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	_, secret := w.signIn(t, "ada")
	if _, err := w.write(t, "UPDATE tokens SET revoked_at = 1"); err != nil {
		t.Fatal(err)
	}
	w.clock.add(cacheAge - time.Millisecond)
	w.who(t, secret) // not yet known
	w.clock.add(time.Millisecond)
	_, err := w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Revoked)
	w.clock.add(-time.Hour) // a clock that was set back does not wake it
	_, err = w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Revoked)
}

// TestRevocationRace authenticates on several goroutines while the token is
// revoked: no call that begins after RevokeToken has returned is let in.
func TestRevocationRace(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	for range 20 {
		p, secret := w.signIn(t, "ada")
		revoked := make(chan struct{})
		done := make(chan error, 4)
		for range cap(done) {
			go func() {
				for {
					after := false
					select {
					case <-revoked:
						after = true
					default:
					}
					_, err := w.Authenticate(t.Context(), secret)
					if after {
						done <- err
						return
					}
					w.clock.add(cacheAge / 3) // so that all sides of the cache are met
				}
			}()
		}
		if err := w.RevokeToken(t.Context(), p, p.Credential); err != nil {
			t.Fatal(err)
		}
		close(revoked)
		for range cap(done) {
			wants(t, <-done, genesis.Permission, nil)
		}
	}
}

func TestCurrent(t *testing.T) {
	w := open(t)
	w.account(t, "ada", genesis.DutySteward)
	ada, secret := w.signIn(t, "ada")
	ada.Purpose, ada.Projects = "wind", []string{"p1"}
	if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Duties: &[]genesis.Duty{genesis.DutyOfficer}}); err != nil {
		t.Fatal(err)
	}
	now, err := w.Current(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	want := ada
	want.Duties = []genesis.Duty{genesis.DutyOfficer}
	equal(t, now, want)
	equal(t, w.who(t, secret).Duties, want.Duties)
	if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Disabled: ref(true)}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Current(t.Context(), ada)
	wants(t, err, genesis.Permission, Disabled)
	if err := w.RevokeToken(t.Context(), local, ada.Credential); err != nil {
		t.Fatal(err)
	}
	_, err = w.Current(t.Context(), ada)
	wants(t, err, genesis.Permission, Revoked)
	_, err = w.Current(t.Context(), genesis.Principal{Subject: "ada", Credential: "nothing"})
	wants(t, err, genesis.Permission, Unknown)
	if p, err := w.Current(t.Context(), local); err != nil || p.Subject != "local" {
		t.Errorf("the owner: %+v, %v", p, err)
	}
}

func TestTokensPages(t *testing.T) {
	w := open(t, func(c *Config) { c.Limits.Tokens = 1000 })
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	const n = pageSize + 20
	for k := range n {
		if k%3 == 0 { // some at the same time
			w.clock.add(time.Second)
		}
		if _, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: fmt.Sprint(k)}); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	cursor := ""
	var last time.Time
	for {
		page, next, err := w.Tokens(t.Context(), "ada", cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, tok := range page {
			if seen[tok.ID] || !last.IsZero() && tok.Created.After(last) {
				t.Fatalf("%+v comes twice, or out of order", tok)
			}
			seen[tok.ID], last = true, tok.Created
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if len(seen) != n+1 {
		t.Errorf("%d tokens, want %d", len(seen), n+1)
	}
	for _, bad := range []string{"!", writeCursor("x"), writeCursor(":")} {
		_, _, err := w.Tokens(t.Context(), "ada", bad)
		wants(t, err, genesis.Invalid, nil)
	}
	_, _, err := w.Tokens(t.Context(), "nobody", "")
	wants(t, err, genesis.NotFound, nil)
}

// TestUseIsWrittenLazily counts what a busy token writes.
func TestUseIsWrittenLazily(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, secret := w.signIn(t, "ada")
	lastUsed := func() time.Time {
		t.Helper()
		tokens, _, err := w.Tokens(t.Context(), "ada", "")
		if err != nil {
			t.Fatal(err)
		}
		return tokens[0].LastUsed
	}
	for range 100 {
		w.clock.add(300 * time.Millisecond)
		w.who(t, secret)
	}
	if !lastUsed().IsZero() {
		t.Errorf("used %s, and nothing should be written yet", lastUsed())
	}
	if err := w.writeUse(t.Context()); err != nil || !lastUsed().Equal(w.clock.now()) {
		t.Errorf("used %s, want %s; %v", lastUsed(), w.clock.now(), err)
	}
	if n := len(w.cache.unwritten(w.clock.now())); n != 0 {
		t.Errorf("%d uses are still unwritten", n)
	}
	w.clock.add(time.Minute)
	w.who(t, secret)
	// dropping the entry does not lose the use
	w.cache.dropAccount("ada")
	if err := w.Close(); err != nil || !lastUsed().Equal(w.clock.now()) {
		t.Errorf("after closing: used %s, want %s; %v", lastUsed(), w.clock.now(), err)
	}
	a, err := w.Account(t.Context(), ada.Subject)
	if err != nil || !a.LastSeen.Equal(w.clock.now()) {
		t.Errorf("seen %s, want %s; %v", a.LastSeen, w.clock.now(), err)
	}
	w.clock.add(2 * cacheIdle)
	if w.cache.unwritten(w.clock.now()); len(w.cache.entries)+len(w.cache.uses) != 0 {
		t.Errorf("%d entries and %d uses stay for ever", len(w.cache.entries), len(w.cache.uses))
	}
}

func TestPrune(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	token, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x", Days: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateToken(t.Context(), w.who(t, token.Secret), genesis.TokenRequest{Name: "made by x"}); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		t.Helper()
		if err := w.prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		tokens, _, err := w.Tokens(t.Context(), "ada", "")
		if err != nil {
			t.Fatal(err)
		}
		return len(tokens)
	}
	w.clock.add(keepExpired)
	if n := count(); n != 3 {
		t.Errorf("%d tokens, want all 3", n)
	}
	w.clock.add(2 * 24 * time.Hour)
	if n := count(); n != 2 {
		t.Errorf("%d tokens, want 2 without the session", n)
	}
	w.clock.add(10 * 24 * time.Hour)
	if n := count(); n != 0 {
		t.Errorf("%d tokens, want none", n)
	}
}
