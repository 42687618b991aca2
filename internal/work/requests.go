package work

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Ask asks the steward of an asset for access, of another node by a message.
func (s *Service) Ask(ctx context.Context, who genesis.Principal, req genesis.AskRequest) (*genesis.AccessRequest, error) {
	if ref, is := s.elsewhere(req.Ref); is {
		return s.askAbroad(ctx, who, ref, req)
	}
	r, err := s.mayAsk(ctx, who, req)
	if err != nil {
		return nil, err
	}
	return s.requested(ctx, who, "request", s.tellState, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Ask(ctx, tx, r) })
}

// requested does something to a request with its entry of the journal, and has the asker's
// home told.
func (s *Service) requested(ctx context.Context, who genesis.Principal, name string, home tell, do func(*sql.Tx) (genesis.AccessRequest, error)) (*genesis.AccessRequest, error) {
	var r genesis.AccessRequest
	err := s.act(ctx, who, name, func(tx *sql.Tx, e *journal.Event) error {
		var err error
		if r, err = do(tx); err != nil {
			return err
		}
		requestEvent(e, r)
		return home(ctx, tx, r)
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// Requests lists requests for access: to stewards all, to others their own, those at other
// nodes first, and those for what is theirs.
func (s *Service) Requests(ctx context.Context, who genesis.Principal, q genesis.RequestQuery) (*genesis.RequestPage, error) {
	page := &genesis.RequestPage{}
	if !who.SignedIn() {
		return page, nil
	}
	inner := access.RequestQuery{Name: q.Name, State: q.State, After: q.After, Limit: cmp.Or(max(q.Limit, 0), 100)}
	steward := s.stewards(ctx, who)
	if q.Mine || !steward {
		done, err := s.addAbroad(ctx, who, &inner, page)
		if err != nil || !done {
			return page, err
		}
	}
	switch {
	case q.Mine:
		inner.By = who.Person()
	case !steward:
		inner.Of = who.Person()
	}
	here, next, err := s.Access.Requests(ctx, inner)
	page.Next = next
	for _, r := range here {
		if who.InScope(genesis.Request, r.Name) || who.InScope(genesis.Steward, r.Name) {
			page.Requests = append(page.Requests, r)
		}
	}
	return page, err
}

// Request returns one request, to both its sides.
func (s *Service) Request(ctx context.Context, who genesis.Principal, id string) (*genesis.AccessRequest, error) {
	r, err := s.Access.RequestByID(ctx, who, id)
	if genesis.KindOf(err) == genesis.NotFound {
		there, missing := s.ownAbroad(ctx, who, id)
		if missing != nil {
			return nil, missing
		}
		return pointed(s.shownAbroad(ctx, there.AccessRequest))
	}
	return pointed(r, err)
}

// Say adds a message to a request.
func (s *Service) Say(ctx context.Context, who genesis.Principal, id, text string) (*genesis.AccessRequest, error) {
	if r, err := s.ownAbroad(ctx, who, id); genesis.KindOf(err) != genesis.NotFound {
		if err != nil {
			return nil, err
		}
		return s.sayAbroad(ctx, who, r, text)
	}
	return s.requested(ctx, who, "message", s.tellSaid, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Message(ctx, tx, who, id, text) })
}

// Approve answers a request with a grant.
func (s *Service) Approve(ctx context.Context, who genesis.Principal, id string, a genesis.Approval) (*genesis.AccessRequest, error) {
	return s.requested(ctx, who, "approve", s.tellState, func(tx *sql.Tx) (genesis.AccessRequest, error) {
		r, g, err := s.Access.Approve(ctx, tx, who, id, a)
		if err != nil {
			return r, err
		}
		return r, s.tellGrant(ctx, tx, g)
	})
}

// Deny answers a request with a reason.
func (s *Service) Deny(ctx context.Context, who genesis.Principal, id, reason string) (*genesis.AccessRequest, error) {
	return s.requested(ctx, who, "deny", s.tellState, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Deny(ctx, tx, who, id, reason) })
}

// WithdrawRequest takes one's own request back.
func (s *Service) WithdrawRequest(ctx context.Context, who genesis.Principal, id string) (*genesis.AccessRequest, error) {
	if r, err := s.ownAbroad(ctx, who, id); genesis.KindOf(err) != genesis.NotFound {
		if err != nil {
			return nil, err
		}
		return s.withdrawAbroad(ctx, who, r)
	}
	return s.requested(ctx, who, "withdraw-request", s.tellState, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Withdraw(ctx, tx, who, id) })
}

// Members returns the institutions of the federation.
func (s *Service) Members(context.Context, genesis.Principal) (*genesis.MemberList, error) {
	return &genesis.MemberList{Members: s.Charter.Members()}, nil
}

// Explain says what decides whether somebody may do something to a version, to those
// who steward it. What is known of other people, and the grants and sources that
// matter, are for stewards of the node alone, and that they asked is recorded.
func (s *Service) Explain(ctx context.Context, who genesis.Principal, person genesis.PersonID, a genesis.Action, ref string) (*genesis.Explanation, error) {
	v, d, err := s.enter(ctx, who, genesis.Steward, ref)
	if err != nil {
		return nil, err
	}
	p, err := s.principal(ctx, person)
	if err != nil {
		return nil, err
	}
	if p.SignedIn() {
		p.Purpose = who.Purpose // it is explained as if they said so
	}
	own := !p.SignedIn() || p.Person() == who.Person()
	if s.stewards(ctx, who) {
		if !own {
			e := s.event(d)
			e.Act, e.Outcome, e.Detail = "explain", genesis.Done, detail(map[string]any{"person": p.Person(), "action": a})
			if err := s.Journal.Append(ctx, e); err != nil {
				return nil, err
			}
		}
		e, err := s.Access.Explain(ctx, s.ask(p, a, resource(v)))
		if err == nil && !e.Allowed && p.Node != "" && p.Node != s.Node {
			e.Change, err = s.withTheirProjects(ctx, p, a, v, e.Change)
		}
		return pointed(e, err)
	}
	if !own {
		return nil, &genesis.Error{Op: "explain", Kind: genesis.Permission, Subject: string(person), Msg: "what decides for somebody else is told to stewards of the node", Hint: "ask about yourself, or a steward"}
	}
	return s.explainOwn(ctx, who, s.ask(p, a, resource(v)))
}

// withTheirProjects puts in front of what would help somebody of another node the projects
// in which they could do it: whether they are in one, their home says when they come.
func (s *Service) withTheirProjects(ctx context.Context, p genesis.Principal, a genesis.Action, v genesis.Version, change []string) ([]string, error) {
	grants, _, err := s.Access.Grants(ctx, access.GrantQuery{Name: v.Name, Active: true, Limit: 100})
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		kind, id := g.To.Split()
		if kind != genesis.ToProject || slices.ContainsFunc(change, func(said string) bool { return strings.Contains(said, g.ID) }) {
			continue
		}
		member := p
		member.Projects = []string{id}
		ask := s.ask(member, a, resource(v))
		ask.Project = id
		if _, err := s.Access.Decide(ctx, ask); err == nil {
			change = append([]string{fmt.Sprintf("when %s vouches that they are in project %s, grant %s lets them", p.Node, id, g.ID)}, change...)
		} else if !isRefusal(err) {
			return nil, err
		}
	}
	return change, nil
}

// explainOwn is an explanation without what its asker may not know of.
func (s *Service) explainOwn(ctx context.Context, who genesis.Principal, ask access.Ask) (*genesis.Explanation, error) {
	e, err := s.Access.Explain(ctx, ask)
	if err != nil {
		return nil, err
	}
	d, refusal := s.Access.Decide(ctx, ask)
	if k := genesis.KindOf(refusal); k != "" && k != genesis.Private && k != genesis.Permission {
		return nil, refusal
	}
	e.Reason, e.Change = d.Reason, nil
	if d.Hint != "" {
		e.Change = []string{d.Hint}
	}
	e.Grants = slices.DeleteFunc(e.Grants, func(g genesis.Grant) bool { return g.Name != ask.Resource.Name })
	e.Sources, err = s.Access.ConstraintsFor(ctx, who, ask.Resource.Name, ask.Resource.Version)
	return &e, err
}

// principal returns somebody as they would come: of this node with what their
// account says, of another by name alone.
func (s *Service) principal(ctx context.Context, person genesis.PersonID) (genesis.Principal, error) {
	if person == "" {
		return genesis.Principal{}, nil
	}
	if err := genesis.CheckPerson(person); err != nil {
		return genesis.Principal{}, err
	}
	node, subject := person.Split(s.Node)
	p := genesis.Principal{Subject: subject, Node: node, Assurance: genesis.AssurancePassword}
	if node != s.Node {
		return access.Complete(s.Charter, p), nil
	}
	if subject == access.LocalSubject {
		return access.Local(s.Node), nil
	}
	if s.Identity == nil {
		return p, nil
	}
	account, err := s.Identity.Account(ctx, subject)
	if err != nil {
		return p, err
	}
	p.Duties, p.Vetting, p.Citizenship, p.Student = account.Duties, account.Vetting.State, account.Citizenship, account.Student
	if account.TOTP {
		p.Assurance = genesis.AssuranceMFA
	}
	return access.Complete(s.Charter, p), nil
}
