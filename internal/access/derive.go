package access

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// maxSources is how many versions one may be made from, all the way back.
const maxSources = 1000

// Derive stores what a version was made from: its parents, and all that those were
// made from. What was lowered for every way by which a source came stays lowered,
// to the narrowest of them. Errors: Invalid, Unsupported (too many sources).
func (d *Decider) Derive(ctx context.Context, tx *sql.Tx, child Resource, parents []Resource) error {
	all, err := lineage(ctx, tx, child, parents)
	if err != nil {
		return err
	}
	if len(all) > maxSources {
		return &genesis.Error{Op: "derive", Kind: genesis.Unsupported, Subject: string(child.Name), Msg: fmt.Sprintf("was made from more than %d versions", maxSources)}
	}
	heirs, err := made(ctx, tx, child)
	if err != nil {
		return err
	}
	for _, of := range append(heirs, assetKey{child.Name, child.Version}) {
		if err := insertSources(ctx, tx, of, all); err != nil {
			return err
		}
	}
	return nil
}

// made returns what was made from a version already: a version made anew to the
// same content, from other sources, passes these on.
func made(ctx context.Context, tx *sql.Tx, from Resource) ([]assetKey, error) {
	rows, err := tx.QueryContext(ctx, "SELECT child_name, child_version FROM policy_sources WHERE name = $1 AND version = $2 ORDER BY child_name, child_version",
		string(from.Name), string(from.Version))
	if err != nil {
		return nil, store.Error("derive", string(from.Name), err)
	}
	defer rows.Close()
	var heirs []assetKey
	for rows.Next() {
		var k assetKey
		if err := rows.Scan(&k.name, &k.version); err != nil {
			return nil, store.Error("derive", string(from.Name), err)
		}
		heirs = append(heirs, k)
	}
	return heirs, store.Error("derive", string(from.Name), rows.Err())
}

// insertSources adds the sources that a version does not have yet.
func insertSources(ctx context.Context, tx *sql.Tx, child assetKey, all map[assetKey]source) error {
	for _, k := range sortedKeys(all) {
		if k == child {
			continue
		}
		if err := insertSource(ctx, tx, child, all[k]); err != nil {
			return err
		}
	}
	_, err := note(ctx, tx, changeAsset, string(child.name), string(child.version))
	return err
}

// lineage gathers the parents of a version and their sources.
func lineage(ctx context.Context, tx *sql.Tx, child Resource, parents []Resource) (map[assetKey]source, error) {
	all := map[assetKey]source{}
	for _, p := range parents {
		k := assetKey{p.Name, p.Version}
		if err := checkVersion(k); err != nil {
			return nil, err
		}
		all[k] = source{assetKey: k, kind: p.Kind, creator: p.Creator}
	}
	for _, p := range parents {
		far, err := readSources(ctx, tx, assetKey{p.Name, p.Version})
		if err != nil {
			return nil, err
		}
		for _, s := range far {
			all[s.assetKey] = join(all[s.assetKey], s)
		}
	}
	return all, checkVersion(assetKey{child.Name, child.Version})
}

// join takes up a source by one more way. A parent itself is not lowered.
func join(known, more source) source {
	switch {
	case known.version == "":
		return more
	case known.lowered == nil || more.lowered == nil:
		known.lowered = nil
	case known.lowered.Tier.Wider(more.lowered.Tier):
		known.lowered = more.lowered
	}
	return known
}

// insertSource adds a source. If the version had it before, as one made anew to
// the same content does, what was lowered for it stays.
func insertSource(ctx context.Context, tx *sql.Tx, child assetKey, s source) error {
	lowered, err := encodeLowered(s.lowered)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO policy_sources (child_name, child_version, name, version, kind, creator, lowered)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (child_name, child_version, name, version) DO NOTHING`,
			string(child.name), string(child.version), string(s.name), string(s.version), string(s.kind), string(s.creator), lowered)
	}
	return store.Error("derive", string(child.name), err)
}

func encodeLowered(l *genesis.Lowered) (sql.NullString, error) {
	if l == nil {
		return sql.NullString{}, nil
	}
	body, err := encode(l)
	return sql.NullString{String: body, Valid: true}, err
}

func checkVersion(k assetKey) error {
	if err := genesis.CheckName(k.name); err != nil {
		return err
	}
	_, err := genesis.ParseDigest(string(k.version))
	return err
}

// Constraints returns what a version owes to each version it was made from, in
// order of name. It names all of them: the caller leaves out those its asker may
// not discover. Errors: Internal.
func (d *Decider) Constraints(ctx context.Context, name genesis.Name, version genesis.Digest) ([]genesis.Constraint, error) {
	sources, err := readSources(ctx, d.db.Read(), assetKey{name, version})
	if err != nil {
		return nil, err
	}
	var all []genesis.Constraint
	for _, s := range sources {
		c, err := d.constraint(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func (d *Decider) constraint(ctx context.Context, s source) (genesis.Constraint, error) {
	c := genesis.Constraint{Source: refTo(s.assetKey), Lowered: s.lowered}
	t, err := readTerms(ctx, d.db.Read(), s.assetKey)
	if t != nil {
		c.Terms = *t
	}
	return c, err
}

// ConstraintsFor are those of Constraints whose source a principal may discover.
// Errors: as of Decide, except that a refusal is no error.
func (d *Decider) ConstraintsFor(ctx context.Context, who genesis.Principal, name genesis.Name, version genesis.Digest) ([]genesis.Constraint, error) {
	sources, err := readSources(ctx, d.db.Read(), assetKey{name, version})
	if err != nil {
		return nil, err
	}
	var known []genesis.Constraint
	for _, s := range sources {
		r := Resource{Name: s.name, Version: s.version, State: genesis.Published}
		switch _, err := d.Decide(ctx, Ask{Principal: who, Action: genesis.Discover, Resource: r}); genesis.KindOf(err) {
		case "":
			c, err := d.constraint(ctx, s)
			if err != nil {
				return nil, err
			}
			known = append(known, c)
		case genesis.Private, genesis.Permission:
		default:
			return nil, err
		}
	}
	return known, nil
}

// Lowering is a steward's consent that a version be open more widely than what it
// was made from.
type Lowering struct {
	Child  Resource
	Source genesis.Ref // name and digest
	Tier   genesis.Tier
	Reason string
}

// Lower records that the steward of a source lets a version made from it be open as
// if the source were of another tier. It is theirs alone to say whose terms the
// source has (who made it, while it has none), or the home's owner, and only while
// policies let them steward it. Only the tier is lowered: markings, sensitivity and
// export control of the source stay.
// Errors: Permission, NotFound (not one of its sources), Invalid.
func (d *Decider) Lower(ctx context.Context, tx *sql.Tx, who genesis.Principal, l Lowering) (genesis.Lowered, error) {
	fail := func(kind genesis.ErrorKind, msg, hint string) (genesis.Lowered, error) {
		return genesis.Lowered{}, &genesis.Error{Op: "lower", Kind: kind, Subject: l.Source.String(), Msg: msg, Hint: hint}
	}
	sources, err := readSources(ctx, tx, assetKey{l.Child.Name, l.Child.Version})
	if err != nil {
		return genesis.Lowered{}, err
	}
	i := slices.IndexFunc(sources, func(s source) bool { return s.name == l.Source.Name && s.version == l.Source.Digest })
	if i < 0 {
		return fail(genesis.NotFound, fmt.Sprintf("%s was not made from it", l.Child.Name), "")
	}
	if foreign(sources[i].name) {
		return fail(genesis.Permission, "what a copy owes is for the node to lower that it was copied from", "copy it again once it is open more widely there")
	}
	terms, err := readTerms(ctx, tx, sources[i].assetKey)
	if err != nil {
		return genesis.Lowered{}, err
	}
	whose := sources[i].creator
	if terms != nil {
		whose = terms.By
	}
	if !d.mayLower(who, whose) {
		return fail(genesis.Permission, "lowering what it asks is up to the steward whose terms it has", fmt.Sprintf("ask %s", whose))
	}
	if err := d.stillSpeaks(ctx, who, sources[i], terms != nil); err != nil {
		return genesis.Lowered{}, err
	}
	if msg := loweringWrong(l, terms); msg != "" {
		return fail(genesis.Invalid, msg, "")
	}
	lowered := genesis.Lowered{Tier: l.Tier, By: who.Person(), At: d.now().UTC(), Reason: l.Reason}
	return lowered, d.storeLowered(ctx, tx, l, lowered)
}

// mayLower reports whether a principal speaks for the terms that somebody set.
func (d *Decider) mayLower(who genesis.Principal, whose genesis.PersonID) bool {
	d.mu.RLock()
	p := d.person(who, d.index)
	d.mu.RUnlock()
	return p.owner || p.registered && p.id == d.canon(whose)
}

// stillSpeaks decides whether policies let whose terms they are, or who made what
// has none, do with it as they like now.
func (d *Decider) stillSpeaks(ctx context.Context, who genesis.Principal, of source, termed bool) error {
	ask := Ask{Principal: who, Action: genesis.Steward, Resource: Resource{Name: of.name, Version: of.version, State: genesis.Published, Kind: of.kind, Creator: of.creator}}
	if !termed {
		ask.Action, ask.Resource.State = genesis.Read, genesis.Draft
		if !who.InScope(genesis.Steward, of.name) {
			return &genesis.Error{Op: "lower", Kind: genesis.Permission, Subject: string(of.name), Msg: "the token they came with is narrowed to other things"}
		}
	}
	_, err := d.Decide(ctx, ask)
	return err
}

func loweringWrong(l Lowering, terms *genesis.Terms) string {
	switch {
	case !slices.Contains(genesis.Tiers, l.Tier):
		return fmt.Sprintf("%q is not a tier: %s", l.Tier, list(genesis.Tiers))
	case strings.TrimSpace(l.Reason) == "" || len(l.Reason) > maxText:
		return fmt.Sprintf("lowering takes a reason, of at most %d bytes", maxText)
	case terms != nil && terms.Sensitivity.Controlled() && l.Tier.Wider(genesis.TierPartner):
		return fmt.Sprintf("what is made from %s is never public or registered", terms.Sensitivity)
	case l.Tier == genesis.TierPartner && (terms == nil || len(terms.Partners) == 0):
		return "its terms name no partners"
	}
	return ""
}

func (d *Decider) storeLowered(ctx context.Context, tx *sql.Tx, l Lowering, lowered genesis.Lowered) error {
	body, err := encodeLowered(&lowered)
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE policy_sources SET lowered = $1
			WHERE child_name = $2 AND child_version = $3 AND name = $4 AND version = $5`,
			body, string(l.Child.Name), string(l.Child.Version), string(l.Source.Name), string(l.Source.Digest))
	}
	if err == nil {
		_, err = note(ctx, tx, changeAsset, string(l.Child.Name), string(l.Child.Version))
	}
	return store.Error("lower", l.Source.String(), err)
}

func sortedKeys(all map[assetKey]source) []assetKey {
	return slices.SortedFunc(maps.Keys(all), func(a, b assetKey) int {
		return strings.Compare(string(a.name)+"@"+string(a.version), string(b.name)+"@"+string(b.version))
	})
}
