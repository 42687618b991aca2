package identity

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type charter struct{}

func (charter) Member(id genesis.NodeID) (genesis.Member, bool) {
	return genesis.Member{ID: id, Institution: "National Laboratory", Sector: genesis.Laboratory}, id == "nrel"
}

func (c charter) Members() []genesis.Member {
	m, _ := c.Member("nrel")
	return []genesis.Member{m}
}

// world is an Identity with what a test looks at.
type world struct {
	*Identity
	clock   *clock
	db      *store.DB
	logs    *bytes.Buffer
	mu      sync.Mutex
	events  []Event
	fail    error // what recording answers
	changes int
}

const password = "seven lamps, one attic"

// cheap makes tests fast; TestHashes tests the real cost.
var cheap = Cost{Memory: 64, Passes: 1, Iterations: 1000}

func open(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &world{clock: &clock{t: time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)}, db: db, logs: &bytes.Buffer{}}
	c := Config{DB: db, Node: "nrel", Charter: charter{}, External: "https://data.example.edu", Now: w.clock.now,
		Key: []byte("a key of at least sixteen bytes"), Log: slog.New(slog.NewTextHandler(w.logs, nil)),
		Record: w.record, Changed: func() { w.mu.Lock(); w.changes++; w.mu.Unlock() }}
	for _, f := range change {
		f(&c)
	}
	if w.Identity, err = Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.passwords = newHasherOf(cheap, w.passwords.fips)
	t.Cleanup(func() { w.Close() })
	return w
}

func (w *world) record(_ context.Context, _ *sql.Tx, e Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return w.fail
	}
	w.events = append(w.events, e)
	return nil
}

// last returns the last event, in short.
func (w *world) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return ""
	}
	e := w.events[len(w.events)-1]
	return string(e.Actor) + " " + e.Act + " " + string(e.Outcome) + " " + e.Subject + " " + string(e.Detail)
}

// local is the home's owner, as package access has it.
var local = genesis.Principal{Subject: "local", Duties: genesis.Duties}

// account makes an account with the usual password.
func (w *world) account(t testing.TB, subject string, duties ...genesis.Duty) {
	t.Helper()
	_, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: subject, Password: password, Duties: duties})
	if err != nil {
		t.Fatal(err)
	}
}

// signIn signs somebody in and returns who they are and their secret.
func (w *world) signIn(t testing.TB, subject string) (genesis.Principal, string) {
	t.Helper()
	token, err := w.Password(t.Context(), subject, password, "", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	return w.who(t, token.Secret), token.Secret
}

func (w *world) who(t testing.TB, secret string) genesis.Principal {
	t.Helper()
	p, err := w.Authenticate(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wants fails unless err is of a kind, and, when cause is there, has it.
func wants(t testing.TB, err error, kind genesis.ErrorKind, cause error) {
	t.Helper()
	if genesis.KindOf(err) != kind || cause != nil && !errors.Is(err, cause) {
		t.Errorf("error is %v (%s), want kind %s, cause %v", err, genesis.KindOf(err), kind, cause)
	}
}

func TestOpenRefuses(t *testing.T) {
	w := open(t)
	good := Config{DB: w.db, Node: "nrel", Record: w.record}
	campus := Provider{ID: "campus", Issuer: "https://login.example.edu", ClientID: "genesis"}
	for name, change := range map[string]func(*Config){
		"no database":        func(c *Config) { c.DB = nil },
		"no node":            func(c *Config) { c.Node = "" },
		"nothing recorded":   func(c *Config) { c.Record = nil },
		"short key":          func(c *Config) { c.Key = []byte("short") },
		"no external URL":    func(c *Config) { c.Providers = []Provider{campus} },
		"external not https": func(c *Config) { c.Providers, c.External = []Provider{campus}, "http://data.example.edu" },
		"same id twice":      func(c *Config) { c.Providers, c.External = []Provider{campus, campus}, "https://data.example.edu" },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			_, err := Open(t.Context(), c)
			wants(t, err, genesis.Invalid, nil)
		})
	}
}

func TestSignInAndOut(t *testing.T) {
	w := open(t)
	w.account(t, "ada", genesis.DutySteward)
	p, secret := w.signIn(t, "ada")
	want := genesis.Principal{Subject: "ada", Node: "nrel", Institution: "National Laboratory", Sector: genesis.Laboratory,
		Duties: []genesis.Duty{genesis.DutySteward}, Assurance: genesis.AssurancePassword, Credential: p.Credential}
	equal(t, p, want)
	if !strings.HasPrefix(w.last(), `nrel/ada sign-in done ada {"assurance":"password"`) {
		t.Errorf("the last event is %s", w.last())
	}
	if err := w.SignOut(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err := w.Authenticate(t.Context(), secret)
	wants(t, err, genesis.Permission, Revoked)
	wants(t, w.SignOut(t.Context(), p), genesis.Permission, Revoked)
}

func TestPasswordRefusals(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "gone")
	yes := true
	if _, err := w.ChangeAccount(t.Context(), local, "gone", genesis.AccountChange{Disabled: &yes}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "robot", Service: true}); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	for name, try := range map[string][2]string{
		"wrong password":  {"ada", "another password"},
		"unknown person":  {"eve", password},
		"no password":     {"robot", password},
		"no password, ''": {"robot", ""},
		"no name":         {"not a name", password},
		"long password":   {"ada", strings.Repeat("x", 1<<20)},
		"nobody":          {"", ""},
		"disabled, wrong": {"gone", "another password"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.Password(t.Context(), try[0], try[1], "", "192.0.2.1")
			wants(t, err, genesis.Permission, WrongPassword)
			said[err.Error()] = true
		})
	}
	if len(said) != 1 {
		t.Errorf("what is said tells names from passwords: %v", said)
	}
	_, err := w.Password(t.Context(), "gone", password, "", "192.0.2.1")
	wants(t, err, genesis.Permission, Disabled)
	if got := w.last(); got != `nrel/gone sign-in refused gone {"how":"password","reason":"disabled"}` {
		t.Errorf("the last event is %s", got)
	}
}

// TestUnrecordedIsUndone holds that nothing happens of which there is no record.
func TestUnrecordedIsUndone(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	p, secret := w.signIn(t, "ada")
	full := &genesis.Error{Op: "record", Kind: genesis.Unavailable, Msg: "the journal is full"}
	w.fail = full
	_, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "bob"})
	wants(t, err, genesis.Unavailable, full)
	_, err = w.Password(t.Context(), "ada", password, "", "192.0.2.1")
	wants(t, err, genesis.Unavailable, full)
	_, err = w.CreateToken(t.Context(), p, genesis.TokenRequest{Name: "x"})
	wants(t, err, genesis.Unavailable, full)
	wants(t, w.RevokeToken(t.Context(), p, p.Credential), genesis.Unavailable, full)
	w.fail = nil
	w.who(t, secret)
	_, err = w.Account(t.Context(), "bob")
	wants(t, err, genesis.NotFound, nil)
	tokens, _, err := w.Tokens(t.Context(), "ada", "")
	if err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens, %v", len(tokens), err)
	}
}

// TestNothingSecretIsTold looks for secrets in events, the log and the database.
func TestNothingSecretIsTold(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	p, secret := w.signIn(t, "ada")
	token, err := w.CreateToken(t.Context(), p, genesis.TokenRequest{Name: "laptop"})
	if err != nil {
		t.Fatal(err)
	}
	setup, codes := w.secondFactor(t, p)
	_, err = w.Password(t.Context(), "typed my password here", password, "", "192.0.2.1")
	wants(t, err, genesis.Permission, WrongPassword)
	events, err := json.Marshal(w.events)
	if err != nil {
		t.Fatal(err)
	}
	database := dump(t, w.db)
	for what, s := range map[string]string{"session": secret, "token": token.Secret, "password": password, "typed": "typed my password here", "totp": setup.Secret, "recovery": codes[0],
		"recovery, plain": strings.ReplaceAll(codes[0], "-", "")} {
		for where, text := range map[string]string{"events": string(events), "log": w.logs.String(), "database": database} {
			if strings.Contains(text, s) {
				t.Errorf("the %s is in the %s", what, where)
			}
		}
	}
	for _, shape := range []string{`"Subject":"ada"`, `"how":"password"`} {
		if !strings.Contains(string(events), shape) {
			t.Errorf("the events do not have %s, so this test looks at nothing: %s", shape, events)
		}
	}
	if !strings.Contains(database, "sealed1:") || !strings.Contains(database, "laptop") {
		t.Error("the dump of the database does not have what it should, so this test looks at nothing")
	}
}

// dump returns all text of the tables of this package.
func dump(t *testing.T, db *store.DB) string {
	t.Helper()
	var out strings.Builder
	for _, table := range []string{"accounts", "account_links", "recovery_codes", "tokens"} {
		rows, err := db.Read().Query("SELECT * FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for n := range values {
				values[n] = new(sql.NullString)
			}
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				out.WriteString(v.(*sql.NullString).String + "\n")
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}
