package work

import (
	"context"
	"database/sql"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Conditions returns under which terms a version is open, what it owes to its
// inputs, and what who may do.
func (s *Service) Conditions(ctx context.Context, who genesis.Principal, ref string) (*genesis.Conditions, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	c := &genesis.Conditions{Version: v, You: []genesis.Action{}}
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err == nil {
		c.Terms, c.Tier = &terms, terms.TierAt(s.now())
	} else if genesis.KindOf(err) != genesis.NotFound {
		return nil, err
	}
	if c.Constraints, err = s.Access.ConstraintsFor(ctx, who, v.Name, v.Digest); err != nil {
		return nil, err
	}
	if c.Projects, err = s.teamsFor(ctx, who, v); err != nil {
		return nil, err
	}
	for _, a := range genesis.Actions {
		_, err := s.Access.Decide(ctx, s.ask(who, a, resource(v)))
		if err != nil && !isRefusal(err) {
			return nil, err
		}
		if err == nil && a != genesis.Operate {
			c.You = append(c.You, a)
		}
	}
	c.Unmet, err = s.Access.Unmet(ctx, s.ask(who, genesis.Discover, resource(v)))
	return c, err
}

// Agreement returns the text that whoever asks for access to a version accepts.
func (s *Service) Agreement(ctx context.Context, who genesis.Principal, ref string) (*genesis.AgreementText, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return nil, err
	}
	a := terms.Agreement
	if a == nil {
		return nil, &genesis.Error{Op: "read agreement", Kind: genesis.NotFound, Subject: ref, Msg: "it needs no agreement"}
	}
	text, err := s.Blobs.Bytes(ctx, a.Digest, maxAgreement)
	if err != nil {
		return nil, err
	}
	return &genesis.AgreementText{Kind: a.Kind, Title: a.Title, Text: string(text), Digest: a.Digest}, nil
}

// Lower records the consent of the steward of an input.
func (s *Service) Lower(ctx context.Context, who genesis.Principal, ref string, req genesis.LowerRequest) (*genesis.Constraint, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	if r, err := genesis.ParseRef(req.Source); err == nil && r.Node != "" && r.Node != s.Node {
		return nil, &genesis.Error{Op: "lower", Kind: genesis.Permission, Subject: req.Source, Msg: "what a copy owes is for " + string(r.Node) + " to lower",
			Hint: "once it is open more widely there, copy it again: genesis pull " + req.Source}
	}
	source, err := s.find(ctx, who, req.Source)
	if err != nil {
		return nil, err
	}
	k := &genesis.Constraint{Source: source.Ref()}
	err = s.act(ctx, who, "lower", func(tx *sql.Tx, e *journal.Event) error {
		e.Subject, e.Version, e.Detail = string(v.Name), v.Digest, detail(req)
		lowered, err := s.Access.Lower(ctx, tx, who, access.Lowering{Child: resource(v), Source: source.Ref(), Tier: req.Tier, Reason: req.Reason})
		if k.Lowered = &lowered; err != nil {
			return err
		}
		return s.moved(ctx, tx, v.Name, v.Digest)
	})
	if err != nil {
		return nil, err
	}
	k.Terms, err = s.Access.Terms(ctx, source.Name, source.Digest)
	if genesis.KindOf(err) == genesis.NotFound {
		err = nil // a draft has none
	}
	return k, err
}
