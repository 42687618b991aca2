package work

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
)

// allowTraining decides whether who may train on a dataset version, and within
// which bounds, and pins both.
func (s *Service) allowTraining(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, pin *pinned) error {
	if err := genesis.CheckName(req.Name); err != nil {
		return err
	}
	v, d, err := s.enterFor(ctx, who, genesis.TrainOn, req.Dataset, req.Project)
	if err != nil {
		return err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return err
	}
	if v.Kind != genesis.Dataset {
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: req.Dataset, Msg: "is a model, not a dataset"}
	}
	pin.Version, pin.Train = v, &req
	if d.Reads {
		return nil
	}
	pin.Least = genesis.LeastGroup
	err = s.allowUnread(ctx, who, v, pin)
	var out *outOfBounds
	if errors.As(err, &out) { // the policies allowed it, so that is what the log says up to here
		e := s.event(d)
		e.Outcome, e.Rule = genesis.Refused, out.rule
		if err := s.Journal.Append(ctx, e); err != nil {
			return err
		}
	}
	return err
}

// allowUnread bounds a training by somebody who may not read what it learns from.
func (s *Service) allowUnread(ctx context.Context, who genesis.Principal, v genesis.Version, pin *pinned) error {
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return err
	}
	req, err := unread(&d, terms.Training, *pin.Train)
	if err != nil {
		return err
	}
	pin.Train, pin.MinRows = &req, leastRows(terms.Training)
	by, err := s.learner(ctx, who, v)
	if err != nil {
		return err
	}
	now, err := s.lesson(ctx, by, &d, req)
	if err != nil {
		return err
	}
	return s.spend(ctx, now, cmp.Or(terms.Training.Runs, genesis.DefaultRuns), pin.order)
}

// isCheckpoint reports whether path, which a worker named, is a checkpoint in dir.
func isCheckpoint(dir, path string) bool {
	name := filepath.Base(path)
	return dir != "" && filepath.Join(dir, name) == path && strings.HasPrefix(name, "train-") && strings.HasSuffix(name, ".checkpoint")
}
