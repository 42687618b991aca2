package access_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// edit returns a principal with something changed.
func edit(p genesis.Principal, change func(*genesis.Principal)) genesis.Principal {
	change(&p)
	return p
}

func mfa(p *genesis.Principal) { p.Assurance = genesis.AssuranceMFA }

// people of the tests of limits.
var (
	ann = accesstest.Person("nrel", "ann", genesis.DutySteward)
	bob = accesstest.Person("nrel", "bob")
	mia = accesstest.Person("mit", "mia")
	eve = accesstest.Person("acme", "eve")
)

// rule checks the answer to a question, and by which rule.
func rule(t *testing.T, w *accesstest.World, p genesis.Principal, a genesis.Action, r access.Resource, want string) {
	t.Helper()
	d := w.Answer(p, a, r)
	got := d.Rule
	if !d.Allowed {
		got = "no: " + got
	}
	if got != want {
		t.Errorf("%s may %s %s by %q (%s), want %q", p.Person(), a, r.Name, got, d.Reason, want)
	}
}

func TestSensitiveNeedsSecondFactor(t *testing.T) {
	w := accesstest.Open(t)
	for _, s := range []genesis.Sensitivity{genesis.CUI, genesis.UCNI, genesis.LegacyControlled, genesis.MixedSensitivity, genesis.OtherControlled} {
		r := accesstest.Dataset(genesis.Name("sensitive"))
		w.Publish(r, genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"mit"}, Sensitivity: s})
		for _, a := range []genesis.Action{genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
			rule(t, w, mia, a, r, "no: second-factor")
			rule(t, w, edit(mia, mfa), a, r, "partner")
			rule(t, w, ann, a, r, "no: second-factor")
			rule(t, w, edit(ann, mfa), a, r, "steward")
		}
		rule(t, w, ann, genesis.Steward, r, "no: second-factor")
		rule(t, w, edit(ann, mfa), genesis.Steward, r, "steward")
		rule(t, w, access.Local("nrel"), genesis.Read, r, "steward")
		rule(t, w, mia, genesis.Discover, r, "partner")
		rule(t, w, mia, genesis.Request, r, "partner")
	}
	for _, s := range []genesis.Sensitivity{"", genesis.SensitivityPublic, genesis.Uncontrolled} {
		r := accesstest.Dataset("plain")
		w.Publish(r, genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"mit"}, Sensitivity: s})
		rule(t, w, mia, genesis.Read, r, "partner")
	}
}

// TestStoredAgainstTheRules puts terms into the database that SetTerms refuses: the
// policies refuse what they would open.
func TestStoredAgainstTheRules(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("odd")
	store := func(body string) {
		w.Do(func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.Exec("DELETE FROM policy_terms"); err != nil {
				return err
			}
			if err := w.SetTerms(ctx, tx, r.Name, r.Version, genesis.Terms{Tier: genesis.TierPublic, By: "nrel/ann"}); err != nil {
				return err
			}
			_, err := tx.Exec("UPDATE policy_terms SET body = $1", body)
			return err
		})
	}
	w.Give(r.Name, "person:mit/mia", genesis.Read)
	for _, tier := range []string{"public", "registered"} {
		store(`{"format":1,"tier":"` + tier + `","sensitivity":"CUI","by":"nrel/ann"}`)
		for _, a := range []genesis.Action{genesis.Discover, genesis.Request, genesis.Read, genesis.TrainOn} {
			rule(t, w, edit(bob, mfa), a, r, "no: sensitive")
			rule(t, w, edit(mia, mfa), a, r, "no: sensitive")
		}
		rule(t, w, edit(ann, mfa), genesis.Steward, r, "steward")
		rule(t, w, edit(ann, mfa), genesis.Discover, r, tier)
	}
	store(`{"format":1,"tier":"partner","partners":["mit"],"sensitivity":"Classified","by":"nrel/ann"}`)
	for _, a := range []genesis.Action{genesis.Discover, genesis.Request, genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
		rule(t, w, access.Local("nrel"), a, r, "no: classified")
		rule(t, w, edit(mia, mfa), a, r, "no: classified")
	}
	rule(t, w, access.Local("nrel"), genesis.Steward, r, "steward")
	store(`{"format":2,"tier":"public"}`)
	w.Changed()
	if d, err := w.Decide(t.Context(), access.Ask{Principal: bob, Action: genesis.Read, Resource: r}); err != nil || !d.Allowed {
		t.Errorf("terms of another format inside are %+v, %v", d, err) // the row's number counts
	}
	w.Do(func(_ context.Context, tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE policy_terms SET format = 2; INSERT INTO policy_changes VALUES (999, 'asset', 'odd', '" + string(r.Version) + "')")
		return err
	})
	d, err := w.Decide(t.Context(), access.Ask{Principal: bob, Action: genesis.Read, Resource: r})
	if genesis.KindOf(err) != genesis.Unsupported || d.Allowed {
		t.Errorf("terms that cannot be read give %+v, %v", d, err)
	}
}

func TestExportControl(t *testing.T) {
	w := accesstest.Open(t)
	citizen := func(c genesis.Citizenship) func(*genesis.Principal) {
		return func(p *genesis.Principal) { p.Citizenship = c }
	}
	for _, e := range []genesis.ExportControl{genesis.ITAR, genesis.EAR, genesis.NuclearExport, genesis.OtherExport} {
		r := accesstest.Dataset(genesis.Name("exported-" + map[genesis.ExportControl]string{genesis.ITAR: "itar", genesis.EAR: "ear", genesis.NuclearExport: "doe"}[e]))
		if e == genesis.OtherExport {
			r = accesstest.Dataset("exported")
		}
		w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered, ExportControl: e})
		for _, a := range []genesis.Action{genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
			rule(t, w, mia, a, r, "no: export-control")
			rule(t, w, edit(mia, citizen(genesis.ForeignNational)), a, r, "no: export-control")
			rule(t, w, edit(mia, citizen(genesis.USCitizen)), a, r, "no: export-control") // as another node says
			rule(t, w, edit(mia, citizen(genesis.USPerson)), a, r, "no: export-control")
			rule(t, w, bob, a, r, "no: export-control")
			rule(t, w, edit(bob, citizen(genesis.ForeignNational)), a, r, "no: export-control")
			rule(t, w, edit(bob, citizen(genesis.USCitizen)), a, r, "registered")
			rule(t, w, edit(bob, citizen(genesis.USPerson)), a, r, "registered")
			rule(t, w, ann, a, r, "no: export-control")
			rule(t, w, access.Local("nrel"), a, r, "registered")
		}
		rule(t, w, mia, genesis.Discover, r, "registered")
		rule(t, w, mia, genesis.Request, r, "registered")
		rule(t, w, ann, genesis.Steward, r, "steward")
		plain := w.Give(r.Name, "person:mit/mia", genesis.Read)
		rule(t, w, mia, genesis.Read, r, "no: export-control")
		id := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Licence: "D1"})
		rule(t, w, mia, genesis.Read, r, "registered")
		rule(t, w, mia, genesis.TrainOn, r, "no: export-control")
		rule(t, w, edit(mia, func(p *genesis.Principal) { p.Vetting = genesis.VettingExpired }), genesis.Read, r, "no: export-control")
		w.Take(id)
		w.Take(plain)
		rule(t, w, mia, genesis.Read, r, "no: export-control")
	}
	r := accesstest.Dataset("open")
	w.Publish(r, genesis.Terms{Tier: genesis.TierPublic, ExportControl: genesis.NoExportControl})
	rule(t, w, genesis.Principal{}, genesis.Read, r, "public")
	w.Publish(r, genesis.Terms{Tier: genesis.TierPublic, ExportControl: genesis.EAR})
	rule(t, w, genesis.Principal{}, genesis.Read, r, "no: export-control")
	rule(t, w, genesis.Principal{}, genesis.Discover, r, "public")
}

func TestUses(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	for _, use := range []genesis.Action{genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
		mark := func(u genesis.Use) genesis.Uses {
			return map[genesis.Action]genesis.Uses{genesis.TrainOn: {Train: u}, genesis.Infer: {Infer: u}, genesis.Evaluate: {Evaluate: u}}[use]
		}
		w.Publish(r, genesis.Terms{Tier: genesis.TierPublic, Uses: mark(genesis.UseNo)})
		id := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{use}, Condition: "true"})
		for _, a := range []genesis.Action{genesis.TrainOn, genesis.Infer, genesis.Evaluate} {
			want := "public-use"
			if a == use {
				want = "no: use-no"
			}
			rule(t, w, mia, a, r, want)
			rule(t, w, ann, a, r, "public-use")
		}
		w.Publish(r, genesis.Terms{Tier: genesis.TierPublic, Uses: mark(genesis.UseConditional)})
		rule(t, w, mia, use, r, "public-use")
		rule(t, w, edit(mia, func(p *genesis.Principal) { p.Vetting = genesis.VettingExpired }), use, r, "no: use-conditional")
		rule(t, w, eve, use, r, "no: use-conditional")
		rule(t, w, ann, use, r, "public-use")
		rule(t, w, eve, genesis.Read, r, "public")
		w.Take(id)
		rule(t, w, mia, use, r, "no: use-conditional")
		id = w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{use}})
		rule(t, w, mia, use, r, "no: use-conditional")
		w.Take(id)
		id = w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{use}, Condition: `purpose == "wind"`})
		rule(t, w, mia, use, r, "no: use-conditional")
		rule(t, w, edit(mia, func(p *genesis.Principal) { p.Purpose = "wind" }), use, r, "public-use")
		rule(t, w, mia, use, r, "no: use-conditional") // not the answer kept for the other purpose
		w.Take(id)
	}
}

func TestVetting(t *testing.T) {
	w := accesstest.Open(t)
	open, closed, registered := accesstest.Dataset("open"), accesstest.Dataset("closed"), accesstest.Dataset("registered")
	w.Publish(open, genesis.Terms{Tier: genesis.TierPublic})
	w.Publish(closed, genesis.Terms{Tier: genesis.TierRestricted})
	w.Publish(registered, genesis.Terms{Tier: genesis.TierRegistered})
	w.Give("closed", "person:mit/mia", genesis.TrainOn)
	state := func(s genesis.VettingState) func(*genesis.Principal) {
		return func(p *genesis.Principal) { p.Vetting = s }
	}
	for _, s := range []genesis.VettingState{genesis.VettingNone, genesis.VettingRequested, genesis.Vetted} {
		rule(t, w, edit(mia, state(s)), genesis.TrainOn, closed, "grant")
		rule(t, w, edit(ann, state(s)), genesis.Steward, closed, "steward")
	}
	expired := edit(mia, state(genesis.VettingExpired))
	rule(t, w, expired, genesis.TrainOn, closed, "no: default")
	rule(t, w, expired, genesis.Discover, closed, "grant-holder")
	rule(t, w, expired, genesis.TrainOn, registered, "registered")
	refused := edit(mia, state(genesis.VettingRefused))
	for _, a := range []genesis.Action{genesis.Discover, genesis.TrainOn} {
		rule(t, w, refused, a, closed, "no: vetting-refused")
		rule(t, w, refused, a, registered, "no: vetting-refused")
	}
	rule(t, w, refused, genesis.Discover, open, "public")
	rule(t, w, refused, genesis.Read, open, "public")
	for _, a := range []genesis.Action{genesis.TrainOn, genesis.Infer, genesis.Evaluate, genesis.Request} {
		rule(t, w, refused, a, open, "no: vetting-refused")
	}
	rule(t, w, edit(ann, state(genesis.VettingRefused)), genesis.Steward, open, "no: vetting-refused")
	operator := edit(accesstest.Person("nrel", "opa", genesis.DutyOperator), state(genesis.VettingRefused))
	rule(t, w, operator, genesis.Operate, access.Resource{}, "no: vetting-refused")
	rule(t, w, operator, genesis.Discover, access.Resource{}, "no: vetting-refused")
}

func TestRestrictedNeverLeaves(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("secret")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	w.Give("secret", "person:mit/mia", genesis.Read, genesis.TrainOn)
	rule(t, w, mia, genesis.Read, r, "grant")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	for _, p := range []genesis.Principal{mia, ann, access.Local("nrel")} {
		rule(t, w, p, genesis.Read, r, "no: restricted")
		d, err := w.Decide(t.Context(), access.Ask{Principal: p, Action: genesis.Read, Resource: r})
		if err != nil || !d.Allowed {
			t.Errorf("%s reads inside: %+v, %v", p.Subject, d, err)
		}
	}
	for _, who := range []struct {
		p     genesis.Principal
		reads bool
	}{{mia, false}, {ann, true}} {
		d, err := w.Decide(t.Context(), access.Ask{Principal: who.p, Action: genesis.TrainOn, Resource: r})
		if err != nil || d.Reads != who.reads {
			t.Errorf("%s trains, and may read is %v, %v", who.p.Subject, d.Reads, err)
		}
	}
	for _, g := range []genesis.Grant{
		{Name: "secret", To: "person:mit/mia", Actions: []genesis.Action{genesis.TrainOn, genesis.Read}, By: "nrel/ann"},
		{Name: "secret", Version: r.Version, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, By: "nrel/ann"},
	} {
		err := w.Tx(func(ctx context.Context, tx *sql.Tx) error { _, err := w.Grant(ctx, tx, g); return err })
		if genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("reading what is restricted is granted: %v", err)
		}
	}
	w.GiveThis(genesis.Grant{Name: "secret", Version: genesis.DigestOf([]byte("another")), To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}})
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted, At: w.Now(), Openings: []genesis.Opening{{At: w.Now().Add(time.Hour), Tier: genesis.TierControlled}}})
	w.Pass(2 * time.Hour)
	rule(t, w, mia, genesis.Read, r, "grant")
	w.Give("secret", "person:acme/eve", genesis.Read)
}

// TestPartnersByNameAndSector also has a member whose id is the name of a sector:
// it must not pass for all of that sector.
func TestPartnersByNameAndSector(t *testing.T) {
	w := accesstest.Open(t, func(c *access.Config) {
		c.Charter = access.Chartered(append(accesstest.Charter().Members(), genesis.Member{ID: "university", Sector: genesis.Industry}, genesis.Member{ID: "plain"})...)
	})
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"university", "acme"}})
	rule(t, w, mia, genesis.Read, r, "partner")
	rule(t, w, eve, genesis.Read, r, "partner")
	rule(t, w, bob, genesis.Read, r, "no: default")
	rule(t, w, accesstest.Person("university", "uma"), genesis.Read, r, "no: default")
	rule(t, w, accesstest.Person("plain", "pat"), genesis.Read, r, "no: default")
	p := access.Complete(accesstest.Charter(), edit(mia, func(p *genesis.Principal) { p.Institution, p.Sector = "nrel", genesis.Federal }))
	if p.Institution != "Massachusetts Institute of Technology" || p.Sector != genesis.University {
		t.Errorf("completed, she is of %q, %q", p.Institution, p.Sector)
	}
	p = access.Complete(accesstest.Charter(), genesis.Principal{Subject: "mal", Node: "evil", Institution: "nrel", Sector: genesis.Federal})
	if p.Institution != "" || p.Sector != "" {
		t.Errorf("completed, somebody of no member is of %q, %q", p.Institution, p.Sector)
	}
	p = access.Complete(access.Alone(genesis.Member{ID: "solo"}), accesstest.Person("solo", "sam"))
	if p.Institution != "solo" {
		t.Errorf("completed, somebody of a member without a name is of %q", p.Institution)
	}
}

// TestDecisionSaysWhoAsked wants in the decision what belongs in the journal,
// also when it comes from the cache.
func TestDecisionSaysWhoAsked(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "mit/mia", By: "nrel/ann"})
	})
	for i := range 2 {
		p := edit(mia, func(p *genesis.Principal) {
			p.Purpose, p.Credential = []string{"first", "second"}[i], []string{"t1", "t2"}[i]
			p.Institution, p.Projects = "nrel", []string{"secret"}
			p.Duties = genesis.Duties
		})
		d := w.Answer(p, genesis.TrainOn, r)
		got := d.Principal
		if got.Institution != "Massachusetts Institute of Technology" || got.Sector != genesis.University || len(got.Projects) != 1 || got.Projects[0] != "wind" ||
			got.Purpose != p.Purpose || got.Credential != p.Credential || got.Duties != nil || d.Action != genesis.TrainOn || d.Resource != r || !d.Reads {
			t.Errorf("decision %d is %+v", i, d)
		}
	}
}
