//go:build linux || darwin

package node

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// long is a table that takes a while to send.
func long(rows int) string {
	var b strings.Builder
	b.WriteString("id,a,b,c\n")
	for i := range rows {
		fmt.Fprintf(&b, "r%06d,%d.25,%d.5,%d\n", i, i*7919%1000, i*104729%977, i%13)
	}
	return b.String()
}

// lend publishes a controlled dataset and grants actions on it to gil.
func (w *town) lend(name, csv string, actions ...genesis.Action) *genesis.Grant {
	w.Helper()
	w.prepare(name, csv)
	w.must(w.works.Publish(w.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierControlled}))
	g, err := w.works.Grant(w.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:gil", Actions: actions})
	if err != nil {
		w.Fatal(err)
	}
	return g
}

// within a second of a revocation what runs under it ends; the rest is for a busy
// machine.
const promptly = 5 * time.Second

func TestRevocationEndsDownloads(t *testing.T) {
	w := newTown(t)
	for _, end := range []struct {
		name string
		how  func(*genesis.Grant) error
	}{
		{"grant", func(g *genesis.Grant) error {
			_, err := w.works.Revoke(t.Context(), w.local, g.ID, "over")
			return err
		}},
		{"account", func(*genesis.Grant) error {
			off := true
			_, err := w.works.ChangeAccount(t.Context(), w.local, "gil", genesis.AccountChange{Disabled: &off})
			return err
		}},
	} {
		t.Run(end.name, func(t *testing.T) {
			g := w.lend("big-"+end.name, long(300_000), genesis.Read)
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/versions/big-"+end.name+"/export?format=csv", nil)
			req.Header.Set("Authorization", "Bearer "+w.token["gil"])
			resp, err := http.DefaultClient.Do(req)
			if err != nil || resp.StatusCode != 200 {
				t.Fatal(err, resp.Status)
			}
			defer resp.Body.Close()
			if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := end.how(g); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			time.Sleep(time.Second) // nothing is read: the node may not go on however slow the reader
			n, err := io.Copy(io.Discard, resp.Body)
			if err == nil {
				t.Errorf("the download went on to its end, %d bytes", n)
			}
			if took := time.Since(began); took > promptly {
				t.Errorf("it ended after %v", took)
			}
			_, reason := w.call("gil", "GET", "/v1/streams/"+resp.Header.Get("Genesis-Stream"), "")
			if end.name == "grant" && !strings.Contains(string(reason), "takes a grant") {
				t.Errorf("the reason is %s", reason)
			}
		})
	}
}

func TestRevocationEndsRuns(t *testing.T) {
	w := newTown(t)
	for name, both := range map[string]bool{"slow": true, "unbounded": false} {
		t.Run(name, func(t *testing.T) { w.revocationEndsRun(t, name, both) })
	}
}

// revocationEndsRun revokes what a training needs: all of it, or the right to read by
// which it was not bounded.
func (w *town) revocationEndsRun(t *testing.T, name string, both bool) {
	g := w.lend(name, long(3000), genesis.TrainOn, genesis.Read)
	if !both {
		w.must(w.works.Grant(t.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:gil", Actions: []genesis.Action{genesis.TrainOn}}))
	}
	status, body := w.call("gil", "POST", "/v1/runs", `{"kind":"train","request":{"dataset":"`+name+`","name":"~gil/net","target":["a"],"epochs":10000}}`)
	var r genesis.Run
	if err := json.Unmarshal(body, &r); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	state := func() genesis.Run {
		var now genesis.Run
		_, body := w.call("gil", "GET", "/v1/runs/"+r.ID, "")
		if err := json.Unmarshal(body, &now); err != nil {
			t.Fatal(err)
		}
		return now
	}
	for deadline := time.Now().Add(3 * time.Minute); state().Progress == nil || state().Progress.Stage != "training"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) || state().State.Ended() {
			t.Fatalf("the run does not train: %+v", state())
		}
	}
	w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
	began := time.Now()
	for !state().State.Ended() {
		if time.Since(began) > promptly {
			t.Fatal("the run goes on")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if now := state(); now.State != genesis.RunFailed || now.Error == nil || now.Error.Kind != genesis.Permission {
		t.Errorf("it ended %+v, %+v", now, now.Error)
	}
}

// TestRevocationEndsRunsThatWait: the place in the queue is gone as soon as the grant.
func TestRevocationEndsRunsThatWait(t *testing.T) {
	w := newTown(t, func(h *Home, _ *Options) { h.Config.Runs.Concurrent = 1 })
	g := w.lend("lent", long(100), genesis.TrainOn, genesis.Read)
	w.lend("kept", long(3000), genesis.TrainOn, genesis.Read)
	train := func(from string) string {
		status, body := w.call("gil", "POST", "/v1/runs", `{"kind":"train","request":{"dataset":"`+from+`","name":"~gil/net","target":["a"],"epochs":10000}}`)
		var r genesis.Run
		if err := json.Unmarshal(body, &r); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		return r.ID
	}
	state := func(id string) (r genesis.Run) {
		_, body := w.call("gil", "GET", "/v1/runs/"+id, "")
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	before, waits := train("kept"), train("lent")
	if r := state(waits); r.State != genesis.RunQueued || r.Position != 1 {
		t.Fatalf("it does not wait: %+v", r)
	}
	w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
	for began := time.Now(); !state(waits).State.Ended(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > promptly {
			t.Fatalf("it waits on: %+v", state(waits))
		}
	}
	if r := state(waits); r.State != genesis.RunFailed || r.Error == nil || r.Error.Kind != genesis.Permission || r.Tries != 0 {
		t.Errorf("it ended %+v, %+v", r, r.Error)
	}
	if r := state(before); r.State.Ended() {
		t.Errorf("what runs ended, too: %+v", r)
	}
	w.call("gil", "POST", "/v1/runs/"+before+"/cancel", "")
}

func TestRevokedTokensEnd(t *testing.T) {
	w := newTown(t)
	status, body := w.call("ada", "POST", "/v1/tokens", `{"name":"notebook"}`)
	var made genesis.NewToken
	if err := json.Unmarshal(body, &made); err != nil || status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	w.token["notebook"] = made.Secret
	if status, body := w.call("notebook", "GET", "/v1/whoami", ""); status != 200 || !strings.Contains(string(body), `"subject":"ada"`) {
		t.Fatalf("%d %s", status, body)
	}
	if status, body := w.call("ada", "DELETE", "/v1/tokens/"+made.Token.ID, ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if status, _ := w.call("notebook", "GET", "/v1/whoami", ""); status != 401 {
		t.Errorf("a revoked token is answered %d", status)
	}
}

// TestNoEvidenceNoBytes: while the journal cannot be written, what needs evidence
// is refused, what needs none goes on, and readiness says why; when it can be
// written again, all goes on by itself.
func TestNoEvidenceNoBytes(t *testing.T) {
	for name, fault := range map[string]error{"full disk": syscall.ENOSPC, "read-only disk": syscall.EROFS, "failing sync": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			broken := &disk.Faulty{Disk: disk.OS}
			w := newTown(t, func(_ *Home, o *Options) { o.disk = broken })
			w.prepare("open", "a,b\n1,2\n")
			w.must(w.works.Publish(t.Context(), w.local, "open", genesis.PublishRequest{Tier: genesis.TierPublic}))
			broken.Fail(func(op, _ string) error {
				if op == "sync" || fault != syscall.EIO && (op == "write" || op == "create") {
					return fault
				}
				return nil
			})
			answers := func(state string, want map[string]int) {
				t.Helper()
				for _, path := range slices.Sorted(maps.Keys(want)) {
					status, body := w.call("ada", "GET", path, "")
					if status != want[path] {
						t.Errorf("%s: %s is answered %d, want %d: %.300s", state, path, status, want[path], body)
					}
					if status == 200 && path == "/v1/versions/open" && strings.Contains(string(body), `"profile"`) {
						t.Errorf("%s: what tells of cells is shown without evidence", state)
					}
				}
			}
			answers("when it breaks", map[string]int{"/v1/versions/open/export?format=csv": 503})
			answers("broken", map[string]int{"/v1/versions/open/export?format=csv": 503, "/v1/versions/open": 200, "/v1/assets": 200,
				"/v1/search?q=open": 200, "/readyz": 503, "/healthz": 200})
			broken.Fail(nil)
			time.Sleep(time.Second) // readiness is asked at most once a second
			answers("mended", map[string]int{"/v1/versions/open/export?format=csv": 200, "/readyz": 200})
			if v, err := w.works.AuditVerify(t.Context(), w.local, time.Time{}, nil); err != nil || v.Bad >= 0 {
				t.Errorf("afterwards the log is %+v, %v", v, err)
			}
		})
	}
}

// TestTrainingWithoutReading: what an attacker may try who can train on rows but
// not read them.
func TestTrainingWithoutReading(t *testing.T) {
	w := newTown(t)
	rows := long(400)
	w.lend("secret", rows, genesis.TrainOn, genesis.Infer, genesis.Evaluate)
	train := func(body string) (int, string) {
		w.Helper()
		status, b := w.call("gil", "POST", "/v1/train", body)
		return status, string(b)
	}
	for name, c := range map[string]struct{ body, rule string }{
		"the id as target":          {`{"dataset":"secret","name":"~gil/a","target":["id"]}`, "unread-target"},
		"the id as feature":         {`{"dataset":"secret","name":"~gil/a","target":["a"],"features":["id"]}`, "unread-target"},
		"a split of the attacker's": {`{"dataset":"secret","name":"~gil/a","target":["a"],"split":"mine"}`, "unread-split"},
	} {
		if status, body := train(c.body); status != 403 || !strings.Contains(body, c.rule) {
			t.Errorf("%s: %d %s, want a refusal by %s", name, status, body, c.rule)
		}
		page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Actor: "gil", Act: "train", Outcome: genesis.Refused, Limit: 1})
		if err != nil || len(page.Entries) != 1 || page.Entries[0].Rule != c.rule || page.Entries[0].Subject != "secret" {
			t.Errorf("%s: of the refusal the log says %+v, %v", name, page, err)
		}
	}
	// The steward approves a target, and few trainings.
	w.must(w.works.Publish(t.Context(), w.local, "secret", genesis.PublishRequest{Training: &genesis.TrainingTerms{Targets: []string{"a"}, Features: []string{"b", "c"}, Runs: 2}}))
	good := `{"dataset":"secret","name":"~gil/net","target":["a"],"epochs":2,"members":1}`
	if status, body := train(good); status != 200 || !strings.Contains(body, `"result"`) {
		t.Fatalf("%d %s", status, body)
	}
	for _, path := range []string{"/v1/versions/secret/export?format=csv", "/v1/versions/~gil%2Fnet/export", "/v1/versions/secret/verify"} {
		method := "GET"
		if strings.HasSuffix(path, "verify") {
			method = "POST"
		}
		if status, body := w.call("gil", method, path, ""); status != 403 {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	if _, body := w.call("gil", "GET", "/v1/versions/secret", ""); strings.Contains(string(body), `"min"`) || strings.Contains(string(body), "r000001") {
		t.Errorf("the description tells of cells: %.500s", body)
	}
	// A version that differs in one row would tell of that row by the difference.
	w.prepare("secret", rows+"r999999,1.25,2.5,3\n")
	w.must(w.works.Publish(t.Context(), w.local, "secret", genesis.PublishRequest{}))
	if status, body := train(strings.Replace(good, `"secret"`, `"secret@2"`, 1)); status != 403 || !strings.Contains(body, "unread-difference") {
		t.Errorf("a version of one more row: %d %s", status, body)
	}
	w.lend("copy", rows+"r999999,1.25,2.5,3\n", genesis.TrainOn)
	w.must(w.works.Publish(t.Context(), w.local, "copy", genesis.PublishRequest{Training: &genesis.TrainingTerms{Targets: []string{"a"}, Features: []string{"b", "c"}}}))
	if status, body := train(strings.Replace(good, `"secret"`, `"copy"`, 1)); status != 403 || !strings.Contains(body, "unread-difference") {
		t.Errorf("a copy of one more row under another name: %d %s", status, body)
	}
	// The third training is one too many.
	first := strings.Replace(good, `"secret"`, `"secret@1"`, 1)
	if status, body := train(strings.Replace(first, `"epochs":2`, `"epochs":3`, 1)); status != 200 {
		t.Errorf("the second training: %d %s", status, body)
	}
	if status, body := train(strings.Replace(first, `"epochs":2`, `"epochs":4`, 1)); status != 403 || !strings.Contains(body, "unread-budget") {
		t.Errorf("the third training: %d %s", status, body)
	}
	// What she made carries the constraint: to others it is not there.
	if status, _ := w.call("ada", "GET", "/v1/versions/~gil%2Fnet", ""); status != 404 {
		t.Errorf("somebody else's draft is answered %d", status)
	}
}

// TestLeads: what the lead of a project may change of it, who is no steward.
func TestLeads(t *testing.T) {
	w := newTown(t)
	put := func(who, body string, want int) string {
		t.Helper()
		status, b := w.call(who, "PUT", "/v1/projects/wind", body)
		if status != want {
			t.Errorf("%s puts %s: %d %.300s, want %d", who, body, status, b, want)
		}
		return string(b)
	}
	put("gil", `{"members":["ada"]}`, 403)
	put("sam", `{"title":"Wind","purpose":"to learn","lead":"gil","until":"2099-01-01T00:00:00Z"}`, 200)
	if got := put("gil", `{"members":["ada"]}`, 200); !strings.Contains(got, `"title":"Wind"`) || !strings.Contains(got, `"until":"2099`) || !strings.Contains(got, `"lead":"gil"`) {
		t.Errorf("what was not said is gone: %s", got)
	}
	put("ada", `{"title":"Mine"}`, 403)
	put("gil", `{"until":"2099-01-02T00:00:00Z"}`, 403)
	put("gil", `{"until":"0001-01-01T00:00:00Z"}`, 403)
	put("gil", `{"until":"2098-01-01T00:00:00Z"}`, 200)
	if status, b := w.call("gil", "POST", "/v1/vetting", `{}`); status != 200 {
		t.Fatalf("%d %s", status, b)
	}
	if status, b := w.call("fox", "POST", "/v1/accounts/gil/vetting", `{"state":"refused"}`); status != 200 {
		t.Fatalf("%d %s", status, b)
	}
	put("gil", `{"title":"Still mine"}`, 403)
	if status, _ := w.call("sam", "POST", "/v1/projects/wind/end", ""); status != 200 {
		t.Fatal(status)
	}
	put("sam", `{"members":["ada"]}`, 409)
}

// TestGrantsOnOnesOwn: who stewards what is theirs sees whom they let do what, page by
// page, and nobody else's.
func TestGrantsOnOnesOwn(t *testing.T) {
	w := newTown(t)
	w.prepare("~gil/rows", "a,b\n1,2\n")
	w.prepare("others", "a,b\n1,3\n")
	for _, name := range []string{"~gil/rows", "others"} {
		w.must(w.works.Publish(t.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierControlled}))
	}
	for i, ref := range []string{"~gil/rows", "~gil/rows", "others"} {
		w.must(w.works.Grant(t.Context(), w.local, genesis.GrantRequest{Ref: ref, To: genesis.Grantee(fmt.Sprint("person:mit/p", i)), Actions: []genesis.Action{genesis.Read}}))
	}
	w.must(w.works.Grant(t.Context(), w.local, genesis.GrantRequest{Ref: "others", To: "person:gil", Actions: []genesis.Action{genesis.Read}}))
	w.token["narrow"] = w.narrow("gil", "discover")
	list := func(who, query string) (to []string, next string) {
		t.Helper()
		var page genesis.GrantPage
		if status, body := w.call(who, "GET", "/v1/grants"+query, ""); status != 200 || json.Unmarshal(body, &page) != nil {
			t.Fatal(status, string(body))
		}
		for _, g := range page.Grants {
			to = append(to, string(g.To))
		}
		slices.Sort(to)
		return to, page.Next
	}
	for query, want := range map[string][]string{"": {"person:gil", "person:mit/p0", "person:mit/p1"}, "?mine=true": {"person:gil"}, "?name=~gil/rows": {"person:mit/p0", "person:mit/p1"}} {
		if got, _ := list("gil", query); !slices.Equal(got, want) {
			t.Errorf("%q lists %v, want %v", query, got, want)
		}
	}
	if got, _ := list("narrow", ""); !slices.Equal(got, []string{"person:gil"}) {
		t.Errorf("a token that may not steward lists %v", got)
	}
	first, next := list("gil", "?limit=1")
	second, last := list("gil", "?limit=1&after="+url.QueryEscape(next))
	if len(first) != 2 || len(second) != 1 || last != "" || slices.Contains(first, second[0]) {
		t.Errorf("in pages: %v, then %v, %q", first, second, last)
	}
}

// TestPurpose: a grant for one purpose is met by who says it, with the command's words.
func TestPurpose(t *testing.T) {
	w := newTown(t)
	w.prepare("wakes", "a,b\n1,2\n")
	w.must(w.works.Publish(t.Context(), w.local, "wakes", genesis.PublishRequest{Tier: genesis.TierControlled}))
	w.must(w.works.Grant(t.Context(), w.local, genesis.GrantRequest{Ref: "wakes", To: "person:gil", Actions: []genesis.Action{genesis.Read}, Condition: `purpose == "wake losses"`}))
	c := client.New(w.url, nil).WithToken(w.token["gil"])
	defer c.Close()
	for purpose, want := range map[string]genesis.ErrorKind{"": genesis.Permission, "curiosity": genesis.Permission, "wake losses": ""} {
		err := c.WithPurpose(purpose).Export(t.Context(), "wakes", client.ExportOptions{Format: "csv"}, io.Discard, nil)
		if genesis.KindOf(err) != want {
			t.Errorf("for %q: %v, want %q", purpose, err, want)
		}
	}
	page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "read", Outcome: genesis.Allowed, Subject: "wakes"})
	if err != nil || len(page.Entries) == 0 || page.Entries[0].Purpose != "wake losses" {
		t.Errorf("the log says %+v, %v", page, err)
	}
}

// TestGrantByBareName: who grants all versions of a name must steward each of them,
// not the newest alone.
func TestGrantByBareName(t *testing.T) {
	w := newTown(t)
	w.prepare("plans", "a,b\n1,2\n")
	w.must(w.works.Publish(t.Context(), w.local, "plans", genesis.PublishRequest{Tier: genesis.TierControlled, Sensitivity: genesis.CUI}))
	w.prepare("plans", "a,b\n1,2\n3,4\n")
	w.must(w.works.Publish(t.Context(), w.local, "plans", genesis.PublishRequest{Tier: genesis.TierControlled, Sensitivity: genesis.Uncontrolled}))
	grant := func(ref string) int {
		status, _ := w.call("sam", "POST", "/v1/grants", `{"ref":"`+ref+`","to":"person:gil","actions":["read"]}`)
		return status
	}
	for ref, want := range map[string]int{"plans@1": 403, "plans@2": 200, "plans": 403} { // sam signs in with a password alone
		if got := grant(ref); got != want {
			t.Errorf("granting %s is answered %d, want %d", ref, got, want)
		}
	}
	_, body := w.call("gil", "POST", "/v1/requests", `{"ref":"plans","purpose":"to learn"}`)
	var asked genesis.AccessRequest
	if err := json.Unmarshal(body, &asked); err != nil || asked.ID == "" {
		t.Fatal(string(body))
	}
	if status, body := w.call("sam", "POST", "/v1/requests/"+asked.ID+"/approve", `{}`); status != 403 {
		t.Errorf("approving is answered %d %s", status, body)
	}
	if asked.By.Citizenship != "" || asked.By.Duties != nil || asked.By.Assurance != "" || asked.By.Subject != "gil" {
		t.Errorf("of who asks is told %+v", asked.By)
	}
	w.must(w.works.Approve(t.Context(), w.local, asked.ID, genesis.Approval{}))
}

// TestFilesAtTheNode: naming them takes a steward whose token is not narrowed to other
// things, and leaves an entry.
func TestFilesAtTheNode(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "raw.csv"), []byte("a,b\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newTown(t, func(h *Home, _ *Options) { h.Config.Paths = []string{dir} })
	body := `{"files":[{"path":"raw.csv","token":"path:` + filepath.Join(dir, "raw.csv") + `"}],"options":{}}`
	for name, scope := range map[string]genesis.Scope{"narrow-read": "read", "narrow-steward": "steward"} {
		w.token[name] = w.narrow("sam", scope)
	}
	for name, want := range map[string]int{"sam": 200, "narrow-steward": 200, "scoped": 403, "narrow-read": 403, "gil": 403, "nobody": 403} {
		if status, answer := w.call(name, "POST", "/v1/inspect", body); status != want {
			t.Errorf("%s is answered %d, want %d: %.200s", name, status, want, answer)
		}
	}
	page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "name-file"})
	if err != nil || len(page.Entries) != 2 {
		t.Errorf("the log says %+v, %v", page, err)
	}
}

// TestCardAndTermsAtOnce: two stewards who change both at the same moment do not get
// round what each asks of the other.
func TestCardAndTermsAtOnce(t *testing.T) {
	w := newTown(t)
	for i := range 20 {
		name := fmt.Sprint("parts-", i)
		w.prepare(name, fmt.Sprintf("a,b\n1,%d\n", i))
		w.must(w.works.Publish(t.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierControlled, ExportControl: genesis.ITAR}))
		var both sync.WaitGroup
		var card, terms error
		both.Go(func() {
			_, card = w.works.SetCard(t.Context(), w.local, name, map[string]string{"export_control": "Yes"})
		})
		both.Go(func() {
			_, terms = w.works.Publish(t.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierPublic, ExportControl: genesis.NoExportControl})
		})
		both.Wait()
		if card == nil && terms == nil {
			t.Fatal("the card says export control, the terms do not")
		}
	}
}

// TestGrantsOfOnesOwn: who holds grants is told which end soon, and why others ended.
func TestGrantsOfOnesOwn(t *testing.T) {
	w := newTown(t)
	for name, until := range map[string]time.Time{"soon": time.Now().Add(3 * 24 * time.Hour), "later": time.Now().Add(90 * 24 * time.Hour), "never": {}, "over": {}} {
		w.prepare(name, "a,b\n1,2\n")
		w.must(w.works.Publish(t.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierControlled}))
		g, err := w.works.Grant(t.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:gil", Actions: []genesis.Action{genesis.Read}, Until: until})
		w.must(g, err)
		if name == "over" {
			w.must(w.works.Revoke(t.Context(), w.local, g.ID, "the project ended"))
		}
	}
	for query, want := range map[string][]string{"": {"later", "never", "soon"}, "?expiring=14": {"soon"}, "?ended=true": {"later", "never", "over", "soon"}} {
		var page genesis.GrantPage
		status, body := w.call("gil", "GET", "/v1/grants"+query, "")
		if err := json.Unmarshal(body, &page); err != nil || status != 200 {
			t.Fatal(status, string(body))
		}
		var names []string
		for _, g := range page.Grants {
			names = append(names, string(g.Name))
			if g.Name == "over" && (g.Reason != "the project ended" || g.Revoked == nil) {
				t.Errorf("%+v", g)
			}
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("%q lists %v, want %v", query, names, want)
		}
	}
}

// TestCursorsOfNobody: a list goes on only from where it was said to.
func TestCursorsOfNobody(t *testing.T) {
	w := newTown(t)
	for list, who := range map[string]string{"assets": "ada", "runs": "ada", "grants": "sam", "requests": "sam", "projects": "sam", "tokens": "ada", "accounts": "opal", "audit": "fox"} {
		if status, body := w.call(who, "GET", "/v1/"+list+"?after=5", ""); status != 422 || !strings.Contains(string(body), "cursor") {
			t.Errorf("%s: %d %.200s", list, status, body)
		}
	}
	for name := range 3 {
		w.prepare(fmt.Sprintf("page-%d", name), "a,b\n1,2\n")
	}
	var got []string
	next := ""
	for range 5 {
		status, body := w.call("sam", "GET", "/v1/assets?limit=1&after="+next, "")
		var page genesis.ListPage
		if err := json.Unmarshal(body, &page); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		for _, a := range page.Assets {
			got = append(got, string(a.Name))
		}
		if next = page.Next; next == "" {
			break
		}
		if status, _ := w.call("sam", "GET", "/v1/runs?after="+next, ""); status != 422 {
			t.Errorf("the cursor of one list is taken for another: %d", status)
		}
	}
	if !slices.Equal(got, []string{"page-0", "page-1", "page-2"}) {
		t.Errorf("page by page: %v", got)
	}
}

// TestNarrowedTokens: what a token for one thing does not get of all else that is
// one's own.
// TestPurgedSourceLeavesTheModel: what was made from a version is judged by its terms
// and the grants on it, whatever became of the version, as docs/policy.md says.
func TestPurgedSourceLeavesTheModel(t *testing.T) {
	w := newTown(t)
	g := w.lend("source", long(300), genesis.TrainOn, genesis.Read)
	status, body := w.call("gil", "POST", "/v1/train", `{"dataset":"source","name":"~gil/net","target":["a"],"epochs":1,"members":1}`)
	if status != 200 || !strings.Contains(string(body), `"result"`) {
		t.Fatalf("%d %s", status, body)
	}
	may := func(when string, ref string, a genesis.Action, want bool) {
		t.Helper()
		var c genesis.Conditions
		if _, body := w.call("gil", "GET", "/v1/versions/"+url.PathEscape(ref)+"/conditions", ""); json.Unmarshal(body, &c) != nil {
			t.Fatalf("%s", body)
		}
		if got := slices.Contains(c.You, a); got != want {
			t.Errorf("%s: may %s %s: %v, want %v", when, a, ref, got, want)
		}
	}
	for _, step := range []struct {
		when string
		do   func() error
	}{
		{"at first", func() error { return nil }},
		{"withdrawn", func() error { _, err := w.works.Withdraw(t.Context(), w.local, "source", "wrong"); return err }},
		{"erased", func() error { _, err := w.works.Erase(t.Context(), w.local, "source", "wrong"); return err }},
		{"purged", func() error { _, err := w.works.Purge(t.Context(), w.local, "source", "a spill", nil); return err }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(step.when, err)
		}
		may(step.when, "source", genesis.TrainOn, step.when == "at first")
		may(step.when, "~gil/net", genesis.Infer, true)
	}
	w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
	may("revoked", "~gil/net", genesis.Infer, false)
}

// TestWithdrawnByName: a name of which nothing is left but what was withdrawn is found
// by whoever may know of it, and no hint leads nowhere.
func TestWithdrawnByName(t *testing.T) {
	w := newTown(t)
	for _, tier := range []genesis.Tier{genesis.TierPublic, genesis.TierRestricted} {
		name := "gone-" + string(tier)
		w.prepare(name, "a,b\n1,2\n")
		w.must(w.works.Publish(t.Context(), w.local, name, genesis.PublishRequest{Tier: tier}))
		w.must(w.works.Withdraw(t.Context(), w.local, name, "wrong"))
	}
	for _, c := range []struct {
		who, path string
		want      int
	}{
		{"sam", "gone-restricted", 200}, {"sam", "gone-restricted/conditions", 200}, {"sam", "gone-public/export", 200},
		{"gil", "gone-public", 200}, {"gil", "gone-public/export", 410}, {"gil", "gone-restricted", 404}, {"gil", "gone-restricted/export", 404},
	} {
		status, body := w.call(c.who, "GET", "/v1/versions/"+c.path, "")
		if status != c.want || strings.Contains(string(body), "has the latest version") {
			t.Errorf("%s is told %d of %s, want %d: %s", c.who, status, c.path, c.want, body)
		}
	}
	if _, body := w.call("gil", "GET", "/v1/assets", ""); strings.Contains(string(body), "gone-") {
		t.Errorf("what was withdrawn is listed: %s", body)
	}
	w.prepare("gone-public", "a,b\n1,3\n")
	w.must(w.works.Publish(t.Context(), w.local, "gone-public", genesis.PublishRequest{Tier: genesis.TierPublic}))
	if status, body := w.call("gil", "GET", "/v1/versions/gone-public@1/export", ""); status != 410 || !strings.Contains(string(body), "`genesis show gone-public` has the latest version") {
		t.Errorf("of the first of two: %d %s", status, body)
	}
	if status, _ := w.call("gil", "GET", "/v1/versions/gone-public/export", ""); status != 200 {
		t.Errorf("the name is answered %d", status)
	}
}

// TestAuditCursors: what follows a page is not recorded again, so it is of that query.
func TestAuditCursors(t *testing.T) {
	w := newTown(t)
	var page genesis.AuditPage
	if _, body := w.call("fox", "GET", "/v1/audit?outcome=done&limit=1", ""); json.Unmarshal(body, &page) != nil || page.Next == "" {
		t.Fatalf("%s", body)
	}
	if status, body := w.call("fox", "GET", "/v1/audit?outcome=done&limit=5&after="+page.Next, ""); status != 200 {
		t.Errorf("the page that follows: %d %s", status, body)
	}
	if status, body := w.call("fox", "GET", "/v1/audit?after="+page.Next, ""); status != 422 && status != 400 {
		t.Errorf("another query: %d %s", status, body)
	}
	_, body := w.call("fox", "GET", "/v1/audit?act=audit", "")
	if err := json.Unmarshal(body, &page); err != nil || len(page.Entries) != 1 || page.Entries[0].Actor != "here/fox" {
		t.Errorf("recorded is %s", body)
	}
}

func TestNarrowedTokens(t *testing.T) {
	w := newTown(t)
	w.lend("data", "a,b\n1,2\n", genesis.Read)
	if status, b := w.call("gil", "POST", "/v1/requests", `{"ref":"data","purpose":"to learn","actions":["train"]}`); status != 200 {
		t.Fatalf("%d %s", status, b)
	}
	w.must(w.works.PutProject(t.Context(), w.local, "wind", genesis.ProjectRequest{Members: &[]genesis.PersonID{"gil"}}))
	w.token["narrow"] = w.narrow("gil", "read:other")
	w.token["reader"] = w.narrow("gil", "read:data")
	for _, c := range []struct{ who, path, has string }{
		{"gil", "/v1/requests", "to learn"}, {"gil", "/v1/grants", `"data"`}, {"gil", "/v1/projects", `"wind"`},
		{"reader", "/v1/grants", `"data"`},
	} {
		if status, b := w.call(c.who, "GET", c.path, ""); status != 200 || !strings.Contains(string(b), c.has) {
			t.Errorf("%s gets %s of %s", c.who, b, c.path)
		}
	}
	for _, path := range []string{"/v1/requests", "/v1/grants", "/v1/projects"} {
		if status, b := w.call("narrow", "GET", path, ""); status != 200 || strings.Contains(string(b), "data") || strings.Contains(string(b), "wind") {
			t.Errorf("a token for something else gets %d %s of %s", status, b, path)
		}
	}
	for _, path := range []string{"/v1/tokens", "/v1/uploads"} {
		if status, b := w.call("narrow", "GET", path, ""); status != 403 {
			t.Errorf("a token for something else gets %d %s of %s", status, b, path)
		}
	}
	if status, _ := w.call("narrow", "POST", "/v1/uploads", `{"name":"x.csv"}`); status != 403 {
		t.Errorf("a token for reading opens an upload: %d", status)
	}
}

// TestForgetRefuses: the log forgets nobody who can still act.
func TestForgetRefuses(t *testing.T) {
	w := newTown(t)
	forget := func(who string) int {
		status, _ := w.call("fox", "POST", "/v1/audit/forget", `{"person":"`+who+`","reason":"asked for it"}`)
		return status
	}
	for _, who := range []string{"fox", "local", "sam", "ada", "here/ada"} {
		if status := forget(who); status != 409 {
			t.Errorf("%s is forgotten: %d", who, status)
		}
	}
	if status, b := w.call("opal", "PATCH", "/v1/accounts/ada", `{"disabled":true}`); status != 200 {
		t.Fatalf("%d %s", status, b)
	}
	for _, who := range []string{"ada", "mit/mia"} {
		if status := forget(who); status != 200 {
			t.Errorf("%s is not forgotten: %d", who, status)
		}
	}
}

// TestCookiesBehindProxy: where the URL is of https, sessions of browsers are for TLS
// and this host alone, also when a proxy ends TLS in front of the node.
func TestCookiesBehindProxy(t *testing.T) {
	for url, secure := range map[string]bool{"https://data.example.edu": true, "": false} {
		w := newTown(t, func(h *Home, _ *Options) { h.Config.URL = url })
		browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := browser.PostForm(w.url+"/signin", map[string][]string{"subject": {"ada"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		i := slices.IndexFunc(resp.Cookies(), func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "genesis_session") })
		if i < 0 {
			t.Fatalf("%q: signed in with %s and the cookies %v", url, resp.Status, resp.Cookies())
		}
		c := resp.Cookies()[i]
		if c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure || !c.HttpOnly || c.Path != "/" {
			t.Errorf("%q: the cookie is %s", url, c)
		}
		req, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/whoami", nil)
		req.AddCookie(c)
		if resp, err = browser.Do(req); err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); !strings.Contains(string(b), `"subject":"ada"`) {
			t.Errorf("%q: with the cookie they are %s", url, b)
		}
		resp.Body.Close()
	}
}

// TestSignInAgain: a browser that signs in again has one session, and the one before
// is over.
func TestSignInAgain(t *testing.T) {
	w := newTown(t)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	form := url.Values{"subject": {"ada"}, "password": {password}}.Encode()
	as := func(method, path, body string, cookie *http.Cookie) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, w.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if cookie != nil {
			req.AddCookie(cookie)
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	signIn := func(before *http.Cookie) *http.Cookie {
		t.Helper()
		resp, _ := as("POST", "/signin", form, before)
		if len(resp.Cookies()) != 1 {
			t.Fatalf("%s, %v", resp.Status, resp.Cookies())
		}
		return resp.Cookies()[0]
	}
	first := signIn(nil)
	second := signIn(first)
	if first.Value == second.Value {
		t.Error("the session is the same")
	}
	for cookie, holds := range map[*http.Cookie]bool{first: false, second: true} {
		if _, who := as("GET", "/v1/whoami", "", cookie); strings.Contains(who, `"subject":"ada"`) != holds {
			t.Errorf("holds: %v; they are %s", holds, who)
		}
	}
}

// TestConfiguredProvider: what config.yaml says of a provider is enough for the node
// to start and to offer it, also while the provider is away.
func TestConfiguredProvider(t *testing.T) {
	config := "identity:\n  providers:\n    - {id: campus, title: Campus login, issuer: 'http://127.0.0.1:1', client_id: genesis,\n" +
		"       admit: claims.email_verified, rules: [{when: \"'data' in claims.groups\", duties: [steward]}]}\n"
	c, err := parseConfig("config.yaml", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	w := newTown(t, func(h *Home, _ *Options) { h.Config.Identity = c.Identity })
	if _, body := w.call("nobody", "GET", "/v1/signin", ""); !strings.Contains(string(body), `"name":"Campus login"`) {
		t.Errorf("it is not offered: %s", body)
	}
	if _, body := w.call("nobody", "GET", "/signin", ""); !strings.Contains(string(body), "Continue with Campus login") {
		t.Errorf("the page does not offer it: %s", body)
	}
	if status, body := w.call("nobody", "GET", "/signin/with/campus", ""); status != 503 || !strings.Contains(string(body), "campus") {
		t.Errorf("while it is away: %d %s", status, body)
	}
}
