package work

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Projects lists projects in order of id, with those of other nodes that people of this
// one are in: to stewards all, to others those they are in.
func (s *Service) Projects(ctx context.Context, who genesis.Principal, after string, limit int) (*genesis.ProjectPage, error) {
	if limit <= 0 {
		limit = 100
	}
	all, err := s.Access.Projects(ctx)
	if err != nil {
		return nil, err
	}
	there, more := []genesis.Project(nil), false
	steward := s.stewards(ctx, who)
	switch {
	case steward:
		there, more, err = s.abroad.Projects(ctx, "", after, limit)
	case who.SignedIn() && s.home(who):
		there, more, err = s.abroad.Projects(ctx, who.Subject, after, limit)
	}
	if err != nil {
		return nil, err
	}
	all = append(all, there...)
	all = slices.DeleteFunc(all, func(p genesis.Project) bool {
		return p.ID <= after || more && p.ID > there[len(there)-1].ID ||
			!steward && (!s.within(who, p) || !who.InScope(genesis.Request, "") && !who.InScope(genesis.Discover, ""))
	})
	slices.SortFunc(all, func(a, b genesis.Project) int { return strings.Compare(a.ID, b.ID) })
	page := &genesis.ProjectPage{Projects: all[:min(len(all), limit)]}
	if n := len(page.Projects); n > 0 && (more || len(all) > limit) {
		page.Next = page.Projects[n-1].ID
	} else if more { // none of them is theirs to see
		page.Next = there[len(there)-1].ID
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
		return node == cmp.Or(who.Node, s.Node) && subject == who.Subject
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
	var p, before genesis.Project
	err := s.act(ctx, who, "project", func(tx *sql.Tx, e *journal.Event) error {
		var err error
		p, err = s.Access.ChangeProject(ctx, tx, id, func(p *genesis.Project) error {
			end := p.Until
			before = *p
			req.Apply(p)
			if !steward && !end.IsZero() && (p.Until.IsZero() || p.Until.After(end)) {
				return &genesis.Error{Op: "change project", Kind: genesis.Permission, Subject: id, Msg: "its lead may not make it last longer", Hint: "ask a steward"}
			}
			if p.By = who.Person(); p.Lead == "" {
				p.Lead = p.By
			}
			return nil
		})
		if err != nil {
			return err
		}
		e.Subject, e.Project, e.Detail = "project "+id, id, projectDetail(p)
		return s.tellProject(ctx, tx, p, before)
	})
	return pointed(p, err)
}

// projectDetail is a project in the log.
func projectDetail(p genesis.Project) json.RawMessage {
	people := len(p.Members)
	p.Members = some(p.Members)
	return detail(struct {
		genesis.Project
		People int `json:"people"`
	}{p, people})
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
		if p, err = s.Access.EndProject(ctx, tx, id); err != nil {
			return err
		}
		e.Subject, e.Project = "project "+id, id
		return s.tellProject(ctx, tx, p, p)
	})
	return &p, err
}

// ownProject is how this node calls a project.
func (s *Service) ownProject(id string) string { return strings.TrimPrefix(id, string(s.Node)+"/") }

// askFor is ask for what is done for a project; "" is none.
func (s *Service) askFor(who genesis.Principal, a genesis.Action, r access.Resource, project string) access.Ask {
	ask := s.ask(who, a, r)
	ask.Project = s.ownProject(project)
	return ask
}

// inProject wants somebody to be in the project for which they do something; "" is none.
func (s *Service) inProject(ctx context.Context, who genesis.Principal, project string) error {
	if project == "" {
		return nil
	}
	in, err := s.Access.In(ctx, who, project)
	if err == nil && !in {
		err = &genesis.Error{Op: "act for project", Kind: genesis.Permission, Subject: project, Msg: "you are not in it", Hint: "`genesis project list` shows your projects"}
	}
	return err
}

// projectOfRun is the project for which a run is.
func (s *Service) projectOfRun(r genesis.Run) string {
	var req struct {
		Project string `json:"project"`
	}
	if json.Unmarshal(r.Request, &req) != nil {
		return "" // then it is no request, and says so where it is read
	}
	return s.ownProject(req.Project)
}

// withProjects completes the owner of the home, who comes without having signed in, with
// the projects elsewhere that they are in, where a run is for one.
func (s *Service) withProjects(ctx context.Context, who genesis.Principal, req genesis.RunRequest) (genesis.Principal, error) {
	if s.Identity == nil || !s.atHome(who) || !strings.Contains(s.projectOfRun(genesis.Run{Request: req.Request}), "/") {
		return who, nil
	}
	return s.Identity.Current(ctx, who)
}

// madeFor opens what a run made to the people of the project for which it was.
func (s *Service) madeFor(ctx context.Context, tx *sql.Tx, r genesis.Run, v genesis.Version) error {
	project := s.projectOfRun(r)
	if project == "" {
		return nil
	}
	return s.actIn(ctx, tx, r.By, "grant", func(tx *sql.Tx, e *journal.Event) error {
		e.Subject, e.Version, e.Project, e.Detail = string(v.Name), v.Digest, project, detail(map[string]string{"to": "project:" + project, "run": r.ID})
		return s.Access.MadeFor(ctx, tx, resource(v), project)
	})
}

// teamsFor are the projects for which a version was made, as far as who may know of them:
// to its stewards all, to others their own.
func (s *Service) teamsFor(ctx context.Context, who genesis.Principal, v genesis.Version) ([]string, error) {
	all, err := s.Access.Teams(ctx, v.Name, v.Digest)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	if _, err := s.Access.Decide(ctx, s.ask(who, genesis.Steward, resource(v))); err == nil || !isRefusal(err) {
		return all, err
	}
	return slices.DeleteFunc(all, func(id string) bool { return s.inProject(ctx, who, id) != nil }), nil
}
