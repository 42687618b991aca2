package identity

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity/vouch"
)

// roll is a charter that tests change.
type roll struct {
	members map[genesis.NodeID]genesis.Member
	fresh   time.Time
}

func (r *roll) Member(id genesis.NodeID) (genesis.Member, bool) { m, ok := r.members[id]; return m, ok }
func (r *roll) Members() []genesis.Member                       { return slices.Collect(maps.Values(r.members)) }
func (r *roll) Fresh() time.Time                                { return r.fresh }

// without takes a member, or its keys, away.
func (r *roll) without(id genesis.NodeID) func() {
	was := r.members[id]
	delete(r.members, id)
	return func() { r.members[id] = was }
}

var dawn = time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)

// keyOf is a node's token key, and the member that has it.
func keyOf(id genesis.NodeID, seed byte) (ed25519.PrivateKey, genesis.Member) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	key := genesis.NodeKey{ID: genesis.KeyID(public), Use: genesis.KeyToken, Public: public, From: dawn.Add(-72 * time.Hour)}
	return private, genesis.Member{ID: id, Institution: "Institute " + string(id), Sector: genesis.University, URL: "https://" + string(id) + ".example", Keys: []genesis.NodeKey{key}}
}

// league is three nodes of one charter, each with its own clock.
type league struct {
	*testing.T
	roll            *roll
	nrel, ornl, mit *world
	secret          []byte
}

func newLeague(t *testing.T, change ...func(*Config)) *league {
	l := &league{T: t, roll: &roll{members: map[genesis.NodeID]genesis.Member{}}, secret: bytes.Repeat([]byte{9}, 32)}
	for seed, at := range map[genesis.NodeID]**world{"nrel": &l.nrel, "ornl": &l.ornl, "mit": &l.mit} {
		private, m := keyOf(seed, seed[0])
		l.roll.members[seed] = m
		*at = open(t, append([]func(*Config){func(c *Config) {
			c.Node, c.Charter = seed, l.roll
			c.Token = func() (string, ed25519.PrivateKey) { return m.Keys[0].ID, private }
		}}, change...)...)
	}
	l.nrel.account(t, "ada")
	return l
}

// token has nrel vouch for somebody at ornl.
func (l *league) token(who genesis.Principal, scopes ...genesis.Scope) string {
	l.Helper()
	made, err := l.nrel.PeerToken(l.Context(), who, genesis.PeerTokenRequest{Audience: "ornl", Key: genesis.Thumbprint(l.secret), Scopes: scopes})
	if err != nil {
		l.Fatal(err)
	}
	return made.Token
}

func (l *league) exchange(at *world, token string) (genesis.PeerSession, error) {
	return at.Exchange(l.Context(), genesis.ExchangeRequest{Token: token, Key: l.secret}, "192.0.2.1:1")
}

// enter gives a session at ornl.
func (l *league) enter(who genesis.Principal, scopes ...genesis.Scope) genesis.PeerSession {
	l.Helper()
	s, err := l.exchange(l.ornl, l.token(who, scopes...))
	if err != nil {
		l.Fatal(err)
	}
	return s
}

var nonces int

// signed is a request of a session.
func signed(session string, secret []byte, at time.Time) *http.Request {
	nonces++
	r := httptest.NewRequest("GET", "https://ornl.example/v1/whoami?x=1", nil)
	r.Header.Set("Authorization", "Bearer "+session)
	genesis.PeerProof{Created: at, Nonce: "a-nonce-of-a-test-" + strconv.Itoa(nonces)}.Sign(r, r.URL.EscapedPath(), secret)
	return r
}

func (l *league) ask(session string) (genesis.Principal, error) {
	return l.ornl.AuthenticateRequest(signed(session, l.secret, l.ornl.clock.now()), session)
}

func (l *league) wants(what string, err error, code genesis.PeerCode) {
	l.Helper()
	var e *genesis.Error
	if !errors.As(err, &e) || e.Code != code {
		l.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestGuest(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	s := l.enter(ada)
	if !strings.HasPrefix(s.Session, "gen_g_") || s.Expires != l.ornl.clock.now().Add(15*time.Minute) {
		t.Errorf("%+v", s)
	}
	p, err := l.ask(s.Session)
	if err != nil {
		t.Fatal(err)
	}
	jti := p.Credential
	equal(t, p, genesis.Principal{Subject: "ada", Node: "nrel", Institution: "Institute nrel", Sector: genesis.University, Assurance: genesis.AssurancePassword, Credential: jti})
	equal(t, s.Principal, p)
	if want := `nrel/ada vouch done ada`; !strings.HasPrefix(l.nrel.last(), want) || !strings.Contains(l.nrel.last(), `"jti":"`+jti+`"`) || !strings.Contains(l.nrel.last(), `"audience":"ornl"`) {
		t.Errorf("at home: %s", l.nrel.last())
	}
	if want := `nrel/ada exchange done nrel/ada`; !strings.HasPrefix(l.ornl.last(), want) || !strings.Contains(l.ornl.last(), `"jti":"`+jti+`"`) {
		t.Errorf("there: %s", l.ornl.last())
	}
	if err := l.ornl.SignOut(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err = l.ask(s.Session)
	l.wants("signed out", err, genesis.CodeExpired)
}

// TestWhatIsVouchedFor: what the home knows of somebody, and no duty.
func TestWhatIsVouchedFor(t *testing.T) {
	l := newLeague(t)
	l.nrel.account(t, "sam", genesis.DutySteward)
	yes := true
	if _, err := l.nrel.ChangeAccount(t.Context(), local, "sam", genesis.AccountChange{Student: &yes}); err != nil {
		t.Fatal(err)
	}
	class := genesis.USPerson
	if _, err := l.nrel.ChangeAccount(t.Context(), local, "sam", genesis.AccountChange{Citizenship: &class}); err != nil {
		t.Fatal(err)
	}
	sam, _ := l.nrel.signIn(t, "sam")
	if _, err := l.nrel.RequestVetting(t.Context(), sam, "please"); err != nil {
		t.Fatal(err)
	}
	if _, err := l.nrel.Vet(t.Context(), local, "sam", genesis.Vetting{State: genesis.Vetted, Until: l.nrel.clock.now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	p := l.enter(sam, "discover", "read:turbines").Principal
	equal(t, p, genesis.Principal{Subject: "sam", Node: "nrel", Institution: "Institute nrel", Sector: genesis.University, Assurance: genesis.AssurancePassword,
		Vetting: genesis.Vetted, Citizenship: class, Student: true, Scopes: []genesis.Scope{"discover", "read:turbines"}, Credential: p.Credential})
	owner := l.enter(genesis.Principal{Subject: "local", Node: "nrel", Assurance: genesis.AssuranceMFA, Duties: genesis.Duties}).Principal
	if owner.Has(genesis.DutySteward) || owner.Person() != "nrel/local" {
		t.Errorf("%+v", owner)
	}
}

// TestVouchingIsWithinTheCredential: a token for another node is no wider than what it was
// asked for with, and lasts no longer.
func TestVouchingIsWithinTheCredential(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	narrowed := func(scopes ...genesis.Scope) genesis.Principal {
		made, err := l.nrel.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "t", Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		return l.nrel.who(t, made.Secret)
	}
	ask := func(who genesis.Principal, scopes ...genesis.Scope) (genesis.PeerToken, error) {
		return l.nrel.PeerToken(t.Context(), who, genesis.PeerTokenRequest{Audience: "ornl", Key: genesis.Thumbprint(l.secret), Scopes: scopes})
	}
	for name, tt := range map[string]struct {
		who    genesis.Principal
		scopes []genesis.Scope
		kind   genesis.ErrorKind
	}{
		"wider":                {narrowed("read"), []genesis.Scope{"train"}, genesis.Permission},
		"of things of home":    {narrowed("read:turbines"), nil, genesis.Permission},
		"the same name abroad": {narrowed("read:turbines"), []genesis.Scope{"read:turbines"}, genesis.Permission},
		"narrower":             {narrowed("read", "discover"), []genesis.Scope{"read:turbines"}, ""},
		"no scope":             {ada, []genesis.Scope{"fly"}, genesis.Invalid},
		"nobody":               {genesis.Principal{}, nil, genesis.Permission},
		"of another node":      {genesis.Principal{Subject: "ada", Node: "mit", Credential: ada.Credential}, nil, genesis.Permission},
		"without credential":   {genesis.Principal{Subject: "ada", Node: "nrel"}, nil, genesis.Permission},
	} {
		if _, err := ask(tt.who, tt.scopes...); genesis.KindOf(err) != tt.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, r := range map[string]genesis.PeerTokenRequest{
		"at home":   {Audience: "nrel", Key: genesis.Thumbprint(l.secret)},
		"no member": {Audience: "pnnl", Key: genesis.Thumbprint(l.secret)},
		"no key":    {Audience: "ornl", Key: "abc"},
	} {
		if _, err := l.nrel.PeerToken(t.Context(), ada, r); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	l.nrel.clock.add(24*time.Hour - 5*time.Minute) // its session ends after a day
	l.ornl.clock.add(24*time.Hour - 5*time.Minute)
	if s := l.enter(ada); s.Expires.Sub(l.ornl.clock.now()) != 5*time.Minute {
		t.Errorf("a session abroad lasts %s beyond that at home", s.Expires.Sub(l.ornl.clock.now()))
	}
	off := true
	if _, err := l.nrel.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Disabled: &off}); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(ada); refusal(err) != Disabled {
		t.Errorf("disabled: %v", err)
	}
}

func TestNodesThatVouchForNobody(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	_, err := w.PeerToken(t.Context(), ada, genesis.PeerTokenRequest{Audience: "ornl", Key: genesis.Thumbprint(make([]byte, 32))})
	if genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("without a key: %v", err)
	}
	l := newLeague(t)
	ada, _ = l.nrel.signIn(t, "ada")
	token := l.token(ada)
	l.roll.fresh = l.nrel.clock.now()
	if _, err := l.nrel.PeerToken(t.Context(), ada, genesis.PeerTokenRequest{Audience: "ornl", Key: genesis.Thumbprint(l.secret)}); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("by a charter past its end: %v", err)
	}
	if _, err := l.exchange(l.ornl, token); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("to a node whose charter is past its end: %v", err)
	}
	l.roll.fresh = time.Time{}
	defer l.roll.without("nrel")()
	if _, err := l.nrel.PeerToken(t.Context(), ada, genesis.PeerTokenRequest{Audience: "ornl", Key: genesis.Thumbprint(l.secret)}); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("no member any more: %v", err)
	}
	if _, err := l.nrel.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "node"}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a person called node: %v", err)
	}
}

func TestExchangesThatAreRefused(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	_, err := l.exchange(l.mit, l.token(ada))
	l.wants("at another node", err, genesis.CodeBadAudience)
	if !strings.HasPrefix(l.mit.last(), `nrel/ada exchange refused nrel/ada {"code":"bad-audience"`) {
		t.Errorf("the journal has %s", l.mit.last())
	}
	token := l.token(ada)
	_, err = l.ornl.Exchange(t.Context(), genesis.ExchangeRequest{Token: token, Key: make([]byte, 32)}, "192.0.2.1:1")
	l.wants("with another secret", err, genesis.CodeBadProof)
	_, err = l.ornl.Exchange(t.Context(), genesis.ExchangeRequest{Token: token}, "192.0.2.1:1")
	l.wants("with none", err, genesis.CodeBadProof)
	if _, err := l.exchange(l.ornl, token); err != nil {
		t.Errorf("a token that was refused for its secret is spent: %v", err)
	}
	_, err = l.exchange(l.ornl, token)
	l.wants("again", err, genesis.CodeReplayed)

	token = l.token(ada)
	back := l.roll.without("nrel")
	_, err = l.exchange(l.ornl, token)
	l.wants("no member", err, genesis.CodeBadIssuer)
	back()
	for by, code := range map[time.Duration]genesis.PeerCode{24 * time.Hour: genesis.CodeExpired, -24 * time.Hour: genesis.CodeNotYet} {
		l.ornl.clock.add(by)
		_, err = l.ornl.Exchange(t.Context(), genesis.ExchangeRequest{Token: token, Key: l.secret}, fmt.Sprintf("192.0.2.%d", 100+by/time.Hour))
		l.wants("clocks a day apart", err, code)
		for _, clock := range []*clock{l.nrel.clock, l.ornl.clock} {
			if day := clock.now().Format("2006-01-02"); !strings.Contains(err.Error(), day) {
				t.Errorf("%v does not name %s", err, day)
			}
		}
		l.ornl.clock.add(-by)
	}
}

// TestReplayAfterRestart: a token is good once, also for a node that was stopped since,
// and whose sessions are gone.
func TestReplayAfterRestart(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	token := l.token(ada)
	s, err := l.exchange(l.ornl, token)
	if err != nil {
		t.Fatal(err)
	}
	ahead := signed(s.Session, l.secret, l.ornl.clock.now().Add(50*time.Second)) // by a clock that may be ahead
	if _, err := l.ornl.AuthenticateRequest(ahead, s.Session); err != nil {
		t.Fatal(err)
	}
	l.ornl.clock.add(2 * time.Second)
	if err := l.ornl.Close(); err != nil {
		t.Fatal(err)
	}
	l.ornl.Identity, err = Open(t.Context(), Config{DB: l.ornl.db, Node: "ornl", Charter: l.roll, Now: l.ornl.clock.now, Key: []byte("a key of at least sixteen bytes"), Record: l.ornl.record})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.ornl.AuthenticateRequest(ahead, s.Session)
	l.wants("a request of before", err, genesis.CodeExpired)
	if another, err := l.exchange(l.ornl, l.token(ada)); err != nil {
		t.Error(err)
	} else if _, err := l.ask(another.Session); err != nil {
		t.Errorf("a session since the restart: %v", err)
	}
	l.ornl.clock.add(62 * time.Second) // what is signed from now on cannot have been used
	if _, err := l.ask(s.Session); err != nil {
		t.Errorf("a session does not outlive a restart: %v", err)
	}
	_, err = l.ornl.AuthenticateRequest(ahead, s.Session)
	l.wants("a request of before", err, genesis.CodeExpired)
	l.ornl.clock.add(-62 * time.Second)
	if _, err := l.ornl.write(t, "DELETE FROM guests"); err != nil {
		t.Fatal(err)
	}
	_, err = l.exchange(l.ornl, token)
	l.wants("the token again", err, genesis.CodeReplayed)
	l.ornl.clock.add(4 * time.Minute)
	if _, err = l.exchange(l.ornl, l.token(ada)); err == nil { // clocks are 4 minutes apart
		t.Error("a token from the past is taken")
	}
	l.nrel.clock.add(4 * time.Minute)
	l.enter(ada)
	var n int
	if err := l.ornl.db.Read().QueryRow("SELECT count(*) FROM guest_tokens").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d tokens are remembered: %v", n, err)
	}
}

// TestStolenSession: the bearer alone is worth nothing.
func TestStolenSession(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	s, now := l.enter(ada), l.ornl.clock.now
	ask := func(r *http.Request) error { _, err := l.ornl.AuthenticateRequest(r, s.Session); return err }

	bare := httptest.NewRequest("GET", "https://ornl.example/v1/whoami", nil)
	bare.Header.Set("Authorization", "Bearer "+s.Session)
	l.wants("no proof", ask(bare), genesis.CodeBadProof)
	if !strings.Contains(l.ornl.last(), `exchange refused nrel/ada {"code":"bad-proof","jti":"`) {
		t.Errorf("the journal has %s", l.ornl.last())
	}
	l.wants("another secret", ask(signed(s.Session, make([]byte, 32), now())), genesis.CodeBadProof)
	once := signed(s.Session, l.secret, now())
	if err := ask(once); err != nil {
		t.Fatal(err)
	}
	l.wants("twice", ask(once), genesis.CodeReplayed)
	other := signed(s.Session, l.secret, now())
	other.Method = "DELETE"
	l.wants("another method", ask(other), genesis.CodeBadProof)
	other = signed(s.Session, l.secret, now())
	other.URL.Path = "/v1/grants"
	l.wants("another path", ask(other), genesis.CodeBadProof)
	other = signed(s.Session, l.secret, now())
	other.URL.RawQuery = "x=2"
	l.wants("another query", ask(other), genesis.CodeBadProof)
	l.wants("a clock a day fast", ask(signed(s.Session, l.secret, now().Add(24*time.Hour))), genesis.CodeNotYet)
	l.wants("a clock a day slow", ask(signed(s.Session, l.secret, now().Add(-24*time.Hour))), genesis.CodeExpired)
	if _, err := l.ornl.Authenticate(t.Context(), s.Session); err == nil {
		t.Error("a session counts without its request")
	}
	stranger, _ := newSecret(guestSecret)
	_, err := l.ask(stranger)
	l.wants("unknown", err, genesis.CodeUnknown)
	_, err = l.ask("gen_g_mistyped")
	l.wants("mistyped", err, genesis.CodeUnknown)
	l.ornl.clock.add(15 * time.Minute)
	_, err = l.ask(s.Session)
	l.wants("after a quarter of an hour", err, genesis.CodeExpired)
}

// TestMembersThatLeave: with a member, or its key, go the sessions of its people.
func TestMembersThatLeave(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	s := l.enter(ada)
	back := l.roll.without("nrel")
	_, err := l.ask(s.Session)
	l.wants("no member", err, genesis.CodeBadIssuer)
	_, err = l.ornl.Current(t.Context(), s.Principal)
	l.wants("what they began", err, genesis.CodeBadIssuer)
	back()
	if _, err := l.ask(s.Session); err != nil {
		t.Error(err)
	}
	m := l.roll.members["nrel"]
	m.Keys[0].Until = l.ornl.clock.now()
	_, err = l.ask(s.Session)
	l.wants("the key ended", err, genesis.CodeBadKey)
	_, err = l.ornl.Lasting(t.Context(), s.Principal)
	l.wants("what they began", err, genesis.CodeBadKey)
}

// TestLines: what was begun in a session goes on while it is renewed, with what the home
// says now, and ends soon after it is not.
func TestLines(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	began := l.enter(ada).Principal
	began.Purpose = "wake losses"
	pass := func(d time.Duration) { l.nrel.clock.add(d); l.ornl.clock.add(d) }
	pass(14 * time.Minute)
	l.enter(ada, "discover") // narrowed: another line
	later := l.enter(ada)
	pass(10 * time.Minute)
	p, err := l.ornl.Lasting(t.Context(), began)
	if err != nil || p.Credential != began.Credential || p.Purpose != began.Purpose {
		t.Errorf("%+v %v", p, err)
	}
	_, err = l.ornl.Current(t.Context(), genesis.Principal{Subject: "bob", Node: "nrel", Credential: began.Credential})
	l.wants("somebody else's", err, genesis.CodeUnknown)
	pass(10 * time.Minute)
	_, err = l.ornl.Lasting(t.Context(), began)
	l.wants("renewed no more", err, genesis.CodeExpired)
	if _, err := l.ornl.Current(t.Context(), later.Principal); err == nil {
		t.Error("the last session goes on")
	}
	for range 7 {
		pass(3*time.Hour + 20*time.Minute)
		ada, _ = l.nrel.signIn(t, "ada")
		l.enter(ada)
	}
	if _, err = l.ornl.Lasting(t.Context(), began); err != nil {
		t.Errorf("within a day: %v", err)
	}
	pass(14 * time.Minute)
	_, err = l.ornl.Lasting(t.Context(), began)
	if err == nil {
		t.Error("a stream of yesterday goes on")
	}
}

func TestNarrowBearer(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	bearer := func(scopes ...genesis.Scope) (genesis.PeerSession, error) {
		return l.ornl.Exchange(t.Context(), genesis.ExchangeRequest{Token: l.token(ada, scopes...), Key: l.secret, Bearer: true}, "192.0.2.1:1")
	}
	for _, scopes := range [][]genesis.Scope{nil, {"read"}, {"read:turbines", "train:turbines"}} {
		_, err := bearer(scopes...)
		l.wants(fmt.Sprint(scopes), err, genesis.CodeMalformed)
	}
	s, err := bearer("read:turbines")
	if err != nil || s.Expires != l.ornl.clock.now().Add(time.Hour) {
		t.Fatal(s.Expires, err)
	}
	r := httptest.NewRequest("GET", "https://ornl.example/x", nil)
	if p, err := l.ornl.AuthenticateRequest(r, s.Session); err != nil || len(p.Scopes) != 1 {
		t.Errorf("%+v %v", p, err)
	}
}

// TestNodesThemselves: a node asks in its own name, and has nothing that people have.
func TestNodesThemselves(t *testing.T) {
	l := newLeague(t)
	made, err := l.nrel.NodeToken(t.Context(), "ornl", genesis.Thumbprint(l.secret))
	if err != nil || made.URL != "https://ornl.example" {
		t.Fatal(made, err)
	}
	s, err := l.exchange(l.ornl, made.Token)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, s.Principal, genesis.Principal{Subject: "node", Node: "nrel", Institution: "Institute nrel", Sector: genesis.University, Credential: s.Principal.Credential})
}

// TestProjectsAbroad: who is in a project elsewhere comes with its home's word.
func TestProjectsAbroad(t *testing.T) {
	var l *league
	told := func(of genesis.PersonID, home *world, project string) string {
		id, key := home.token()
		text, err := vouch.Signer{ID: id, Key: key}.Membership(vouch.Membership{Home: home.node, Person: of, Project: project,
			Issued: vouch.At(home.clock.now()), Expires: vouch.At(home.clock.now().Add(time.Hour))})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	l = newLeague(t, func(c *Config) {
		if c.Node != "nrel" {
			return
		}
		c.Projects = func(context.Context, genesis.PersonID) ([]string, error) { return []string{"solar"}, nil }
		c.Told = func(_ context.Context, p genesis.PersonID) ([]string, error) {
			return []string{told(p, l.mit, "wind"), told("nrel/bob", l.mit, "secret"), told(p, l.ornl, "inside"), "rubbish"}, nil
		}
	})
	ada, _ := l.nrel.signIn(t, "ada")
	equal(t, ada.Projects, []string{"mit/wind", "ornl/inside"})
	s := l.enter(ada)
	equal(t, s.Principal.Projects, []string{"nrel/solar", "mit/wind"}) // ornl asks its own table
	back := l.roll.without("mit")
	token := l.token(ada)
	got, err := l.exchange(l.ornl, token)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, got.Principal.Projects, []string{"nrel/solar"})
	back()
}

// TestGuestsAreBounded: the oldest sessions of a person, and of a node, go first.
func TestGuestsAreBounded(t *testing.T) {
	l := newLeague(t)
	l.nrel.account(t, "bob")
	l.ornl.mostGuests.person, l.ornl.mostGuests.node = 3, 4
	ada, _ := l.nrel.signIn(t, "ada")
	bob, _ := l.nrel.signIn(t, "bob")
	var sessions []string
	for _, who := range []genesis.Principal{bob, bob, ada, ada, ada, ada} {
		sessions = append(sessions, l.enter(who).Session)
		l.nrel.clock.add(time.Second)
		l.ornl.clock.add(time.Second)
	}
	for n, want := range []bool{false, true, false, true, true, true} {
		if _, err := l.ask(sessions[n]); (err == nil) != want {
			t.Errorf("session %d: %v", n, err)
		}
	}
	l.ornl.clock.add(25 * time.Hour)
	if err := l.ornl.prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := l.ornl.db.Read().QueryRow("SELECT count(*) FROM guests").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d are kept a day later: %v", n, err)
	}
}

// TestExchangesAreThrottled: who guesses is told to wait, and fills no journal.
func TestExchangesAreThrottled(t *testing.T) {
	l := newLeague(t)
	var err error
	for range 100 {
		_, err = l.ornl.Exchange(t.Context(), genesis.ExchangeRequest{Token: "rubbish"}, "192.0.2.9:1")
	}
	var often TooMany
	if !errors.As(err, &often) {
		t.Errorf("the hundredth: %v", err)
	}
	if n := len(l.ornl.events); n != 10 {
		t.Errorf("%d entries", n)
	}
	var detail struct{ Code string }
	if err := json.Unmarshal(l.ornl.events[0].Detail, &detail); err != nil || detail.Code != "malformed" {
		t.Errorf("%s", l.ornl.events[0].Detail)
	}
	ada, _ := l.nrel.signIn(t, "ada")
	l.enter(ada) // from another address
}

// TestSealedProofs: the database holds no secret with which requests could be signed.
func TestSealedProofs(t *testing.T) {
	l := newLeague(t)
	ada, _ := l.nrel.signIn(t, "ada")
	s := l.enter(ada)
	var proof, hash string
	if err := l.ornl.db.Read().QueryRow("SELECT proof, hash FROM guests").Scan(&proof, &hash); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(proof, sealedPrefix) || strings.Contains(hash, s.Session) {
		t.Errorf("%s %s", proof, hash)
	}
}
