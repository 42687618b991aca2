//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/format"
)

var updateMatrix = flag.Bool("update-matrix", false, "rewrite testdata/matrix.txt")

// town is a whole node with people of every kind and an asset of every tier.
type town struct {
	*testing.T
	node  *Node
	url   string
	works *works
	life  *life // of one that stands in a cluster
	local genesis.Principal
	token map[string]string // by person
	asset map[string]string // by tier: the name that stands for it now
	made  int
}

// kinds of principal, in the order of the matrix's columns.
var kinds = []string{"nobody", "forged", "ada", "scoped", "gil", "sam", "opal", "fox"}

// tiers an asset may have; a draft has none.
var townTiers = []string{"public", "registered", "partner", "controlled", "hidden", "restricted", "draft", "withdrawn"}

const password = "a long and harmless password"

// cheap is the cost of its hash: what is usual takes its time by design.
var cheap = identity.Cost{Memory: 64, Passes: 1, Iterations: 1000}

// townsfolk are those of every town, with their duties.
var townsfolk = map[string][]genesis.Duty{"ada": nil, "gil": nil, "sam": {genesis.DutySteward}, "opal": {genesis.DutyOperator}, "fox": {genesis.DutyOfficer}}

// settledHome is a home in which the people have accounts and are signed in. Passwords take
// their time by design, so that is done once: every town begins as a copy.
var settledHome = sync.OnceValues(func() (string, map[string]string) {
	dir, err := os.MkdirTemp("", "genesis-town-*")
	if err != nil {
		return "", nil
	}
	h, err := OpenHome(dir)
	if err != nil {
		return "", nil
	}
	h.Config.Node = "here"
	n, err := Start(context.Background(), h, Options{Network: true, cost: cheap})
	if err != nil {
		return "", nil
	}
	works, tokens := n.service.(*works), map[string]string{}
	for name, duties := range townsfolk {
		_, err := works.CreateAccount(context.Background(), access.Local("here"), genesis.AccountRequest{Subject: name, Duties: duties, Password: password})
		if err != nil {
			return "", nil
		}
		made, err := works.SignIn(context.Background(), "127.0.0.1:1", genesis.SignInRequest{Subject: name, Password: password})
		if err != nil {
			return "", nil
		}
		tokens[name] = made.Secret
	}
	if n.close() != nil {
		return "", nil
	}
	return dir, tokens
})

// copyHome copies a home, with who may read what.
func copyHome(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return os.Chmod(filepath.Join(to, rel), info.Mode().Perm())
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	if townsMade.Load() {
		if dir, _ := settledHome(); dir != "" {
			_ = os.RemoveAll(dir)
		}
	}
	os.Exit(code)
}

var townsMade atomic.Bool

func newTown(t *testing.T, edits ...func(*Home, *Options)) *town {
	t.Helper()
	townsMade.Store(true)
	from, tokens := settledHome()
	if from == "" {
		t.Fatal("no home could be settled")
	}
	dir := t.TempDir()
	if err := copyHome(dir, from); err != nil {
		t.Fatal(err)
	}
	h := mustHome(t, dir)
	h.Config.Node = "here"
	w := openTown(t, h, edits...)
	maps.Copy(w.token, tokens)
	w.token["scoped"] = w.narrow("sam", "discover")
	return w
}

// openTown starts a node over a home.
func openTown(t *testing.T, h *Home, edits ...func(*Home, *Options)) *town {
	t.Helper()
	h.Config.Serve.Rate.PerSecond = 0
	opt := Options{Network: true, cost: cheap}
	for _, edit := range edits {
		edit(h, &opt)
	}
	n, err := Start(t.Context(), h, opt)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(n.handler)
	t.Cleanup(func() {
		srv.Close()
		_ = n.close()
	})
	return &town{T: t, node: n, url: srv.URL, works: n.service.(*works), local: access.Local(h.Config.Node), token: map[string]string{"forged": "gen_p_forged"}, asset: map[string]string{}}
}

// settle makes an account and signs it in.
func (w *town) settle(name string, duties []genesis.Duty) {
	w.Helper()
	if _, err := w.works.CreateAccount(w.Context(), w.local, genesis.AccountRequest{Subject: name, Duties: duties, Password: password}); err != nil {
		w.Fatal(err)
	}
	made, err := w.works.SignIn(w.Context(), "127.0.0.1:1", genesis.SignInRequest{Subject: name, Password: password})
	if err != nil {
		w.Fatal(err)
	}
	w.token[name] = made.Secret
}

// narrow makes a token of somebody that may do one thing alone.
func (w *town) narrow(name string, scope genesis.Scope) string {
	w.Helper()
	status, body := w.call(name, "POST", "/v1/tokens", fmt.Sprintf(`{"name":"narrow","scopes":[%q]}`, scope))
	var made genesis.NewToken
	if err := json.Unmarshal(body, &made); err != nil || status != 200 {
		w.Fatalf("%d %s", status, body)
	}
	return made.Secret
}

// call makes a request as somebody.
func (w *town) call(who, method, path, body string) (int, []byte) {
	w.Helper()
	status, _, b := w.exchange(who, method, path, body)
	return status, b
}

func (w *town) exchange(who, method, path, body string) (int, http.Header, []byte) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := w.token[who]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, resp.Header, b
}

// build makes the asset that stands for a tier, anew after each that was changed.
func (w *town) build(tier string) string {
	w.Helper()
	if name := w.asset[tier]; name != "" {
		return name
	}
	w.made++
	name := fmt.Sprintf("%s-%d", tier, w.made)
	w.asset[tier] = name
	w.prepare(name, fmt.Sprintf("a,b\n1,%d\n2,3\n", w.made))
	if tier == "draft" {
		return name
	}
	req := genesis.PublishRequest{Tier: genesis.Tier(tier)}
	hidden := true
	switch tier {
	case "partner":
		req.Partners = []string{"university"}
	case "hidden":
		req.Tier, req.Hidden = genesis.TierControlled, &hidden
	case "withdrawn":
		req.Tier = genesis.TierPublic
	}
	w.must(w.works.Publish(w.Context(), w.local, name, req))
	if tier == "withdrawn" {
		w.must(w.works.Withdraw(w.Context(), w.local, name+"@1", "wrong"))
		w.asset[tier] = name + "@1"
		return w.asset[tier]
	}
	w.must(w.works.Grant(w.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:gil", Actions: []genesis.Action{genesis.TrainOn, genesis.Infer, genesis.Evaluate}}))
	if tier != "restricted" {
		w.must(w.works.Grant(w.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:gil", Actions: []genesis.Action{genesis.Read}}))
	}
	return name
}

// prepare makes a draft and returns a reference to exactly it.
func (w *town) prepare(name, csv string) string {
	w.Helper()
	raw := &format.Raw{Name: name + ".csv", Size: int64(len(csv)), At: bytes.NewReader([]byte(csv))}
	made, err := w.works.Prepare(w.Context(), w.local, genesis.PrepareRequest{Name: genesis.Name(name), Options: genesis.PrepareOptions{NoProof: true}}, []*format.Raw{raw}, nil, nil)
	if err != nil {
		w.Fatal(err)
	}
	return made.Version.Ref().String()
}

func (w *town) must(_ any, err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// row is how one operation is asked for. REF stands for the asset, escaped; a row
// whose path and body do not name it is of the node.
type row struct {
	id, method, path, body string
	changes                bool // an asset that answers 2xx is another afterwards
}

// rows has one for every operation of the API's document.
var rows = []row{
	{id: "node", method: "GET", path: "/v1/node"},
	{id: "list", method: "GET", path: "/v1/assets"},
	{id: "search", method: "GET", path: "/v1/search?q=a"},
	{id: "suggest", method: "GET", path: "/v1/suggest?q=abc"},
	{id: "similar", method: "GET", path: "/v1/similar/REF"},
	{id: "describe", method: "GET", path: "/v1/versions/REF"},
	{id: "set-card", method: "PATCH", path: "/v1/versions/REF/card", body: `{"title":"T"}`},
	{id: "answer", method: "POST", path: "/v1/versions/REF/findings/none", body: `{"answer":"yes"}`},
	{id: "inspect", method: "POST", path: "/v1/inspect", body: `{"files":[],"options":{}}`},
	{id: "prepare", method: "POST", path: "/v1/prepare", body: `{"name":"new","files":[],"options":{}}`},
	{id: "train", method: "POST", path: "/v1/train", body: `{"dataset":"RAW","name":"~WHO/net","target":["b"]}`},
	{id: "predict", method: "POST", path: "/v1/predict", body: `{"model":"RAW","files":[],"format":"csv"}`},
	{id: "log-model", method: "POST", path: "/v1/models", body: `{"name":"~WHO/net","framework":"other","parts":{},"inputs":[{"ref":"RAW"}]}`},
	{id: "model-part", method: "GET", path: "/v1/models/REF/parts/model.json"},
	{id: "bundle", method: "GET", path: "/v1/versions/REF/bundle"},
	{id: "version-blob", method: "GET", path: "/v1/versions/REF/blobs/DIGEST"},
	{id: "blob-leaves", method: "GET", path: "/v1/versions/REF/blobs/DIGEST/leaves"},
	{id: "pull", method: "POST", path: "/v1/pull", body: `{"ref":"there/turbines","name":"~ada/turbines"}`},
	{id: "verify", method: "POST", path: "/v1/versions/REF/verify"},
	{id: "diff", method: "GET", path: "/v1/diff?from=REF&to=REF"},
	{id: "export", method: "GET", path: "/v1/versions/REF/export"},
	{id: "stream", method: "GET", path: "/v1/datasets/REF/stream"},
	{id: "stream-plan", method: "GET", path: "/v1/datasets/REF/plan"},
	{id: "stream-warm", method: "POST", path: "/v1/datasets/REF/cache"},
	{id: "table", method: "GET", path: "/v1/datasets/REF/tables/TABLE.parquet"},
	{id: "table-head", method: "HEAD", path: "/v1/datasets/REF/tables/TABLE"},
	{id: "blob", method: "GET", path: "/v1/blobs/" + string(genesis.DigestOf(nil))},
	{id: "stream-error", method: "GET", path: "/v1/streams/none"},
	{id: "conditions", method: "GET", path: "/v1/versions/REF/conditions"},
	{id: "agreement", method: "GET", path: "/v1/versions/REF/agreement"},
	{id: "publish", method: "POST", path: "/v1/versions/REF/publish", body: `{"tier":"controlled"}`, changes: true},
	{id: "withdraw", method: "POST", path: "/v1/versions/REF/withdraw", body: `{"reason":"r"}`, changes: true},
	{id: "erase", method: "POST", path: "/v1/versions/REF/erase", body: `{"reason":"r"}`, changes: true},
	{id: "purge", method: "POST", path: "/v1/versions/REF/purge", body: `{"reason":"r"}`, changes: true},
	{id: "lower", method: "POST", path: "/v1/versions/REF/lower", body: `{"source":"RAW","tier":"public","reason":"r"}`},
	{id: "grants", method: "GET", path: "/v1/grants"},
	{id: "grant", method: "POST", path: "/v1/grants", body: `{"ref":"RAW","to":"person:mit/zoe","actions":["infer"]}`},
	{id: "revoke", method: "DELETE", path: "/v1/grants/none"},
	{id: "requests", method: "GET", path: "/v1/requests"},
	{id: "ask", method: "POST", path: "/v1/requests", body: `{"ref":"RAW","purpose":"p"}`},
	{id: "request", method: "GET", path: "/v1/requests/none"},
	{id: "say", method: "POST", path: "/v1/requests/none/messages", body: `{"text":"t"}`},
	{id: "approve", method: "POST", path: "/v1/requests/none/approve", body: `{}`},
	{id: "deny", method: "POST", path: "/v1/requests/none/deny", body: `{"reason":"r"}`},
	{id: "withdraw-request", method: "POST", path: "/v1/requests/none/withdraw"},
	{id: "members", method: "GET", path: "/v1/members"},
	{id: "projects", method: "GET", path: "/v1/projects"},
	{id: "put-project", method: "PUT", path: "/v1/projects/wind", body: `{"title":"T"}`},
	{id: "end-project", method: "POST", path: "/v1/projects/none/end"},
	{id: "federation", method: "GET", path: "/v1/federation"},
	{id: "charter", method: "GET", path: "/v1/federation/charter"},
	{id: "create-federation", method: "POST", path: "/v1/federation", body: `{"name":"energy"}`},
	{id: "refresh-federation", method: "POST", path: "/v1/federation/refresh"},
	{id: "join-federation", method: "PUT", path: "/v1/federation/membership", body: `{"invitation":"none"}`},
	{id: "leave-federation", method: "DELETE", path: "/v1/federation/membership"},
	{id: "rotate-keys", method: "POST", path: "/v1/federation/keys", body: `{}`},
	{id: "invite", method: "POST", path: "/v1/federation/invitations", body: `{"institution":"MIT","sector":"university"}`},
	{id: "remove-member", method: "DELETE", path: "/v1/federation/members/mit"},
	{id: "set-holders", method: "PUT", path: "/v1/federation/holders", body: `{}`},
	{id: "drafts", method: "GET", path: "/v1/federation/drafts"},
	{id: "sign-draft", method: "POST", path: "/v1/federation/drafts/none/sign"},
	{id: "drop-draft", method: "DELETE", path: "/v1/federation/drafts/none"},
	{id: "take-in", method: "POST", path: "/v1/federation/join", body: `{"secret":"","descriptor":"none"}`},
	{id: "hear", method: "POST", path: "/v1/federation/requests", body: `{"message":"none"}`},
	{id: "add-signatures", method: "POST", path: "/v1/federation/drafts/none/signatures", body: `{"targets":""}`},
	{id: "take-message", method: "POST", path: "/v1/messages", body: `none`},
	{id: "memberships", method: "GET", path: "/v1/memberships"},
	{id: "may", method: "GET", path: "/v1/versions/REF/may"},
	{id: "explain", method: "GET", path: "/v1/explain?person=ada&action=read&ref=REF"},
	{id: "sign-in-methods", method: "GET", path: "/v1/signin"},
	{id: "sign-in", method: "POST", path: "/v1/signin", body: `{"subject":"nobody","password":"wrong"}`},
	{id: "start-device", method: "POST", path: "/v1/device"},
	{id: "poll-device", method: "POST", path: "/v1/device/token", body: `{"device_code":"none"}`},
	{id: "answer-device", method: "POST", path: "/v1/device/answer", body: `{"user_code":"none","approve":true}`},
	{id: "whoami", method: "GET", path: "/v1/whoami"},
	{id: "accounts", method: "GET", path: "/v1/accounts"},
	{id: "create-account", method: "POST", path: "/v1/accounts", body: `{"subject":"A","password":"short"}`},
	{id: "account", method: "GET", path: "/v1/accounts/gil"},
	{id: "change-account", method: "PATCH", path: "/v1/accounts/gil", body: `{"duties":[]}`},
	{id: "vet", method: "POST", path: "/v1/accounts/gil/vetting", body: `{"state":"requested"}`},
	{id: "request-vetting", method: "POST", path: "/v1/vetting", body: `{}`},
	{id: "setup-totp", method: "POST", path: "/v1/totp"},
	{id: "confirm-totp", method: "POST", path: "/v1/totp/confirm", body: `{"code":"000000"}`},
	{id: "tokens", method: "GET", path: "/v1/tokens?subject=gil"},
	{id: "create-token", method: "POST", path: "/v1/tokens", body: `{"name":"t","subject":"gil"}`},
	{id: "revoke-token", method: "DELETE", path: "/v1/tokens/none"},
	{id: "peer-token", method: "POST", path: "/v1/tokens/peer", body: `{"audience":"there","key":"` + genesis.Thumbprint(make([]byte, genesis.PeerKeySize)) + `"}`},
	{id: "exchange", method: "POST", path: "/v1/exchange", body: `{"token":"none","key":"AAAA"}`},
	{id: "audit", method: "GET", path: "/v1/audit"},
	{id: "audit-verify", method: "POST", path: "/v1/audit/verify"},
	{id: "forget", method: "POST", path: "/v1/audit/forget", body: `{"person":"zoe","reason":"r"}`},
	{id: "backup", method: "POST", path: "/v1/admin/backup", body: `{"path":"backup"}`},
	{id: "gc", method: "POST", path: "/v1/admin/gc?dry_run=true"},
	{id: "create-upload", method: "POST", path: "/v1/uploads", body: `{"name":"x.csv"}`},
	{id: "list-uploads", method: "GET", path: "/v1/uploads"},
	{id: "upload", method: "GET", path: "/v1/uploads/none"},
	{id: "upload-offset", method: "HEAD", path: "/v1/uploads/none"},
	{id: "append-upload", method: "PATCH", path: "/v1/uploads/none"},
	{id: "abort-upload", method: "DELETE", path: "/v1/uploads/none"},
	{id: "runs", method: "GET", path: "/v1/runs?all=true"},
	{id: "submit-run", method: "POST", path: "/v1/runs", body: `{"kind":"train","request":{"dataset":"RAW","name":"~WHO/net","target":["b"]}}`},
	{id: "run", method: "GET", path: "/v1/runs/0123456789abcdef"},
	{id: "follow-run", method: "GET", path: "/v1/runs/0123456789abcdef/events"},
	{id: "run-log", method: "GET", path: "/v1/runs/0123456789abcdef/log"},
	{id: "cancel-run", method: "POST", path: "/v1/runs/0123456789abcdef/cancel"},
	{id: "logs", method: "GET", path: "/v1/logs"},
	{id: "log-checkpoint", method: "GET", path: "/v1/logs/members/1/checkpoint"},
	{id: "log-tile", method: "GET", path: "/v1/logs/members/1/tile/0/000.p/1"},
	{id: "log-statements", method: "GET", path: "/v1/logs/members/statements"},
	{id: "log-statements", method: "GET", path: "/v1/logs/public/statements"},
	{id: "audit-state", method: "GET", path: "/v1/audit/state"},
	{id: "audit-kept", method: "GET", path: "/v1/audit/kept"},
	{id: "audit-shared", method: "GET", path: "/v1/audit/shared?kind=token&from=2026-01-01T00:00:00Z&until=2027-01-01T00:00:00Z"},
	{id: "audit-checkpoints", method: "GET", path: "/v1/audit/checkpoints"},
	{id: "audit-peers", method: "POST", path: "/v1/audit/peers"},
	{id: "reconcile", method: "POST", path: "/v1/audit/reconcile", body: `{"peer":"mit"}`},
	{id: "report", method: "GET", path: "/v1/report"},
	{id: "sign-out", method: "POST", path: "/v1/signout"}, // last: it ends their session
}

func (r row) ofAsset() bool {
	return strings.Contains(r.path+r.body, "REF") || strings.Contains(r.body, "RAW")
}

// ask makes one cell's request and returns the status.
func (w *town) ask(r row, who, tier string) int {
	w.Helper()
	name := ""
	if r.ofAsset() {
		name = w.build(tier)
	}
	digest := ""
	if strings.Contains(r.path, "DIGEST") { // of the manifest, which is a blob of the version
		d, err := w.works.Describe(w.Context(), w.local, name)
		if err != nil {
			w.Fatal(err)
		}
		digest = string(d.Version.Digest)
	}
	fill := strings.NewReplacer("REF", url.PathEscape(name), "RAW", name, "WHO", who, "TABLE", "data", "DIGEST", digest)
	status, _ := w.call(who, r.method, fill.Replace(r.path), fill.Replace(r.body))
	if r.changes && status < 300 {
		w.asset[tier] = ""
	}
	return status
}

// TestMatrix asks every operation as every kind of principal of every tier, and
// holds the answers against testdata/matrix.txt. An operation of the document
// without a row fails.
func TestMatrix(t *testing.T) {
	w := newTown(t)
	w.covers(rows)
	w.build("registered") // so that there is a log of what members may know of
	w.must(nil, w.works.Journal.Settle(t.Context()))
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %-11s", "# operation", "tier")
	for _, who := range kinds {
		fmt.Fprintf(&b, "%7s", who)
	}
	b.WriteString("\n")
	for _, r := range rows {
		tiers := []string{"-"}
		if r.ofAsset() {
			tiers = townTiers
		}
		for _, tier := range tiers {
			fmt.Fprintf(&b, "%-18s %-11s", r.id, tier)
			for _, who := range kinds {
				fmt.Fprintf(&b, "%7d", w.ask(r, who, tier))
			}
			b.WriteString("\n")
		}
	}
	const golden = "testdata/matrix.txt"
	if *updateMatrix {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("answers, -testdata/matrix.txt +now:\n%s", diff)
	}
	deniedByDefault(t, b.String())
}

// covers compares rows with the operations of the document.
func (w *town) covers(rows []row) {
	w.Helper()
	_, body := w.call("nobody", "GET", "/openapi.json", "")
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		w.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range rows {
		have[r.id] = true
	}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if !have[op.OperationID] {
				w.Errorf("%s %s (%s) has no row in the matrix", method, path, op.OperationID)
			}
			delete(have, op.OperationID)
		}
	}
	for id := range have {
		w.Errorf("the matrix has a row for %s, which is no operation", id)
	}
}

// open are the operations that answer somebody who is not signed in about the node
// itself; everything else is refused to them.
var open = []string{"node", "list", "search", "suggest", "grants", "requests", "members", "federation", "charter", "projects", "sign-in-methods", "start-device", "whoami", "sign-out", "list-uploads", "runs", "logs", "log-statements"}

// deniedByDefault holds rules of its own against a matrix, so that a wrong golden
// file does not pass: whatever was rewritten, nobody and forged tokens get nothing
// but what is public, and what one may not discover is not there.
func deniedByDefault(t *testing.T, matrix string) {
	t.Helper()
	for line := range strings.Lines(matrix) {
		f := strings.Fields(line)
		if len(f) != 2+len(kinds) || f[0] == "#" {
			continue
		}
		op, tier := f[0], f[1]
		status := map[string]string{}
		for i, who := range kinds {
			status[who] = f[2+i]
		}
		if status["forged"] != "401" {
			t.Errorf("%s %s: a forged token is answered %s", op, tier, status["forged"])
		}
		ok := strings.HasPrefix(status["nobody"], "2")
		readable := tier == "public" && slices.Contains([]string{"describe", "similar", "conditions", "may", "diff", "export", "table", "table-head", "stream", "stream-plan", "stream-warm", "bundle", "version-blob", "blob-leaves"}, op) ||
			tier == "withdrawn" && slices.Contains([]string{"describe", "conditions", "may"}, op)
		if ok && !readable && !slices.Contains(open, op) {
			t.Errorf("%s %s: nobody is answered %s", op, tier, status["nobody"])
		}
		for _, who := range []string{"nobody", "ada", "opal", "fox"} {
			hidden := slices.Contains([]string{"partner", "hidden", "restricted", "draft"}, tier) || who == "nobody" && slices.Contains([]string{"registered", "controlled"}, tier)
			if hidden && op != "purge" && status[who] != "404" && !(op == "train" && who == "nobody") {
				t.Errorf("%s %s: %s may not know of it and is answered %s", op, tier, who, status[who])
			}
		}
	}
}

// TestWhatIsHiddenIsAsIfItWereNotThere: two nodes differ only in what ada may not
// discover. Whatever she asks, the answers are the same.
func TestWhatIsHiddenIsAsIfItWereNotThere(t *testing.T) {
	answers := func(hidden bool) map[string]string {
		w := newTown(t)
		w.prepare("shown", "a,b\n1,2\n")
		w.must(w.works.Publish(t.Context(), w.local, "shown", genesis.PublishRequest{Tier: genesis.TierPublic}))
		if hidden {
			for _, tier := range []string{"partner", "hidden", "restricted", "draft"} {
				w.build(tier)
			}
			draft := w.prepare("shown", "a,b\n1,2\n9,9\n") // of what she sees
			w.must(w.works.SetCard(t.Context(), w.local, draft, map[string]string{"title": "a secret title", "keywords": "shown"}))
		}
		w.must(nil, w.works.Journal.Settle(t.Context()))
		w.call("ada", "POST", "/v1/datasets/shown@1/cache", "") // whether it is cached differs by itself
		out := map[string]string{}
		for _, who := range []string{"ada", "nobody"} {
			for _, r := range rows {
				if r.changes || r.id == "node" || r.id == "sign-out" || strings.HasPrefix(r.id, "create-") || r.id == "log-checkpoint" || r.id == "log-tile" || r.id == "submit-run" || strings.Contains(r.id, "totp") || r.id == "start-device" {
					continue // what differs by itself: times, ids, secrets
				}
				refs := []string{""}
				if r.ofAsset() {
					refs = []string{"shown", "shown@1", "shown@2", "partner-1", "hidden-2", "restricted-3", "draft-4", "none"}
				}
				for _, ref := range refs {
					fill := strings.NewReplacer("REF", url.PathEscape(ref), "RAW", ref, "WHO", who, "TABLE", "data")
					status, h, b := w.exchange(who, r.method, fill.Replace(r.path), fill.Replace(r.body))
					text := steady(string(b))
					if r.id == "log-statements" {
						text = unsteadyStatement.ReplaceAllString(text, "…")
					}
					out[who+" "+r.id+" "+ref] = fmt.Sprint(status, " ", h.Get("Etag") != "", " ", text)
				}
			}
		}
		return out
	}
	without, with := answers(false), answers(true)
	for _, key := range slices.Sorted(maps.Keys(without)) {
		if diff := cmp.Diff(without[key], with[key]); diff != "" {
			t.Errorf("%s tells of what is hidden (-without +with):\n%s", key, diff)
		}
	}
	if len(without) < 100 {
		t.Errorf("only %d answers were compared", len(without))
	}
}

// unsteady is what differs between two nodes by itself: times, random ids, and the
// names of streams.
var unsteady = regexp.MustCompile(`"(credential|request|id|device_code|user_code)":"[^"]*"|\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)`)

// unsteadyStatement is what differs between statements about the same: salts, and the
// digests of listings with their times.
var unsteadyStatement = regexp.MustCompile(`"(salt|digest|thread)":"[^"]*"`)

func steady(body string) string { return unsteady.ReplaceAllString(body, "…") }
