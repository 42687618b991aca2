package search

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/store"
)

// Documents of this node have classes of their own in the index, so that they can be left
// out where classes do not tell who may know of them.
const (
	ownPrefix   = "own "
	classHome   = ownPrefix + "home"     // people of this node, whoever they are
	classOffice = ownPrefix + "stewards" // of this node
)

func ownClasses(r access.Reach) []genesis.Class {
	var all []genesis.Class
	for _, c := range r.Classes {
		all = append(all, ownPrefix+c)
	}
	if r.Home {
		all = append(all, classHome)
	}
	if r.Stewards {
		all = append(all, classOffice)
	}
	return all
}

// known is what somebody may know of, at one time.
type known struct {
	find.Asker
	stamp stamp
	from  time.Time // when it was worked out: of what was before, after the clock was set back, it says nothing
	until time.Time // it may change by itself from then on; zero: it will not
}

// stamp is another after each change of what follows from it.
type stamp struct {
	generation uint64 // of decisions
	changes    int64  // of the index
	waiting    int64  // changes that are not in it
	exact      bool   // by classes
}

const maxKept = 1000 // people of whom it is kept what they may know of

// known works out what somebody may know of. exact says whether classes of the node's own
// documents may be gone by; if not, each is decided.
func (s *Searcher) known(ctx context.Context, who genesis.Principal, exact bool) (known, error) {
	o := s.Access.Outlook(who)
	exact = exact && o.Exact
	now := s.Now()
	k := known{from: now, stamp: stamp{generation: s.Access.Generation(), exact: exact}}
	var err error
	if k.stamp.changes, k.stamp.waiting, err = s.state(ctx); err != nil {
		return k, err
	}
	key := personKey(who)
	s.mu.Lock()
	kept, ok := s.people[key]
	s.mu.Unlock()
	if ok && kept.stamp == k.stamp && !now.Before(kept.from) && (kept.until.IsZero() || now.Before(kept.until)) {
		return kept, nil
	}
	k.Classes = classesOf(o, exact)
	err = s.each(ctx, o, who, exact, func(page []genesis.Version) error { return s.decide(ctx, who, page, &k) })
	if err != nil {
		return k, err
	}
	if len(k.Also) > find.MaxAlso {
		return k, &genesis.Error{Op: "search", Kind: genesis.Unsupported, Msg: "there is more than can be decided one by one"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.people) >= maxKept {
		clear(s.people)
	}
	s.people[key] = k
	return k, nil
}

// state numbers the changes in the index, and those that wait.
func (s *Searcher) state(ctx context.Context) (changes, waiting int64, err error) {
	if _, waiting, err = s.Catalog.Waiting(ctx, catalog.AtOnce, 1); err != nil {
		return 0, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes, waiting, nil
}

// personKey is everything by which decisions tell people apart.
func personKey(p genesis.Principal) string {
	p.Credential, p.Purpose = "", ""
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and lists of these
	}
	return fmt.Sprint(p.Scopes == nil, string(text)) // no scopes are not the same as any
}

// classesOf are the classes in the index that somebody is in. Of those of the members' logs
// this node has its own people's; those of its own documents count where they are exact.
func classesOf(o access.Outlook, exact bool) []genesis.Class {
	var all []genesis.Class
	for _, c := range o.Classes {
		if all = append(all, c); exact && o.Narrow == nil {
			all = append(all, ownPrefix+c)
		}
	}
	if exact && o.Narrow == nil && o.Home {
		all = append(all, classHome)
	}
	if exact && o.Narrow == nil && o.Steward {
		all = append(all, classOffice)
	}
	return all
}

// each calls act for the versions of this node that somebody may know of though no class
// says so, and for some more.
func (s *Searcher) each(ctx context.Context, o access.Outlook, who genesis.Principal, exact bool, act func([]genesis.Version) error) error {
	switch {
	case o.Narrow != nil:
		return s.Catalog.EachFound(ctx, catalog.Own{Names: o.Narrow}, act)
	case !exact:
		return s.Catalog.EachFound(ctx, catalog.Own{All: true}, act)
	}
	names, err := s.beside(ctx, o, who)
	if err != nil {
		return err
	}
	return s.Catalog.EachFound(ctx, catalog.Own{Names: names}, act)
}

// beside are the names of what somebody may know of beside what their classes say. Stewards
// know of all of this node's but some of what owes to other nodes, whoever made it.
func (s *Searcher) beside(ctx context.Context, o access.Outlook, who genesis.Principal) (names []genesis.Name, err error) {
	if !o.Steward {
		return s.leads(ctx, o, who)
	}
	err = s.DB.Snapshot(ctx, func(tx *sql.Tx) error {
		names, err = s.Access.Borrowed(ctx, tx)
		return err
	})
	return names, err
}

// leads are the names of what somebody holds grants on, of their own, of what they made,
// and of what was made from any of it.
func (s *Searcher) leads(ctx context.Context, o access.Outlook, who genesis.Principal) ([]genesis.Name, error) {
	if o.Person == "" {
		return nil, nil
	}
	all, err := s.Access.Leads(ctx, who)
	if err != nil {
		return nil, err
	}
	owner := ""
	if node, subject := o.Person.Split(""); node == "" {
		owner = subject
	}
	own, err := s.Catalog.NamesOf(ctx, o.Person, owner)
	if err != nil {
		return nil, err
	}
	names := map[genesis.Name]bool{}
	err = s.DB.Snapshot(ctx, func(tx *sql.Tx) error {
		for _, name := range append(all, own...) {
			if names[name] = true; len(names) > find.MaxAlso {
				break
			}
			heirs, err := s.Access.Heirs(ctx, tx, name, "")
			if err != nil {
				return err
			}
			for _, h := range heirs {
				names[h.Name] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(names)), err
}

// decide adds those of a page of versions that somebody may know of.
func (s *Searcher) decide(ctx context.Context, who genesis.Principal, page []genesis.Version, k *known) error {
	for _, v := range page {
		may, until, err := s.may(ctx, who, v)
		if err != nil {
			return err
		}
		if may {
			k.Also = append(k.Also, find.ID{Node: s.Node, Name: v.Name, Version: v.Digest})
		}
		if k.until.IsZero() || !until.IsZero() && until.Before(k.until) {
			k.until = until
		}
	}
	return nil
}

// may decides whether somebody may know of a version.
func (s *Searcher) may(ctx context.Context, who genesis.Principal, v genesis.Version) (bool, time.Time, error) {
	d, err := s.Access.Decide(ctx, access.Ask{Principal: who, Action: genesis.Discover, Resource: resource(v)})
	switch genesis.KindOf(err) {
	case "", genesis.Private, genesis.Permission:
		return err == nil, d.Until, nil
	case genesis.Canceled:
		return false, d.Until, err
	}
	// What it is about is not for whoever asks.
	return false, d.Until, &genesis.Error{Op: "search", Kind: genesis.KindOf(err), Msg: "what you may know of cannot be decided", Err: err}
}

// alone leaves of what somebody may know of what is in no class whose log their node may
// follow.
func (s *Searcher) alone(ctx context.Context, o access.Outlook, k known) (find.Asker, error) {
	told := map[find.ID]bool{}
	for page := range slices.Chunk(k.Also, 200) {
		marks, args := make([]string, len(page)), make([]any, 0, len(page)+len(o.Classes))
		for i, id := range page {
			marks[i] = "$" + strconv.Itoa(i+1)
			args = append(args, string(id.Name))
		}
		classes := make([]string, len(o.Classes))
		for i, c := range o.Classes {
			classes[i] = "$" + strconv.Itoa(len(page)+i+1)
			args = append(args, string(c))
		}
		rows, err := s.DB.Read().QueryContext(ctx, "SELECT name, version FROM listed WHERE name IN ("+strings.Join(marks, ",")+") AND class IN ("+strings.Join(classes, ",")+")", args...)
		if err != nil {
			return find.Asker{}, store.Error("search", "", err)
		}
		if err := addIDs(rows, s.Node, told); err != nil {
			return find.Asker{}, store.Error("search", "", err)
		}
	}
	return find.Asker{Also: slices.DeleteFunc(slices.Clone(k.Also), func(id find.ID) bool { return told[id] })}, nil
}

func addIDs(rows *sql.Rows, node genesis.NodeID, to map[find.ID]bool) error {
	defer rows.Close()
	for rows.Next() {
		id := find.ID{Node: node}
		if err := rows.Scan(&id.Name, &id.Version); err != nil {
			return err
		}
		to[id] = true
	}
	return rows.Err()
}
