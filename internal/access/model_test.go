package access_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// model is docs/policy.md once more, in plain Go: no Cedar, no index, no cache. It
// is what the decider is compared with.
type model struct {
	now      time.Time
	terms    map[access.Resource]genesis.Terms // keyed by name and version alone
	grants   []*genesis.Grant
	projects map[string]genesis.Project
	parents  map[access.Resource][]access.Resource
	lowered  map[[2]access.Resource]genesis.Tier // of child and source
	holds    map[string]func(genesis.Principal, time.Time) bool
}

func newModel() *model {
	return &model{now: accesstest.Epoch, terms: map[access.Resource]genesis.Terms{}, projects: map[string]genesis.Project{},
		parents: map[access.Resource][]access.Resource{}, lowered: map[[2]access.Resource]genesis.Tier{}, holds: conditions}
}

// conditions are the conditions that random grants have, in CEL and in Go.
var conditions = map[string]func(genesis.Principal, time.Time) bool{
	`purpose.contains("wind")`:         func(p genesis.Principal, _ time.Time) bool { return strings.Contains(p.Purpose, "wind") },
	`purpose == "wind farms"`:          func(p genesis.Principal, _ time.Time) bool { return p.Purpose == "wind farms" },
	`principal.sector == "university"`: func(p genesis.Principal, _ time.Time) bool { return p.Node == "mit" },
	`!principal.student`:               func(p genesis.Principal, _ time.Time) bool { return !p.Student },
	`principal.assurance == "mfa"`:     func(p genesis.Principal, _ time.Time) bool { return p.Assurance == genesis.AssuranceMFA },
	`"wind" in principal.projects`:     nil, // needs the model: see conditionHolds
	`now < timestamp("2027-02-01T00:00:00Z")`: func(_ genesis.Principal, now time.Time) bool {
		return now.Before(time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC))
	},
}

func bare(r access.Resource) access.Resource {
	return access.Resource{Name: r.Name, Version: r.Version}
}

// known reports whether somebody is vouched for by a member.
func known(p genesis.Principal) bool {
	return p.Subject != "" && (p.Node == "nrel" || p.Node == "mit" || p.Node == "acme")
}

func (m *model) stewards(p genesis.Principal, r access.Resource) bool {
	switch {
	case !known(p):
		return false
	case p.Node != "nrel":
		return strings.HasPrefix(string(r.Name), "~"+p.Subject+"+"+string(p.Node)+"/")
	}
	return p.Has(genesis.DutySteward) || strings.HasPrefix(string(r.Name), "~"+p.Subject+"/")
}

func (m *model) inProject(p genesis.Principal, id string) bool {
	project, ok := m.projects[id]
	if !ok || project.Ended || !project.Until.IsZero() && !m.now.Before(project.Until) {
		return false
	}
	me := genesis.PersonID(string(p.Node) + "/" + p.Subject)
	return project.Lead == me || slices.Contains(project.Members, me)
}

func (m *model) reaches(g *genesis.Grant, p genesis.Principal) bool {
	kind, id := g.To.Split()
	sector := map[genesis.NodeID]string{"nrel": "laboratory", "mit": "university", "acme": "industry"}[p.Node]
	switch kind {
	case genesis.ToPerson:
		return id == string(p.Node)+"/"+p.Subject
	case genesis.ToInstitution:
		return id == string(p.Node)
	case genesis.ToSector:
		return id == sector
	}
	return m.inProject(p, id)
}

func (m *model) conditionHolds(g *genesis.Grant, p genesis.Principal) bool {
	if strings.Contains(g.Condition, "projects") {
		return m.inProject(p, "wind")
	}
	return m.holds[g.Condition](p, m.now)
}

// held are the grants somebody has on a thing.
func (m *model) held(p genesis.Principal, r access.Resource) []*genesis.Grant {
	var all []*genesis.Grant
	for _, g := range m.grants {
		ended := g.Revoked != nil || !g.Until.IsZero() && !m.now.Before(g.Until)
		if !ended && known(p) && g.Name == r.Name && (g.Version == "" || g.Version == r.Version) && m.reaches(g, p) {
			all = append(all, g)
		}
	}
	return all
}

// case is one thing as it stands for one asker.
type standing struct {
	state   genesis.State
	tier    genesis.Tier
	terms   genesis.Terms
	steward bool
	creator bool
	outside bool
}

func (m *model) may(p genesis.Principal, a genesis.Action, r access.Resource, outside bool) bool {
	if !m.scoped(p, a, r) {
		return false
	}
	terms, published := m.terms[bare(r)]
	s := standing{state: r.State, steward: m.stewards(p, r), creator: known(p) && string(r.Creator) == string(p.Node)+"/"+p.Subject, outside: outside}
	if published && r.State != genesis.Draft {
		s.terms, s.tier = terms, m.tier(terms)
	}
	if !m.mayOne(p, a, r, s) {
		return false
	}
	if a == genesis.Steward || (a == genesis.Discover || a == genesis.Request) && (s.steward || s.creator) {
		return true
	}
	for source, lowered := range m.sources(bare(r)) {
		if !m.mayOnSource(p, a, source, lowered, r, s) {
			return false
		}
	}
	return true
}

func (m *model) mayOnSource(p genesis.Principal, a genesis.Action, source access.Resource, lowered genesis.Tier, child access.Resource, of standing) bool {
	terms, published := m.terms[bare(source)]
	s := standing{state: genesis.Draft, steward: m.stewards(p, source), creator: string(source.Creator) == string(p.Node)+"/"+p.Subject, outside: of.outside}
	if published {
		s.state, s.terms, s.tier = genesis.Published, terms, m.tier(terms)
	}
	if lowered != "" && (s.tier == "" || slices.Index(genesis.Tiers, lowered) < slices.Index(genesis.Tiers, s.tier)) {
		s.state, s.tier = genesis.Published, lowered
	}
	if a == genesis.Request {
		a = genesis.Discover
	}
	if m.mayOne(p, a, source, s) {
		return true
	}
	trained := of.creator && child.Kind == genesis.Model && (a == genesis.Infer || a == genesis.Evaluate)
	return trained && m.mayOne(p, genesis.TrainOn, source, s)
}

// sources are all that a thing was made from, with the tier to which each was
// lowered.
func (m *model) sources(r access.Resource) map[access.Resource]genesis.Tier {
	all := map[access.Resource]genesis.Tier{}
	for _, p := range m.parents[r] {
		all[p] = m.lowered[[2]access.Resource{r, bare(p)}]
		for far := range m.sources(bare(p)) {
			all[far] = m.lowered[[2]access.Resource{r, bare(far)}]
		}
	}
	return all
}

func (m *model) tier(t genesis.Terms) genesis.Tier {
	tier := t.Tier
	for _, o := range t.Openings {
		if !m.now.Before(o.At) {
			tier = o.Tier
		}
	}
	return tier
}

func (m *model) scoped(p genesis.Principal, a genesis.Action, r access.Resource) bool {
	if p.Scopes == nil {
		return true
	}
	for _, s := range p.Scopes {
		action, name, narrow := strings.Cut(string(s), ":")
		if (!narrow || name == string(r.Name)) && (action == string(a) || a == genesis.Discover) {
			return true
		}
	}
	return false
}

// mayOne is about a thing alone, without what it was made from.
func (m *model) mayOne(p genesis.Principal, a genesis.Action, r access.Resource, s standing) bool {
	held := m.held(p, r)
	if p.Vetting == genesis.VettingRefused && !(s.tier == genesis.TierPublic && (a == genesis.Discover || a == genesis.Read)) {
		return false
	}
	if !m.opened(p, a, r, s, held) {
		return false
	}
	bytes := a == genesis.Read || a == genesis.TrainOn || a == genesis.Infer || a == genesis.Evaluate
	sensitive := s.terms.Sensitivity == genesis.CUI
	switch {
	case s.state == genesis.Erased && (bytes || a == genesis.Request):
		return false
	case s.state == genesis.Withdrawn && (bytes || a == genesis.Request) && !s.steward:
		return false
	case s.tier == genesis.TierRestricted && a == genesis.Read && s.outside:
		return false
	case sensitive && !s.steward && (s.tier == genesis.TierPublic || s.tier == genesis.TierRegistered):
		return false // lowered so far before its source became sensitive
	case sensitive && (bytes || a == genesis.Steward) && p.Assurance != genesis.AssuranceMFA:
		return false
	case bytes && m.exported(p, a, s, held):
		return false
	}
	use := map[genesis.Action]genesis.Use{genesis.TrainOn: s.terms.Uses.Train, genesis.Infer: s.terms.Uses.Infer, genesis.Evaluate: s.terms.Uses.Evaluate}[a]
	return s.steward || use != genesis.UseNo && (use != genesis.UseConditional || m.has(p, a, held, func(g *genesis.Grant) bool { return g.Condition != "" }))
}

func (m *model) exported(p genesis.Principal, a genesis.Action, s standing, held []*genesis.Grant) bool {
	if s.terms.ExportControl != genesis.EAR && s.terms.ExportControl != genesis.ITAR {
		return false
	}
	local := p.Subject == "local" && p.Node == "nrel"
	found := p.Node == "nrel" && (p.Citizenship == genesis.USCitizen || p.Citizenship == genesis.USPerson)
	return !local && !found &&
		!m.has(p, a, held, func(g *genesis.Grant) bool { return g.Licence != "" })
}

// has reports whether somebody may act by a grant of a certain sort.
func (m *model) has(p genesis.Principal, a genesis.Action, held []*genesis.Grant, sort func(*genesis.Grant) bool) bool {
	return p.Vetting != genesis.VettingExpired && slices.ContainsFunc(held, func(g *genesis.Grant) bool {
		return slices.Contains(g.Actions, a) && (g.Condition == "" || m.conditionHolds(g, p)) && sort(g)
	})
}

// opened reports whether anything permits the act.
func (m *model) opened(p genesis.Principal, a genesis.Action, r access.Resource, s standing, held []*genesis.Grant) bool {
	switch {
	case s.steward:
		return true
	case a == genesis.Steward:
		return false
	case s.state == genesis.Draft:
		return s.creator && a != genesis.Request
	case r.Kind == genesis.Model && s.creator && (a == genesis.Discover || a == genesis.Infer || a == genesis.Evaluate):
		return true
	case (a == genesis.Discover || a == genesis.Request) && len(held) > 0:
		return true
	case m.has(p, a, held, func(*genesis.Grant) bool { return true }):
		return true
	}
	return m.openedByTier(p, a, s)
}

func (m *model) openedByTier(p genesis.Principal, a genesis.Action, s standing) bool {
	if a != genesis.Discover && a != genesis.Read || s.tier != genesis.TierPublic {
		if !known(p) {
			return false
		}
	}
	switch s.tier {
	case genesis.TierPublic, genesis.TierRegistered:
		return true
	case genesis.TierPartner:
		sector := map[genesis.NodeID]string{"nrel": "laboratory", "mit": "university", "acme": "industry"}[p.Node]
		return slices.Contains(s.terms.Partners, string(p.Node)) || slices.Contains(s.terms.Partners, sector)
	case genesis.TierControlled:
		return (a == genesis.Discover || a == genesis.Request) && !s.terms.Hidden
	}
	return false
}

// dice make random worlds.
type dice struct{ *rand.Rand }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) often(percent int) bool { return d.IntN(100) < percent }

func (d dice) principal() genesis.Principal {
	p := genesis.Principal{
		Node: pick[genesis.NodeID](d, "nrel", "nrel", "mit", "acme", "evil"), Subject: pick(d, "ann", "bob", "bob", "cal", "local", ""),
		Assurance:   pick(d, genesis.AssurancePassword, genesis.AssuranceMFA),
		Vetting:     pick(d, "", "", genesis.VettingRequested, genesis.Vetted, genesis.VettingRefused, genesis.VettingExpired),
		Citizenship: pick(d, "", genesis.USCitizen, genesis.USPerson, genesis.ForeignNational), Student: d.often(30),
		Purpose: pick(d, "", "wind farms", "weather"),
	}
	if p.Subject == "ann" || p.Subject == "local" {
		p.Duties = pick(d, genesis.Duties, []genesis.Duty{genesis.DutySteward})
	}
	if d.often(20) {
		p.Scopes = pick(d, []genesis.Scope{"read"}, []genesis.Scope{"train:a", "infer:~bob/m"}, []genesis.Scope{"discover"}, []genesis.Scope{}, []genesis.Scope{"steward", "request:b"})
	}
	return p
}

func (d dice) terms(now time.Time) genesis.Terms {
	t := genesis.Terms{Tier: pick(d, genesis.Tiers...), By: "nrel/ann", At: now, Partners: pick(d, []string{"university"}, []string{"acme"}, []string{"nrel", "industry"})}
	t.Hidden = t.Tier == genesis.TierControlled && d.often(30)
	t.ExportControl = pick(d, "", "", "", genesis.EAR, genesis.ITAR, genesis.NoExportControl)
	mark := func() genesis.Use { return pick(d, "", "", "", genesis.UseYes, genesis.UseNo, genesis.UseConditional) }
	t.Uses = genesis.Uses{Train: mark(), Infer: mark(), Evaluate: mark()}
	t.Sensitivity = pick(d, "", genesis.Uncontrolled, genesis.SensitivityPublic, genesis.CUI)
	if t.Sensitivity == genesis.CUI {
		t.Tier = pick(d, genesis.TierPartner, genesis.TierControlled, genesis.TierRestricted)
		t.Hidden = t.Hidden && t.Tier == genesis.TierControlled
	}
	at := now
	for _, tier := range []genesis.Tier{genesis.TierControlled, genesis.TierPartner, genesis.TierRegistered, genesis.TierPublic} {
		if d.often(30) && tier.Wider(t.Tier) && !(t.Sensitivity == genesis.CUI && tier.Wider(genesis.TierPartner)) {
			at = at.Add(time.Duration(1+d.IntN(20)) * 24 * time.Hour)
			t.Openings = append(t.Openings, genesis.Opening{At: at, Tier: tier})
		}
	}
	return t
}

func (d dice) grant(now time.Time) genesis.Grant {
	g := genesis.Grant{Name: pick[genesis.Name](d, "a", "a", "b", "c", "~bob/m", "~cal/d", "~bob+mit/m"), By: "nrel/ann",
		To: pick[genesis.Grantee](d, "person:nrel/bob", "person:mit/bob", "person:acme/cal", "person:evil/bob", "institution:mit", "institution:acme",
			"institution:nrel", "sector:university", "sector:industry", "project:wind", "project:sun")}
	for _, a := range genesis.Grantable {
		if d.often(40) {
			g.Actions = append(g.Actions, a)
		}
	}
	if len(g.Actions) == 0 {
		g.Actions = []genesis.Action{genesis.TrainOn}
	}
	if d.often(40) {
		g.Until = now.Add(time.Duration(1+d.IntN(40)) * 24 * time.Hour)
	}
	if d.often(40) {
		g.Condition = pick(d, slices.Sorted(mapsKeys(conditions))...)
	}
	if d.often(30) {
		g.Licence = "D1234"
	}
	if d.often(20) {
		g.Version = genesis.DigestOf([]byte(g.Name))
	}
	return g
}

// pair is a decider and its model, to which the same things happen.
type pair struct {
	*accesstest.World
	t      *testing.T
	m      *model
	d      dice
	things []access.Resource
}

func newPair(t *testing.T, seed uint64) *pair {
	p := &pair{World: accesstest.Open(t), t: t, m: newModel(), d: dice{rand.New(rand.NewPCG(seed, 7))}}
	a, b, c := accesstest.Dataset("a"), accesstest.Dataset("b"), accesstest.Dataset("c")
	own := accesstest.Model("~bob/m", "nrel/bob", genesis.Published)
	guests := accesstest.Model("~bob+mit/m", "mit/bob", genesis.Published)
	data := accesstest.Dataset("~cal/d")
	data.Creator = "mit/cal"
	b.Creator = "nrel/bob"
	p.things = []access.Resource{a, b, c, own, guests, data}
	p.derive(own, a, b)
	p.derive(guests, b)
	p.derive(data, c)
	p.derive(c, a) // later than what was made from it
	if p.d.often(50) {
		model := accesstest.Model("deep", "mit/bob", genesis.Published)
		p.things = append(p.things, model)
		p.derive(model, data)
	}
	return p
}

func (p *pair) derive(child access.Resource, parents ...access.Resource) {
	p.Do(func(ctx context.Context, tx *sql.Tx) error { return p.Derive(ctx, tx, child, parents) })
	p.m.parents[bare(child)] = append(p.m.parents[bare(child)], parents...)
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// step does one random thing to both.
func (p *pair) step() {
	d := p.d
	switch n := d.IntN(10); {
	case n < 3:
		r := pick(d, p.things...)
		t := d.terms(p.Now())
		p.Publish(r, t)
		p.m.terms[bare(r)] = t
	case n < 6:
		g := d.grant(p.Now())
		err := p.Tx(func(ctx context.Context, tx *sql.Tx) (err error) {
			made, err := p.Grant(ctx, tx, g)
			g.ID = made.ID
			return err
		})
		if err == nil {
			p.m.grants = append(p.m.grants, &g)
		}
	case n < 7 && len(p.m.grants) > 0:
		g := pick(d, p.m.grants...)
		p.Take(g.ID)
		now := p.Now()
		g.Revoked = &now
	case n < 8:
		p.project()
	case n < 9:
		p.lower()
	default:
		p.Pass(time.Duration(1+d.IntN(10)) * 24 * time.Hour)
		p.m.now = p.Now()
	}
}

func (p *pair) project() {
	d := p.d
	project := genesis.Project{ID: pick(d, "wind", "sun"), Lead: pick[genesis.PersonID](d, "nrel/bob", "mit/cal"), By: "nrel/ann",
		Members: pick(d, nil, []genesis.PersonID{"mit/bob", "acme/cal"}, []genesis.PersonID{"nrel/cal"}), Ended: d.often(10)}
	if d.often(40) {
		project.Until = p.Now().Add(time.Duration(1+d.IntN(20)) * 24 * time.Hour)
	}
	err := p.Tx(func(ctx context.Context, tx *sql.Tx) error { return p.PutProject(ctx, tx, project) })
	if p.m.projects[project.ID].Ended {
		if genesis.KindOf(err) != genesis.Conflict {
			p.t.Fatalf("an ended project is changed: %v", err)
		}
		return
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.m.projects[project.ID] = project
}

func (p *pair) lower() {
	child := pick(p.d, p.things...)
	if len(p.m.parents[bare(child)]) == 0 {
		return
	}
	source := pick(p.d, p.m.parents[bare(child)]...)
	tier := pick(p.d, genesis.Tiers...)
	err := p.Tx(func(ctx context.Context, tx *sql.Tx) error {
		_, err := p.Lower(ctx, tx, access.Local("nrel"), access.Lowering{Child: child, Source: genesis.Ref{Name: source.Name, Digest: source.Version}, Tier: tier, Reason: "test"})
		return err
	})
	if err == nil {
		p.m.lowered[[2]access.Resource{bare(child), bare(source)}] = tier
	}
}

// compare asks both the same.
func (p *pair) compare(who genesis.Principal, a genesis.Action, r access.Resource, outside bool) {
	p.t.Helper()
	want := p.m.may(who, a, r, outside)
	discovers := want || p.m.may(who, genesis.Discover, r, outside)
	ask := access.Ask{Principal: who, Action: a, Resource: r, Outside: outside}
	for _, how := range []string{"fresh", "cached", "uncached"} {
		if how == "uncached" {
			ask.At = p.Now()
		}
		got, err := p.Decide(context.Background(), ask)
		if got.Allowed != want || got.Discoverable != discovers || (err == nil) != want {
			p.t.Fatalf("%s: %s\nmay %s %+v (outside %v)\nis %v, discoverable %v by %q (%s), and the model says %v, %v\n%s", how, describe(who), a, r, outside,
				got.Allowed, got.Discoverable, got.Rule, got.Reason, want, discovers, p.world(who, r))
		}
		if reads := want && p.m.readsAll(who, a, r, outside); got.Reads != reads {
			p.t.Fatalf("%s: %s\n%s %+v: reads is %v, and the model says %v", how, describe(who), a, r, got.Reads, reads)
		}
	}
}

// readsAll is what Decision.Reads says.
func (m *model) readsAll(p genesis.Principal, a genesis.Action, r access.Resource, outside bool) bool {
	switch a {
	case genesis.Read:
		return true
	case genesis.TrainOn, genesis.Infer, genesis.Evaluate:
		if !m.stewards(p, r) {
			return m.may(p, genesis.Read, r, true)
		}
		// Of each thing from outside, unless they steward that thing.
		if !m.may(p, genesis.Read, r, outside) {
			return false
		}
		for source, lowered := range m.sources(bare(r)) {
			s := standing{outside: outside || !m.stewards(p, source)}
			if !m.mayOnSource(p, genesis.Read, source, lowered, r, s) {
				return false
			}
		}
		return true
	}
	return false
}

// world tells what bears on a question.
func (p *pair) world(who genesis.Principal, r access.Resource) string {
	var b strings.Builder
	tell := func(r access.Resource, lowered genesis.Tier) {
		fmt.Fprintf(&b, "%s by %q lowered %q terms %+v\n", r.Name, r.Creator, lowered, p.m.terms[bare(r)])
		for _, g := range p.m.held(who, r) {
			fmt.Fprintf(&b, "  grant %+v\n", *g)
		}
	}
	tell(r, "")
	for s, lowered := range p.m.sources(bare(r)) {
		tell(s, lowered)
	}
	e, _ := p.Explain(context.Background(), access.Ask{Principal: who, Action: genesis.Discover, Resource: r})
	fmt.Fprintf(&b, "to discover: %s, %s\n", e.Rule, e.Reason)
	return b.String()
}

func describe(p genesis.Principal) string {
	return fmt.Sprintf("%s/%s duties %v mfa %v vetting %q citizenship %q scopes %q purpose %q", p.Node, p.Subject, p.Duties, p.Assurance == genesis.AssuranceMFA, p.Vetting, p.Citizenship, p.Scopes, p.Purpose)
}

// random asks something about something.
func (p *pair) random() (who genesis.Principal, a genesis.Action, r access.Resource, outside bool) {
	d := p.d
	r = pick(d, p.things...)
	r.State = pick(d, genesis.Published, genesis.Published, genesis.Published, genesis.Draft, genesis.Withdrawn, genesis.Erased)
	return d.principal(), pick(d, genesis.Discover, genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate, genesis.Request, genesis.Steward), r, d.often(50)
}

// worlds is how many random worlds TestAgreesWithModel visits, each in 25 states.
var worlds = flag.Int("worlds", 30, "random worlds to compare with the model")

// TestAgreesWithModel lets random things happen to random worlds, and compares
// every answer, fresh and from the cache, with the model's.
func TestAgreesWithModel(t *testing.T) {
	worlds, steps, asks := *worlds, 25, 60
	if testing.Short() {
		worlds = min(worlds, 4)
	}
	allowed := 0
	for seed := range worlds {
		p := newPair(t, uint64(seed))
		for range steps {
			p.step()
			for range asks {
				who, a, r, outside := p.random()
				p.compare(who, a, r, outside)
				if p.m.may(who, a, r, outside) {
					allowed++
				}
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
	share := float64(allowed) / float64(worlds*steps*asks)
	t.Logf("%d questions, %.0f %% allowed", worlds*steps*asks, 100*share)
	if share < 0.05 || share > 0.95 {
		t.Errorf("%.0f %% allowed: the worlds do not tell apart", 100*share)
	}
}
