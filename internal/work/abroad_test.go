package work_test

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/abroad"
)

// office is a node "here" with two peers, whose messages a test hands in itself.
type office struct {
	*work.Service
	testing.TB
	sent []genesis.PeerMessage
}

// Put keeps what would be sent.
func (o *office) Put(_ context.Context, _ *sql.Tx, to genesis.NodeID, kind, about string, body any) (genesis.PeerMessage, error) {
	text, err := json.Marshal(body)
	m := genesis.PeerMessage{ID: abroad.NewID(), From: "here", To: to, Kind: kind, About: about, Body: text}
	o.sent = append(o.sent, m)
	return m, err
}

func (*office) Wake() {}

func (*office) Waits(context.Context, string) (time.Time, error) { return time.Time{}, nil }

func newOffice(tb testing.TB) *office {
	tb.Helper()
	public, private, _ := ed25519.GenerateKey(nil)
	key := genesis.NodeKey{ID: genesis.KeyID(public), Use: genesis.KeyToken, Public: public, From: time.Now().Add(-time.Hour)}
	charter := access.Chartered(genesis.Member{ID: "here", Keys: []genesis.NodeKey{key}}, genesis.Member{ID: "nrel", Institution: "NREL", Sector: genesis.Laboratory}, genesis.Member{ID: "ornl", Institution: "ORNL", Sector: genesis.Laboratory})
	s, _ := work.OpenTest(tb, func(c *work.Config) { c.Charter = charter })
	i, err := identity.Open(tb.Context(), identity.Config{DB: s.DB, Node: "here", Charter: charter, Record: work.RecordIdentity,
		Token: func() (string, ed25519.PrivateKey) { return key.ID, private }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { i.Close() })
	o := &office{Service: s, TB: tb}
	s.Identity, s.Post = i, o
	return o
}

// hears hands in a message.
func (o *office) hears(from genesis.NodeID, kind, about string, body any) error {
	o.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		o.Fatal(err)
	}
	return o.takes(genesis.PeerMessage{Format: 1, ID: abroad.NewID(), From: from, To: "here", Kind: kind, About: about, Body: text})
}

func (o *office) takes(m genesis.PeerMessage) error {
	return o.DB.Tx(o.Context(), func(tx *sql.Tx) error { return o.Handlers()[m.Kind](o.Context(), tx, m) })
}

func (o *office) wants(what string, err error, kind genesis.ErrorKind) {
	o.Helper()
	if genesis.KindOf(err) != kind {
		o.Errorf("%s: %v, want %q", what, err, kind)
	}
}

const theirs = "r7c1m9p0x7aaaaaaaa"

// word is what nrel may say of a request of ada's.
func word(turn int64, state genesis.RequestState, edits ...func(*genesis.AccessRequest)) abroad.Word {
	r := &genesis.AccessRequest{ID: theirs, Name: "turbines", By: genesis.Principal{Subject: "ada", Node: "here"}, Actions: []genesis.Action{genesis.Read}, Purpose: "wakes", State: state}
	if state == genesis.RequestApproved {
		r.Grant, r.Granted = "g7c1m9p0x7aaaaaaaa", r.Actions
	}
	for _, edit := range edits {
		edit(r)
	}
	return abroad.Word{Turn: turn, Request: r}
}

// TestLateWords: a word that is late or repeated does not bring back what a later one took.
func TestLateWords(t *testing.T) {
	o := newOffice(t)
	ada := genesis.Principal{Subject: "ada", Node: "here"}
	hear := func(turn int64, state genesis.RequestState) error {
		return o.hears("nrel", abroad.KindState, theirs, word(turn, state))
	}
	o.wants("open", hear(10, genesis.RequestOpen), "")
	o.wants("ended", hear(30, genesis.RequestEnded), "")
	o.wants("an approval that is late", hear(20, genesis.RequestApproved), genesis.Conflict)
	o.wants("an end that is repeated", hear(30, genesis.RequestEnded), genesis.Conflict)
	if r, err := o.Request(t.Context(), ada, theirs); err != nil || r.State != genesis.RequestEnded {
		t.Errorf("%+v %v", r, err)
	}
	g := genesis.Grant{ID: "g7c1m9p0x7aaaaaaaa", Name: "turbines", To: "person:here/ada", Actions: []genesis.Action{genesis.Read}, By: "nrel/sam"}
	gone := g
	gone.Revoked, gone.RevokedBy = new(time.Time), "nrel/sam"
	o.wants("revoked", o.hears("nrel", abroad.KindRevoked, g.ID, abroad.Word{Turn: 5, Grant: &gone}), "")
	o.wants("granted, late", o.hears("nrel", abroad.KindGranted, g.ID, abroad.Word{Turn: 4, Grant: &g}), genesis.Conflict)
	if page, err := o.Grants(t.Context(), ada, genesis.GrantQuery{Mine: true}); err != nil || len(page.Grants) != 0 {
		t.Errorf("%+v %v", page, err)
	}
	p := genesis.Project{ID: "nrel/wind", Lead: "nrel/sam", Members: []genesis.PersonID{"here/ada"}}
	none := p
	none.Members = nil
	o.wants("out", o.hears("nrel", abroad.KindProject, p.ID, abroad.Word{Turn: 8, Project: &none}), "")
	o.wants("in, late", o.hears("nrel", abroad.KindProject, p.ID, abroad.Word{Turn: 7, Project: &p}), genesis.Conflict)
	if page, err := o.Projects(t.Context(), ada, "", 0); err != nil || len(page.Projects) != 0 {
		t.Errorf("%+v %v", page, err)
	}
}

// TestOwnersLie: a node speaks of what is its own, to people of this node, and of nothing
// else.
func TestOwnersLie(t *testing.T) {
	o := newOffice(t)
	o.wants("open", o.hears("nrel", abroad.KindState, theirs, word(10, genesis.RequestOpen)), "")
	o.wants("another's request", o.hears("ornl", abroad.KindState, theirs, word(11, genesis.RequestApproved)), genesis.NotFound)
	o.wants("what another's steward says", o.hears("ornl", abroad.KindSaid, theirs, abroad.Word{Message: &genesis.Message{By: "ornl/eve", Text: "hello"}}), genesis.NotFound)
	o.wants("by a third", o.hears("nrel", abroad.KindSaid, theirs, abroad.Word{Message: &genesis.Message{By: "ornl/eve", Text: "hello"}}), genesis.Invalid)
	o.wants("by somebody else here", o.hears("nrel", abroad.KindSaid, theirs, abroad.Word{Message: &genesis.Message{By: "here/bob", Text: "hello"}}), genesis.Invalid)
	o.wants("too much", o.hears("nrel", abroad.KindSaid, theirs, abroad.Word{Message: &genesis.Message{By: "nrel/sam", Text: strings.Repeat("x", 5000)}}), genesis.Invalid)
	for what, edit := range map[string]func(*genesis.AccessRequest){
		"of nobody here":            func(r *genesis.AccessRequest) { r.By.Node = "ornl" },
		"of somebody else":          func(r *genesis.AccessRequest) { r.By.Subject = "bob" },
		"decided elsewhere":         func(r *genesis.AccessRequest) { r.DecidedBy = "ornl/eve" },
		"another id":                func(r *genesis.AccessRequest) { r.ID = "r7c1m9p0x7bbbbbbbb" },
		"a state of homes":          func(r *genesis.AccessRequest) { r.State = genesis.RequestPending },
		"what cannot be granted":    func(r *genesis.AccessRequest) { r.Granted = []genesis.Action{genesis.Steward} },
		"a reason without end":      func(r *genesis.AccessRequest) { r.Reason = strings.Repeat("x", 5000) },
		"an agreement that is none": func(r *genesis.AccessRequest) { r.Agreement = "sha256:1" },
	} {
		err := o.hears("nrel", abroad.KindState, theirs, word(12, genesis.RequestOpen, edit))
		if k := genesis.KindOf(err); k != genesis.Invalid && k != genesis.NotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
	o.wants("no turn", o.hears("nrel", abroad.KindState, theirs, word(0, genesis.RequestOpen)), genesis.Invalid)
	g := genesis.Grant{ID: "g7c1m9p0x7aaaaaaaa", Name: "turbines", To: "person:ornl/eve", Actions: []genesis.Action{genesis.Read}}
	for _, to := range []genesis.Grantee{"person:ornl/eve", "person:ada", "institution:ornl", "sector:laboratory", "project:ornl/wind", "project:wind"} {
		g.To = to
		o.wants("granted to "+string(to), o.hears("nrel", abroad.KindGranted, g.ID, abroad.Word{Turn: 1, Grant: &g}), genesis.Invalid)
	}
	for what, p := range map[string]genesis.Project{
		"of this node": {ID: "here/wind", Lead: "nrel/sam"}, "of a third": {ID: "ornl/wind", Lead: "nrel/sam"}, "without a home": {ID: "wind", Lead: "nrel/sam"},
		"with members elsewhere": {ID: "nrel/wind", Lead: "nrel/sam", Members: []genesis.PersonID{"ornl/eve"}}, "without lead": {ID: "nrel/wind"},
		"with a member ten thousand times": {ID: "nrel/wind", Lead: "nrel/sam", Members: slices.Repeat([]genesis.PersonID{"here/ada"}, 10_000)},
	} {
		o.wants("a project "+what, o.hears("nrel", abroad.KindProject, p.ID, abroad.Word{Turn: 1, Project: &p}), genesis.Invalid)
	}
}

// TestFullOfGrants: where a node has told of more grants than are kept, what it takes back ends all the
// same.
func TestFullOfGrants(t *testing.T) {
	o := newOffice(t)
	err := o.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
			INSERT INTO abroad_grants (peer, id, grantee, turn, format, body) SELECT 'nrel', 'g' || i, 'person:here/bob', 1, 1, '{}' FROM n`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	g := genesis.Grant{ID: "g7c1m9p0x7aaaaaaaa", Name: "turbines", To: "person:here/ada", Actions: []genesis.Action{genesis.Read}, By: "nrel/sam"}
	o.wants("one more", o.hears("nrel", abroad.KindGranted, g.ID, abroad.Word{Turn: 4, Grant: &g}), genesis.Conflict)
	g.Revoked, g.RevokedBy = new(time.Time), "nrel/sam"
	o.wants("its end", o.hears("nrel", abroad.KindRevoked, g.ID, abroad.Word{Turn: 5, Grant: &g}), "")
}

// TestHomesLie: a home speaks for its own people, and gives them nothing by it.
func TestHomesLie(t *testing.T) {
	o := newOffice(t)
	for _, name := range []string{"turbines", "secret"} {
		prepared(t, o.Service, genesis.PrepareRequest{Name: genesis.Name(name), Options: genesis.PrepareOptions{NoProof: true}}, raw(name+".csv", "a,b\n1,2\n3,"+fmt.Sprint(len(name))+"\n"))
		hidden := name == "secret"
		if _, err := o.Publish(t.Context(), me, name, genesis.PublishRequest{Tier: genesis.TierControlled, Hidden: &hidden}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(from genesis.NodeID, id, ref string, edits ...func(*abroad.Asked)) error {
		b := abroad.Asked{By: genesis.Vouched{Subject: "eve"}, Ask: genesis.AskRequest{Ref: ref, Purpose: "wakes"}}
		for _, edit := range edits {
			edit(&b)
		}
		return o.hears(from, abroad.KindRequest, id, b)
	}
	o.wants("a request", ask("nrel", theirs, "turbines"), "")
	o.wants("an id that is taken", ask("ornl", theirs, "turbines"), genesis.Conflict)
	o.wants("the same again", ask("nrel", "r7c1m9p0x7bbbbbbbb", "turbines"), genesis.Conflict)
	hidden, absent := ask("nrel", "r7c1m9p0x7cccccccc", "secret"), ask("nrel", "r7c1m9p0x7cccccccc", "absent")
	o.wants("what is hidden", hidden, genesis.NotFound)
	if hidden == nil || absent == nil || strings.ReplaceAll(hidden.Error(), "secret", "absent") != absent.Error() {
		t.Errorf("%v\n%v", hidden, absent)
	}
	o.wants("no id", ask("nrel", "short", "turbines"), genesis.Invalid)
	o.wants("the owner of the home", ask("nrel", "r7c1m9p0x7cccccccc", "turbines", func(b *abroad.Asked) { b.By.Subject = "node" }), genesis.Permission)
	o.wants("a project that they are not in", ask("nrel", "r7c1m9p0x7cccccccc", "turbines", func(b *abroad.Asked) { b.Ask.Project = "wind" }), genesis.NotFound)
	by := func(subject string) abroad.Asked {
		return abroad.Asked{By: genesis.Vouched{Subject: subject}, Message: &genesis.Message{Text: "hello"}}
	}
	o.wants("withdrawn for somebody else", o.hears("nrel", abroad.KindWithdrawn, theirs, by("bob")), genesis.NotFound)
	o.wants("withdrawn by another node", o.hears("ornl", abroad.KindWithdrawn, theirs, by("eve")), genesis.NotFound)
	o.wants("said by another node", o.hears("ornl", abroad.KindSaid, theirs, by("eve")), genesis.NotFound)
	o.wants("said by the asker", o.hears("nrel", abroad.KindSaid, theirs, by("eve")), "")
	if r, err := o.Request(t.Context(), me, theirs); err != nil || r.By.Person() != "nrel/eve" || r.By.Institution != "NREL" || len(r.Messages) != 1 || r.State != genesis.RequestOpen {
		t.Errorf("%+v %v", r, err)
	}
	eve := genesis.Principal{Subject: "eve", Node: "nrel", Assurance: genesis.AssuranceMFA}
	if c, err := o.Conditions(t.Context(), eve, "turbines"); err != nil || len(c.You) != 2 {
		t.Errorf("she may do more than find it and ask: %+v %v", c, err)
	}
	o.wants("withdrawn", o.hears("nrel", abroad.KindWithdrawn, theirs, by("eve")), "")
	o.wants("withdrawn twice", o.hears("nrel", abroad.KindWithdrawn, theirs, by("eve")), genesis.Conflict)
	for _, m := range o.sent {
		if m.To != "nrel" || m.Kind != abroad.KindState || m.About != theirs {
			t.Errorf("told: %+v", m)
		}
	}
	if len(o.sent) != 2 {
		t.Errorf("%d messages were sent, want that it is open and that it is withdrawn", len(o.sent))
	}
}

// FuzzMessages hands in any bodies: none breaks anything, and none grants anything.
func FuzzMessages(f *testing.F) {
	kinds := []string{abroad.KindRequest, abroad.KindSaid, abroad.KindWithdrawn, abroad.KindState, abroad.KindGranted, abroad.KindRevoked, abroad.KindProject}
	g := genesis.Grant{ID: "g7c1m9p0x7aaaaaaaa", Name: "turbines", To: "person:here/ada", Actions: []genesis.Action{genesis.Read}, By: "nrel/sam"}
	for i, body := range []any{
		abroad.Asked{By: genesis.Vouched{Subject: "eve"}, Ask: genesis.AskRequest{Ref: "turbines", Purpose: "wakes"}},
		abroad.Asked{By: genesis.Vouched{Subject: "eve"}, Message: &genesis.Message{Text: "hello"}},
		abroad.Asked{By: genesis.Vouched{Subject: "eve"}},
		word(1, genesis.RequestApproved), abroad.Word{Turn: 1, Grant: &g}, abroad.Word{Turn: 2, Grant: &g},
		abroad.Word{Turn: 1, Project: &genesis.Project{ID: "nrel/wind", Lead: "nrel/sam", Members: []genesis.PersonID{"here/ada"}}},
	} {
		text, err := json.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, theirs, text)
	}
	f.Add(0, theirs, []byte(`{"by":null,"ask":7}`))
	o := newOffice(f)
	_, err := o.Prepare(context.Background(), me, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, []*format.Raw{raw("turbines.csv", "a,b\n1,2\n3,4\n")}, nil, nil)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := o.Publish(context.Background(), me, "turbines", genesis.PublishRequest{Tier: genesis.TierControlled}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind int, about string, body []byte) {
		m := genesis.PeerMessage{Format: 1, ID: abroad.NewID(), From: "nrel", To: "here", Kind: kinds[uint(kind)%uint(len(kinds))], About: about, Body: body}
		err := o.DB.Tx(context.Background(), func(tx *sql.Tx) error { return o.Handlers()[m.Kind](context.Background(), tx, m) })
		if k := genesis.KindOf(err); k == genesis.Internal || k == genesis.Unavailable {
			t.Errorf("%s about %q: %s: %v", m.Kind, about, body, err)
		}
		page, err := o.Grants(context.Background(), me, genesis.GrantQuery{})
		if err != nil || len(page.Grants) != 0 {
			t.Errorf("it grants something: %+v %v", page, err)
		}
	})
}
