package work

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Grant lets somebody do something to an asset.
func (s *Service) Grant(ctx context.Context, who genesis.Principal, req genesis.GrantRequest) (*genesis.Grant, error) {
	v, _, err := s.enter(ctx, who, genesis.Steward, req.Ref)
	if err != nil {
		return nil, err
	}
	g := genesis.Grant{Name: v.Name, To: req.To, Actions: req.Actions, Until: req.Until, Condition: req.Condition,
		Licence: req.Licence, Purpose: req.Purpose, By: who.Person()}
	if r, err := genesis.ParseRef(req.Ref); err == nil && (r.Number != 0 || r.Digest != "") {
		g.Version = v.Digest
	}
	if g.Version == "" {
		if err := s.Access.Stewards(ctx, who, g.Name); err != nil {
			return nil, err
		}
	}
	if kind, id := g.To.Split(); kind == genesis.ToPerson {
		if err := s.checkPeople(ctx, who, genesis.PersonID(id)); err != nil {
			return nil, err
		}
	}
	err = s.act(ctx, who, "grant", func(tx *sql.Tx, e *journal.Event) error {
		var err error
		if g, err = s.Access.Grant(ctx, tx, g); err != nil {
			return err
		}
		e.Subject, e.Version, e.Project, e.Detail = string(v.Name), g.Version, projectOf(g), detail(g)
		return s.regranted(ctx, tx, g)
	})
	return &g, err
}

// Grants lists grants: all to stewards, to others those that reach them and those on
// what is theirs.
func (s *Service) Grants(ctx context.Context, who genesis.Principal, q genesis.GrantQuery) (*genesis.GrantPage, error) {
	page := &genesis.GrantPage{}
	var err error
	switch {
	case q.Mine || !s.stewards(ctx, who):
		if who.SignedIn() {
			page.Grants, err = s.grantsOf(ctx, who, q)
		}
		if err == nil && !q.Mine {
			err = s.addOwn(ctx, who, q, page)
		}
		if q.Expiring > 0 || q.To != "" {
			end := s.now().Add(days(q.Expiring))
			page.Grants = slices.DeleteFunc(page.Grants, func(g genesis.Grant) bool {
				return q.Expiring > 0 && (g.Until.IsZero() || g.Until.After(end)) || q.To != "" && g.To != q.To
			})
		}
		if err == nil {
			page.Grants, err = s.onKnown(ctx, who, page.Grants)
		}
		if err == nil && q.After == "" {
			err = s.addGrantsAbroad(ctx, who, q, page)
		}
	case q.Expiring > 0:
		page.Grants, err = s.Access.Expiring(ctx, days(q.Expiring))
		page.Grants = slices.DeleteFunc(page.Grants, func(g genesis.Grant) bool {
			return q.Name != "" && g.Name != q.Name || q.To != "" && g.To != q.To
		})
	default:
		page.Grants, page.Next, err = s.Access.Grants(ctx, access.GrantQuery{Name: q.Name, To: q.To, Active: !q.Ended, After: q.After, Limit: q.Limit})
	}
	return page, err
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// grantsOf are the grants that reach who, and if asked for those that did by name and
// have ended.
func (s *Service) grantsOf(ctx context.Context, who genesis.Principal, q genesis.GrantQuery) ([]genesis.Grant, error) {
	all, err := s.Access.GrantsOf(ctx, who, q.Name)
	if err != nil || !q.Ended {
		return all, err
	}
	to := genesis.Grantee(string(genesis.ToPerson) + ":" + string(who.Person()))
	named, _, err := s.Access.Grants(ctx, access.GrantQuery{Name: q.Name, To: to, Limit: 1000})
	now := s.now()
	return append(all, slices.DeleteFunc(named, func(g genesis.Grant) bool { return g.Active(now) })...), err
}

// addOwn adds a page of the grants on what is somebody's own, which they steward; those
// that reach them stand before the first.
func (s *Service) addOwn(ctx context.Context, who genesis.Principal, q genesis.GrantQuery, page *genesis.GrantPage) error {
	if q.After != "" {
		page.Grants = nil
	}
	if !who.SignedIn() {
		return nil
	}
	own, next, err := s.Access.Grants(ctx, access.GrantQuery{Name: q.Name, Owner: who.Person(), Active: !q.Ended, After: q.After, Limit: q.Limit})
	page.Next = next
	for _, g := range own {
		there := slices.ContainsFunc(page.Grants, func(other genesis.Grant) bool { return other.ID == g.ID })
		if !there && who.InScope(genesis.Steward, g.Name) {
			page.Grants = append(page.Grants, g)
		}
	}
	return err
}

// onKnown returns the grants on what who may know of, a token narrowed to other things
// included.
func (s *Service) onKnown(ctx context.Context, who genesis.Principal, all []genesis.Grant) ([]genesis.Grant, error) {
	known := all[:0]
	for _, g := range all {
		if g.Origin != "" || strings.Contains(string(g.Name), "/") && !strings.HasPrefix(string(g.Name), "~") {
			if who.Scopes == nil { // on what is elsewhere, as a copy of theirs owes it
				g.Copy = true
				known = append(known, g)
			}
			continue
		}
		_, err := s.find(ctx, who, string(g.Name))
		if err == nil {
			known = append(known, g)
		} else if genesis.KindOf(err) != genesis.NotFound && !isRefusal(err) {
			return nil, err
		}
	}
	return known, nil
}

// stewards reports whether who is a steward of the node.
func (s *Service) stewards(ctx context.Context, who genesis.Principal) bool {
	_, err := s.Access.Decide(ctx, s.ask(who, genesis.Steward, access.Resource{}))
	return err == nil
}

// Revoke takes a grant back. What runs under it ends within a second. Errors: Conflict (it
// was taken back before: what is said now would be lost).
func (s *Service) Revoke(ctx context.Context, who genesis.Principal, id, reason string) (*genesis.Grant, error) {
	missing := &genesis.Error{Op: "revoke", Kind: genesis.NotFound, Subject: id, Msg: "there is no such grant", Hint: "`genesis grants` lists them"}
	g, err := s.Access.GrantByID(ctx, id)
	if genesis.KindOf(err) == genesis.NotFound {
		return nil, missing
	}
	if err != nil {
		return nil, err
	}
	if _, err := s.decide(ctx, who, genesis.Steward, access.Resource{Name: g.Name, Version: g.Version, State: genesis.Published}); isRefusal(err) {
		return nil, missing
	} else if err != nil {
		return nil, err
	}
	if g.Revoked != nil {
		return nil, &genesis.Error{Op: "revoke", Kind: genesis.Conflict, Subject: id, Msg: "is over already: it was revoked on " + g.Revoked.Format(time.DateOnly) + " by " + string(g.RevokedBy),
			Hint: "`genesis grants --ended` says why"}
	}
	err = s.act(ctx, who, "revoke", func(tx *sql.Tx, e *journal.Event) error {
		if g, err = s.Access.Revoke(ctx, tx, id, who.Person(), reason); err != nil {
			return err
		}
		e.Subject, e.Version, e.Project, e.Detail = string(g.Name), g.Version, projectOf(g), detail(map[string]string{"grant": id, "to": string(g.To), "reason": reason, "request": g.Request})
		return s.regranted(ctx, tx, g)
	})
	return &g, err
}

// projectOf is the project to which a grant is made, "" if it is to somebody else.
func projectOf(g genesis.Grant) string {
	if kind, id := g.To.Split(); kind == genesis.ToProject {
		return id
	}
	return ""
}

// regranted tells those whom it reaches of a grant that was made or taken back, and states
// anew what it is on. Who may know of something without being asked who they are does not
// hang on grants to persons and projects.
func (s *Service) regranted(ctx context.Context, tx *sql.Tx, g genesis.Grant) error {
	if err := s.tellGrant(ctx, tx, g); err != nil {
		return err
	}
	if kind, _ := g.To.Split(); kind != genesis.ToInstitution && kind != genesis.ToSector {
		return nil
	}
	return s.moved(ctx, tx, g.Name, g.Version)
}
