package federation

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// TestStrangers: a member that does not know this node as one says so, whoever asks, and
// what is known of that is told until it answers again. What it has not is named as it is
// here.
func TestStrangers(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit")
	nrel, mit := all[0], all[1]
	knows := false
	door := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Date", w.now().UTC().Format(http.TimeFormat))
		switch {
		case r.URL.Path == "/.well-known/genesis":
			text, _ := nrel.Descriptor(r.Context())
			_, _ = io.WriteString(rw, text)
		case r.URL.Path == "/v1/exchange" && !knows:
			rw.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(rw).Encode(genesis.Problem{Kind: genesis.Permission, Code: genesis.CodeBadIssuer, Detail: `it is of "mit", which is no member of the federation`})
		case r.URL.Path == "/v1/exchange":
			_ = json.NewEncoder(rw).Encode(genesis.PeerSession{Session: "gen_g_1", Expires: w.now().Add(1e11)})
		default:
			rw.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(rw).Encode(genesis.Problem{Kind: genesis.NotFound, Subject: "nuclei", Detail: `show "nuclei": is not here, or not for you to see`})
		}
	}))
	nrel.door.Store(&door)
	people := mit.People(func(context.Context, genesis.Principal, genesis.NodeID, string) (genesis.PeerToken, error) {
		return genesis.PeerToken{Token: "word"}, nil
	}, inNoProject)
	get := func() error {
		_, err := people.Get(t.Context(), genesis.Principal{Subject: "ada", Node: "mit"}, "nrel", "/versions/nuclei", nil)
		return err
	}
	advice := func() string {
		x, err := mit.FederationInfo(t.Context(), operator)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(x.Advice, "\n")
	}
	if got := advice(); got != "" {
		t.Errorf("at first: %q", got)
	}
	if err := get(); genesis.KindOf(err) != genesis.Permission || !errors.Is(err, guest.ErrStranger) {
		t.Errorf("%v", err)
	}
	if got := advice(); !strings.HasPrefix(got, "nrel: this node is no member, as far as is known there") {
		t.Errorf("told: %q", got)
	}
	knows = true
	var e *genesis.Error
	if err := get(); !errors.As(err, &e) || e.Kind != genesis.NotFound || e.Subject != "nrel/nuclei" || strings.Contains(e.Error(), "http") {
		t.Errorf("%v", err)
	}
	if got := advice(); got != "" {
		t.Errorf("it answered, and still: %q", got)
	}
}
