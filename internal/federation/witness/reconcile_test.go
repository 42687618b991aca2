package witness

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

func object(pairs ...any) json.RawMessage {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, _ := json.Marshal(m)
	return b
}

// Acts as the packages that do them record them.
func (n *node) vouch(at time.Time, audience, jti string) {
	n.act(journal.Event{Time: at, Actor: genesis.PersonID(n.id + "/ada"), Act: "vouch", Subject: "person:ada", Detail: object("audience", audience, "jti", jti, "projects", 0)})
}

func (n *node) exchange(at time.Time, who genesis.PersonID, jti string, outcome genesis.Outcome) {
	n.act(journal.Event{Time: at, Actor: who, Act: "exchange", Outcome: outcome, Subject: "person:" + string(who), Detail: object("jti", jti)})
}

func (n *node) message(at time.Time, act, peer, id, text string, outcome genesis.Outcome) {
	n.act(journal.Event{Time: at, Act: act, Outcome: outcome, Subject: "node " + peer, Detail: object("message", id, "kind", "request", "about", "r1", "digest", genesis.DigestOf([]byte(text)))})
}

// lets has a node let a person of another copy a version; copies is that node's side.
func (n *node) lets(at time.Time, who genesis.PersonID, id, text string) {
	n.act(journal.Event{Time: at, Actor: who, Act: "pull", Outcome: genesis.Allowed, Subject: "wind", Version: genesis.DigestOf([]byte(text)), Detail: object("pull", id, "bytes", 9)})
}

func (n *node) copies(at time.Time, from, id, text string) {
	v := genesis.DigestOf([]byte(text))
	n.act(journal.Event{Time: at, Actor: genesis.PersonID(n.id + "/ada"), Act: "pull", Subject: "~ada/wind", Version: v, Detail: object("pull", id, "from", from+"/wind@"+string(v))})
}

func (n *node) reconcile(req genesis.ReconcileRequest) *genesis.Reconciliation {
	n.t.Helper()
	req.Peer = "nrel"
	r, err := n.Reconcile(n.t.Context(), officer, req, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

// history is acts of mit with nrel, of which each is known in another way.
func history(c *clock, nrel, mit *node) {
	now, done, no := c.now(), genesis.Done, genesis.Refused
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	mit.vouch(ago(3*time.Hour), "nrel", "used")
	nrel.exchange(ago(3*time.Hour-time.Minute), "mit/ada", "used", done)
	nrel.exchange(ago(3*time.Hour-2*time.Minute), "mit/ada", "used", no) // a replay: both know the token
	mit.vouch(ago(4*time.Hour), "nrel", "refused")
	nrel.exchange(ago(4*time.Hour), "mit/ada", "refused", no)
	mit.vouch(ago(5*time.Hour), "nrel", "unused")
	mit.vouch(ago(5*time.Hour), "ornl", "of others")
	nrel.exchange(ago(6*time.Hour), "ornl/eve", "of others, too", done)
	nrel.exchange(ago(7*time.Hour), "mit/ada", "made up", done) // with a key of mit's that mit's log does not know of
	nrel.vouch(ago(8*time.Hour), "mit", "their way")
	mit.exchange(ago(8*time.Hour), "nrel/bo", "their way", done)
	mit.exchange(ago(9*time.Hour), "nrel/bo", "hidden", done)

	mit.message(ago(40*day), "send-message", "nrel", "long ago", "a", done)
	mit.message(ago(39*day), "send-message", "nrel", "arrived", "a", done)
	nrel.message(ago(10*day), "take-message", "mit", "arrived", "a", done)
	mit.message(ago(2*day), "send-message", "nrel", "on its way", "a", done)
	mit.message(ago(2*day), "send-message", "nrel", "with a receipt", "a", done)
	mit.taken["with a receipt"] = true
	mit.message(ago(3*day), "send-message", "nrel", "changed", "a", done)
	nrel.message(ago(3*day), "take-message", "mit", "changed", "b", done)
	mit.message(ago(4*day), "send-message", "nrel", "taken twice", "a", done)
	nrel.message(ago(4*day), "take-message", "mit", "taken twice", "a", done)
	nrel.message(ago(4*day), "take-message", "mit", "taken twice", "a", done)
	mit.message(ago(5*day), "send-message", "nrel", "not wanted", "a", done)
	nrel.message(ago(5*day), "take-message", "mit", "not wanted", "a", no)
	nrel.message(ago(33*day), "send-message", "mit", "sent there", "a", done)
	nrel.message(ago(6*day), "send-message", "ornl", "of others", "a", done)
	mit.message(ago(7*day), "take-message", "nrel", "never sent", "a", done)

	nrel.lets(ago(8*day), "mit/ada", "copied", "a")
	mit.copies(ago(7*day), "nrel", "copied", "a")
	mit.lets(ago(8*day), "nrel/bo", "copied there", "a")
	nrel.copies(ago(8*day), "mit", "copied there", "a")
	nrel.lets(ago(8*day), "mit/ada", "stopped", "a")
	nrel.lets(ago(8*day), "mit/ada", "another copy", "a")
	mit.copies(ago(8*day), "nrel", "another copy", "b")
	mit.copies(ago(8*day), "nrel", "not let", "a")
	nrel.copies(ago(8*day), "mit", "not let there", "a")
	nrel.lets(ago(8*day), "ornl/eve", "copy of others", "a")
	mit.copies(ago(8*day), "ornl", "copy of others, too", "a")
}

// TestReconcile: what both know is told apart from what one of them alone knows, and from
// what nobody needs to know more of.
func TestReconcile(t *testing.T) {
	c, nrel, mit, _ := pair(t)
	history(c, nrel, mit)
	nrel.settle()
	r := mit.reconcile(genesis.ReconcileRequest{From: day0.Add(-60 * day)})
	want := []genesis.ReconcileSums{
		{Kind: "token", Both: 2, Refused: 1, Unused: 1, Here: 1, There: 1},
		{Kind: "message", Both: 1, Refused: 1, UnderWay: 1, Here: 3, There: 1, Differ: 2},
		{Kind: "pull", Both: 2, Unused: 1, Here: 1, There: 1, Differ: 1},
	}
	if diff := cmp.Diff(want, r.Kinds); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got := map[string]string{}
	for _, d := range r.Found {
		got[d.ID] = d.What
		if (d.Here != nil) != (d.What != "there") || (d.There != nil) != (d.What != "here") {
			t.Errorf("%+v", d)
		}
		if d.Here != nil { // it can be found in the log
			all, err := mit.journal.Query(t.Context(), genesis.AuditQuery{Act: d.Here.Act})
			i := slices.IndexFunc(all.Entries, func(e genesis.AuditEntry) bool { return e.Seq == d.Here.Seq })
			if err != nil || i < 0 || !strings.Contains(string(all.Entries[i].Detail), d.ID) {
				t.Errorf("%s is not at entry %d: %v", d.ID, d.Here.Seq, err)
			}
		}
	}
	told := map[string]string{"made up": "there", "hidden": "here", "long ago": "here", "with a receipt": "here", "changed": "differ", "taken twice": "differ", "sent there": "there", "never sent": "here",
		"another copy": "differ", "not let": "here", "not let there": "there"}
	if diff := cmp.Diff(told, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if r.Sound() || r.Log.Point.Size == 0 || r.Cut != "" || r.Unknown != 0 {
		t.Errorf("%+v", r)
	}
	// That it was done is in both logs, with what came of it at home.
	for _, n := range []*node{mit, nrel} {
		n.settle()
		page, err := n.journal.Query(t.Context(), genesis.AuditQuery{Act: "reconcile"})
		if err != nil || len(page.Entries) != map[genesis.NodeID]int{"mit": 1, "nrel": len(genesis.SharedKinds)}[n.id] {
			t.Fatalf("%s: %+v %v", n.id, page, err)
		}
		if e := page.Entries[0]; n.id == "mit" && (e.Actor != "mit/fox" || e.Subject != "node nrel" || !strings.Contains(string(e.Detail), `"here":3`)) ||
			n.id == "nrel" && (e.Actor != "mit/node" || e.Subject != "node mit") {
			t.Errorf("%s: %+v", n.id, e)
		}
	}
}

// TestEdges: an act whose other half lies beyond the end of the period is not missing.
func TestEdges(t *testing.T) {
	c, nrel, mit, _ := pair(t)
	edge := c.now().Add(-24 * time.Hour)
	mit.vouch(edge.Add(-time.Second), "nrel", "before")
	nrel.exchange(edge.Add(time.Second), "mit/ada", "before", genesis.Done)
	mit.message(edge.Add(-40*time.Hour), "send-message", "nrel", "slow", "a", genesis.Done)
	nrel.message(edge.Add(20*time.Hour), "take-message", "mit", "slow", "a", genesis.Done)
	for name, req := range map[string]genesis.ReconcileRequest{"after": {From: edge}, "before": {From: edge.Add(-72 * time.Hour), Until: edge}} {
		r := mit.reconcile(req)
		if !r.Sound() {
			t.Errorf("%s: %+v", name, r)
		}
		if both := r.Kinds[0].Both + r.Kinds[1].Both; both != map[string]int64{"before": 2, "after": 0}[name] {
			t.Errorf("%s: %+v", name, r.Kinds)
		}
	}
}

// TestForgottenActs: what was said of entries that were forgotten cannot be compared, and
// that is told.
func TestForgottenActs(t *testing.T) {
	c, nrel, mit, _ := pair(t)
	mit.vouch(c.now(), "nrel", "one")
	nrel.exchange(c.now(), "mit/ada", "one", genesis.Done)
	c.move(time.Minute)
	mit.settle()
	if err := mit.journal.Forget(t.Context(), "mit/ada"); err != nil {
		t.Fatal(err)
	}
	r := mit.reconcile(genesis.ReconcileRequest{})
	if r.Unknown != 1 || len(r.Found) != 1 || !strings.Contains(r.Found[0].Why, "unless it is among the 1 entries") {
		t.Errorf("%+v", r)
	}
}

// TestManyPages: acts come in pages, and none is lost between them.
func TestManyPages(t *testing.T) {
	c, nrel, mit, wire := pair(t)
	const n = 2*genesis.MaxShared + 7
	for i := range n {
		id := fmt.Sprint("token ", i)
		mit.vouch(c.now(), "nrel", id)
		nrel.exchange(c.now(), "mit/ada", id, genesis.Done)
	}
	c.move(time.Minute)
	r := mit.reconcile(genesis.ReconcileRequest{})
	if r.Kinds[0].Both != n || !r.Sound() {
		t.Errorf("%+v", r)
	}
	if pages := len(wire.asked) - 1; pages != 3+1+1 { // of tokens, of messages, and of copies
		t.Errorf("%d pages", pages)
	}
}

// TestHostilePeer: an answer that never ends, or is not in order, is cut, with the reason;
// what was not read counts as missing nowhere.
func TestHostilePeer(t *testing.T) {
	for name, lie := range map[string]func(q genesis.SharedQuery, page *genesis.SharedPage) any{
		"endless": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			for i := range int64(genesis.MaxShared) {
				page.Acts = append(page.Acts, genesis.SharedAct{Seq: q.After + 1 + i, Time: q.From, Act: q.Kind.Origin(), Outcome: genesis.Done, ID: fmt.Sprint(q.After + i)})
			}
			page.Next = q.After + genesis.MaxShared
			return page
		},
		"endless and empty": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return genesis.SharedPage{Acts: []genesis.SharedAct{}, Next: q.After + 5}
		},
		"goes round": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return genesis.SharedPage{Next: max(1, q.After)}
		},
		"a million": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return `{"acts":[` + strings.Repeat("{},", 1_000_000)
		},
		"many small": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return json.RawMessage(`{"acts":[` + strings.Repeat(`{},`, 300_000) + `{}]}`)
		},
		"not in order": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			one := genesis.SharedAct{Seq: 9, Time: q.From, Act: q.Kind.Origin(), Outcome: genesis.Done, ID: "x"}
			return genesis.SharedPage{Acts: []genesis.SharedAct{one, one}}
		},
		"of another time": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return genesis.SharedPage{Acts: []genesis.SharedAct{{Seq: 9, Time: q.Until, Act: q.Kind.Origin(), Outcome: genesis.Done, ID: "x"}}}
		},
		"another act": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return genesis.SharedPage{Acts: []genesis.SharedAct{{Seq: 9, Time: q.From, Act: "read", Outcome: genesis.Done, ID: "x"}}}
		},
		"a nasty id": func(q genesis.SharedQuery, page *genesis.SharedPage) any {
			return genesis.SharedPage{Acts: []genesis.SharedAct{{Seq: 9, Time: q.From, Act: q.Kind.Origin(), Outcome: genesis.Done, ID: "\x1b[2J"}}}
		},
	} {
		c, nrel, mit, wire := pair(t)
		nrel.grow(1)
		mit.message(c.now().Add(-45*day), "send-message", "nrel", "old", "a", genesis.Done)
		mit.exchange(c.now(), "nrel/bo", "theirs", genesis.Done)
		c.move(time.Minute)
		wire.lie = func(path string, b []byte, err error) ([]byte, error) {
			if !strings.HasPrefix(path, "/audit/shared") {
				return b, err
			}
			return json.Marshal(lie(queryOf(t, path), &genesis.SharedPage{}))
		}
		r := mit.reconcile(genesis.ReconcileRequest{From: day0.Add(-60 * day)})
		if r.Cut == "" || r.Sound() || len(r.Found) > genesis.MaxFound {
			t.Errorf("%s: cut %q, %d found", name, r.Cut, len(r.Found))
		}
		for _, d := range r.Found {
			if d.What == "here" {
				t.Errorf("%s: %+v, though not all was read", name, d)
			}
		}
	}
}

// TestPeerThatIsAway: nothing is compared, and that it was tried is an entry.
func TestPeerThatIsAway(t *testing.T) {
	_, _, mit, wire := pair(t)
	wire.lie = func(string, []byte, error) ([]byte, error) { return nil, errors.New("no route") }
	if r, err := mit.Reconcile(t.Context(), officer, genesis.ReconcileRequest{Peer: "nrel"}, nil); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("%+v %v", r, err)
	}
	mit.settle()
	page, err := mit.journal.Query(t.Context(), genesis.AuditQuery{Act: "reconcile"})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Outcome != genesis.Refused {
		t.Errorf("%+v %v", page, err)
	}
	for _, peer := range []genesis.NodeID{"mit", "ornl"} {
		if _, err := mit.Reconcile(t.Context(), officer, genesis.ReconcileRequest{Peer: peer}, nil); genesis.KindOf(err) != genesis.NotFound {
			t.Errorf("%s: %v", peer, err)
		}
	}
	if _, err := mit.Reconcile(t.Context(), genesis.Principal{Subject: "ada", Node: "mit"}, genesis.ReconcileRequest{Peer: "nrel"}, nil); genesis.KindOf(err) != genesis.Permission {
		t.Error(err)
	}
}

// TestToWhomActsAreTold: the acts of a log are told to the node that took part in them,
// and to nobody else.
func TestToWhomActsAreTold(t *testing.T) {
	c, nrel, mit, _ := pair(t)
	history(c, nrel, mit)
	q := genesis.SharedQuery{Kind: genesis.SharedToken, From: day0.Add(-60 * day), Until: day0.Add(day), After: -1}
	for _, who := range []genesis.Principal{{}, {Subject: "fox", Node: "nrel", Duties: []genesis.Duty{genesis.DutyOfficer}}, {Subject: "ada", Node: "mit"},
		{Subject: genesis.NodeSubject, Node: "cern"}, {Subject: genesis.NodeSubject, Node: "nrel"}, {Subject: genesis.NodeSubject}} {
		if _, err := nrel.SharedActs(t.Context(), who, q); genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%+v: %v", who, err)
		}
		if _, err := nrel.AuditKept(t.Context(), who); genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%+v: %v", who, err)
		}
		if _, err := nrel.AuditState(t.Context(), who, 0, 0); (genesis.KindOf(err) == genesis.Permission) == who.Has(genesis.DutyOfficer) {
			t.Errorf("%+v: %v", who, err)
		}
	}
	page, err := nrel.SharedActs(t.Context(), genesis.Principal{Subject: genesis.NodeSubject, Node: "mit"}, q)
	text, _ := json.Marshal(page)
	if err != nil || len(page.Acts) != 5 || strings.Contains(string(text), "ada") || strings.Contains(string(text), "of others") {
		t.Errorf("%s %v", text, err)
	}
}

func queryOf(t *testing.T, path string) genesis.SharedQuery {
	t.Helper()
	q, err := parseQuery(path)
	if err != nil {
		t.Fatal(err)
	}
	return q
}
