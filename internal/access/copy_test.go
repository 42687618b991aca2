package access_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// taken is what one may do with a copy.
var taken = []genesis.Action{genesis.Discover, genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate}

// copyTo makes a copy at another node of what somebody of it may read, open to anybody as
// far as that node goes, and returns the node's world and the copy.
func copyTo(t *testing.T, w *accesstest.World, who genesis.Principal, r access.Resource, more ...func(*access.Config)) (*accesstest.World, access.Resource) {
	t.Helper()
	owes, err := w.Owed(t.Context(), access.Ask{Principal: who, Action: genesis.Read, Resource: r, Outside: true})
	if err != nil {
		return nil, access.Resource{}
	}
	text, err := json.Marshal(owes) // as it travels
	if err != nil {
		t.Fatal(err)
	}
	owes = nil
	if err := json.Unmarshal(text, &owes); err != nil {
		t.Fatal(err)
	}
	there := accesstest.Open(t, append(more, func(c *access.Config) { c.Node, c.Now = who.Node, w.Now })...)
	child := access.Resource{Name: "copy", Version: r.Version, State: genesis.Published, Kind: r.Kind, Creator: who.Person()}
	there.Do(func(ctx context.Context, tx *sql.Tx) error {
		return there.Carry(ctx, tx, access.Copy{Child: child, Node: accesstest.Home, By: who.Person(), Owes: owes})
	})
	there.Publish(child, genesis.Terms{Tier: genesis.TierPublic, By: who.Person()})
	return there, child
}

// TestNobodyGainsByACopy copies out of random worlds: whoever may do something with the
// copy, published as widely as can be, by a steward or by nobody, may do it at the owner's,
// then and until what was granted ends. It says nothing where nobody may do anything.
func TestNobodyGainsByACopy(t *testing.T) {
	worlds := 24
	if testing.Short() {
		worlds = 4
	}
	ours := t.TempDir()
	policy := `@id("open") permit (principal, action, resource); @id("no-students") forbid (principal, action, resource) when { principal.student };`
	if err := os.WriteFile(filepath.Join(ours, "ours.cedar"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir()
	if err := os.WriteFile(filepath.Join(open, "ours.cedar"), []byte(`permit (principal, action, resource);`), 0o600); err != nil {
		t.Fatal(err)
	}
	copies, allowed, readers := 0, 0, 0
	for seed := range worlds {
		p := newPair(t, uint64(9000+seed))
		for range 25 {
			p.step()
		}
		if seed%3 == 0 {
			if err := access.ReloadFrom(p.Decider, ours); err != nil {
				t.Fatal(err)
			}
		}
		for range 80 {
			who, _, r, _ := p.random()
			if who.Subject == "" || who.Node != "mit" && who.Node != "acme" || !p.May(who, genesis.Read, r) {
				continue
			}
			var edits []func(*access.Config)
			if seed%2 == 0 {
				edits = append(edits, func(c *access.Config) { c.PolicyDir = open })
			}
			there, child := copyTo(t, p.World, who, r, edits...)
			if there == nil {
				continue
			}
			copies++
			there.Do(func(ctx context.Context, tx *sql.Tx) error { // of the same id, and of whoever likes
				return there.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: who.Person(), Members: []genesis.PersonID{"mit/bob", "acme/bob", "mit/cal"}, By: who.Person()})
			})
			if there.May(who, genesis.Read, child) {
				readers++
			}
			for range 60 {
				q, _, _, _ := p.random()
				if p.d.often(30) {
					q.Node = who.Node
				}
				for _, draft := range []bool{false, true} {
					c := child
					if draft {
						c.State, c.Creator = genesis.Draft, pick(p.d, who.Person(), "")
					}
					for _, a := range taken {
						if !there.May(q, a, c) {
							continue
						}
						if a == genesis.Discover && c.Creator == q.Person() { // who made it knows of it
							continue
						}
						allowed++
						asked := q
						if seed%3 == 0 && q.Person() == who.Person() { // to the owner's own policies they were as they were then
							asked.Student = who.Student
						}
						d, _ := p.Decide(t.Context(), access.Ask{Principal: asked, Action: a, Resource: r, Outside: true})
						if !d.Allowed && !(a == genesis.Discover && q.Subject == access.LocalSubject && q.Node == who.Node) {
							t.Fatalf("seed %d: %s may %s the copy that %s made of %s, and not the thing: %+v", seed, describe(q), a, who.Person(), r.Name, d)
						}
					}
				}
			}
		}
	}
	if copies < worlds/2 || allowed < 10*copies || readers < copies*3/4 {
		t.Errorf("%d copies, %d of them read by who made them, %d permissions: that shows little", copies, readers, allowed)
	}
}

// TestCopyOfAGrant: what a grant let somebody copy is theirs alone, within its condition
// and licence and until it ends or is taken back, whoever stewards the node.
func TestCopyOfAGrant(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("secret")
	hidden := genesis.Terms{Tier: genesis.TierControlled, Hidden: true, ExportControl: genesis.EAR, Sensitivity: genesis.Uncontrolled}
	w.Publish(r, hidden)
	mia := accesstest.Person("mit", "mia")
	mia.Purpose = "wind farms"
	id := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read, genesis.Infer}, Licence: "D1", Condition: `purpose.contains("wind")`, Until: w.Now().Add(48 * time.Hour)})
	w.Give(r.Name, "institution:mit", genesis.Discover)
	there, c := copyTo(t, w, mia, r)
	if there == nil {
		t.Fatal("no copy")
	}
	c.State = genesis.Draft
	sam, local := accesstest.Person("mit", "sam", genesis.DutySteward), access.Local("mit")
	other := mia
	other.Purpose = "weather"
	for _, a := range []struct {
		who  genesis.Principal
		does genesis.Action
		want bool
	}{{mia, genesis.Read, true}, {mia, genesis.Infer, true}, {mia, genesis.TrainOn, false}, {other, genesis.Read, false}, {sam, genesis.Read, false},
		{sam, genesis.Discover, false}, {sam, genesis.Steward, false}, {local, genesis.Read, false}, {local, genesis.Steward, true}, {local, genesis.Discover, true}} {
		if got := there.May(a.who, a.does, c); got != a.want {
			t.Errorf("%s %s: %v", a.who.Person(), a.does, got)
		}
	}
	if got := there.Answer(mia, genesis.TrainOn, c); !strings.Contains(got.Reason, "nrel/secret@") {
		t.Errorf("refused because: %s", got.Reason)
	}
	known, err := there.ConstraintsFor(t.Context(), mia, c.Name, c.Version)
	if err != nil || len(known) != 1 || known[0].Source.Node != "nrel" || known[0].Source.Name != "secret" || known[0].Terms.By != "nrel/ann" {
		t.Errorf("it owes %+v, %v", known, err)
	}
	if known, _ = there.ConstraintsFor(t.Context(), sam, c.Name, c.Version); len(known) != 0 {
		t.Errorf("a steward is told what it owes: %+v", known)
	}
	err = there.Tx(func(ctx context.Context, tx *sql.Tx) error {
		_, err := there.Lower(ctx, tx, local, access.Lowering{Child: c, Source: genesis.Ref{Name: "nrel/secret", Digest: r.Version}, Tier: genesis.TierPublic, Reason: "why not"})
		return err
	})
	if genesis.KindOf(err) != genesis.Permission {
		t.Errorf("lowered here: %v", err)
	}
	for tier, want := range map[genesis.Tier]genesis.ErrorKind{genesis.TierPublic: genesis.Conflict, genesis.TierRegistered: genesis.Conflict, genesis.TierPartner: genesis.Conflict, genesis.TierControlled: "", genesis.TierRestricted: ""} {
		err := there.Tx(func(ctx context.Context, tx *sql.Tx) error {
			return there.CheckCopied(ctx, tx, c.Name, c.Version, genesis.Terms{Tier: tier})
		})
		if genesis.KindOf(err) != want {
			t.Errorf("published as %s: %v", tier, err)
		}
	}
	page, _, err := there.Grants(t.Context(), access.GrantQuery{})
	mine, err2 := there.GrantsOf(t.Context(), mia, "")
	if err != nil || err2 != nil || len(page) != 0 || len(mine) != 1 || mine[0].Origin != id {
		t.Errorf("stewards list %v, mia %v: %v, %v", page, mine, err, err2)
	}

	again, err := w.Owed(t.Context(), access.Ask{Principal: mia, Action: genesis.Read, Resource: r, Outside: true})
	if err != nil {
		t.Fatal(err)
	}
	carry := func(owes []genesis.Owed) {
		there.Do(func(ctx context.Context, tx *sql.Tx) error {
			return there.Carry(ctx, tx, access.Copy{Child: c, Node: "nrel", By: "mit/mia", Owes: owes})
		})
	}
	carry(again)
	if now, _ := there.GrantsOf(t.Context(), mia, ""); len(now) != 1 || now[0].ID != mine[0].ID {
		t.Errorf("copied again, there are %v", now)
	}
	there.Do(func(ctx context.Context, tx *sql.Tx) error {
		ended, err := there.EndLeaves(ctx, tx, "nrel", id, "nrel/ann", "it is over")
		if len(ended) != 1 {
			t.Errorf("ended: %v", ended)
		}
		return err
	})
	if there.May(mia, genesis.Read, c) {
		t.Error("she reads what was revoked")
	}
	carry(again)
	if !there.May(mia, genesis.Read, c) {
		t.Error("copied anew, she may not read")
	}
	w.Pass(48 * time.Hour)
	if there.May(mia, genesis.Read, c) {
		t.Error("she reads after the end")
	}
}

// TestCopyAsksForTheLicence: a copy of what is under export control opens to whom its node gave a licence, and what it
// is for; that they are citizens as the holder's node knows opens no more of it than it would there.
func TestCopyAsksForTheLicence(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("secret")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, ExportControl: genesis.ITAR})
	mia := accesstest.Person("mit", "mia")
	mia.Citizenship = genesis.USCitizen
	w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Licence: "D1"})
	w.Give(r.Name, "person:mit/mia", genesis.TrainOn)
	there, c := copyTo(t, w, mia, r)
	if there == nil {
		t.Fatal("no copy")
	}
	for a, want := range map[genesis.Action]bool{genesis.Read: true, genesis.TrainOn: false} {
		if here, copied := w.May(mia, a, r), there.May(mia, a, c); here != want || copied != want {
			t.Errorf("%s: %v, of the copy %v, want %v", a, here, copied, want)
		}
	}
	own := accesstest.Dataset("own")
	there.Publish(own, genesis.Terms{Tier: genesis.TierRegistered, ExportControl: genesis.ITAR, By: "mit/mia"})
	if !there.May(mia, genesis.TrainOn, own) {
		t.Error("of what is of her own node it counts, too")
	}
}

// TestOneNodeSpeaksForItselfAlone: what a node says that a copy owes to a third one changes
// nothing of what that one said.
func TestOneNodeSpeaksForItselfAlone(t *testing.T) {
	w := accesstest.Open(t, func(c *access.Config) { c.Node = "mit" })
	mia := accesstest.Person("mit", "mia")
	terms := genesis.Terms{Format: genesis.TermsFormat, Tier: genesis.TierControlled, By: "acme/al", Sensitivity: genesis.Uncontrolled, ExportControl: genesis.NoExportControl}
	theirs, lie := accesstest.Dataset("theirs"), accesstest.Dataset("lie")
	owed := func(name string, r access.Resource, tier genesis.Tier) genesis.Owed {
		t := terms
		t.Tier = tier
		return genesis.Owed{Name: name, Version: r.Version, Kind: r.Kind, Terms: t}
	}
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.Carry(ctx, tx, access.Copy{Child: theirs, Node: "acme", By: "mit/mia", Owes: []genesis.Owed{owed("theirs", theirs, genesis.TierControlled)}})
	})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.Carry(ctx, tx, access.Copy{Child: lie, Node: "nrel", By: "mit/mia",
			Owes: []genesis.Owed{owed("lie", lie, genesis.TierPublic), owed("acme/theirs", theirs, genesis.TierPublic)}})
	})
	w.Publish(theirs, genesis.Terms{Tier: genesis.TierPublic, By: "mit/mia"})
	if w.May(mia, genesis.Read, theirs) {
		t.Error("nrel opened what is acme's")
	}
	all, err := w.Constraints(t.Context(), lie.Name, lie.Version)
	if err != nil || len(all) != 2 || !slices.ContainsFunc(all, func(c genesis.Constraint) bool { return c.Source.String() == "acme/theirs@"+string(theirs.Version) }) {
		t.Errorf("it owes %+v, %v", all, err)
	}
}

// TestOwedThatCannotBe: what a node says is checked before any of it is kept.
func TestOwedThatCannotBe(t *testing.T) {
	good := func() genesis.Owed {
		return genesis.Owed{Name: "x", Version: genesis.DigestOf(nil), Kind: genesis.Dataset, Leaves: []genesis.Leave{{Actions: []genesis.Action{genesis.Read}}},
			Terms: genesis.Terms{Format: genesis.TermsFormat, Tier: genesis.TierControlled, By: "nrel/ann"}}
	}
	if err := access.CheckOwed("nrel", []genesis.Owed{good()}); err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func(*genesis.Owed){
		"no name":    func(o *genesis.Owed) { o.Name = "" },
		"a path":     func(o *genesis.Owed) { o.Name = "../x" },
		"many nodes": func(o *genesis.Owed) { o.Name = strings.Repeat("a/", 300) + "x" },
		"no digest":  func(o *genesis.Owed) { o.Version = "x" },
		"no kind":    func(o *genesis.Owed) { o.Kind = "" },
		"restricted": func(o *genesis.Owed) { o.Terms.Tier = genesis.TierRestricted },
		"no tier":    func(o *genesis.Owed) { o.Terms.Tier = "" },
		"classified": func(o *genesis.Owed) { o.Terms.Sensitivity = genesis.Classified },
		"an opening": func(o *genesis.Owed) {
			o.Terms.Openings = []genesis.Opening{{At: time.Now(), Tier: genesis.TierPublic}}
		},
		"nobody's terms":   func(o *genesis.Owed) { o.Terms.By = "" },
		"no action":        func(o *genesis.Owed) { o.Leaves[0].Actions = nil },
		"stewarding":       func(o *genesis.Owed) { o.Leaves[0].Actions = []genesis.Action{genesis.Steward} },
		"discovering":      func(o *genesis.Owed) { o.Leaves[0].Actions = []genesis.Action{genesis.Discover} },
		"no condition":     func(o *genesis.Owed) { o.Leaves[0].Condition = "1 +" },
		"projects":         func(o *genesis.Owed) { o.Leaves[0].Condition = `"wind" in principal.projects` },
		"a grant with ␊":   func(o *genesis.Owed) { o.Leaves[0].Grant = "a\nb" },
		"an agreement":     func(o *genesis.Owed) { o.Leaves[0].Agreement = "x" },
		"too many leaves":  func(o *genesis.Owed) { o.Leaves = make([]genesis.Leave, 1001) },
		"partners of none": func(o *genesis.Owed) { o.Terms.Tier = genesis.TierPartner },
	} {
		o := good()
		edit(&o)
		if err := access.CheckOwed("nrel", []genesis.Owed{o}); genesis.KindOf(err) != genesis.Invalid && genesis.KindOf(err) != genesis.Unsupported {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{"nothing": access.CheckOwed("nrel", nil), "too much": access.CheckOwed("nrel", make([]genesis.Owed, 2000)), "no node": access.CheckOwed("", []genesis.Owed{good()})} {
		if err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}
