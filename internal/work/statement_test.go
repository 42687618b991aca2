package work_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/work"
)

// federated is a service of a node with two other members and a clock to set.
type federated struct {
	*work.Service
	t   *testing.T
	mu  sync.Mutex
	now time.Time
}

func federate(t *testing.T) *federated {
	t.Helper()
	return govern(t, "")
}

// govern is federate of a node with policies of its own in a folder.
func govern(t *testing.T, policies string) *federated {
	t.Helper()
	f := &federated{t: t, now: time.Now()}
	f.Service, _ = work.OpenGoverned(t, policies, func(c *work.Config) {
		c.Now = f.clock
		c.Charter = access.Chartered(genesis.Member{ID: "here", Sector: genesis.Laboratory}, genesis.Member{ID: "mit", Sector: genesis.University},
			genesis.Member{ID: "acme", Sector: genesis.Industry})
	})
	return f
}

func (f *federated) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *federated) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *federated) must(_ any, err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// make prepares a dataset whose findings are answered.
func (f *federated) make(name genesis.Name) {
	f.t.Helper()
	prepared(f.t, f.Service, genesis.PrepareRequest{Name: name, Options: genesis.PrepareOptions{NoProof: true}}, raw("a.csv", turbines(0, 50)))
	f.answer(string(name))
}

func (f *federated) answer(name string) {
	f.t.Helper()
	d, err := f.Describe(f.t.Context(), me, name)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, finding := range d.Findings {
		if finding.Severity == genesis.Ask && finding.Answer == "" {
			f.must(f.Answer(f.t.Context(), me, name, finding.ID, "made up"))
		}
	}
}

func (f *federated) publish(name string, req genesis.PublishRequest) {
	f.t.Helper()
	f.must(f.Publish(f.t.Context(), me, name, req))
}

// peer is the node of a member.
func peer(id genesis.NodeID) genesis.Principal { return genesis.Principal{Subject: "node", Node: id} }

// told is what the log of a class tells somebody: "listing turbines", "hide", "-" of what
// does not hold.
func (f *federated) told(who genesis.Principal, class genesis.Class) (all []string) {
	f.t.Helper()
	if err := f.Journal.Settle(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	page, err := f.LogStatements(f.t.Context(), who, class, 0, 1000)
	if err != nil {
		return []string{string(genesis.KindOf(err))}
	}
	for _, s := range page.Statements {
		if s.Text == nil {
			all = append(all, "-")
			continue
		}
		var said struct{ Record, Name, Digest string }
		if err := json.Unmarshal(s.Text, &said); err != nil {
			f.t.Fatal(err)
		}
		if all = append(all, strings.TrimSpace(said.Record+" "+said.Name)); said.Record == "listing" && said.Digest != string(genesis.DigestOf(s.Listing)) {
			f.t.Errorf("the listing of %s does not have its digest", said.Name)
		}
	}
	return all
}

func (f *federated) tells(who genesis.Principal, class genesis.Class, want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.told(who, class)); diff != "" {
		f.t.Errorf("the log %s (-want +told):\n%s", class, diff)
	}
}

// listing is what a class is shown of a name, zero if nothing.
func (f *federated) listing(who genesis.Principal, class genesis.Class, name genesis.Name) (l genesis.Listing) {
	f.t.Helper()
	if err := f.Journal.Settle(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	page, err := f.LogStatements(f.t.Context(), who, class, 0, 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, s := range page.Statements {
		var one genesis.Listing
		if s.Listing != nil {
			if err := json.Unmarshal(s.Listing, &one); err != nil {
				f.t.Fatal(err)
			}
		}
		if one.Name == name {
			l = one
		}
	}
	return l
}

// TestCatalogueLogs: the logs that peers follow say what each class may know of, and
// nothing else.
func TestCatalogueLogs(t *testing.T) {
	f := federate(t)
	ctx := t.Context()
	for _, name := range []genesis.Name{"open", "closed", "later"} {
		f.make(name)
	}
	hidden := true
	f.publish("closed", genesis.PublishRequest{Tier: genesis.TierControlled, Hidden: &hidden})
	f.must(f.SetCard(ctx, me, "closed", map[string]string{"title": "a secret title"}))
	f.publish("open", genesis.PublishRequest{Tier: genesis.TierPublic})
	f.tells(genesis.Principal{}, "public", "listing open")
	f.must(f.SetCard(ctx, me, "open", map[string]string{"title": "Turbines", "challenge": "grid", "temporal": "2018", "spatial": "29,40,30,41"}))
	f.tells(genesis.Principal{}, "public", "-", "-", "listing open") // the card, and then the readiness
	l := f.listing(genesis.Principal{}, "public", "open")
	if l.Node != "here" || l.Title != "Turbines" || l.Tier != genesis.TierPublic || l.Challenge != "grid" || l.Place == nil || l.Published.IsZero() || l.Start.Year() != 2018 || len(l.Variables) == 0 || l.Number != 1 {
		t.Errorf("it is listed as %+v", l)
	}

	f.publish("later", genesis.PublishRequest{Tier: genesis.TierPartner, Partners: []string{"university"}, Openings: []genesis.Opening{{At: f.clock().Add(time.Hour), Tier: genesis.TierPublic}}})
	f.tells(peer("mit"), "to-mit", "listing later")
	f.must(f.Grant(ctx, me, genesis.GrantRequest{Ref: "closed", To: "institution:mit", Actions: []genesis.Action{genesis.Read}, Until: f.clock().Add(2 * time.Hour)}))
	f.must(f.Grant(ctx, me, genesis.GrantRequest{Ref: "closed", To: "person:acme/bob", Actions: []genesis.Action{genesis.Read}}))
	f.tells(peer("mit"), "to-mit", "listing later", "listing closed")

	f.pass(time.Hour + time.Second)
	f.must(nil, f.RecordOpenings(ctx))
	f.must(nil, f.RestateDue(ctx))
	f.must(nil, f.RestateDue(ctx)) // nothing is stated twice
	f.tells(peer("mit"), "to-mit", "-", "listing closed", "hide")
	f.tells(peer("mit"), "public", "-", "-", "listing open", "listing later")
	f.pass(time.Hour) // the grant ends: nobody has to see to it before it is no longer told
	f.tells(peer("mit"), "to-mit", "-", "-", "hide")
	f.must(nil, f.RestateDue(ctx))
	f.tells(peer("mit"), "to-mit", "-", "-", "hide", "hide")

	f.must(f.Withdraw(ctx, me, "open@1", "wrong"))
	f.must(f.Erase(ctx, me, "later", "over"))
	f.tells(peer("acme"), "public", "-", "-", "-", "-", "withdraw", "erase")
	if v, err := f.AuditVerify(ctx, me, time.Time{}, nil); err != nil || v.Bad >= 0 {
		t.Errorf("verified %+v, %v", v, err)
	}
}

// TestWhoMayFollow: a class somebody may not follow is as one that is not there.
func TestWhoMayFollow(t *testing.T) {
	f := federate(t)
	f.make("wide")
	f.make("narrow")
	f.publish("wide", genesis.PublishRequest{Tier: genesis.TierRegistered})
	f.publish("narrow", genesis.PublishRequest{Tier: genesis.TierPartner, Partners: []string{"mit"}})
	if err := f.Journal.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	vetted := genesis.Principal{Subject: "eve", Node: "mit", Vetting: genesis.VettingRefused}
	for _, c := range []struct {
		who  genesis.Principal
		want string
	}{
		{genesis.Principal{}, "public"}, {vetted, "public"}, {genesis.Principal{Subject: "x", Node: "elsewhere"}, "public"},
		{peer("mit"), "members public to-mit"}, {genesis.Principal{Subject: "zoe", Node: "mit"}, "members public to-mit"}, {peer("acme"), "members public"},
	} {
		list, err := f.Logs(t.Context(), c.who)
		if err != nil {
			t.Fatal(err)
		}
		var may []string
		for _, l := range list.Logs {
			may = append(may, string(l.Class))
		}
		if got := strings.Join(may, " "); got != c.want {
			t.Errorf("%s may follow %s, want %s", c.who.Person(), got, c.want)
		}
		for _, class := range []genesis.Class{"members", "to-mit", "to-acme", "to-none"} {
			if slices.Contains(may, string(class)) {
				continue
			}
			_, err1 := f.LogCheckpoint(t.Context(), c.who, class, 1)
			_, err2 := f.LogTile(t.Context(), c.who, class, 1, "entries/000.p/1")
			_, err3 := f.LogStatements(t.Context(), c.who, class, 0, 10)
			_, none := f.Journal.Log("to-nobody", 1)
			for _, err := range []error{err1, err2, err3} {
				if genesis.KindOf(err) != genesis.NotFound || strings.ReplaceAll(fmt.Sprint(none), "to-nobody", string(class)) != fmt.Sprint(err) {
					t.Errorf("%s asks for %s: %v", c.who.Person(), class, err)
				}
			}
		}
	}
}

// TestWhoIsToldLess: what a class may know of is not told to one of it who may not, by the
// institution's own policies or with a token that reaches other things alone.
func TestWhoIsToldLess(t *testing.T) {
	dir := t.TempDir()
	const policy = `@id("no-students") forbid (principal, action, resource) when { principal.student };`
	if err := os.WriteFile(filepath.Join(dir, "ours.cedar"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	student := genesis.Principal{Subject: "zoe", Node: "mit", Student: true}
	narrow := genesis.Principal{Subject: "ada", Node: "mit", Scopes: []genesis.Scope{"discover:other"}}
	for _, c := range []struct {
		policies string
		who      genesis.Principal
		class    genesis.Class
		want     []string
	}{
		{"", student, genesis.ClassMembers, []string{"listing known"}},
		{dir, student, genesis.ClassMembers, []string{"-"}},
		{dir, peer("mit"), genesis.ClassMembers, []string{"listing known"}},
		{dir, student, genesis.ClassPublic, []string{"-"}},
		{"", narrow, genesis.ClassPublic, []string{"-"}},
		{"", peer("mit"), genesis.ClassPublic, []string{"listing open"}},
	} {
		f := govern(t, c.policies)
		f.make("open")
		f.make("known")
		f.publish("open", genesis.PublishRequest{Tier: genesis.TierPublic})
		f.publish("known", genesis.PublishRequest{Tier: genesis.TierRegistered})
		if got := f.told(c.who, c.class); !slices.Equal(got, c.want) {
			t.Errorf("policies %q, %s (student %v, scopes %v), %s: told %q, want %q", c.policies, c.who.Person(), c.who.Student, c.who.Scopes, c.class, got, c.want)
		}
	}
}

// TestModelsNameWhatTheClassMayKnowOf: what a model was trained on is named to those who
// may know of it, and moves with it.
func TestModelsNameWhatTheClassMayKnowOf(t *testing.T) {
	f := federate(t)
	ctx := t.Context()
	f.make("data")
	f.publish("data", genesis.PublishRequest{Tier: genesis.TierRegistered})
	f.must(f.Train(ctx, me, genesis.TrainRequest{Dataset: "data", Name: "net", Target: []string{"power"}, Epochs: 1, Members: 1}, nil))
	f.publish("net", genesis.PublishRequest{Tier: genesis.TierPublic})
	if got := f.told(genesis.Principal{}, "public"); got != nil {
		t.Errorf("a model of what is not public is told to everybody: %v", got)
	}
	if l := f.listing(peer("mit"), "members", "net"); len(l.Inputs) != 1 || !strings.HasPrefix(l.Inputs[0], "here/data@sha256:") {
		t.Errorf("members are told of inputs %v", l.Inputs)
	}
	f.must(f.Lower(ctx, me, "net", genesis.LowerRequest{Source: "data", Tier: genesis.TierPublic, Reason: "it tells little"}))
	if l := f.listing(genesis.Principal{}, "public", "net"); l.Name != "net" || l.Inputs != nil {
		t.Errorf("everybody is told %+v", l)
	}
	f.publish("data", genesis.PublishRequest{Tier: genesis.TierPublic})
	if l := f.listing(genesis.Principal{}, "public", "net"); len(l.Inputs) != 1 {
		t.Errorf("everybody is told of inputs %v", l.Inputs)
	}
	f.must(f.Erase(ctx, me, "data", "over"))
	if l := f.listing(genesis.Principal{}, "public", "net"); l.Name != "net" || l.Inputs != nil {
		t.Errorf("what was erased is named: %v", l.Inputs)
	}
}

// TestChangedMembers: who becomes a member is told what they may know of.
func TestChangedMembers(t *testing.T) {
	f := federate(t)
	f.make("data")
	f.publish("data", genesis.PublishRequest{Tier: genesis.TierPartner, Partners: []string{"mit", "federal"}})
	f.must(nil, f.RestateDue(t.Context()))
	members := &roll{Charter: f.Charter}
	d, err := access.Open(t.Context(), access.Config{DB: f.DB, Node: "here", Charter: members, Now: f.clock})
	if err != nil {
		t.Fatal(err)
	}
	f.Access = d
	members.more = []genesis.Member{{ID: "nist", Sector: genesis.Federal}}
	f.must(nil, f.RestateDue(t.Context()))
	f.tells(peer("nist"), "to-nist", "listing data")
	members.more = nil
	f.tells(peer("nist"), "to-nist", string(genesis.NotFound))
	f.must(nil, f.RestateDue(t.Context()))
	members.more = []genesis.Member{{ID: "nist", Sector: genesis.University}}
	f.must(nil, f.RestateDue(t.Context()))
	f.tells(peer("nist"), "to-nist", "-", "hide")
}

type roll struct {
	access.Charter
	more []genesis.Member
}

func (r *roll) Members() []genesis.Member { return append(r.Charter.Members(), r.more...) }

func (r *roll) Member(id genesis.NodeID) (genesis.Member, bool) {
	for _, m := range r.more {
		if m.ID == id {
			return m, true
		}
	}
	return r.Charter.Member(id)
}

// TestPurgedIsNotTold: of a version that was purged nothing tells what was stated, in any
// class.
func TestPurgedIsNotTold(t *testing.T) {
	f := federate(t)
	f.make("spilt")
	f.publish("spilt", genesis.PublishRequest{Tier: genesis.TierPublic})
	f.tells(genesis.Principal{}, "public", "listing spilt")
	f.must(f.Purge(t.Context(), me, "spilt", "a spill", nil))
	f.tells(genesis.Principal{}, "public", "-", "erase")
	if v, err := f.AuditVerify(t.Context(), me, time.Time{}, nil); err != nil || v.Bad >= 0 {
		t.Errorf("verified %+v, %v", v, err)
	}
}
