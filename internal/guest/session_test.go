package guest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestSessionEnds: the next session is asked for when the node says that this one ends, by
// its own clock, be that sooner than the fifteen minutes that sessions mostly last, or
// later; and no sooner.
func TestSessionEnds(t *testing.T) {
	for _, tt := range []struct {
		lasts, ahead, after time.Duration
		begun               int
	}{
		{lasts: 15 * time.Minute, after: 13 * time.Minute, begun: 1},
		{lasts: 15 * time.Minute, after: 14*time.Minute + time.Second, begun: 2},
		{lasts: 4 * time.Minute, after: 3*time.Minute + time.Second, begun: 2},
		{lasts: 20 * time.Second, after: 11 * time.Second, begun: 2},
		{lasts: 15 * time.Minute, ahead: 24 * time.Hour, after: 14*time.Minute + time.Second, begun: 2},
		{lasts: 15 * time.Minute, ahead: -24 * time.Hour, after: 13 * time.Minute, begun: 1},
		{lasts: 30 * 24 * time.Hour, after: longest, begun: 2},
	} {
		now := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
		there := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(there.Close)
		at, _ := url.Parse(there.URL)
		begun := 0
		s := New(Config{At: at, Send: http.DefaultTransport.RoundTrip, Now: func() time.Time { return now }, Begin: func(context.Context, []byte) (genesis.PeerSession, string, error) {
			begun++
			clock := now.Add(tt.ahead)
			return genesis.PeerSession{Session: fmt.Sprint("gen_g_", begun), Expires: clock.Add(tt.lasts)}, clock.Format(http.TimeFormat), nil
		}})
		ask := func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, there.URL+"/v1/x", nil)
			resp, err := s.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		ask()
		now = now.Add(tt.after)
		ask()
		if begun != tt.begun {
			t.Errorf("%+v: %d sessions", tt, begun)
		}
	}
}

// TestSessionTries: a request is sent again where that may help, and three times in all.
func TestSessionTries(t *testing.T) {
	for code, want := range map[genesis.PeerCode]int{genesis.CodeExpired: tries, genesis.CodeUnknown: tries, genesis.CodeBadKey: tries, genesis.CodeBadProof: 1, "": 1} {
		sent := 0
		there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			sent++
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(genesis.Problem{Kind: genesis.Permission, Code: code, Detail: "no"})
		}))
		at, _ := url.Parse(there.URL)
		begun := 0
		s := New(Config{At: at, Send: http.DefaultTransport.RoundTrip, Begin: func(context.Context, []byte) (genesis.PeerSession, string, error) {
			begun++
			return genesis.PeerSession{Session: fmt.Sprint("gen_g_", begun), Expires: time.Now().Add(15 * time.Minute)}, "", nil
		}})
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, there.URL+"/v1/x", nil)
		resp, err := s.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var p genesis.Problem
		if json.NewDecoder(resp.Body).Decode(&p) != nil || p.Code != code {
			t.Errorf("%q: the refusal cannot be read: %+v", code, p)
		}
		resp.Body.Close()
		there.Close()
		if sent != want || begun != want {
			t.Errorf("%q: sent %d times in %d sessions, want %d", code, sent, begun, want)
		}
	}
}

// TestSessionThatIsNone: what could not be a header is no session.
func TestSessionThatIsNone(t *testing.T) {
	at, _ := url.Parse("https://data.example.edu")
	for _, token := range []string{"", "a b", "a\r\nX: y", "é"} {
		s := New(Config{At: at, Send: func(*http.Request) (*http.Response, error) { t.Error("it was sent"); return nil, nil },
			Begin: func(context.Context, []byte) (genesis.PeerSession, string, error) {
				return genesis.PeerSession{Session: token}, "", nil
			}})
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://data.example.edu/v1/x", nil)
		if _, err := s.Do(r); genesis.KindOf(err) != genesis.Unavailable {
			t.Errorf("%q: %v", token, err)
		}
	}
}
