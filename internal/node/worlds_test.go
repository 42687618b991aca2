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
	"path"
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
	for name, w := range drawnWorlds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w.tellsNothing(t)
		})
	}
}

// tellsNothing holds what is told of a world with its secrets against one without.
func (w *world) tellsNothing(t *testing.T) {
	without, with := w.told(t, false), w.told(t, true)
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

// told is everything that ada and mit get in a world, by what was asked.
func (w *world) told(t *testing.T, hidden bool) map[string]string {
	c := newCluster(t, "nrel", "mit", "ornl")
	mit, nrel := c.towns["mit"], c.towns["nrel"]
	mit.admit("ada")
	nrel.admit("kim")
	early := len(w.shown) / 2
	c.makes(0, w.shown[:early])
	if hidden {
		c.makes(0, w.hidden)         // some of it is the same as what is shown
		for _, d := range w.drafts { // of what she sees
			nrel.must(nrel.works.SetCard(t.Context(), nrel.local, nrel.prepare(d, "a,b\n1,2\n9,9\n"), map[string]string{"title": "a secret title"}))
		}
	}
	c.makes(early, w.shown[early:])
	c.settle("nrel")
	c.follows("mit", w.listed("mit"))
	for _, l := range w.listed("mit") {
		c.finds("mit", "ada", strings.TrimSuffix(path.Base(strings.Fields(l)[1]), "@1"))
	}
	out := map[string]string{}
	ada := &traveller{secret: newSecret(), inner: http.DefaultTransport}
	ada.session = mit.travel("ada", nrel, ada.secret).Session
	visit := &http.Client{Transport: ada}
	for _, a := range w.shown { // whether it is cached differs by itself
		ask(t, visit, "POST", nrel.url+"/v1/datasets/"+a.name+"@1/cache", "")
	}
	for _, r := range rows {
		if unsteadyRow(r) {
			continue
		}
		refs := []string{""}
		if r.ofAsset() {
			refs = w.refs()
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
			c.eventually("what mit sends arrives", func() bool { // before she asks nrel itself for the same
				waits, err := mit.works.post.Status(t.Context())
				return err == nil && len(waits) == 0
			})
		}
	}
	out["mit follows"] = c.heardBy("mit", "nrel")
	out["mit mirrors"] = strings.Join(c.mirrored("mit"), "\n")
	for _, ref := range w.refs() {
		c.wishes(out, ref)
	}
	for _, path := range []string{"/v1/requests", "/v1/grants", "/v1/runs"} {
		status, h, b := mit.exchange("ada", "GET", path, "")
		out["afterwards "+path] = inOrder(told(status, h, b))
		out["afterwards there "+path] = inOrder(ask(t, visit, "GET", nrel.url+path, ""))
	}
	for i := range out {
		out[i] = strings.NewReplacer(mit.url, "MIT", nrel.url, "NREL", c.towns["ornl"].url, "ORNL").Replace(out[i])
	}
	return out
}

// inOrder is a list in an order of its own: that of random ids differs by itself.
func inOrder(list string) string {
	start, end := strings.Index(list, "[")+1, strings.LastIndex(list, "]")
	if start == 0 || end < start {
		return list
	}
	items := strings.Split(list[start:end], "},{")
	for i := range items {
		items[i] = strings.Trim(items[i], "{}")
	}
	slices.Sort(items)
	return list[:start] + strings.Join(items, "\n") + list[end:]
}

// unsteadyRow are operations whose answers differ by themselves (times, ids, keys), or
// that change what the others answer. What a steward alone may change is asked, too: it is
// refused.
func unsteadyRow(r row) bool {
	return strings.HasPrefix(r.id, "create-") || strings.Contains(r.id, "totp") ||
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
// wait, or that a message of theirs still does, depends on how long that took.
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
	text := waits.ReplaceAllString(strings.Join(lines, "\n"), "")
	return fmt.Sprint(status, " ", h.Get("Etag") != "", " ", unsteadyAbroad.ReplaceAllString(steady(text), "…"))
}

// waits says since when a message waits: until it has arrived, which nothing hidden changes.
var waits = regexp.MustCompile(`,"waits":"[^"]*"`)

var unsteadyAbroad = regexp.MustCompile(`"(salt|digest|thread|message|run|jti|token)":"[^"]*"|at place \d+|\b[a-z2-7]{16}\b|[0-9a-f]{16,}|[A-Za-z0-9_-]{43,}={0,2}`)

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
		"/v1/logs/to-ornl/1/tile/entries/000.p/1", "/v1/assets", "/v1/search?q=shown", "/v1/search?q=s"} {
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
