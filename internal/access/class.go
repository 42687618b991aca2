package access

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Reach says who may know of a version without being asked who they are.
type Reach struct {
	// Classes is the widest alone: public; else members; else those of single members,
	// in order of id. It is empty where it depends on the person.
	Classes  []genesis.Class
	Home     bool      // people of this node, whoever they are
	Stewards bool      // stewards of this node
	Until    time.Time // it may change by itself from then on; zero: it will not
}

// Of reports whether everybody of a class may know of it.
func (r Reach) Of(c genesis.Class) bool {
	for _, wide := range r.Classes {
		if wide == c || wide == genesis.ClassPublic || wide == genesis.ClassMembers && c != genesis.ClassPublic {
			return true
		}
	}
	return false
}

// Reach works out the classes of a version as a transaction has it, before its commit:
// the question of [Decider.Decide], asked for nobody, for a person of any member of whom
// nothing is known, for such a person of each other member, and for one of this node, steward
// or not. Errors: Internal, Unavailable.
func (d *Decider) Reach(ctx context.Context, tx *sql.Tx, r Resource, now time.Time) (Reach, error) {
	return d.reach(ctx, tx, nil, Ask{Action: genesis.Discover, Resource: r}, now)
}

// reach is Reach of any question, by some policies, nil for those in force; whose question
// it is does not count.
func (d *Decider) reach(ctx context.Context, tx *sql.Tx, by *policies, ask Ask, now time.Time) (Reach, error) {
	r := ask.Resource
	s := survey{d: d, tx: tx, policies: by, ask: ask, now: now, assets: map[assetKey]*asset{}}
	if err := s.prepare(ctx); err != nil {
		return Reach{}, store.Error("find class", string(r.Name), err)
	}
	var out Reach
	var err error
	if out.Classes, err = s.classes(ctx); err == nil {
		if out.Home, err = s.allows(ctx, s.own()); err == nil {
			out.Stewards, err = s.allows(ctx, s.own(genesis.DutySteward))
		}
	}
	if err != nil {
		return Reach{}, store.Error("find class", string(r.Name), err)
	}
	out.Until = s.until
	return out, nil
}

// survey asks one question for people of whom nothing is known.
type survey struct {
	d        *Decider
	tx       *sql.Tx
	ask      Ask
	now      time.Time
	policies *policies
	assets   map[assetKey]*asset
	index    *index // of the grants that reach whole institutions and sectors
	until    time.Time
}

// prepare reads the grants on the version and on what it was made from.
func (s *survey) prepare(ctx context.Context) error {
	own, err := s.asset(ctx, assetKey{s.ask.Resource.Name, s.ask.Resource.Version})
	if err != nil {
		return err
	}
	names := []genesis.Name{s.ask.Resource.Name}
	for _, source := range own.sources {
		names = append(names, source.name)
	}
	slices.Sort(names)
	var all []genesis.Grant
	for _, name := range slices.Compact(names) {
		rows, err := s.tx.QueryContext(ctx, `SELECT format, body FROM policy_grants WHERE name = $1 AND revoked = 0 AND (until IS NULL OR until > $2)
			AND (grantee LIKE 'institution:%' OR grantee LIKE 'sector:%') ORDER BY seq`, string(name), store.Time(s.now))
		if err != nil {
			return err
		}
		if err := each(rows, func(g genesis.Grant) { all = append(all, g) }); err != nil {
			return err
		}
	}
	s.index = newIndex()
	s.d.mu.RLock()
	if s.policies == nil {
		s.policies = s.d.policies
	}
	for _, g := range all {
		if c := s.d.index.compiled[g.Condition]; c != nil {
			s.index.compiled[g.Condition] = c
		}
	}
	s.d.mu.RUnlock()
	for _, g := range all {
		s.index.add(g)
	}
	return nil
}

// asset reads what the transaction has of a version, once.
func (s *survey) asset(ctx context.Context, k assetKey) (*asset, error) {
	if a := s.assets[k]; a != nil {
		return a, nil
	}
	a := &asset{}
	var err error
	if a.terms, err = readTerms(ctx, s.tx, k); err == nil {
		a.sources, err = readSources(ctx, s.tx, k)
	}
	s.assets[k] = a
	return a, err
}

func (s *survey) classes(ctx context.Context) ([]genesis.Class, error) {
	public, err := s.allows(ctx, s.d.person(genesis.Principal{}, s.index))
	if err != nil || public {
		return some(public, genesis.ClassPublic), err
	}
	general, err := s.allows(ctx, anyone(genesis.Member{}))
	if err != nil || general && !s.policies.own {
		return some(general, genesis.ClassMembers), err // no built-in policy keeps something from a single member
	}
	var single []genesis.Class
	for _, m := range s.others() {
		ok, err := s.allows(ctx, anyone(m))
		if err != nil {
			return nil, err
		}
		single = append(single, some(ok, genesis.ClassOf(m.ID))...)
		general = general && ok
	}
	if general {
		return []genesis.Class{genesis.ClassMembers}, nil
	}
	return single, nil
}

func some(yes bool, c genesis.Class) []genesis.Class {
	if yes {
		return []genesis.Class{c}
	}
	return nil
}

// others are the other members whose people are vouched for, in order of id.
func (s *survey) others() []genesis.Member {
	all := slices.DeleteFunc(s.d.charter.Members(), func(m genesis.Member) bool {
		return m.ID == s.d.node || slices.Contains(genesis.Sectors, genesis.Sector(m.ID))
	})
	slices.SortFunc(all, func(a, b genesis.Member) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}

// anyone is a person of a member, the zero one for any, of whom nothing else is known:
// no grant can name them.
func anyone(m genesis.Member) person {
	return person{Principal: genesis.Principal{Subject: anySubject, Node: m.ID, Institution: m.Institution, Sector: m.Sector},
		id: anySubject, member: string(m.ID), registered: true}
}

// anySubject is of nobody: no account can have it.
const anySubject = "?"

// own is a person of this node, of whom nothing is known but duties.
func (s *survey) own(duties ...genesis.Duty) person {
	m, _ := s.d.charter.Member(s.d.node)
	p := anyone(m)
	p.home, p.Duties = true, duties
	return p
}

// allows asks for one person.
func (s *survey) allows(ctx context.Context, who person) (bool, error) {
	q, until, err := s.d.gather(ctx, shelf{s.asset, s.index}, who, s.ask, s.now)
	if err != nil {
		return false, err
	}
	q.policies = s.policies
	s.until = sooner(s.until, until)
	return q.answer().allowed, nil
}

// Follows reports whether somebody may follow the log of a class. What it says of each
// version is decided by itself.
func (d *Decider) Follows(who genesis.Principal, c genesis.Class) bool {
	if c == genesis.ClassPublic {
		return true
	}
	d.mu.RLock()
	p := d.person(who, d.index)
	d.mu.RUnlock()
	if !p.registered || p.Vetting == genesis.VettingRefused || !p.InScope(genesis.Discover, "") {
		return false
	}
	return c == genesis.ClassMembers || c == genesis.ClassOf(genesis.NodeID(p.member))
}

// Basis tells whether the classes of all versions may have become others though none of
// these changed: it is the digest of the members and the policies.
func (d *Decider) Basis() genesis.Digest {
	d.mu.RLock()
	b := part(nil, string(d.node), string(d.policies.digest))
	d.mu.RUnlock()
	members := d.charter.Members()
	slices.SortFunc(members, func(a, b genesis.Member) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for _, m := range members {
		b = part(b, string(m.ID), string(m.Sector))
	}
	return genesis.DigestOf(b)
}

// Borrowed are the names of all that owes to other nodes: copies, and what was made from
// them. What these keep from the stewards of this one, its class for stewards leaves out.
func (d *Decider) Borrowed(ctx context.Context, tx *sql.Tx) ([]genesis.Name, error) {
	all, err := store.Column[genesis.Name](ctx, tx, `SELECT DISTINCT child_name FROM policy_sources
		WHERE name IN (SELECT DISTINCT name FROM policy_sources WHERE name LIKE '%/%' AND name NOT LIKE '~%') ORDER BY child_name`)
	return all, store.Error("find copies", "", err)
}

// Heirs are the versions that were made, directly or not, from one of a name; version ""
// means all of them. The caller's transaction is asked.
func (d *Decider) Heirs(ctx context.Context, tx *sql.Tx, name genesis.Name, version genesis.Digest) ([]Resource, error) {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT child_name, child_version FROM policy_sources
		WHERE name = $1 AND ($2 = '' OR version = $2) ORDER BY child_name, child_version`, string(name), string(version))
	if err != nil {
		return nil, store.Error("find heirs", string(name), err)
	}
	defer rows.Close()
	var all []Resource
	for rows.Next() {
		var r Resource
		if err := rows.Scan(&r.Name, &r.Version); err != nil {
			return nil, store.Error("find heirs", string(name), err)
		}
		all = append(all, r)
	}
	return all, store.Error("find heirs", string(name), rows.Err())
}
