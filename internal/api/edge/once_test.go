package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

func openDB(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// made counts what a creating handler made.
type made struct{ n int }

func (m *made) make(w http.ResponseWriter, r *http.Request) {
	m.n++
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", fmt.Sprint("/made/", m.n))
	w.Header().Set("Set-Cookie", "s=secret")
	w.WriteHeader(201)
	fmt.Fprintf(w, "%d %s", m.n, b)
}

func creating(t *testing.T, keys KeyStore, do http.HandlerFunc) *rig {
	return newRig(t, Config{Keys: keys, Authenticate: byName, Body: 1 << 20, KeysMax: 5}, map[string]Route{
		"POST /x": {Creates: true}, "POST /y": {Creates: true}, "POST /secret": {Creates: true, Secret: true}, "POST /plain": {}}, do)
}

// ask2 asks as ada with a key.
func (g *rig) as(who, key, target, body string, header ...string) *httptest.ResponseRecorder {
	return g.ask("POST", target, body, append(header, "Authorization", "Bearer "+who, KeyHeader, key)...)
}

func TestOnce(t *testing.T) {
	m := &made{}
	g := creating(t, &SQLKeys{DB: openDB(t, filepath.Join(t.TempDir(), "db"))}, m.make)
	first := g.as("ada", "k1", "/x", "body")
	if first.Code != 201 || first.Body.String() != "1 body" || first.Header().Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	again := g.as("ada", `"k1"`, "/x", "body") // quoted, as the draft of the standard has it
	if again.Code != 201 || again.Body.String() != "1 body" || again.Header().Get("Idempotency-Replayed") != "true" ||
		again.Header().Get("Location") != "/made/1" || again.Header().Get("Content-Type") != "application/json" || again.Header().Get("Set-Cookie") != "" {
		t.Errorf("%d %s %v", again.Code, again.Body, again.Header())
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"other body":  g.as("ada", "k1", "/x", "other"),
		"other query": g.as("ada", "k1", "/x?q", "body"),
		"other type":  g.as("ada", "k1", "/x", "body", "Content-Type", "text/plain"),
	} {
		if p := problemIn(t, w); w.Code != 422 || p.Kind != genesis.Invalid {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if m.n != 1 {
		t.Errorf("made %d times", m.n)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"another person": g.as("bob", "k1", "/x", "body"),
		"another route":  g.as("ada", "k1", "/y", "body"),
		"another key":    g.as("ada", "k2", "/x", "body"),
		"no key":         g.ask("POST", "/x", "body", "Authorization", "Bearer ada"),
		"nobody":         g.ask("POST", "/x", "body", KeyHeader, "k1"),
		"nobody again":   g.ask("POST", "/x", "body", KeyHeader, "k1"),
		"plain route":    g.as("ada", "k1", "/plain", "body"),
	} {
		if w.Code != 201 || w.Header().Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if m.n != 8 {
		t.Errorf("made %d times", m.n)
	}
}

func TestKeys(t *testing.T) {
	g := creating(t, nil, (&made{}).make)
	if w := g.as("ada", "k", "/x", ""); w.Code != 501 {
		t.Errorf("without a store: %d", w.Code)
	}
	g = creating(t, &SQLKeys{DB: openDB(t, filepath.Join(t.TempDir(), "db"))}, (&made{}).make)
	for _, key := range []string{" ", `""`, "a b", strings.Repeat("x", 201), "ü", `a"b`, "\x7f"} {
		if w := g.as("ada", key, "/x", ""); w.Code != 422 {
			t.Errorf("%q: %d", key, w.Code)
		}
	}
	if w := g.as("ada", "k", "/x", strings.Repeat("x", 1<<20+1)); w.Code != 413 {
		t.Errorf("a large body: %d", w.Code)
	}
	for i := range 7 {
		w := g.as("ada", fmt.Sprint("k", i), "/x", "")
		if want := map[bool]int{true: 201, false: 429}[i < 5]; w.Code != want {
			t.Errorf("key %d: %d", i, w.Code)
		}
	}
	if w := g.as("ada", "k1", "/x", ""); w.Code != 201 {
		t.Errorf("a key that is known, with all used up: %d", w.Code)
	}
}

// TestOnceAfterCrash: what was answered is remembered by the next process; what
// broke off in between is free.
func TestOnceAfterCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	m := &made{}
	keys := &SQLKeys{DB: openDB(t, path)}
	g := creating(t, keys, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "crash" && m.n < 1 {
			m.n++
			panic(http.ErrAbortHandler)
		}
		m.make(w, r)
	})
	func() {
		defer func() { _ = recover() }()
		g.as("ada", "k", "/x?crash", "body")
	}()
	if w := g.as("ada", "k", "/x?crash", "body"); w.Code != 201 || w.Body.String() != "2 body" {
		t.Errorf("a key is stuck: %d %s", w.Code, w.Body)
	}
	keys.DB.Close()
	g = creating(t, &SQLKeys{DB: openDB(t, path)}, m.make)
	if w := g.as("ada", "k", "/x?crash", "body"); w.Code != 201 || w.Body.String() != "2 body" {
		t.Errorf("forgotten: %d %s", w.Code, w.Body)
	}
}

func TestOnceExpires(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	db := openDB(t, filepath.Join(t.TempDir(), "db"))
	m := &made{}
	g := creating(t, &SQLKeys{DB: db, Now: func() time.Time { return now }}, m.make)
	g.as("ada", "k", "/x", "")
	now = now.Add(KeepKeys - time.Second)
	g.as("ada", "k", "/x", "")
	if m.n != 1 {
		t.Error("forgotten too early")
	}
	now = now.Add(2 * time.Second)
	if w := g.as("ada", "k", "/x", "other"); w.Code != 201 || m.n != 2 {
		t.Errorf("a day later: %d", w.Code)
	}
	var rows int
	if err := db.Read().QueryRow(`SELECT COUNT(*) FROM idempotency`).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// TestTwins: while a request is carried out, the same one is told to wait and
// another under its key is refused.
func TestTwins(t *testing.T) {
	started, end := make(chan bool), make(chan bool)
	m := &made{}
	g := creating(t, &SQLKeys{DB: openDB(t, filepath.Join(t.TempDir(), "db"))}, func(w http.ResponseWriter, r *http.Request) {
		started <- true
		<-end
		m.make(w, r)
	})
	done := make(chan *httptest.ResponseRecorder)
	go func() { done <- g.as("ada", "k", "/x", "body") }()
	<-started
	if w := g.as("ada", "k", "/x", "body"); w.Code != 409 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("the same: %d", w.Code)
	}
	if w := g.as("ada", "k", "/x", "other"); w.Code != 422 {
		t.Errorf("another: %d", w.Code)
	}
	close(end)
	if w := <-done; w.Code != 201 {
		t.Errorf("%d", w.Code)
	}
	if w := g.as("ada", "k", "/x", "body"); w.Code != 201 || m.n != 1 {
		t.Errorf("afterwards: %d, made %d times", w.Code, m.n)
	}
}

// TestWhatIsKept: errors that may pass are not; secrets and long answers are not
// told again, but nothing is made twice.
func TestWhatIsKept(t *testing.T) {
	for _, c := range []struct {
		name, target string
		status       int
		body         string
		second       int // status of the second answer
		calls        int
	}{
		{"created", "/x", 201, "made", 201, 1},
		{"no content", "/x", 204, "", 204, 1},
		{"wrong forever", "/x", 422, "wrong", 422, 1},
		{"forbidden now", "/x", 403, "no", 403, 2},
		{"not there yet", "/x", 404, "no", 404, 2},
		{"busy", "/x", 503, "no", 503, 2},
		{"broken", "/x", 500, "no", 500, 2},
		{"secret", "/secret", 200, "token", 409, 1},
		{"too long", "/x", 200, strings.Repeat("x", maxKept+1), 409, 1},
		{"too long a refusal", "/x", 422, strings.Repeat("x", maxKept+1), 422, 2},
	} {
		calls := 0
		g := creating(t, &SQLKeys{DB: openDB(t, filepath.Join(t.TempDir(), "db"))}, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		if w := g.as("ada", "k", c.target, ""); w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s: first %d, %d bytes", c.name, w.Code, w.Body.Len())
		}
		w := g.as("ada", "k", c.target, "")
		if w.Code != c.second || calls != c.calls || w.Code == c.status && w.Body.String() != c.body {
			t.Errorf("%s: second %d %.100s, %d calls", c.name, w.Code, w.Body, calls)
		}
		if c.second == 409 && strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s is told again", c.name)
		}
	}
}

// TestKeptOfOneIsBounded: beyond what may be kept for a person nothing is made twice
// either, refusals stay refusals, and others' answers are kept.
func TestKeptOfOneIsBounded(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "db"))
	calls, size := 0, maxKept
	g := newRig(t, Config{Keys: &SQLKeys{DB: db}, Authenticate: byName, Body: 1 << 20}, map[string]Route{"POST /x": {Creates: true}}, func(w http.ResponseWriter, r *http.Request) {
		calls++
		if r.URL.RawQuery == "refuse" {
			w.WriteHeader(422)
		}
		io.WriteString(w, strings.Repeat("x", size))
	})
	for i := range maxKeptOfOne/maxKept + 10 {
		g.as("ada", fmt.Sprint("k", i), "/x", "")
	}
	var held int
	if err := db.Read().QueryRow(`SELECT SUM(LENGTH(body)) FROM idempotency`).Scan(&held); err != nil || held > maxKeptOfOne || held < maxKeptOfOne/2 {
		t.Errorf("%d bytes, %v", held, err)
	}
	for _, c := range []struct {
		who, target string
		code, calls int
	}{{"ada", "/x", 409, 1}, {"ada", "/x?refuse", 422, 2}, {"bob", "/x", 200, 1}} {
		calls = 0
		key := "after " + c.who + c.target
		key = strings.ReplaceAll(key, " ", "-")
		g.as(c.who, key, c.target, "")
		if w := g.as(c.who, key, c.target, ""); w.Code != c.code || calls != c.calls {
			t.Errorf("%s %s: %d after %d calls", c.who, c.target, w.Code, calls)
		}
	}
}

// TestLinesAreReplayed: the last line of an answer of lines is the answer; it is
// remembered before it is sent, and events are sent at once.
func TestLinesAreReplayed(t *testing.T) {
	event, result := `{"event":{"stage":"training"}}`+"\n", `{"result":{"version":7}}`+"\n"
	for _, c := range []struct {
		name   string
		writes []string
		cut    bool
		calls  int
		second string
	}{
		{"result", []string{event, event, result}, false, 1, result},
		{"in pieces", []string{event[:5], event[5:] + result[:9], result[9:]}, false, 1, result},
		{"failed for good", []string{event, `{"error":{"status":422}}` + "\n"}, false, 1, `{"error":{"status":422}}` + "\n"},
		{"failed for now", []string{event, `{"error":{"status":503}}` + "\n"}, false, 2, event + `{"error":{"status":503}}` + "\n"},
		{"canceled", []string{`{"error":{"status":499}}` + "\n"}, false, 2, `{"error":{"status":499}}` + "\n"},
		{"no last line", []string{event}, false, 2, event},
		{"half a last line", []string{event, result[:10]}, false, 2, event},
		{"cut", []string{event}, true, 2, event},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := 0
			keys := &SQLKeys{DB: openDB(t, filepath.Join(t.TempDir(), "db"))}
			g := creating(t, keys, func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Content-Type", "application/x-ndjson")
				w.WriteHeader(200)
				for _, text := range c.writes {
					io.WriteString(w, text)
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
				}
				if c.cut {
					panic(http.ErrAbortHandler)
				}
			})
			ask := func() (w *httptest.ResponseRecorder) {
				defer func() { _ = recover() }()
				w = httptest.NewRecorder()
				r := httptest.NewRequest("POST", "/x", nil)
				r.Host = "localhost"
				r.Header.Set("Authorization", "Bearer ada")
				r.Header.Set(KeyHeader, "k")
				g.handler.ServeHTTP(w, r)
				return w
			}
			ask()
			second := ask()
			if calls != c.calls || second != nil && second.Body.String() != c.second {
				t.Errorf("%d calls, %q", calls, second.Body)
			}
		})
	}
}

// TestKeysOfAnotherNode: people that another node makes up use one person's keys together.
func TestKeysOfAnotherNode(t *testing.T) {
	m := &made{}
	g := newRig(t, Config{Node: "nrel", Keys: &SQLKeys{DB: openDB(t, filepath.Join(t.TempDir(), "db"))}, Authenticate: byName, Body: 1 << 20, KeysMax: 3, Metrics: NewMetrics()},
		map[string]Route{"POST /x": {Creates: true}}, m.make)
	for _, c := range []struct {
		who  string
		want int
	}{{"mit/a", 201}, {"mit/b", 201}, {"mit/c", 201}, {"mit/d", 429}, {"ornl/a", 201}, {"ada", 201}} {
		if w := g.as(c.who, "k", "/x", "body"); w.Code != c.want {
			t.Errorf("%s: %d %s", c.who, w.Code, w.Body)
		}
	}
}

// sentBeforeKept fails when an answer goes out before it is remembered.
func TestKeptBeforeSent(t *testing.T) {
	for _, lines := range []bool{false, true} {
		var out *httptest.ResponseRecorder
		keys := &stubKeys{keep: func(k Kept) error {
			if sent := out.Body.String(); strings.Contains(sent, "result") {
				t.Errorf("sent before it was remembered: %s", sent)
			}
			return errors.New("disk full")
		}}
		g := creating(t, keys, func(w http.ResponseWriter, _ *http.Request) {
			if lines {
				w.Header().Set("Content-Type", "application/x-ndjson")
			}
			io.WriteString(w, `{"result":1}`+"\n")
			_ = http.NewResponseController(w).Flush()
		})
		out = httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/x", nil)
		r.Host = "localhost"
		r.Header.Set("Authorization", "Bearer ada")
		r.Header.Set(KeyHeader, "k")
		g.handler.ServeHTTP(out, r)
		if out.Code != 200 || !strings.Contains(out.Body.String(), "result") || !strings.Contains(g.log.String(), "disk full") {
			t.Errorf("what was made is not told: %d %s", out.Code, out.Body)
		}
	}
}

type stubKeys struct{ keep func(Kept) error }

func (s *stubKeys) Find(context.Context, string) (Kept, bool, error)         { return Kept{}, false, nil }
func (s *stubKeys) Keep(_ context.Context, _ string, _ string, k Kept) error { return s.keep(k) }
func (s *stubKeys) Count(context.Context, string) (int, error)               { return 0, nil }

// TestClaim tells requests apart by who asks, with what, for what, under which key.
func TestClaim(t *testing.T) {
	ada := genesis.Principal{Subject: "ada", Node: "n"}
	narrower, bob := ada, ada
	narrower.Credential, bob.Subject = "t2", "bob" // a narrower token does not see what a wider one was told
	claim := claimOf(ada, "POST /x", "k")
	if len(claim) != 64 || claimOf(ada, "POST /x", "k") != claim {
		t.Errorf("%q", claim)
	}
	for what, other := range map[string]string{"another token": claimOf(narrower, "POST /x", "k"), "somebody else": claimOf(bob, "POST /x", "k"),
		"another route": claimOf(ada, "POST /y", "k"), "another key": claimOf(ada, "POST /x", "k2")} {
		if other == claim {
			t.Errorf("%s has the same claim", what)
		}
	}
}
