//go:build linux || darwin

package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

// TestTwoWorldsAcrossNodes: two federations differ only in what ada of mit, and mit, may
// not know of at nrel. Whatever she asks at home and there, whatever mit's node follows,
// and what it mirrors, is the same.
func TestTwoWorldsAcrossNodes(t *testing.T) {
	without, with := worldOf(t, false), worldOf(t, true)
	for _, key := range slices.Sorted(maps.Keys(without)) {
		if diff := cmp.Diff(without[key], with[key]); diff != "" {
			t.Errorf("%s tells of what is hidden (-without +with):\n%s", key, diff)
		}
	}
	for key := range with {
		if _, there := without[key]; !there {
			t.Errorf("%s is there in one world alone", key)
		}
	}
	if len(without) < 150 {
		t.Errorf("only %d answers were compared", len(without))
	}
}

// secrets are what ada of mit may not know of at nrel.
func (c *cluster) secrets() {
	w := c.towns["nrel"]
	hidden := true
	for name, req := range map[string]*genesis.PublishRequest{
		"s-partner": {Tier: genesis.TierPartner, Partners: []string{"ornl"}}, "s-hidden": {Tier: genesis.TierControlled, Hidden: &hidden},
		"s-restricted": {Tier: genesis.TierRestricted}, "s-draft": nil,
	} {
		w.prepare(name, "a,b\n1,2\n7,8\n")
		if req == nil {
			continue
		}
		w.must(w.works.Publish(c.Context(), w.local, name, *req))
		w.must(w.works.Grant(c.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:ornl/eve", Actions: []genesis.Action{genesis.TrainOn}}))
		w.must(w.works.Grant(c.Context(), w.local, genesis.GrantRequest{Ref: name, To: "institution:ornl", Actions: []genesis.Action{genesis.TrainOn}}))
	}
	draft := w.prepare("shown", "a,b\n1,2\n9,9\n") // of what she sees
	w.must(w.works.SetCard(c.Context(), w.local, draft, map[string]string{"title": "a secret title"}))
}

// worldOf is everything that ada and mit get in a world, by what was asked.
func worldOf(t *testing.T, hidden bool) map[string]string {
	c := newCluster(t, "nrel", "mit", "ornl")
	c.offer("nrel", "shown", genesis.PublishRequest{Tier: genesis.TierRegistered})
	if hidden {
		c.secrets()
	}
	c.offer("nrel", "open", genesis.PublishRequest{Tier: genesis.TierPublic})
	mit, nrel := c.towns["mit"], c.towns["nrel"]
	mit.admit("ada")
	c.follows("mit", []string{"members nrel/shown@1 registered", "public nrel/open@1 public"})
	c.finds("mit", "ada", "shown")
	c.finds("mit", "ada", "open")
	out := map[string]string{}
	ada := &traveller{secret: newSecret(), inner: http.DefaultTransport}
	ada.session = mit.travel("ada", nrel, ada.secret).Session
	visit := &http.Client{Transport: ada}
	ask(t, visit, "POST", nrel.url+"/v1/datasets/shown@1/cache", "") // whether it is cached differs by itself
	for _, r := range rows {
		if unsteadyRow(r) {
			continue
		}
		refs := []string{""}
		if r.ofAsset() {
			refs = []string{"shown", "shown@1", "shown@2", "s-partner", "s-hidden", "s-restricted", "s-draft", "none"}
		}
		for _, ref := range refs {
			fill := strings.NewReplacer("REF", url.PathEscape(ref), "RAW", ref, "WHO", "ada", "TABLE", "data")
			out["there "+r.id+" "+ref] = ask(t, visit, r.method, nrel.url+fill.Replace(r.path), fill.Replace(r.body))
			far := ref
			if far != "" {
				far = "nrel/" + far
			}
			fill = strings.NewReplacer("REF", url.PathEscape(far), "RAW", far, "WHO", "ada", "TABLE", "data")
			status, h, b := mit.exchange("ada", r.method, fill.Replace(r.path), fill.Replace(r.body))
			out["at home "+r.id+" "+ref] = told(status, h, b)
		}
	}
	out["mit follows"] = c.heardBy("mit", "nrel")
	out["mit mirrors"] = strings.Join(c.mirrored("mit"), "\n")
	for i := range out {
		out[i] = strings.NewReplacer(mit.url, "MIT", nrel.url, "NREL", c.towns["ornl"].url, "ORNL").Replace(out[i])
	}
	return out
}

// unsteadyRow are operations whose answers differ by themselves (times, ids, keys), or
// that change what the others answer.
func unsteadyRow(r row) bool {
	return r.changes || strings.HasPrefix(r.id, "create-") || strings.Contains(r.id, "totp") ||
		slices.Contains([]string{"node", "sign-out", "log-checkpoint", "log-tile", "submit-run", "start-device", "charter", "federation", "members", "put-project", "leave-federation", "rotate-keys", "refresh-federation"}, r.id)
}

func ask(t *testing.T, c *http.Client, method, at, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return told(resp.StatusCode, resp.Header, b)
}

// told is an answer without what differs by itself: whether somebody was told that they
// wait depends on how long that took.
func told(status int, h http.Header, b []byte) string {
	var lines []string
	for line := range strings.Lines(string(b)) {
		if inner, wrapped := strings.CutPrefix(line, `{"error":`); wrapped {
			line = strings.TrimSuffix(strings.TrimSpace(inner), "}")
			_, _ = fmt.Sscanf(line[max(0, strings.Index(line, `"status":`)):], `"status":%d`, &status)
		}
		if !strings.HasPrefix(line, `{"event":`) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return fmt.Sprint(status, " ", h.Get("Etag") != "", " ", unsteadyAbroad.ReplaceAllString(steady(strings.Join(lines, "\n")), "…"))
}

var unsteadyAbroad = regexp.MustCompile(`"(salt|digest|thread|message|run|jti|token)":"[^"]*"|at place \d+|[0-9a-f]{16,}|[A-Za-z0-9_-]{43,}={0,2}`)

// heardBy is everything that a node gets when it follows another: which logs, how long
// they are, and what stands in them.
func (c *cluster) heardBy(by, node genesis.NodeID) string {
	c.Helper()
	w := c.towns[by]
	door := &traveller{secret: newSecret(), inner: http.DefaultTransport}
	token, err := w.works.Identity.NodeToken(context.WithoutCancel(c.Context()), node, genesis.Thumbprint(door.secret))
	w.must(nil, err)
	body, err := json.Marshal(genesis.ExchangeRequest{Token: token.Token, Key: door.secret})
	w.must(nil, err)
	status, answer := c.towns[node].call("nobody", "POST", "/v1/exchange", string(body))
	var s genesis.PeerSession
	if err := json.Unmarshal(answer, &s); err != nil || status != 200 {
		c.Fatalf("%d %s", status, answer)
	}
	door.session = s.Session
	h := &http.Client{Transport: door}
	var all []string
	for _, path := range []string{"/v1/logs", "/v1/logs/public/statements", "/v1/logs/members/statements", "/v1/logs/to-mit/statements", "/v1/logs/to-ornl/statements",
		"/v1/logs/public/1/checkpoint", "/v1/logs/members/1/checkpoint", "/v1/logs/to-mit/1/checkpoint", "/v1/logs/to-ornl/1/checkpoint", "/v1/logs/members/1/tile/0/000.p/1", "/v1/logs/to-ornl/1/tile/0/000.p/1",
		"/v1/logs/to-ornl/1/tile/entries/000.p/1", "/v1/assets", "/v1/search?q=shown", "/v1/search?q=s-hidden"} {
		text := ask(c.T, h, "GET", c.towns[node].url+path, "")
		if strings.Contains(path, "checkpoint") || strings.Contains(path, "/tile/") { // size and root apart, which salts decide
			text = strings.Join(strings.SplitN(text, "\n", 3)[:min(2, strings.Count(text, "\n")+1)], "\n")
		}
		if strings.Contains(path, "/tile/0/") && strings.HasPrefix(text, "200") {
			text = "200"
		}
		all = append(all, path+": "+text)
	}
	return strings.Join(all, "\n")
}
