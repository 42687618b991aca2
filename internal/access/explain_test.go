package access_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

func TestRefusalsAreUseful(t *testing.T) {
	w := accesstest.Open(t)
	agreement := &genesis.Agreement{Kind: "DUA", Digest: genesis.DigestOf(nil)}
	r := func(name genesis.Name, terms genesis.Terms) access.Resource {
		w.Publish(accesstest.Dataset(name), terms)
		return accesstest.Dataset(name)
	}
	controlled := r("controlled", genesis.Terms{Tier: genesis.TierControlled})
	agreed := r("agreed", genesis.Terms{Tier: genesis.TierControlled, Agreement: agreement})
	hidden := r("hidden", genesis.Terms{Tier: genesis.TierControlled, Hidden: true})
	open := r("open", genesis.Terms{Tier: genesis.TierPublic, Uses: genesis.Uses{Infer: genesis.UseNo, Evaluate: genesis.UseConditional}})
	ear := r("ear", genesis.Terms{Tier: genesis.TierRegistered, ExportControl: genesis.EAR})
	cui := r("cui", genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"mit"}, Sensitivity: genesis.CUI})
	restricted := r("restricted", genesis.Terms{Tier: genesis.TierRestricted})
	w.Give("restricted", "person:mit/mia", genesis.TrainOn)
	draft := controlled
	draft.State, draft.Creator = genesis.Draft, "mit/mia"
	none := genesis.Principal{}
	foreign := edit(bob, func(p *genesis.Principal) { p.Citizenship = genesis.ForeignNational })
	citizen := edit(mia, func(p *genesis.Principal) { p.Citizenship = genesis.USCitizen }) // as mit says
	token := edit(mia, func(p *genesis.Principal) { p.Scopes = []genesis.Scope{"discover", "read:open"} })
	expired := edit(mia, func(p *genesis.Principal) { p.Vetting = genesis.VettingExpired })
	refused := edit(mia, func(p *genesis.Principal) { p.Vetting = genesis.VettingRefused })
	for _, tt := range []struct {
		p    genesis.Principal
		a    genesis.Action
		r    access.Resource
		kind genesis.ErrorKind
		msg  string
		hint string
	}{
		{mia, genesis.Read, controlled, genesis.Permission, "it is controlled: to read it takes a grant", `genesis request nrel/controlled --actions read --purpose "…"`},
		{mia, genesis.TrainOn, controlled, genesis.Permission, "it is controlled: to train on it takes a grant", `genesis request nrel/controlled --actions train --purpose "…"`},
		{mia, genesis.Infer, controlled, genesis.Permission, "it is controlled: to infer with it takes a grant", `genesis request nrel/controlled --actions infer --purpose "…"`},
		{mia, genesis.Evaluate, controlled, genesis.Permission, "it is controlled: to evaluate it takes a grant", `genesis request nrel/controlled --actions evaluate --purpose "…"`},
		{mia, genesis.Read, agreed, genesis.Permission, "it is controlled: to read it takes a grant", `genesis request nrel/agreed --actions read --purpose "…", accepting its agreement`},
		{mia, genesis.Steward, controlled, genesis.Permission, "this is for its stewards", ""},
		{mia, genesis.Steward, draft, genesis.Permission, "this is for its stewards", ""},
		{mia, genesis.Operate, controlled, genesis.Permission, "nobody operates an asset", ""},
		{mia, genesis.Read, hidden, genesis.Private, "there is no such thing here", ""},
		{none, genesis.Read, controlled, genesis.Private, "there is no such thing here", ""},
		{none, genesis.TrainOn, open, genesis.Permission, "nobody has signed in", "sign in: genesis login"},
		{none, genesis.Request, open, genesis.Permission, "nobody has signed in", "sign in: genesis login"},
		{accesstest.Person("evil", "mal"), genesis.TrainOn, open, genesis.Permission, "no member of the federation vouches for the person", ""},
		{mia, genesis.Infer, open, genesis.Permission, "its steward marked this use No", ""},
		{mia, genesis.Evaluate, open, genesis.Permission, "its steward marked this use Conditional: it needs a grant with a condition that holds", `genesis request nrel/open --actions evaluate --purpose "…"`},
		{bob, genesis.Read, ear, genesis.Permission, "it is export-controlled: that needs a grant that names the licence or, of people of the node where it is, citizenship or permanent residence of the country",
			"if you are a citizen or permanent resident, have your account say so"},
		{foreign, genesis.Read, ear, genesis.Permission, "it is export-controlled: that needs a grant that names the licence or, of people of the node where it is, citizenship or permanent residence of the country",
			`genesis request ear --actions read --purpose "…", naming the export licence`},
		{citizen, genesis.Read, ear, genesis.Permission, "it is export-controlled: that needs a grant that names the licence or, of people of the node where it is, citizenship or permanent residence of the country",
			`genesis request nrel/ear --actions read --purpose "…", naming the export licence`},
		{mia, genesis.Read, cui, genesis.Permission, "what is sensitive needs a sign-in with more than one factor", "sign in with a second factor"},
		{mia, genesis.Read, restricted, genesis.Permission, "bytes of what is restricted never leave the node, with whatever grant", ""},
		{mia, genesis.Infer, restricted, genesis.Permission, "it is restricted: to infer with it takes a grant", `genesis request nrel/restricted --actions infer --purpose "…"`},
		{token, genesis.TrainOn, open, genesis.Permission, "the token they came with is narrowed to other things", "come with a token of scope train:open"},
		{token, genesis.TrainOn, controlled, genesis.Permission, "the token they came with is narrowed to other things", `come with a token of scope train:controlled; and genesis request nrel/controlled --actions train --purpose "…"`},
		{expired, genesis.TrainOn, restricted, genesis.Permission, "it is restricted: to train on it takes a grant", "ask a security officer of this node to vet you: `genesis account vet --note …`"},
		{refused, genesis.TrainOn, open, genesis.Permission, "a security officer refused to vet them, which leaves what is public", "ask a security officer of this node to vet you: `genesis account vet --note …`"},
		{mia, genesis.Operate, access.Resource{}, genesis.Private, "there is no such thing here", ""},
		{bob, genesis.Operate, access.Resource{}, genesis.Permission, "this is for the operators of this node", ""},
		{bob, genesis.Steward, access.Resource{}, genesis.Permission, "this is for people of this node", ""},
		{edit(accesstest.Person("nrel", "off", genesis.DutyOfficer), func(p *genesis.Principal) { p.Scopes = []genesis.Scope{"discover"} }), genesis.Operate,
			access.Resource{Part: access.Office}, genesis.Permission, "the token they came with is narrowed to other things", "come with a token of scope operate"},
	} {
		_, err := w.Decide(t.Context(), access.Ask{Principal: tt.p, Action: tt.a, Resource: tt.r, Outside: true})
		e, ok := err.(*genesis.Error)
		if !ok || e.Kind != tt.kind || e.Msg != tt.msg || e.Hint != tt.hint || e.Op != string(tt.a) || e.Subject != string(tt.r.Name) {
			t.Errorf("%s %s %s:\n%+v\nwant %s: %s\n%s", tt.p.Person(), tt.a, tt.r.Name, err, tt.kind, tt.msg, tt.hint)
		}
	}
}

// TestSourceIsNotNamed refuses because of a source that the asker may not discover.
func TestSourceIsNotNamed(t *testing.T) {
	w := accesstest.Open(t)
	secret, made := accesstest.Dataset("secret"), accesstest.Model("~bob/model", "nrel/bob", genesis.Published)
	derive(t, w, made, secret)
	w.Publish(secret, genesis.Terms{Tier: genesis.TierRestricted, Sensitivity: genesis.CUI})
	w.Publish(made, genesis.Terms{Tier: genesis.TierPublic, By: "nrel/bob"})
	for _, a := range []genesis.Action{genesis.Read, genesis.Infer, genesis.TrainOn} {
		d := w.Answer(bob, a, made)
		if d.Allowed || !d.Discoverable || strings.Contains(d.Reason+d.Hint, "secret") || !strings.HasPrefix(d.Reason, "of something that it was made from holds: ") {
			t.Errorf("%s: %+v", a, d)
		}
	}
	e, err := w.Explain(t.Context(), access.Ask{Principal: bob, Action: genesis.Infer, Resource: made})
	if err != nil || !strings.Contains(e.Reason, "it was made from secret@sha256:") || len(e.Sources) != 1 || len(e.Change) == 0 || !strings.Contains(strings.Join(e.Change, " "), "genesis grant secret@sha256:") {
		t.Errorf("to a steward: %+v, %v", e, err)
	}
	w.Give("secret", "person:bob", genesis.TrainOn)
	d := w.Answer(bob, genesis.Infer, made)
	if d.Allowed || d.Rule != "second-factor" || d.Hint != "sign in with a second factor" || !strings.HasPrefix(d.Reason, "it was made from secret@sha256:") {
		t.Errorf("one who may discover it: %+v", d)
	}
}

// TestSourceOfASourceIsHidden has a source that would be open if it were not made
// from what is hidden.
func TestSourceOfASourceIsHidden(t *testing.T) {
	w := accesstest.Open(t)
	secret, mid, other, made := accesstest.Dataset("secret"), accesstest.Dataset("mid"), accesstest.Dataset("other"), accesstest.Model("~bob/model", "nrel/bob", genesis.Draft)
	derive(t, w, mid, secret)
	derive(t, w, made, mid, other)
	no := genesis.Uses{Infer: genesis.UseNo, Train: genesis.UseNo}
	w.Publish(secret, genesis.Terms{Tier: genesis.TierControlled, Uses: no})
	w.Publish(mid, genesis.Terms{Tier: genesis.TierPublic, Uses: no})
	w.Publish(other, genesis.Terms{Tier: genesis.TierPublic})
	d := w.Answer(bob, genesis.Infer, made)
	if d.Allowed || !strings.HasPrefix(d.Reason, "it was made from mid@") {
		t.Errorf("%+v", d)
	}
	w.Publish(secret, genesis.Terms{Tier: genesis.TierControlled, Hidden: true, Uses: no})
	if d := w.Answer(bob, genesis.Infer, made); d.Allowed || strings.Contains(d.Reason, "mid") || strings.Contains(d.Reason, "secret") {
		t.Errorf("%+v", d)
	}
	w.Publish(mid, genesis.Terms{Tier: genesis.TierPublic})
	w.Publish(other, genesis.Terms{Tier: genesis.TierPublic, Uses: no})
	if d := w.Answer(bob, genesis.Infer, made); d.Allowed || !strings.HasPrefix(d.Reason, "it was made from other@") {
		t.Errorf("%+v", d)
	}
}

func TestExplain(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted, Openings: []genesis.Opening{opening(1, genesis.TierControlled)}})
	id := w.GiveThis(genesis.Grant{Name: r.Name, To: "sector:university", Actions: []genesis.Action{genesis.TrainOn}, Condition: `purpose == "wind"`})
	explain := func(p genesis.Principal, a genesis.Action) genesis.Explanation {
		t.Helper()
		e, err := w.Explain(t.Context(), access.Ask{Principal: p, Action: a, Resource: r})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := explain(mia, genesis.TrainOn)
	if e.Allowed || e.Tier != genesis.TierRestricted || e.Rule != "default" || len(e.Grants) != 1 || e.Grants[0].ID != id || e.Principal.Sector != genesis.University ||
		e.Action != genesis.TrainOn || e.Ref.Name != r.Name || e.Ref.Digest != r.Version || e.Sources != nil {
		t.Errorf("%+v", e)
	}
	ref := e.Ref.String()
	if want := []string{"they say what it is for: genesis --for 'wind' …"}; !slices.Equal(e.Change, want) {
		t.Errorf("changes %q, want %q", e.Change, want)
	}
	other := w.GiveThis(genesis.Grant{Name: r.Name, To: "sector:university", Actions: []genesis.Action{genesis.Evaluate}, Condition: `principal.subject == "max"`})
	want := []string{"they meet the condition of grant " + other + `, principal.subject == "max"; or genesis grant ` + ref + " --to person:mit/mia --actions evaluate"}
	if e = explain(mia, genesis.Evaluate); !slices.Equal(e.Change, want) {
		t.Errorf("changes %q, want %q", e.Change, want)
	}
	w.Take(other)
	if d := w.Answer(mia, genesis.TrainOn, r); d.Reason != `it is restricted, and the grant to train on it counts when purpose == "wind"` || d.Hint != "say what it is for: genesis --for 'wind' …" {
		t.Errorf("a condition that does not hold: %q, %q", d.Reason, d.Hint)
	}
	p := edit(mia, func(p *genesis.Principal) { p.Purpose = "wind" })
	for n, who := range []genesis.Principal{p, mia} { // whoever states the purpose has it
		unmet, err := w.Unmet(t.Context(), access.Ask{Principal: who, Action: genesis.Discover, Resource: r})
		if err != nil || len(unmet) != n || n > 0 && unmet[0].ID != id {
			t.Errorf("%q leaves unmet %+v, %v", who.Purpose, unmet, err)
		}
	}
	e = explain(p, genesis.TrainOn)
	if !e.Allowed || e.Rule != "grant" || !slices.Equal(e.Change, []string{"genesis revoke " + id}) {
		t.Errorf("%+v", e)
	}
	e = explain(eve, genesis.Discover)
	if e.Allowed || !slices.Equal(e.Change, []string{"genesis grant " + ref + " --to person:acme/eve --actions discover"}) {
		t.Errorf("%+v", e)
	}
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered, Uses: genesis.Uses{Train: genesis.UseNo}})
	if e = explain(eve, genesis.TrainOn); !slices.Equal(e.Change, []string{"genesis publish " + ref + " --uses train=yes"}) {
		t.Errorf("%+v", e)
	}
	if e = explain(eve, genesis.Infer); !slices.Equal(e.Change, []string{"genesis publish " + ref + " --tier restricted"}) {
		t.Errorf("%+v", e)
	}
	if e = explain(bob, genesis.Steward); !slices.Equal(e.Change, []string{"an operator gives them the duty steward"}) {
		t.Errorf("%+v", e)
	}
	if e = explain(ann, genesis.Steward); !slices.Equal(e.Change, []string{"an operator takes their duties from them"}) {
		t.Errorf("%+v", e)
	}
	if e = explain(access.Local(""), genesis.Steward); e.Change != nil {
		t.Errorf("%+v", e)
	}
	for want, q := range map[string]access.Ask{
		"this is for the security officers of this node": {Principal: bob, Action: genesis.Operate, Resource: access.Resource{Part: access.Office}},
		"this is for the operators of this node":         {Principal: bob, Action: genesis.Operate},
		"this is for people of this node":                {Principal: bob, Action: genesis.Discover, Resource: access.Resource{Part: access.Office}},
		"it has no terms yet that open it":               {Principal: eve, Action: genesis.Read, Resource: accesstest.Dataset("published-before-terms")},
		"they own the home":                              {Principal: access.Local(""), Action: genesis.Infer},
	} {
		if e, err := w.Explain(t.Context(), q); err != nil || e.Reason != want {
			t.Errorf("%+v, %v, want %q", e, err, want)
		}
	}
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Sensitivity: genesis.CUI})
	if e = explain(genesis.Principal{}, genesis.Read); !slices.Equal(e.Change, []string{"they sign in", "they sign in with a second factor", "genesis grant " + ref + " --to person:… --actions read"}) {
		t.Errorf("%+v", e)
	}
	at, err := w.Explain(t.Context(), access.Ask{Principal: eve, Action: "odd", Resource: r})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("%+v, %v", at, err)
	}
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(1, genesis.TierPublic)}})
	at, err = w.Explain(t.Context(), access.Ask{Principal: eve, Action: genesis.Read, Resource: r, At: day(2)})
	if err != nil || !at.Allowed || at.Tier != genesis.TierPublic {
		t.Errorf("on another day: %+v, %v", at, err)
	}
	w.Pass(24 * time.Hour)
	if e = explain(eve, genesis.Read); !e.Allowed || e.Tier != genesis.TierPublic {
		t.Errorf("when it has opened: %+v", e)
	}
	r.State, r.Creator = genesis.Draft, "acme/eve"
	if e = explain(eve, genesis.Read); !e.Allowed || e.Change != nil {
		t.Errorf("their own draft: %+v", e)
	}
	off := accesstest.Person("nrel", "off", genesis.DutyOfficer)
	if e, err := w.Explain(t.Context(), access.Ask{Principal: off, Action: genesis.Operate, Resource: access.Resource{Part: access.Office}}); err != nil ||
		!slices.Equal(e.Change, []string{"an officer takes their duties from them"}) {
		t.Errorf("an officer: %+v, %v", e, err)
	}
}

// TestChanges has the fewest steps for a question of each kind.
func TestChanges(t *testing.T) {
	w := accesstest.Open(t)
	publish := func(name genesis.Name, terms genesis.Terms) access.Resource {
		w.Publish(accesstest.Dataset(name), terms)
		return accesstest.Dataset(name)
	}
	restricted := publish("restricted", genesis.Terms{Tier: genesis.TierRestricted})
	cui := publish("cui", genesis.Terms{Tier: genesis.TierRestricted, Sensitivity: genesis.CUI})
	partner := publish("partner", genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"mit"}})
	hidden := publish("hidden", genesis.Terms{Tier: genesis.TierControlled, Hidden: true})
	marked := publish("marked", genesis.Terms{Tier: genesis.TierControlled, Uses: genesis.Uses{Evaluate: genesis.UseConditional}, ExportControl: genesis.ITAR})
	closed := publish("closed", genesis.Terms{Tier: genesis.TierRestricted, Sensitivity: genesis.CUI, Uses: genesis.Uses{Train: genesis.UseNo}})
	unused := publish("unused", genesis.Terms{Tier: genesis.TierRegistered, Uses: genesis.Uses{Infer: genesis.UseNo, Evaluate: genesis.UseNo}})
	ear := publish("ear", genesis.Terms{Tier: genesis.TierPublic, ExportControl: genesis.EAR})
	held := func(name genesis.Name, g genesis.Grant) access.Resource {
		g.Name, g.To = name, "person:acme/eve"
		w.GiveThis(g)
		return publish(name, genesis.Terms{Tier: genesis.TierControlled, Uses: genesis.Uses{Train: genesis.UseNo, Evaluate: genesis.UseConditional}, ExportControl: genesis.ITAR})
	}
	infers := held("infers", genesis.Grant{Actions: []genesis.Action{genesis.Infer}, Licence: "D1"})
	conditioned := held("conditioned", genesis.Grant{Actions: []genesis.Action{genesis.Evaluate}, Condition: "true"})
	licensed := held("licensed", genesis.Grant{Actions: []genesis.Action{genesis.Evaluate}, Licence: "D1"})
	draft, withdrawn := accesstest.Dataset("draft"), restricted
	draft.State, withdrawn.State = genesis.Draft, genesis.Withdrawn
	foreign := edit(eve, func(p *genesis.Principal) { p.Citizenship = genesis.ForeignNational })
	none, stranger := genesis.Principal{}, accesstest.Person("evil", "mal")
	citizen := edit(bob, func(p *genesis.Principal) { p.Citizenship = genesis.USCitizen })
	vouched := edit(eve, func(p *genesis.Principal) { p.Citizenship = genesis.USCitizen }) // as acme says
	expired := edit(eve, func(p *genesis.Principal) { p.Vetting = genesis.VettingExpired })
	refused := edit(eve, func(p *genesis.Principal) { p.Vetting = genesis.VettingRefused })
	token := edit(eve, func(p *genesis.Principal) { p.Scopes = []genesis.Scope{} })
	for _, tt := range []struct {
		p    genesis.Principal
		a    genesis.Action
		r    access.Resource
		want string // @ stands for the version; steps are separated by "; "
	}{
		{eve, genesis.Request, restricted, "genesis publish restricted@ --tier controlled"},
		{eve, genesis.Request, partner, "genesis publish partner@ --tier partner --partners mit,acme"},
		{eve, genesis.Request, hidden, "genesis publish hidden@ --tier controlled --hidden=false"},
		{none, genesis.Discover, partner, "genesis publish partner@ --tier public"},
		{none, genesis.Request, partner, "they sign in; genesis publish partner@ --tier registered"},
		{none, genesis.Request, hidden, "they sign in; genesis publish hidden@ --tier controlled --hidden=false"},
		{eve, genesis.Discover, draft, "genesis publish draft@ --tier controlled"},
		{eve, genesis.Read, draft, "genesis publish draft@ --tier partner --partners acme"},
		{none, genesis.Read, draft, "genesis publish draft@ --tier public"},
		{eve, genesis.Read, restricted, "genesis publish restricted@ --tier partner --partners acme"},
		{eve, genesis.TrainOn, restricted, "genesis grant restricted@ --to person:acme/eve --actions train"},
		{eve, genesis.Read, cui, "they sign in with a second factor; genesis publish cui@ --tier partner --partners acme"},
		{none, genesis.Discover, cui, "they sign in; genesis grant cui@ --to person:… --actions discover"},
		{eve, genesis.Evaluate, marked, "genesis grant marked@ --to person:acme/eve --actions evaluate --condition '…' --licence …"},
		{foreign, genesis.Evaluate, marked, "genesis grant marked@ --to person:acme/eve --actions evaluate --condition '…' --licence …"},
		{vouched, genesis.Evaluate, marked, "genesis grant marked@ --to person:acme/eve --actions evaluate --condition '…' --licence …"},
		{citizen, genesis.Evaluate, marked, "genesis grant marked@ --to person:bob --actions evaluate --condition '…'"},
		{foreign, genesis.Infer, marked, "genesis grant marked@ --to person:acme/eve --actions infer --licence …"},
		{token, genesis.TrainOn, restricted, "they come with a token of scope train:restricted; genesis grant restricted@ --to person:acme/eve --actions train"},
		{stranger, genesis.TrainOn, restricted, ""},
		{stranger, genesis.Discover, restricted, "genesis publish restricted@ --tier public"},
		{eve, genesis.Read, withdrawn, ""},
		{eve, genesis.Steward, restricted, ""},
		{bob, genesis.Steward, restricted, "an operator gives them the duty steward"},
		{bob, genesis.Steward, cui, "they sign in with a second factor; an operator gives them the duty steward"},
		{bob, genesis.Steward, access.Resource{}, "an operator gives them the duty steward"},
		{bob, genesis.Operate, access.Resource{}, "an operator gives them the duty operator"},
		{bob, genesis.Operate, access.Resource{Part: access.Office}, "an officer gives them the duty officer"},
		{bob, genesis.Read, access.Resource{}, ""},
		{bob, genesis.Operate, restricted, ""},
		{bob, genesis.Discover, access.Resource{Part: access.Office}, "an officer gives them the duty officer"},
		{eve, genesis.Operate, access.Resource{}, ""},
		{none, genesis.TrainOn, closed, ""}, // it would take four steps
		{refused, genesis.Read, cui, "they sign in with a second factor; a security officer vets them; genesis publish cui@ --tier partner --partners acme"},
		{expired, genesis.Discover, restricted, "genesis grant restricted@ --to person:acme/eve --actions discover"},
		{none, genesis.Read, ear, "they sign in; genesis grant ear@ --to person:… --actions read --licence …"},
		{bob, genesis.Read, ear, "they are us-citizen or us-person, and their account says so"},
		{eve, genesis.Read, ear, "genesis grant ear@ --to person:acme/eve --actions read --licence …"},
		{eve, genesis.Infer, unused, "genesis publish unused@ --uses infer=yes"},
		{eve, genesis.Evaluate, unused, "genesis publish unused@ --uses evaluate=yes"},
		{citizen, genesis.TrainOn, infers, "genesis grant infers@ --to person:bob --actions train; genesis publish infers@ --uses train=yes"},
		{foreign, genesis.Evaluate, conditioned, "genesis grant conditioned@ --to person:acme/eve --actions evaluate --licence …"},
		{foreign, genesis.Evaluate, licensed, "genesis grant licensed@ --to person:acme/eve --actions evaluate --condition '…'"},
	} {
		e, err := w.Explain(t.Context(), access.Ask{Principal: tt.p, Action: tt.a, Resource: tt.r, Outside: true})
		if err != nil || e.Allowed {
			t.Fatal(e, err)
		}
		got := strings.ReplaceAll(strings.Join(e.Change, "; "), string(tt.r.Version), "")
		if got != tt.want {
			t.Errorf("%s %s %s: %q, want %q", tt.p.Person(), tt.a, tt.r.Name, got, tt.want)
		}
	}
}

// TestChangesOfSources asks about what was made from others: all of them count, or
// none of them.
func TestChangesOfSources(t *testing.T) {
	w := accesstest.Open(t)
	source, made := accesstest.Dataset("source"), accesstest.Model("made", "mit/mia", genesis.Published)
	derive(t, w, made, source)
	changes := func(p genesis.Principal, a genesis.Action, want ...string) {
		t.Helper()
		e, err := w.Explain(t.Context(), access.Ask{Principal: p, Action: a, Resource: made})
		for i := range want {
			want[i] = strings.NewReplacer("made@", "made@"+string(made.Version), "source@", "source@"+string(source.Version)).Replace(want[i])
		}
		if err != nil || !slices.Equal(e.Change, want) {
			t.Errorf("%s %s: %q, %v, want %q", p.Person(), a, e.Change, err, want)
		}
	}
	w.Publish(source, genesis.Terms{Tier: genesis.TierRestricted})
	w.Publish(made, genesis.Terms{Tier: genesis.TierRestricted})
	changes(bob, genesis.Steward, "an operator gives them the duty steward")
	changes(eve, genesis.TrainOn, "genesis grant made@ --to person:acme/eve --actions train", "genesis grant source@ --to person:acme/eve --actions train")
	// Whoever made it may use it while they may use or train on the source: the first
	// of what takes fewest steps is suggested.
	changes(mia, genesis.Infer, "genesis grant source@ --to person:mit/mia --actions infer")
	w.Publish(source, genesis.Terms{Tier: genesis.TierRestricted, Uses: genesis.Uses{Infer: genesis.UseNo}})
	changes(mia, genesis.Infer, "genesis grant source@ --to person:mit/mia --actions train")
	if d := w.Answer(mia, genesis.TrainOn, made); !d.Discoverable || d.Hint != "" {
		t.Errorf("half of what it takes is suggested, of what may be named: %+v", d)
	}
	made.State = genesis.Withdrawn
	changes(eve, genesis.TrainOn)
}

// TestChangesOnce needs one thing of the person for a version and for what it was
// made from: it is suggested once.
func TestChangesOnce(t *testing.T) {
	w := accesstest.Open(t)
	source, made := accesstest.Dataset("source"), accesstest.Dataset("made")
	derive(t, w, made, source)
	for _, tt := range []struct {
		terms genesis.Terms
		p     genesis.Principal
		want  string
	}{
		{genesis.Terms{Tier: genesis.TierRegistered}, genesis.Principal{}, "they sign in"},
		{genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"acme"}, Sensitivity: genesis.CUI}, eve, "they sign in with a second factor"},
		{genesis.Terms{Tier: genesis.TierRegistered}, edit(eve, func(p *genesis.Principal) { p.Vetting = genesis.VettingRefused }), "a security officer vets them"},
		{genesis.Terms{Tier: genesis.TierRegistered, ExportControl: genesis.EAR}, bob, "they are us-citizen or us-person, and their account says so"},
		{genesis.Terms{Tier: genesis.TierRegistered}, edit(eve, func(p *genesis.Principal) { p.Scopes = []genesis.Scope{} }), "they come with a token of scope train:made"},
	} {
		w.Publish(source, tt.terms)
		w.Publish(made, tt.terms)
		e, err := w.Explain(t.Context(), access.Ask{Principal: tt.p, Action: genesis.TrainOn, Resource: made})
		if err != nil || !slices.Equal(e.Change, []string{tt.want}) {
			t.Errorf("%q, %v, want %q", e.Change, err, tt.want)
		}
	}
}

// make does for real what a suggestion says, and returns who asks then.
func (p *pair) make(s access.Suggestion, who genesis.Principal, r *access.Resource) genesis.Principal {
	grant := func(condition, licence string) {
		p.GiveThis(genesis.Grant{Name: s.About.Name, Version: s.About.Version, To: genesis.Grantee("person:" + string(who.Person())), Actions: []genesis.Action{s.Action}, Condition: condition, Licence: licence})
	}
	terms := s.Terms
	terms.By, terms.At, terms.Openings, terms.Tier, terms.Format = "nrel/ann", p.Now(), nil, s.Tier, 0
	publish := func() {
		p.Publish(s.About, terms)
		if bare(*r) == s.About {
			r.State = genesis.Published
		}
	}
	switch s.Move {
	case "sign-in":
		who.Node, who.Subject = "nrel", "someone"
	case "scope":
		who.Scopes = nil
	case "second-factor":
		who.Assurance = genesis.AssuranceMFA
	case "vetting":
		who.Vetting = genesis.Vetted
	case "citizenship":
		who.Citizenship = genesis.USPerson
	case "purpose":
		who.Purpose = s.Purpose
	case "grant":
		grant("", "")
	case "grant-condition":
		grant("true", "")
	case "grant-licence":
		grant("", "D1")
	case "grant-condition-licence":
		grant("true", "D1")
	case "duty":
		who.Duties = genesis.Duties
	case "dismiss":
		who.Duties = nil
	case "revoke":
		for _, id := range s.Grants {
			p.Take(id)
		}
	case "use":
		*map[genesis.Action]*genesis.Use{genesis.TrainOn: &terms.Uses.Train, genesis.Infer: &terms.Uses.Infer, genesis.Evaluate: &terms.Uses.Evaluate}[s.Action] = genesis.UseYes
		publish()
	case "restrict":
		terms.Tier, terms.Hidden = genesis.TierRestricted, false
		publish()
	case "controlled", "partner", "registered", "public":
		terms.Tier, terms.Hidden = genesis.Tier(s.Move), false
		if s.Move == "partner" {
			terms.Partners = append(slices.Clone(terms.Partners), string(who.Node))
		}
		publish()
	default:
		p.t.Fatalf("a suggestion of an unknown kind: %+v", s)
	}
	return who
}

// TestSuggestionsWork asks random questions in random worlds, does for real what
// Explain or the hint suggests, and asks again.
func TestSuggestionsWork(t *testing.T) {
	worlds := 40
	if testing.Short() {
		worlds = 4
	}
	turned, tried, moves := 0, 0, map[string]int{}
	for seed := range worlds {
		p := newPair(t, uint64(1000+seed))
		for range 12 {
			p.step()
		}
		for n := range 40 {
			who, a, r, outside := p.random()
			ask := access.Ask{Principal: who, Action: a, Resource: r, Outside: outside}
			steps, allowed := access.Suggestions(p.Decider, ask, n%2 == 0)
			if tried++; len(steps) == 0 {
				continue
			}
			turned++
			if allowed && n%2 != 0 { // each of them turns the answer
				steps = steps[:1]
			}
			for _, s := range steps {
				moves[s.Move]++
				ask.Principal = p.make(s, ask.Principal, &ask.Resource)
			}
			d, err := p.Decide(context.Background(), ask)
			if d.Allowed == allowed {
				t.Fatalf("seed %d: %s may %s %s %s is %v (%s), and still after\n%+v: %s, %v", seed, describe(who), a, r.Name, r.State, allowed, d.Rule, steps, d.Reason, err)
			}
		}
		p.Pass(time.Hour)
	}
	t.Logf("%d of %d answers have suggestions: %v", turned, tried, moves)
	for _, m := range []string{"sign-in", "scope", "second-factor", "vetting", "citizenship", "grant", "grant-condition", "grant-licence", "duty", "use", "registered", "revoke", "restrict", "dismiss"} {
		if moves[m] == 0 && !testing.Short() {
			t.Errorf("nothing suggested %s", m)
		}
	}
}
