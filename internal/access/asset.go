package access

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// assetKey names a version.
type assetKey struct {
	name    genesis.Name
	version genesis.Digest
}

// asset is what is stored about a version: its terms, nil without, what it was made
// from, and what for.
type asset struct {
	terms   *genesis.Terms
	sources []source
	teams   []string // projects for which it was made
}

// source is one thing a version was made from, directly or not.
type source struct {
	assetKey
	kind    genesis.Kind
	creator genesis.PersonID
	lowered *genesis.Lowered
}

// asset returns what is stored about a version. The caller holds d.mu for reading,
// so that the cache cannot take up what is stale.
func (d *Decider) asset(ctx context.Context, k assetKey) (*asset, error) {
	if a, ok := d.assets.find(k); ok {
		return a, nil
	}
	a := &asset{}
	var err error
	if a.terms, err = readTerms(ctx, d.db.Read(), k); err != nil {
		return nil, err
	}
	if a.sources, err = readSources(ctx, d.db.Read(), k); err != nil {
		return nil, err
	}
	if a.teams, err = readTeams(ctx, d.db.Read(), k); err != nil {
		return nil, err
	}
	d.assets.put(k, a)
	return a, nil
}

// readTerms returns the terms of a version, nil without.
func readTerms(ctx context.Context, q querier, k assetKey) (*genesis.Terms, error) {
	var number int
	var body string
	err := q.QueryRowContext(ctx, "SELECT format, body FROM policy_terms WHERE name = $1 AND version = $2", string(k.name), string(k.version)).Scan(&number, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, store.Error("read terms", string(k.name), err)
	}
	t, err := decode[genesis.Terms](number, body)
	return &t, err
}

func readSources(ctx context.Context, q querier, k assetKey) ([]source, error) {
	rows, err := q.QueryContext(ctx, `SELECT name, version, kind, creator, coalesce(lowered, '') FROM policy_sources
		WHERE child_name = $1 AND child_version = $2 ORDER BY name, version`, string(k.name), string(k.version))
	if err != nil {
		return nil, store.Error("read sources", string(k.name), err)
	}
	defer rows.Close()
	var all []source
	for rows.Next() {
		var s source
		var lowered string
		if err := rows.Scan(&s.name, &s.version, &s.kind, &s.creator, &lowered); err != nil {
			return nil, store.Error("read sources", string(k.name), err)
		}
		if lowered != "" {
			if err := json.Unmarshal([]byte(lowered), &s.lowered); err != nil {
				return nil, store.Error("read sources", string(k.name), err)
			}
		}
		all = append(all, s)
	}
	return all, store.Error("read sources", string(k.name), rows.Err())
}

// facts is all that one judgement is made from: who asks, about what, and what
// they hold. Changing a copy answers what would be if.
type facts struct {
	who      person
	name     genesis.Name
	version  genesis.Digest
	kind     genesis.Kind
	state    genesis.State
	part     Part
	creator  string
	terms    genesis.Terms
	tier     genesis.Tier // in force; "" of a draft
	steward  bool
	team     string // a project that they are in, and for which it was made; "" without
	outside  bool
	anywhere bool     // it is a source: the token's scopes are about what was made of it
	lowered  bool     // it is a source, and its tier here is not its own
	behind   []source // it is a source, and was made from these
	held     held
	built    *cedar.Entity // the thing as policies see it
}

// factsOf are the facts of a resource as its asker gave it.
func factsOf(who person, r Resource, a *asset, now time.Time, outside bool) facts {
	f := facts{who: who, name: r.Name, version: r.Version, kind: r.Kind, state: r.State, part: r.Part, outside: outside, steward: who.stewards(r.Name), team: who.among(a.teams)}
	if f.state == "" {
		f.state = genesis.Draft
	}
	if f.state != genesis.Draft && a.terms != nil {
		f.terms, f.tier = *a.terms, a.terms.TierAt(now)
	}
	return f
}

// sourceFacts are those of something that was made from another: its terms as they
// are now, unless they were lowered for what was made.
func sourceFacts(who person, s source, a *asset, now time.Time, outside bool) facts {
	r := Resource{Name: s.name, Version: s.version, Kind: s.kind, State: genesis.Draft}
	if a.terms != nil {
		r.State = genesis.Published
	}
	f := factsOf(who, r, a, now, outside)
	f.anywhere, f.behind = true, a.sources
	if s.lowered != nil && (f.tier == "" || s.lowered.Tier.Wider(f.tier)) {
		f.state, f.tier, f.lowered = genesis.Published, s.lowered.Tier, true
	}
	return f
}

// node reports whether the facts are about the node itself.
func (f facts) node() bool { return f.name == "" }

func (f facts) uid() cedar.EntityUID {
	switch {
	case !f.node():
		return cedar.NewEntityUID("Asset", cedar.String(string(f.name)+"@"+string(f.version)))
	case f.part == Office:
		return cedar.NewEntityUID("Node", "office")
	case f.part == Figures:
		return cedar.NewEntityUID("Node", "figures")
	}
	return cedar.NewEntityUID("Node", "machine")
}

// entity is the resource as policies see it.
func (f facts) entity() *cedar.Entity {
	if f.node() {
		return &cedar.Entity{UID: f.uid()}
	}
	attributes := cedar.RecordMap{
		"name":        cedar.String(f.name),
		"home":        cedar.Boolean(!foreign(f.name)),
		"kind":        cedar.String(f.kind),
		"state":       cedar.String(f.state),
		"tier":        cedar.String(f.tier),
		"hidden":      cedar.Boolean(f.terms.Hidden),
		"partners":    texts(f.terms.Partners),
		"sensitivity": cedar.String(f.terms.Sensitivity),
		"sensitive":   cedar.Boolean(f.terms.Sensitivity.Controlled()),
		"export":      cedar.String(genesis.NoExportControl),
	}
	if f.terms.ExportControl.Applies() {
		attributes["export"] = cedar.String(f.terms.ExportControl)
	}
	if f.creator != "" {
		attributes["creator"] = personUID(f.creator)
	}
	return &cedar.Entity{UID: f.uid(), Attributes: cedar.NewRecord(attributes)}
}

// context is what policies see beside principal and resource.
func (f facts) context(a genesis.Action) cedar.Record {
	h := f.held.of(a)
	return cedar.NewRecord(cedar.RecordMap{
		"steward":     cedar.Boolean(f.steward),
		"team":        cedar.Boolean(f.team != ""),
		"use":         cedar.String(f.terms.Uses.Of(a)),
		"outside":     cedar.Boolean(f.outside),
		"scoped":      cedar.Boolean(f.anywhere || inScope(f.who.Principal, a, f.name)),
		"holds":       cedar.Boolean(f.held.any),
		"granted":     cedar.Boolean(h.granted),
		"conditioned": cedar.Boolean(h.conditioned),
		"licensed":    cedar.Boolean(h.licensed),
	})
}

// held is what somebody's grants on an asset come to.
type held struct {
	any      bool
	byAction map[genesis.Action]holding
	grants   []*grant // that reach them, active, whatever their condition says
	until    time.Time
	now      time.Time // at which conditions were looked at
}

// holding is what grants of one action come to.
type holding struct {
	granted, conditioned, licensed bool
	grant, project                 string // id of the one that lasts longest, and of the project to which it was made
	until                          time.Time
}

func (h held) of(a genesis.Action) holding { return h.byAction[a] }

// heldOn looks up the grants that reach a person on a version.
func (ix *index) heldOn(who person, name genesis.Name, version genesis.Digest, now time.Time) held {
	h := held{now: now}
	byGrantee := ix.grants[name]
	if len(byGrantee) == 0 {
		return h
	}
	for _, to := range who.grantees() {
		for _, g := range byGrantee[to] {
			if (g.Version == "" || g.Version == version) && g.Active(now) {
				h.add(g, who, now)
			}
		}
	}
	return h
}

// add takes up one grant. Whoever holds a grant may know of the asset, whatever
// its condition says; what it grants needs the condition.
func (h *held) add(g *grant, who person, now time.Time) {
	h.any = true
	h.grants = append(h.grants, g)
	h.until = sooner(h.until, g.Until)
	if g.condition != nil && g.condition.now {
		h.until = sooner(h.until, now.Add(pulse))
	}
	if g.Condition != "" && !g.condition.holds(who.Principal, now) {
		return
	}
	if h.byAction == nil {
		h.byAction = map[genesis.Action]holding{}
	}
	for _, a := range g.Actions {
		was := h.byAction[a]
		is := holding{granted: true, conditioned: was.conditioned || g.Condition != "", licensed: was.licensed || g.Licence != "", grant: was.grant, project: was.project, until: was.until}
		if !was.granted || !was.until.IsZero() && (g.Until.IsZero() || g.Until.After(was.until)) {
			is.grant, is.project, is.until = g.ID, "", g.Until
			if kind, id := g.To.Split(); kind == genesis.ToProject {
				is.project = id
			}
		}
		h.byAction[a] = is
	}
}

// nextOpening is when the first of the planned openings after now is due, zero
// without one.
func nextOpening(t *genesis.Terms, now time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	i := slices.IndexFunc(t.Openings, func(o genesis.Opening) bool { return o.At.After(now) })
	if i < 0 {
		return time.Time{}
	}
	return t.Openings[i].At
}
