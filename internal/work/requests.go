package work

import (
	"context"
	"database/sql"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Ask asks the steward of an asset for access.
func (s *Service) Ask(ctx context.Context, who genesis.Principal, req genesis.AskRequest) (*genesis.AccessRequest, error) {
	v, d, err := s.enter(ctx, who, genesis.Request, req.Ref)
	if err != nil {
		return nil, err
	}
	r := genesis.AccessRequest{Name: v.Name, Actions: req.Actions, Purpose: req.Purpose, Project: req.Project,
		Agreement: req.Agreement, Renews: req.Renews}
	if ref, err := genesis.ParseRef(req.Ref); err == nil && (ref.Number != 0 || ref.Digest != "") {
		r.Version = v.Digest
	}
	by := d.Principal // of whom stewards are told what helps them to decide, and no more
	r.By = genesis.Principal{Subject: by.Subject, Node: by.Node, Institution: by.Institution, Sector: by.Sector, Vetting: by.Vetting, Projects: by.Projects}
	return s.requested(ctx, who, "request", func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Ask(ctx, tx, r) })
}

// requested does something to a request with its entry of the journal.
func (s *Service) requested(ctx context.Context, who genesis.Principal, name string, do func(*sql.Tx) (genesis.AccessRequest, error)) (*genesis.AccessRequest, error) {
	var r genesis.AccessRequest
	err := s.act(ctx, who, name, func(tx *sql.Tx, e *journal.Event) error {
		var err error
		r, err = do(tx)
		e.Subject, e.Version, e.Project = string(r.Name), r.Version, r.Project
		said := map[string]any{"request": r.ID, "of": r.By.Person(), "actions": r.Actions, "state": r.State, "grant": r.Grant, "agreement": r.Agreement, "reason": r.Reason}
		if !r.Until.IsZero() {
			said["until"] = r.Until
		}
		e.Detail = detail(said)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// Requests lists requests for access: to stewards all, to others their own and those for
// what is theirs.
func (s *Service) Requests(ctx context.Context, who genesis.Principal, q genesis.RequestQuery) (*genesis.RequestPage, error) {
	page := &genesis.RequestPage{}
	if !who.SignedIn() {
		return page, nil
	}
	inner := access.RequestQuery{Name: q.Name, State: q.State, After: q.After, Limit: q.Limit}
	switch {
	case q.Mine:
		inner.By = who.Person()
	case !s.stewards(ctx, who):
		inner.Of = who.Person()
	}
	var err error
	page.Requests, page.Next, err = s.Access.Requests(ctx, inner)
	page.Requests = slices.DeleteFunc(page.Requests, func(r genesis.AccessRequest) bool {
		return !who.InScope(genesis.Request, r.Name) && !who.InScope(genesis.Steward, r.Name)
	})
	return page, err
}

// Request returns one request, to both its sides.
func (s *Service) Request(ctx context.Context, who genesis.Principal, id string) (*genesis.AccessRequest, error) {
	r, err := s.Access.RequestByID(ctx, who, id)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// Say adds a message to a request.
func (s *Service) Say(ctx context.Context, who genesis.Principal, id, text string) (*genesis.AccessRequest, error) {
	return s.requested(ctx, who, "message", func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Message(ctx, tx, who, id, text) })
}

// Approve answers a request with a grant.
func (s *Service) Approve(ctx context.Context, who genesis.Principal, id string, a genesis.Approval) (*genesis.AccessRequest, error) {
	return s.requested(ctx, who, "approve", func(tx *sql.Tx) (genesis.AccessRequest, error) {
		r, _, err := s.Access.Approve(ctx, tx, who, id, a)
		return r, err
	})
}

// Deny answers a request with a reason.
func (s *Service) Deny(ctx context.Context, who genesis.Principal, id, reason string) (*genesis.AccessRequest, error) {
	return s.requested(ctx, who, "deny", func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Deny(ctx, tx, who, id, reason) })
}

// WithdrawRequest takes one's own request back.
func (s *Service) WithdrawRequest(ctx context.Context, who genesis.Principal, id string) (*genesis.AccessRequest, error) {
	return s.requested(ctx, who, "withdraw-request", func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Withdraw(ctx, tx, who, id) })
}

// Members returns the institutions of the federation.
func (s *Service) Members(context.Context, genesis.Principal) (*genesis.MemberList, error) {
	return &genesis.MemberList{Members: s.Charter.Members()}, nil
}

// Projects lists projects in order of id: to stewards all, to others those they
// are in.
func (s *Service) Projects(ctx context.Context, who genesis.Principal, after string, limit int) (*genesis.ProjectPage, error) {
	all, err := s.Access.Projects(ctx)
	if err != nil {
		return nil, err
	}
	if !s.stewards(ctx, who) {
		all = slices.DeleteFunc(all, func(p genesis.Project) bool {
			return !s.within(who, p) || !who.InScope(genesis.Request, "") && !who.InScope(genesis.Discover, "")
		})
	}
	slices.SortFunc(all, func(a, b genesis.Project) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	at, _ := slices.BinarySearchFunc(all, after, func(p genesis.Project, id string) int {
		if p.ID <= id {
			return -1
		}
		return 1
	})
	if after == "" {
		at = 0
	}
	if limit <= 0 {
		limit = 100
	}
	page := &genesis.ProjectPage{Projects: all[at:min(len(all), at+limit)]}
	if at+limit < len(all) {
		page.Next = page.Projects[limit-1].ID
	}
	return page, nil
}

// within reports whether who leads a project or is a member of it.
func (s *Service) within(who genesis.Principal, p genesis.Project) bool {
	if !who.SignedIn() {
		return false
	}
	is := func(m genesis.PersonID) bool {
		node, subject := m.Split(s.Node)
		return node == who.Node && subject == who.Subject
	}
	return is(p.Lead) || slices.ContainsFunc(p.Members, is)
}

// PutProject makes or changes a project. Stewards make them; their leads change
// them, but do not make them last longer.
func (s *Service) PutProject(ctx context.Context, who genesis.Principal, id string, req genesis.ProjectRequest) (*genesis.Project, error) {
	if err := s.mayLead(ctx, who, id); err != nil {
		return nil, err
	}
	people := []genesis.PersonID{}
	if req.Members != nil {
		people = *req.Members
	}
	if req.Lead != "" {
		people = append(slices.Clone(people), req.Lead)
	}
	if err := s.checkPeople(ctx, who, people...); err != nil {
		return nil, err
	}
	steward := s.stewards(ctx, who)
	var p genesis.Project
	err := s.act(ctx, who, "project", func(tx *sql.Tx, e *journal.Event) error {
		var err error
		p, err = s.Access.ChangeProject(ctx, tx, id, func(p *genesis.Project) error {
			end := p.Until
			req.Apply(p)
			if !steward && !end.IsZero() && (p.Until.IsZero() || p.Until.After(end)) {
				return &genesis.Error{Op: "change project", Kind: genesis.Permission, Subject: id, Msg: "its lead may not make it last longer", Hint: "ask a steward"}
			}
			if p.By = who.Person(); p.Lead == "" {
				p.Lead = p.By
			}
			return nil
		})
		e.Subject, e.Project, e.Detail = "project "+id, id, detail(p)
		return err
	})
	return pointed(p, err)
}

// mayLead decides whether who may make, change or end a project.
func (s *Service) mayLead(ctx context.Context, who genesis.Principal, id string) error {
	if s.stewards(ctx, who) {
		return nil
	}
	refused := &genesis.Error{Op: "change project", Kind: genesis.Permission, Subject: id, Msg: "projects are made by stewards, and changed by them and their leads"}
	p, err := s.Access.Project(ctx, id)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	if err != nil || !who.InScope(genesis.Steward, "") {
		return refused
	}
	if p.Members = nil; !s.within(who, p) { // the lead alone
		return refused
	}
	if s.home(who) {
		if _, err := s.decide(ctx, who, genesis.Discover, access.Resource{}); err != nil {
			return refused // whom this node refused is no lead, either
		}
	}
	return nil
}

// EndProject ends a project, and with it what was granted to it.
func (s *Service) EndProject(ctx context.Context, who genesis.Principal, id string) (*genesis.Project, error) {
	if err := s.mayLead(ctx, who, id); err != nil {
		return nil, err
	}
	var p genesis.Project
	err := s.act(ctx, who, "end-project", func(tx *sql.Tx, e *journal.Event) error {
		var err error
		p, err = s.Access.EndProject(ctx, tx, id)
		e.Subject, e.Project = "project "+id, id
		return err
	})
	return &p, err
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
	own := !p.SignedIn() || p.Person() == who.Person()
	if s.stewards(ctx, who) {
		if !own {
			e := s.event(d)
			e.Act, e.Outcome, e.Detail = "explain", genesis.Done, detail(map[string]any{"person": p.Person(), "action": a})
			if err := s.Journal.Append(ctx, e); err != nil {
				return nil, err
			}
		}
		return pointed(s.Access.Explain(ctx, s.ask(p, a, resource(v))))
	}
	if !own {
		return nil, &genesis.Error{Op: "explain", Kind: genesis.Permission, Subject: string(person), Msg: "what decides for somebody else is told to stewards of the node", Hint: "ask about yourself, or a steward"}
	}
	return s.explainOwn(ctx, who, s.ask(p, a, resource(v)))
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
