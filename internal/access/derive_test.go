package access_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

func derive(t *testing.T, w *accesstest.World, child access.Resource, parents ...access.Resource) {
	t.Helper()
	w.Do(func(ctx context.Context, tx *sql.Tx) error { return w.Derive(ctx, tx, child, parents) })
}

func lower(w *accesstest.World, who genesis.Principal, child, source access.Resource, tier genesis.Tier) error {
	return w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.Lower(ctx, tx, who, access.Lowering{Child: child, Source: genesis.Ref{Name: source.Name, Digest: source.Version}, Tier: tier, Reason: "published together"})
		return err
	})
}

// TestTrainee trains on what it may not read: the model may be used by whoever
// trained it, for as long as they may train, and its weights stay.
func TestTrainee(t *testing.T) {
	w := accesstest.Open(t)
	data := accesstest.Dataset("turbines")
	w.Publish(data, genesis.Terms{Tier: genesis.TierRestricted})
	id := w.GiveThis(genesis.Grant{Name: data.Name, To: "person:nrel/bob", Actions: []genesis.Action{genesis.TrainOn}, Until: day(10)})
	if d := w.Answer(bob, genesis.TrainOn, data); !d.Allowed || d.Reads || d.Grant != id || !d.Until.Equal(day(10)) {
		t.Errorf("training is %+v", d)
	}
	model := accesstest.Model("~bob/power", "nrel/bob", genesis.Draft)
	derive(t, w, model, data)
	for _, a := range []genesis.Action{genesis.Discover, genesis.Infer, genesis.Evaluate, genesis.Steward} {
		rule(t, w, bob, a, model, "steward")
	}
	if d := w.Answer(bob, genesis.Read, model); d.Allowed || !d.Discoverable || !strings.Contains(d.Reason, "turbines") {
		t.Errorf("weights: %+v", d)
	}
	if d := w.Answer(bob, genesis.TrainOn, model); !d.Allowed || d.Reads {
		t.Errorf("training on the model is %+v", d)
	}
	dataset := model
	dataset.Kind = genesis.Dataset
	rule(t, w, bob, genesis.Infer, dataset, "no: default")
	model.State = genesis.Published
	w.Publish(model, genesis.Terms{Tier: genesis.TierPublic, By: "nrel/bob"})
	for _, a := range []genesis.Action{genesis.Discover, genesis.Infer, genesis.Read} {
		if d := w.Answer(mia, a, model); d.Allowed || d.Discoverable {
			t.Errorf("a stranger may %s: %+v", a, d)
		}
	}
	w.Give(data.Name, "person:mit/mia", genesis.Infer)
	rule(t, w, mia, genesis.Infer, model, "public-use")
	rule(t, w, mia, genesis.Evaluate, model, "no: default")
	namesake := accesstest.Person("mit", "bob")
	w.Give(data.Name, "person:mit/bob", genesis.TrainOn)
	rule(t, w, namesake, genesis.Infer, model, "no: default")
	w.Take(id)
	d := w.Answer(bob, genesis.Infer, model)
	if d.Allowed || !d.Discoverable || strings.Contains(d.Reason+d.Hint, "turbines") {
		t.Errorf("after the grant is revoked: %+v", d)
	}
	rule(t, w, bob, genesis.Steward, model, "steward")
}

// TestTraineeOfAnothersName has trained what a steward published under a name that
// is not theirs.
func TestTraineeOfAnothersName(t *testing.T) {
	w := accesstest.Open(t)
	data := accesstest.Dataset("turbines")
	w.Publish(data, genesis.Terms{Tier: genesis.TierRegistered})
	model := accesstest.Model("power", "mit/mia", genesis.Published)
	derive(t, w, model, data)
	w.Publish(model, genesis.Terms{Tier: genesis.TierRestricted})
	for _, a := range []genesis.Action{genesis.Discover, genesis.Infer, genesis.Evaluate} {
		rule(t, w, mia, a, model, "trainee")
		rule(t, w, eve, a, model, "no: default")
	}
	for _, a := range []genesis.Action{genesis.TrainOn, genesis.Request, genesis.Steward} {
		rule(t, w, mia, a, model, "no: default")
	}
	rule(t, w, mia, genesis.Read, model, "no: restricted")
	w.Publish(data, genesis.Terms{Tier: genesis.TierRegistered, Uses: genesis.Uses{Train: genesis.UseNo, Infer: genesis.UseNo}})
	rule(t, w, mia, genesis.Infer, model, "no: use-no")
	rule(t, w, mia, genesis.Discover, model, "trainee")
	w.Publish(data, genesis.Terms{Tier: genesis.TierRegistered, Uses: genesis.Uses{Train: genesis.UseNo}})
	rule(t, w, mia, genesis.Infer, model, "trainee")
	dataset := model
	dataset.Kind = genesis.Dataset
	rule(t, w, mia, genesis.Infer, dataset, "no: default")
}

// TestEverySourceCounts makes a chain and a fork, and narrows each in turn.
func TestEverySourceCounts(t *testing.T) {
	w := accesstest.Open(t)
	a, b, c, d := accesstest.Dataset("a"), accesstest.Dataset("b"), accesstest.Dataset("c"), accesstest.Dataset("d")
	derive(t, w, c, a, b)
	derive(t, w, d, c)
	all := []access.Resource{a, b, c, d}
	for _, r := range all {
		w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	}
	for _, act := range []genesis.Action{genesis.Discover, genesis.Request, genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
		for _, r := range all {
			rule(t, w, mia, act, d, "registered")
			w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
			rule(t, w, mia, act, d, map[bool]string{true: "no: restricted", false: "no: default"}[act == genesis.Read])
			w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
		}
	}
	w.Publish(a, genesis.Terms{Tier: genesis.TierControlled})
	if got := w.Answer(mia, genesis.Read, d); got.Allowed || !got.Discoverable || !strings.HasPrefix(got.Reason, "it was made from a@sha256:") {
		t.Errorf("a source that may be named: %+v", got)
	}
	w.Publish(a, genesis.Terms{Tier: genesis.TierControlled, Sensitivity: genesis.CUI})
	if got := w.Answer(mia, genesis.Read, d); got.Rule != "second-factor" || !strings.Contains(got.Hint, "second factor") || !strings.Contains(got.Hint, "genesis request nrel/a") {
		t.Errorf("a sensitive source: %+v", got)
	}
	found, err := w.Constraints(t.Context(), d.Name, d.Version)
	if err != nil || len(found) != 3 || found[0].Source.Name != "a" || found[0].Terms.Sensitivity != genesis.CUI || found[1].Source.Name != "b" || found[2].Source.Name != "c" {
		t.Errorf("constraints: %+v, %v", found, err)
	}
	w.Publish(b, genesis.Terms{Tier: genesis.TierRestricted})
	known, err := w.ConstraintsFor(t.Context(), mia, d.Name, d.Version)
	if err != nil || len(known) != 1 || known[0].Source.Name != "a" { // c was made from b, too
		t.Errorf("constraints that mia may know of: %+v, %v", known, err)
	}
	stop, cancel := context.WithCancel(t.Context())
	cancel()
	if known, err := w.ConstraintsFor(stop, mia, d.Name, d.Version); err == nil {
		t.Errorf("constraints when it was stopped: %+v", known)
	}
	w.Publish(b, genesis.Terms{Tier: genesis.TierRegistered})
	w.Publish(a, genesis.Terms{Tier: genesis.TierRegistered, Openings: []genesis.Opening{opening(5, genesis.TierPublic)}})
	if got := w.Answer(mia, genesis.Read, d); !got.Allowed || !got.Until.Equal(day(5)) {
		t.Errorf("with an opening of a source: %+v", got)
	}
}

// TestSourceWithoutTerms is made from a draft.
func TestSourceWithoutTerms(t *testing.T) {
	w := accesstest.Open(t)
	draft := accesstest.Dataset("raw")
	draft.Creator = "mit/mia"
	made := accesstest.Dataset("clean")
	derive(t, w, made, draft)
	w.Publish(made, genesis.Terms{Tier: genesis.TierPublic})
	rule(t, w, mia, genesis.Read, made, "public")
	rule(t, w, eve, genesis.Read, made, "no: draft")
	rule(t, w, ann, genesis.Read, made, "public")
	if err := lower(w, eve, made, draft, genesis.TierPublic); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("eve lowers: %v", err)
	}
	if err := lower(w, ann, made, draft, genesis.TierPublic); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a steward whose terms they are not lowers: %v", err)
	}
	if err := lower(w, mia, made, draft, genesis.TierPartner); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("lowered to partners that nobody names: %v", err)
	}
	narrowed, refused := mia, mia
	narrowed.Scopes, refused.Vetting = []genesis.Scope{"read"}, genesis.VettingRefused
	for _, p := range []genesis.Principal{narrowed, refused} {
		if err := lower(w, p, made, draft, genesis.TierPublic); err == nil {
			t.Errorf("lowered by %+v", p)
		}
	}
	if err := lower(w, mia, made, draft, genesis.TierPublic); err != nil {
		t.Errorf("its creator lowers: %v", err)
	}
	rule(t, w, eve, genesis.Read, made, "public")
	rule(t, w, genesis.Principal{}, genesis.Read, made, "public")
}

// TestLowerByWhoLeft has made something before their node left the charter.
func TestLowerByWhoLeft(t *testing.T) {
	w := accesstest.Open(t)
	draft, made := accesstest.Dataset("raw"), accesstest.Dataset("made")
	draft.Creator = "evil/mal"
	derive(t, w, made, draft)
	if err := lower(w, accesstest.Person("evil", "mal"), made, draft, genesis.TierPublic); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("it is lowered: %v", err)
	}
}

func TestLower(t *testing.T) {
	w := accesstest.Open(t)
	data := accesstest.Dataset("turbines")
	model := accesstest.Model("power", "nrel/bob", genesis.Published)
	derive(t, w, model, data)
	w.Publish(data, genesis.Terms{Tier: genesis.TierRestricted, By: "nrel/ann", Uses: genesis.Uses{Evaluate: genesis.UseNo}})
	w.Publish(model, genesis.Terms{Tier: genesis.TierPublic, By: "nrel/bea"})
	rule(t, w, mia, genesis.Read, model, "no: restricted")
	other, same := accesstest.Dataset("other"), accesstest.Dataset("same")
	same.Version = data.Version
	for _, tt := range []struct {
		who   genesis.Principal
		child access.Resource
		of    access.Resource
		tier  genesis.Tier
		want  genesis.ErrorKind
	}{
		{bob, model, data, genesis.TierRegistered, genesis.Permission},
		{accesstest.Person("nrel", "bea", genesis.DutySteward), model, data, genesis.TierRegistered, genesis.Permission},
		{accesstest.Person("mit", "ann", genesis.DutySteward), model, data, genesis.TierRegistered, genesis.Permission},
		{accesstest.Person("mit", "local", genesis.Duties...), model, data, genesis.TierRegistered, genesis.Permission},
		{genesis.Principal{}, model, data, genesis.TierRegistered, genesis.Permission},
		{ann, model, other, genesis.TierRegistered, genesis.NotFound},
		{ann, other, data, genesis.TierRegistered, genesis.NotFound},
		{ann, model, same, genesis.TierRegistered, genesis.NotFound},
		{ann, model, data, "odd", genesis.Invalid},
		{ann, model, data, genesis.TierPartner, genesis.Invalid},
	} {
		if err := lower(w, tt.who, tt.child, tt.of, tt.tier); genesis.KindOf(err) != tt.want {
			t.Errorf("%s lowers %s of %s to %s: %v, want %s", tt.who.Person(), tt.of.Name, tt.child.Name, tt.tier, err, tt.want)
		}
	}
	for _, reason := range []string{"", " ", strings.Repeat("x", 4001)} {
		err := w.Tx(func(ctx context.Context, tx *sql.Tx) error {
			_, err := w.Lower(ctx, tx, ann, access.Lowering{Child: model, Source: genesis.Ref{Name: data.Name, Digest: data.Version}, Tier: genesis.TierPublic, Reason: reason})
			return err
		})
		if genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("lowered for the reason %.10q: %v", reason, err)
		}
	}
	for why, edit := range map[string]func(*genesis.Principal){
		"no duty any more": func(p *genesis.Principal) { p.Duties = nil },
		"vetting refused":  func(p *genesis.Principal) { p.Vetting = genesis.VettingRefused },
		"a narrowed token": func(p *genesis.Principal) { p.Scopes = []genesis.Scope{"discover"} },
	} {
		former := ann
		edit(&former)
		if err := lower(w, former, model, data, genesis.TierRegistered); genesis.KindOf(err) != genesis.Permission && genesis.KindOf(err) != genesis.Private {
			t.Errorf("%s: %v", why, err)
		}
	}
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.Lower(ctx, tx, ann, access.Lowering{Child: model, Source: genesis.Ref{Name: data.Name, Digest: data.Version}, Tier: genesis.TierRestricted, Reason: strings.Repeat("x", 4000)})
		return err
	})
	w.Pass(time.Hour)
	if err := lower(w, ann, model, data, genesis.TierRegistered); err != nil {
		t.Fatal(err)
	}
	rule(t, w, mia, genesis.Read, model, "public")
	rule(t, w, mia, genesis.Evaluate, model, "no: use-no")
	rule(t, w, genesis.Principal{}, genesis.Discover, model, "no: default")
	rule(t, w, mia, genesis.Discover, data, "no: default")
	if d := w.Answer(mia, genesis.Evaluate, model); strings.Contains(d.Reason+d.Hint, "turbines") {
		t.Errorf("a lowered source is named to somebody who may not discover it: %+v", d)
	}
	c, err := w.Constraints(t.Context(), model.Name, model.Version)
	if err != nil || len(c) != 1 || c[0].Lowered == nil || c[0].Lowered.By != "nrel/ann" || c[0].Lowered.Tier != genesis.TierRegistered || !c[0].Lowered.At.Equal(w.Now()) || c[0].Lowered.Reason == "" {
		t.Errorf("constraints: %+v, %v", c, err)
	}
	if err := lower(w, access.Local("nrel"), model, data, genesis.TierRestricted); err != nil {
		t.Errorf("the owner takes it back: %v", err)
	}
	rule(t, w, mia, genesis.Read, model, "no: restricted")
	w.Publish(data, genesis.Terms{Tier: genesis.TierPublic, By: "nrel/ann"})
	rule(t, w, mia, genesis.Read, model, "public") // its own terms are wider by now
	w.Publish(data, genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"acme"}, By: "nrel/ann", Sensitivity: genesis.CUI})
	if err := lower(w, ann, model, data, genesis.TierPartner); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("what is sensitive is lowered with a password alone: %v", err)
	}
	ann := ann
	ann.Assurance = genesis.AssuranceMFA
	for _, tier := range []genesis.Tier{genesis.TierPublic, genesis.TierRegistered} {
		if err := lower(w, ann, model, data, tier); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("what is made from CUI becomes %s: %v", tier, err)
		}
	}
	if err := lower(w, ann, model, data, genesis.TierPartner); err != nil {
		t.Errorf("lowered to partners: %v", err)
	}
}

// TestLoweredIsInherited makes things from what was lowered, by one way and by two.
func TestLoweredIsInherited(t *testing.T) {
	w := accesstest.Open(t)
	data, clean, both := accesstest.Dataset("data"), accesstest.Dataset("clean"), accesstest.Dataset("both")
	other, mixed, far := accesstest.Dataset("other"), accesstest.Dataset("mixed"), accesstest.Dataset("far")
	derive(t, w, clean, data)
	derive(t, w, other, data)
	for _, r := range []access.Resource{clean, both, other, mixed, far} {
		w.Publish(r, genesis.Terms{Tier: genesis.TierPublic})
	}
	w.Publish(data, genesis.Terms{Tier: genesis.TierRestricted})
	if err := lower(w, ann, clean, data, genesis.TierPublic); err != nil {
		t.Fatal(err)
	}
	derive(t, w, far, clean)
	derive(t, w, both, clean, data)
	derive(t, w, mixed, clean, other)
	rule(t, w, mia, genesis.Read, far, "public")
	rule(t, w, mia, genesis.Read, both, "no: restricted")
	rule(t, w, mia, genesis.Read, mixed, "no: restricted")
	if err := lower(w, ann, other, data, genesis.TierRegistered); err != nil {
		t.Fatal(err)
	}
	for _, name := range []genesis.Name{"one", "two"} {
		late := accesstest.Dataset(name)
		w.Publish(late, genesis.Terms{Tier: genesis.TierPublic})
		parents := []access.Resource{clean, other}
		if name == "two" {
			parents = []access.Resource{other, clean}
		}
		derive(t, w, late, parents...)
		c, err := w.Constraints(t.Context(), late.Name, late.Version)
		if err != nil || len(c) != 3 || c[1].Source.Name != "data" || c[1].Lowered == nil || c[1].Lowered.Tier != genesis.TierRegistered {
			t.Errorf("%s: of two lowered tiers %+v, %v is inherited", name, c, err)
		}
	}
}

// TestSourcesThatComeLater gives a version more sources after something was made
// from it.
func TestSourcesThatComeLater(t *testing.T) {
	w := accesstest.Open(t)
	secret, mid, leaf := accesstest.Dataset("secret"), accesstest.Dataset("mid"), accesstest.Dataset("leaf")
	derive(t, w, leaf, mid)
	w.Publish(mid, genesis.Terms{Tier: genesis.TierPublic})
	w.Publish(leaf, genesis.Terms{Tier: genesis.TierPublic})
	rule(t, w, mia, genesis.Read, leaf, "public")
	derive(t, w, mid, secret)
	rule(t, w, mia, genesis.Read, leaf, "no: draft")
	derive(t, w, leaf, leaf, mid) // itself is no source
	derive(t, w, secret, leaf)    // a ring, as content that comes out the same can make
	rule(t, w, ann, genesis.Read, leaf, "public")
	c, err := w.Constraints(t.Context(), leaf.Name, leaf.Version)
	if err != nil || len(c) != 2 {
		t.Errorf("constraints: %+v, %v", c, err)
	}
	err = w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		return w.Derive(ctx, tx, leaf, []access.Resource{{Name: "Odd", Version: secret.Version}})
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("made from what has no name: %v", err)
	}
	err = w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		return w.Derive(ctx, tx, access.Resource{Name: "leaf"}, []access.Resource{mid})
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("what has no version was made: %v", err)
	}
	many := make([]access.Resource, 1001)
	for i := range many {
		many[i] = accesstest.Dataset("part")
		many[i].Version = genesis.DigestOf([]byte{byte(i), byte(i >> 8)})
	}
	try := func(n int) error {
		return w.Tx(func(ctx context.Context, tx *sql.Tx) error {
			return w.Derive(ctx, tx, accesstest.Dataset("whole"), many[:n])
		})
	}
	if err := try(1001); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("made from 1001: %v", err)
	}
	if err := try(1000); err != nil {
		t.Errorf("made from 1000: %v", err)
	}
}

// TestScopesAreAboutWhatIsAsked narrows a token to the model: what it was made from
// is not asked of the token.
func TestScopesAreAboutWhatIsAsked(t *testing.T) {
	w := accesstest.Open(t)
	data, model := accesstest.Dataset("turbines"), accesstest.Model("power", "", genesis.Published)
	derive(t, w, model, data)
	w.Publish(data, genesis.Terms{Tier: genesis.TierRegistered})
	w.Publish(model, genesis.Terms{Tier: genesis.TierRegistered})
	p := edit(mia, func(p *genesis.Principal) { p.Scopes = []genesis.Scope{"infer:power"} })
	rule(t, w, p, genesis.Infer, model, "registered")
	rule(t, w, p, genesis.Evaluate, model, "no: scope")
	rule(t, w, p, genesis.Infer, data, "no: scope")
	rule(t, w, p, genesis.Discover, model, "registered")
	rule(t, w, p, genesis.Discover, data, "no: scope")
	p.Scopes = []genesis.Scope{"operate"} // the node, which is no asset
	rule(t, w, p, genesis.Discover, data, "no: scope")
}
