package work_test

import (
	"bytes"
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/testdata"
	"github.com/opengenesis/genesis/internal/work"
)

const password = "a fine long password"

// withIdentity adds accounts to a service: fox, an officer; opal, an operator; and people.
func withIdentity(t *testing.T, s *work.Service, people ...string) {
	t.Helper()
	var err error
	s.Identity, err = identity.Open(t.Context(), identity.Config{DB: s.DB, Node: "here", Charter: access.Alone(genesis.Member{ID: "here"}),
		Key: bytes.Repeat([]byte{7}, 32), External: "https://here.example", Record: work.RecordIdentity, Changed: s.Access.Changed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Identity.Close() })
	made := map[string][]genesis.Duty{"fox": {genesis.DutyOfficer}, "opal": {genesis.DutyOperator}}
	for _, p := range people {
		made[p] = nil
	}
	for subject, duties := range made {
		if _, err := s.CreateAccount(t.Context(), me, genesis.AccountRequest{Subject: subject, Duties: duties, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
}

// signedIn signs somebody in.
func signedIn(t *testing.T, s *work.Service, subject string) (genesis.Principal, genesis.NewToken) {
	t.Helper()
	token, err := s.SignIn(t.Context(), "192.0.2.1:1", genesis.SignInRequest{Subject: subject, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Identity.Authenticate(t.Context(), token.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return p, *token
}

// TestAccountsAreForgotten: what happens to an account stands in the log under a
// pseudonym, is found by the account's name, and once the person is forgotten no file of
// the journal has the name.
func TestAccountsAreForgotten(t *testing.T) {
	const zoe = "zoezoezoe"
	s, dir := work.OpenTest(t)
	withIdentity(t, s, zoe)
	who, session := signedIn(t, s, zoe)
	_, other := signedIn(t, s, zoe)
	fox, _ := signedIn(t, s, "fox")
	name, next := "Zoe Z.", "another long password"
	steps := []error{
		last(s.SignIn(t.Context(), "192.0.2.1:1", genesis.SignInRequest{Subject: zoe, Password: "wrong"})),
		last(s.ChangeAccount(t.Context(), who, zoe, genesis.AccountChange{Name: &name})),
		last(s.RequestVetting(t.Context(), who, "zoezoezoe asks")),
		last(s.Vet(t.Context(), fox, zoe, genesis.Vetting{State: genesis.Vetted, Until: time.Now().Add(time.Hour), Note: "zoezoezoe has good papers"})),
		last(s.CreateToken(t.Context(), who, genesis.TokenRequest{Name: "of zoezoezoe"})),
		s.RevokeToken(t.Context(), me, other.Token.ID),
		last(s.ChangeAccount(t.Context(), me, zoe, genesis.AccountChange{Password: &next})),
		last(s.Audit(t.Context(), me, genesis.AuditQuery{Subject: zoe})),
		last(s.PutProject(t.Context(), me, "wake", genesis.ProjectRequest{Members: &[]genesis.PersonID{"here/" + zoe}})),
	}
	for n, err := range steps {
		if want := map[int]genesis.ErrorKind{0: genesis.Permission}[n]; genesis.KindOf(err) != want {
			t.Errorf("step %d: %v", n, err)
		}
	}
	if _, err := s.Identity.Authenticate(t.Context(), session.Secret); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("her session goes on: %v", err)
	}
	if err := s.Journal.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries := func(q genesis.AuditQuery) []genesis.AuditEntry {
		t.Helper()
		page, err := s.Journal.Query(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return page.Entries
	}
	count := len(entries(genesis.AuditQuery{Subject: zoe}))
	for _, subject := range []string{"here/" + zoe, "person:" + zoe} {
		if got := entries(genesis.AuditQuery{Subject: subject}); len(got) != count || count < 9 {
			t.Errorf("%d entries are found by %s, %d by the bare name", len(got), subject, count)
		}
	}
	for _, e := range entries(genesis.AuditQuery{Subject: zoe, Act: "sign-in"}) {
		if e.Subject != "here/"+zoe {
			t.Errorf("an entry is of %q", e.Subject)
		}
	}
	journalled := filepath.Join(dir, "journal")
	for _, path := range testdata.Holding(t, journalled, zoe) {
		if !strings.HasPrefix(filepath.Base(path), "private.db") && !strings.Contains(path, "wal"+string(filepath.Separator)) {
			t.Errorf("%s names her before she is forgotten", path)
		}
	}
	if err := s.Journal.Forget(t.Context(), "here/"+zoe); err != nil {
		t.Fatal(err)
	}
	for _, path := range testdata.Holding(t, journalled, zoe) {
		t.Errorf("%s still names her", path)
	}
	if got := entries(genesis.AuditQuery{Subject: zoe}); len(got) != 0 {
		t.Errorf("her entries are found: %+v", got)
	}
	if v, err := s.Journal.Verify(t.Context(), time.Time{}, nil); err != nil {
		t.Errorf("the log does not hold: %+v, %v", v, err)
	}
}

func last[T any](_ T, err error) error { return err }

// TestBareSubject: a name without a node is that of an asset or of somebody here.
func TestBareSubject(t *testing.T) {
	s, _ := work.OpenTest(t)
	err := s.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		for _, e := range []journal.Event{{Act: "commit", Subject: "ada"}, {Act: "vetting", Subject: "person:ada"}, {Act: "vetting", Subject: "mit/ada"}, {Act: "read", Subject: "~ada/ada"}} {
			if err := journal.Record(context.WithoutCancel(t.Context()), tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.Journal.Settle(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]string{"ada": "here/ada ada", "here/ada": "here/ada", "mit/ada": "mit/ada", "~ada/ada": "~ada/ada", "bob": ""} {
		page, err := s.Journal.Query(t.Context(), genesis.AuditQuery{Subject: subject})
		var got []string
		for _, e := range page.Entries {
			got = append(got, e.Subject)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s finds %q, %v, want %q", subject, got, err, want)
		}
	}
}

// TestOperatorsWhoMayNotOperate: the policies decide about revoking the tokens of others,
// as about all that operators do; one's own are revoked whatever they say.
func TestOperatorsWhoMayNotOperate(t *testing.T) {
	s, _ := work.OpenTest(t)
	withIdentity(t, s, "ada")
	_, session := signedIn(t, s, "ada")
	opal, own := signedIn(t, s, "opal")
	fox, _ := signedIn(t, s, "fox")
	if _, err := s.Vet(t.Context(), fox, "opal", genesis.Vetting{State: genesis.VettingRefused}); err != nil {
		t.Fatal(err)
	}
	opal, err := s.Identity.Current(t.Context(), opal)
	if err != nil || opal.Vetting != genesis.VettingRefused {
		t.Fatal(opal, err)
	}
	if err := s.RevokeToken(t.Context(), opal, session.Token.ID); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("an operator whose vetting was refused: %v", err)
	}
	if err := s.RevokeToken(t.Context(), opal, own.Token.ID); err != nil {
		t.Errorf("their own: %v", err)
	}
	ada, _ := signedIn(t, s, "ada")
	_, others := signedIn(t, s, "fox")
	if err := s.RevokeToken(t.Context(), ada, others.Token.ID); genesis.KindOf(err) != genesis.Private {
		t.Errorf("somebody without a duty: %v", err)
	}
	if err := s.RevokeToken(t.Context(), fox, session.Token.ID); err != nil {
		t.Errorf("an officer: %v", err)
	}
}
