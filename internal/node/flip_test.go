//go:build linux || darwin

package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/store"
)

// decisive are values of rows that say who may do what, who somebody is, and what was
// run. A changed one must never decide.
var decisive = map[string]string{
	"terms":              "SELECT body FROM policy_terms ORDER BY turn LIMIT 1",
	"a grant's actions":  `SELECT substr(body, instr(body, '"actions"'), 36) FROM policy_grants ORDER BY seq DESC LIMIT 1`,
	"a grant's id":       "SELECT id FROM policy_grants ORDER BY seq LIMIT 1",
	"account's duties":   "SELECT duties FROM accounts WHERE subject = 'sam'",
	"account's password": "SELECT password FROM accounts WHERE subject = 'sam'",
	"token":              "SELECT hash FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE a.subject = 'gil'",
	"a token's id":       "SELECT t.id FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE a.subject = 'sam'",
	"run":                "SELECT request FROM runs",
	"who asked for it":   "SELECT asker FROM runs",
	"what came of it":    "SELECT result FROM runs",
}

// ruled is a closed home in which access was decided and something was run: its
// folder, tokens and answers, and where in its database the decisive values lie.
func ruled(t *testing.T) (dir string, w *town, names []string, places map[string][]int) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "home")
	w, stop, names := settled(t, dir)
	w.lend("wind", long(400), genesis.TrainOn, genesis.Infer)
	names = append(names, "wind")
	if status, body := w.call("sam", "POST", "/v1/train", `{"dataset":"wind","name":"~sam/net","target":["a"],"epochs":2,"members":1}`); status != 200 || !strings.Contains(string(body), `"result"`) {
		t.Fatalf("%d %s", status, body)
	}
	stop()
	db, err := store.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	file, err := os.ReadFile(filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	places = map[string][]int{}
	for name, query := range decisive {
		var value string
		if err := db.Read().QueryRowContext(t.Context(), query).Scan(&value); err != nil {
			t.Fatal(name, err)
		}
		places[name] = placesOf(file, value)
		if len(places[name]) == 0 {
			t.Fatalf("%s: %q is not in the file", name, value)
		}
	}
	return dir, w, names, places
}

// placesOf returns where the beginning of a value lies in a file, in its table and in
// indexes: the first few places.
func placesOf(file []byte, value string) (all []int) {
	value = value[:min(len(value), 100)]
	for at := 0; ; at++ {
		next := bytes.Index(file[at:], []byte(value))
		if next < 0 || len(all) == 4 {
			return all
		}
		at += next
		all = append(all, at+len(value)*2/3)
	}
}

// TestFlippedRows flips bits of rows that decide, in the database of a closed home:
// whoever opens and uses it is answered as before or is told which page is damaged.
func TestFlippedRows(t *testing.T) {
	dir, w, names, places := ruled(t)
	want := w.reopened(dir, names)
	for _, err := range want.errs {
		t.Error(err)
	}
	path := filepath.Join(dir, "catalog.db")
	for name, all := range places {
		if testing.Short() {
			all = all[:1]
		}
		for _, at := range all {
			page := fmt.Sprintf("page %d of catalog.db", at/4096+1)
			flipBit(t, path, at)
			got := w.reopened(dir, names)
			for question, answer := range got.answers {
				if answer != want.answers[question] && !strings.HasPrefix(answer, "500 ") {
					t.Errorf("%s: %s\nis %s\nnot %s", name, question, answer, want.answers[question])
				}
			}
			told := strings.Contains(got.found, page) // what nothing reads by itself
			for _, err := range got.errs {
				told = told || strings.Contains(err.Error(), page)
				if genesis.KindOf(err) != genesis.Internal {
					t.Errorf("%s: %v", name, err)
				}
			}
			if !told {
				t.Errorf("%s: nobody is told that %s is damaged: %v", name, page, got.errs)
			}
			flipBit(t, path, at)
		}
	}
	if got := w.reopened(dir, names); len(got.errs) > 0 {
		t.Errorf("after all bits are back: %v", got.errs)
	}
}

// seen is what a home answers, and what the node itself was told.
type seen struct {
	answers map[string]string
	errs    []error
	found   string // by a check of the whole catalogue
}

// reopened opens a home and uses it.
func (w *town) reopened(dir string, names []string) (s seen) {
	w.Helper()
	n, err := Start(w.Context(), mustHome(w.T, dir), Options{Network: true})
	if err != nil {
		return seen{errs: []error{err}}
	}
	defer n.close()
	srv := httptest.NewServer(n.handler)
	defer srv.Close()
	again := &town{T: w.T, url: srv.URL, works: n.service.(*works), local: access.Local("here"), token: w.token}
	s.answers = again.answers(names)
	note := func(_ any, err error) {
		if err != nil {
			s.errs = append(s.errs, err)
		}
	}
	note(again.works.Grants(w.Context(), again.local, genesis.GrantQuery{}))
	for _, subject := range []string{"gil", "sam"} {
		note(again.works.Tokens(w.Context(), again.local, subject, "", 0))
		note(again.works.SignIn(w.Context(), "127.0.0.1:1", genesis.SignInRequest{Subject: subject, Password: password}))
	}
	damage, err := again.works.Catalog.Check(w.Context())
	for _, d := range damage {
		s.found += d.Msg + "\n"
	}
	note(nil, err)
	note(again.works.Runs(w.Context(), again.local, true, "", "", 0))
	return s
}

// flipBit changes a bit of a byte of a file.
func flipBit(t *testing.T, path string, at int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		b[at] ^= 2
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFlippedJournal flips bits of the databases beside the log: what the log says is
// answered as before, or there is an error that names the page.
func TestFlippedJournal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	w, stop, _ := settled(t, dir)
	audited := func(w *town) (string, error) {
		page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "grant"})
		if err != nil {
			return "", err
		}
		for i, e := range page.Entries {
			page.Entries[i] = genesis.AuditEntry{Act: e.Act, Actor: e.Actor, Subject: e.Subject, Detail: e.Detail, Time: e.Time}
		}
		b, err := json.Marshal(page.Entries)
		return string(b), err
	}
	want, err := audited(w)
	if err != nil || !strings.Contains(want, "public-1") {
		t.Fatal(want, err)
	}
	stop()
	random, noticed := rand.New(rand.NewPCG(1, 7)), 0
	for _, name := range []string{"private.db", "index.db"} {
		path := filepath.Join(dir, "journal", name)
		sound, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			at := random.IntN(len(sound))
			if err := os.WriteFile(path, sound, 0o600); err != nil {
				t.Fatal(err)
			}
			flipBit(t, path, at)
			n, err := Start(t.Context(), mustHome(t, dir), Options{Network: true})
			var got string
			if err == nil {
				got, err = audited(&town{T: t, works: n.service.(*works), local: access.Local("here")})
				if err := n.close(); err != nil {
					t.Error(err)
				}
			}
			if page := fmt.Sprintf("page %d of %s", at/4096+1, name); err != nil && !strings.Contains(err.Error(), page) {
				t.Errorf("%v does not name %s", err, page)
			} else if err == nil && got != want {
				t.Errorf("byte %d of %s: the log says\n%s\nnot\n%s", at, name, got, want)
			}
			if err != nil {
				noticed++
			}
		}
		if err := os.WriteFile(path, sound, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if noticed == 0 {
		t.Error("no flip did anything: the test shows nothing")
	}
}
