package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestPeople: the node asks for somebody with its word for them alone, again when a
// session ended, and passes on the part that was asked for.
func TestPeople(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit")
	nrel, mit := all[0], all[1]
	var sessions []string
	ended := ""
	door := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/genesis" { // which version it speaks
			text, _ := nrel.Descriptor(r.Context())
			_, _ = io.WriteString(rw, text)
			return
		}
		if r.URL.Path == "/v1/exchange" {
			var e genesis.ExchangeRequest
			_ = json.NewDecoder(r.Body).Decode(&e)
			sessions = append(sessions, e.Token)
			_ = json.NewEncoder(rw).Encode(genesis.PeerSession{Session: fmt.Sprintf("gen_g_%d_%s", len(sessions), e.Token), Expires: w.now().Add(15 * time.Minute)})
			return
		}
		session := r.Header.Get("Authorization")
		rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
		switch {
		case session == ended:
			rw.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(rw).Encode(genesis.Problem{Kind: genesis.Permission, Code: genesis.CodeUnknown, Detail: "no such session"})
		case r.URL.Path == "/v1/refused":
			rw.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(rw).Encode(genesis.Problem{Kind: genesis.Permission, Detail: "it is restricted", Hint: "train there"})
		case r.Header.Get("Range") != "":
			rw.WriteHeader(http.StatusPartialContent)
			fmt.Fprint(rw, session, r.Header.Get("Range"), r.Header.Get("Genesis-Purpose"))
		default:
			fmt.Fprint(rw, session)
		}
	}))
	nrel.door.Store(&door)
	people := mit.People(func(_ context.Context, who genesis.Principal, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error) {
		return genesis.PeerToken{Token: who.Subject + "-at-" + string(audience)}, nil
	}, inNoProject)
	get := func(who genesis.Principal, path string, header http.Header) (string, error) {
		resp, err := people.Get(t.Context(), who, "nrel", path, header)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	ada, bob := genesis.Principal{Subject: "ada", Node: "mit", Purpose: "fusion"}, genesis.Principal{Subject: "bob", Node: "mit"}
	for _, c := range []struct {
		who    genesis.Principal
		header http.Header
		want   string
	}{
		{ada, nil, "Bearer gen_g_1_ada-at-nrel"},
		{bob, nil, "Bearer gen_g_2_bob-at-nrel"},
		{ada, http.Header{"Range": {"bytes=0-9"}}, "Bearer gen_g_1_ada-at-nrelbytes=0-9fusion"},
	} {
		if got, err := get(c.who, "/x", c.header); err != nil || got != c.want {
			t.Errorf("%s gets %q, %v; want %q", c.who.Subject, got, err, c.want)
		}
	}
	ended = "Bearer gen_g_1_ada-at-nrel"
	if got, err := get(ada, "/x", nil); err != nil || got != "Bearer gen_g_3_ada-at-nrel" {
		t.Errorf("after the session ended: %q, %v", got, err)
	}
	narrow := ada
	narrow.Scopes = []genesis.Scope{"read"}
	if got, _ := get(narrow, "/x", nil); got != "Bearer gen_g_4_ada-at-nrel" {
		t.Errorf("a narrowed token shares a session: %q", got)
	}
	if _, err := get(bob, "/refused", nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a refusal is %v", err)
	}
	for i := range 2 * maxDoors {
		people.door(genesis.Principal{Subject: fmt.Sprint("p", i)}, "nrel", "")
	}
	if len(people.doors) != maxDoors {
		t.Errorf("%d doors are kept", len(people.doors))
	}
}

func inNoProject(context.Context, genesis.Principal) (string, error) { return "", nil }
