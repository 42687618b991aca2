package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node"
)

// asked are two nodes that answer anything, and what they were asked.
type asked struct {
	mu    sync.Mutex
	paths []string
}

func (a *asked) serve(name string, answers map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, quiet := answers[r.URL.Path]
		a.mu.Lock()
		if !quiet {
			signed := map[bool]string{true: " signed", false: ""}[r.Header.Get("Signature") != ""]
			a.paths = append(a.paths, name+" "+r.Method+" "+r.URL.EscapedPath()+signed)
		}
		a.mu.Unlock()
		if answer == nil {
			answer = struct{}{}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}
}

func (a *asked) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := slices.Compact(a.paths)
	a.paths = nil
	return strings.Join(all, ", ")
}

// TestNodesOfTheFederation: a reference, or --at, names a node; one's own vouches there, and
// the own id is nothing but a longer way to write a name.
func TestNodesOfTheFederation(t *testing.T) {
	a := &asked{}
	there := httptest.NewServer(a.serve("there", map[string]any{"/v1/exchange": genesis.PeerSession{Session: "gen_g_x", Expires: time.Now().Add(time.Hour)}}))
	defer there.Close()
	home := httptest.NewServer(a.serve("here", map[string]any{"/v1/node": genesis.NodeInfo{Node: "here"}, "/v1/tokens/peer": genesis.PeerToken{Token: "t"},
		"/v1/members": genesis.MemberList{Members: []genesis.Member{{ID: "here"}, {ID: "there", URL: there.URL}}}}))
	defer home.Close()
	t.Setenv("GENESIS_NODE", home.URL)
	t.Setenv("GENESIS_TOKEN", "gen_p_x")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	for _, tt := range []struct {
		args, want, says string
		status           int
	}{
		{"terms turbines", "here GET /v1/versions/turbines/conditions", "", 0},
		{"terms here/turbines@2", "here GET /v1/versions/turbines@2/conditions", "", 0},
		{"terms there/turbines@2", "there GET /v1/versions/turbines@2/conditions signed", "", 0},
		{"terms there/~ada/net", "there GET /v1/versions/~ada%2Fnet/conditions signed", "", 0},
		{"show there/turbines", "there GET /v1/versions/turbines signed", "", 0},
		{"request there/turbines --purpose p", "here POST /v1/requests", " requests", 0},
		{"--at there request turbines --purpose p", "there POST /v1/requests signed", "genesis --at there requests", 0},
		{"--at there whoami", "there GET /v1/whoami signed", "", 0},
		{"--at there requests --mine", "there GET /v1/requests signed", "", 0},
		{"--at there say r1 hello", "there POST /v1/requests/r1/messages signed", "", 0},
		{"--at there terms there/turbines", "there GET /v1/versions/turbines/conditions signed", "", 0},
		{"--at here terms turbines", "here GET /v1/versions/turbines/conditions", "", 0},
		{"--at there terms here/turbines", "", "is at another node than --at there", 3},
		{"terms absent/turbines", "", "is no member of the federation of here", 4},
		{"diff turbines there/turbines", "", "is at another node than turbines", 8},
		{"--at " + home.URL + " terms there/turbines", "there GET /v1/versions/turbines/conditions signed", "", 0},
	} {
		var out, complaints bytes.Buffer
		status := run(strings.Fields(tt.args), os.Stdin, &out, &complaints, node.Options{})
		if got := a.take(); status != tt.status || got != tt.want || !strings.Contains(out.String()+complaints.String(), tt.says) {
			t.Errorf("%s: status %d, asked %q\n%s%s", tt.args, status, got, out.String(), complaints.String())
		}
	}
}
