package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/abroad"
)

// This is how membership in projects gets from the project's home to the homes of its
// members, and from there with them to whomever it concerns.

// everybody are the lead and the members of a project.
func everybody(p genesis.Project) []genesis.PersonID {
	if p.Lead == "" {
		return p.Members
	}
	return append([]genesis.PersonID{p.Lead}, p.Members...)
}

// homes are the nodes of the people of a project.
func homes(p genesis.Project) []genesis.NodeID {
	var all []genesis.NodeID
	for _, m := range everybody(p) {
		node, _ := m.Split("")
		all = append(all, node)
	}
	return all
}

func sortedOnce[T ~string](all []T) []T {
	all = slices.Clone(all)
	slices.Sort(all)
	return slices.Compact(all)
}

// tellProject tells the homes of those who are in a project, or were, how it stands.
func (s *Service) tellProject(ctx context.Context, tx *sql.Tx, p, before genesis.Project) error {
	if err := s.bindLeaves(ctx, tx, s.Node, p); err != nil {
		return err
	}
	for _, home := range s.others(append(homes(p), homes(before)...)...) {
		if err := s.tellProjectTo(ctx, tx, home, p); err != nil {
			return err
		}
	}
	return nil
}

// tellProjectTo tells one home of a project, and of its own people in it alone.
func (s *Service) tellProjectTo(ctx context.Context, tx *sql.Tx, home genesis.NodeID, p genesis.Project) error {
	told := p
	told.ID, told.Lead, told.By, told.Members = s.abroadProject(p.ID), s.whole(p.Lead), s.whole(p.By), []genesis.PersonID{}
	for _, m := range sortedOnce(everybody(p)) {
		if node, _ := m.Split(s.Node); node == home {
			told.Members = append(told.Members, m)
		}
	}
	turn, err := s.abroad.Next(ctx, tx, home, abroad.OfProject+p.ID, time.Time{})
	if err != nil {
		return err
	}
	return s.put(ctx, tx, home, abroad.KindProject, told.ID, abroad.Word{Turn: turn, Project: &told})
}

// TellNewcomers tells nodes that became members of the projects that their people were put
// into before.
func (s *Service) TellNewcomers(ctx context.Context) error {
	var all []genesis.NodeID
	for _, m := range s.Charter.Members() {
		all = append(all, m.ID)
	}
	all = s.others(all...)
	s.telling.Lock()
	defer s.telling.Unlock()
	if slices.Equal(all, s.knew) {
		return nil
	}
	projects, err := s.Access.Projects(ctx)
	if err != nil {
		return err
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		for _, p := range projects {
			for _, home := range s.others(homes(p)...) {
				knows, err := s.abroad.Knows(ctx, tx, home, abroad.OfProject+p.ID)
				if err == nil && !knows && !p.Ended {
					err = s.tellProjectTo(ctx, tx, home, p)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil {
		s.knew = all
		s.wake()
	}
	return err
}

// whole names somebody in full.
func (s *Service) whole(p genesis.PersonID) genesis.PersonID {
	node, subject := p.Split(s.Node)
	return genesis.PersonOf(node, subject)
}

// hearProject takes what the home of a project says of it.
func (s *Service) hearProject(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	w, err := readMessage[abroad.Word](m)
	if err != nil {
		return err
	}
	if w.Project != nil && w.Project.ID != m.About {
		return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Subject: m.About, Msg: "it is about one project, and speaks of another"}
	}
	p, err := s.abroad.HearProject(ctx, tx, m.From, w)
	if err != nil {
		return err
	}
	if err := s.bindLeaves(ctx, tx, m.From, p); err != nil {
		return err
	}
	act := "project"
	if p.Ended {
		act = "end-project"
	}
	return s.heardOf(ctx, tx, m, act, p.By, p.ID, map[string]any{"project": p.ID, "lead": p.Lead, "members": some(p.Members), "people": len(p.Members), "until": p.Until, "agreement": p.Agreement, "results": p.Results, "turn": w.Turn})
}

// mostNamed is how many people an entry of the log names that is about a project; how many
// there are it says beside.
const mostNamed = 200

func some(all []genesis.PersonID) []genesis.PersonID { return all[:min(len(all), mostNamed)] }

// deciding are the kinds of messages that change what somebody may do: copies owe to what is
// revoked, and projects have members. All others tell of requests, grants elsewhere, runs and
// logs: decisions stand, so that who sends many of them makes nobody's answers slow.
var deciding = []string{abroad.KindRevoked, abroad.KindProject}

// Told is called after a message of another node was acted upon: what it said may be
// answered, change what somebody may do, and be about memberships.
func (s *Service) Told(kind string) {
	s.wake()
	if !slices.Contains(deciding, kind) {
		return
	}
	s.Access.Changed()
	select {
	case s.renewing <- struct{}{}:
	default:
	}
}

// TokensOf are the tokens of projects elsewhere that somebody of this node is in.
func (s *Service) TokensOf(ctx context.Context, person genesis.PersonID) ([]string, error) {
	node, subject := person.Split(s.Node)
	if node != s.Node {
		return nil, nil
	}
	return s.abroad.Tokens(ctx, subject)
}

// tokenPage is how many tokens are told at once: an entry of the log names whose.
const tokenPage = 200

// tokenPages is how many pages one node is read.
const tokenPages = 500

// ProjectTokens tells a member's node by what its people show that they are in projects of
// this one.
func (s *Service) ProjectTokens(ctx context.Context, who genesis.Principal, after string, _ int) (*genesis.ProjectTokenPage, error) {
	if who.Subject != genesis.NodeSubject || s.home(who) || s.Identity == nil {
		return nil, &genesis.Error{Op: "read memberships", Kind: genesis.Permission, Subject: string(who.Person()), Msg: "that is for nodes of the federation, of their own people", Hint: "`genesis project list` shows your projects"}
	}
	all, err := s.Access.Projects(ctx)
	if err != nil {
		return nil, err
	}
	page, now := &genesis.ProjectTokenPage{Tokens: []genesis.ProjectToken{}}, s.now()
	for _, p := range all {
		if p.Ended || !p.Until.IsZero() && !now.Before(p.Until) {
			continue
		}
		for _, m := range sortedOnce(everybody(p)) {
			place := p.ID + " " + string(m)
			if node, _ := m.Split(s.Node); node != who.Node || place <= after {
				continue
			}
			if len(page.Tokens) == tokenPage {
				last := page.Tokens[tokenPage-1]
				page.Next = last.Project + " " + string(last.Person)
				return page, s.tokensTold(ctx, who, page)
			}
			token, err := s.Identity.ProjectToken(m, p.ID, p.Until)
			if err != nil {
				return nil, err
			}
			page.Tokens = append(page.Tokens, genesis.ProjectToken{Person: m, Project: p.ID, Token: token})
		}
	}
	return page, s.tokensTold(ctx, who, page)
}

// tokensTold is the evidence that a node was told who of its people is in what.
func (s *Service) tokensTold(ctx context.Context, who genesis.Principal, page *genesis.ProjectTokenPage) error {
	if len(page.Tokens) == 0 {
		return nil
	}
	m, _ := s.Charter.Member(who.Node)
	of := map[string][]genesis.PersonID{}
	for _, t := range page.Tokens {
		of[t.Project] = append(of[t.Project], t.Person)
	}
	return s.Journal.Append(ctx, journal.Event{Actor: who.Person(), Act: "vouch", Outcome: genesis.Done, Subject: "node " + string(who.Node),
		Institution: m.Institution, Sector: m.Sector, Detail: inSession(detail(map[string]any{"projects": of}), s.session(who))})
}

// Tokens are asked for anew so long before those there are end, and so often.
const (
	renewTokens = 30 * time.Minute
	renewTick   = time.Minute
	renewWithin = 30 * time.Second
	renewAtOnce = 8
)

// KeepMemberships asks the homes of projects, for as long as ctx lasts, to say anew who of
// this node is in them.
func (s *Service) KeepMemberships(ctx context.Context) {
	tick := time.NewTicker(renewTick)
	defer tick.Stop()
	for {
		if err := s.RenewMemberships(ctx); err != nil && ctx.Err() == nil {
			s.log().Error("memberships in projects of other nodes cannot be renewed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.renewing:
		}
	}
}

// RenewMemberships asks them once. A node that does not answer is asked again the next
// time.
func (s *Service) RenewMemberships(ctx context.Context) error {
	if s.Nodes == nil || s.Identity == nil {
		return nil
	}
	peers, err := s.abroad.Ending(ctx, s.now().Add(renewTokens))
	if err != nil {
		return err
	}
	var asking sync.WaitGroup
	room := make(chan struct{}, renewAtOnce)
	for _, peer := range s.others(peers...) {
		asking.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			if err := s.renewAt(ctx, peer); err != nil && ctx.Err() == nil {
				s.log().Warn("a node does not say who is in its projects", "node", peer, "error", err)
			}
		})
	}
	asking.Wait()
	return nil
}

// renewAt asks one node.
func (s *Service) renewAt(ctx context.Context, peer genesis.NodeID) error {
	ctx, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	after := ""
	for range tokenPages {
		page, err := s.tokensAt(ctx, peer, after)
		if err == nil {
			err = s.keepTokens(ctx, peer, page.Tokens)
		}
		if err != nil || page.Next == "" {
			return err
		}
		after = page.Next
	}
	return &genesis.Error{Op: "read memberships", Kind: genesis.Invalid, Subject: string(peer), Msg: fmt.Sprintf("it has more than %d pages of them", tokenPages)}
}

func (s *Service) tokensAt(ctx context.Context, peer genesis.NodeID, after string) (page genesis.ProjectTokenPage, err error) {
	body, err := s.Nodes.Get(ctx, peer, "/memberships?after="+url.QueryEscape(after))
	if err != nil {
		return page, err
	}
	text, err := readPeer(ctx, peer, body, 4<<20)
	if err != nil {
		return page, err
	}
	err = json.Unmarshal(text, &page)
	if err == nil && len(page.Tokens) > tokenPage {
		err = fmt.Errorf("%d tokens in a page", len(page.Tokens))
	}
	if err != nil {
		return page, &genesis.Error{Op: "read memberships", Kind: genesis.Unavailable, Subject: string(peer), Msg: "its answer is not what was asked for", Err: err}
	}
	return page, nil
}

// keepTokens keeps those of a node's tokens that hold.
func (s *Service) keepTokens(ctx context.Context, peer genesis.NodeID, all []genesis.ProjectToken) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		for _, t := range all {
			project, until, err := s.Identity.InProject(t.Token, t.Person)
			home, id, _ := strings.Cut(project, "/")
			node, subject := t.Person.Split(s.Node)
			if err == nil && len(t.Token) > abroad.MaxToken {
				err = fmt.Errorf("it has %d bytes, and %d are enough", len(t.Token), abroad.MaxToken)
			}
			if err != nil || genesis.NodeID(home) != peer || node != s.Node {
				s.log().Warn("a node says of a person what does not hold", "node", peer, "project", t.Project, "error", err)
				continue
			}
			if err := s.abroad.SetToken(ctx, tx, subject, peer, id, t.Token, until); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && len(all) > 0 {
		s.Access.Changed()
	}
	return err
}

// addGrantsAbroad adds the grants of other nodes that reach somebody of this one, as they
// were told.
func (s *Service) addGrantsAbroad(ctx context.Context, who genesis.Principal, q genesis.GrantQuery, page *genesis.GrantPage) error {
	if !who.SignedIn() || !s.home(who) || !who.InScope(genesis.Request, "") {
		return nil
	}
	projects, err := s.Access.ProjectsOf(ctx, who.Person())
	if err != nil {
		return err
	}
	all, err := s.abroad.Grants(ctx, who.Subject, projects, q.Ended)
	end := s.now().Add(days(q.Expiring))
	for _, g := range all {
		soon := q.Expiring <= 0 || !g.Until.IsZero() && !g.Until.After(end)
		if soon && (q.Name == "" || g.Name == q.Name) && (q.To == "" || g.To == q.To) {
			page.Grants = append(page.Grants, g)
		}
	}
	return err
}
