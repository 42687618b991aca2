package work

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

// allowTraining decides whether somebody may have a training done. It returns the
// request as it is to be carried out, the version to learn from, and how many rows
// must share what is kept of them; 0: any.
func (s *Service) allowTraining(ctx context.Context, who genesis.Principal, req genesis.TrainRequest) (genesis.TrainRequest, genesis.Version, int, error) {
	if err := genesis.CheckName(req.Name); err != nil {
		return req, genesis.Version{}, 0, err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return req, genesis.Version{}, 0, err
	}
	v, err := s.resolve(ctx, who, genesis.TrainOn, req.Dataset)
	return req, v, 0, err
}

// needs returns what a run's asker must be allowed for as long as it goes on.
func needs(r genesis.Run, pin pinned) []access.Ask {
	ask := func(a genesis.Action, name genesis.Name) access.Ask {
		return access.Ask{Principal: r.By, Action: a, Resource: access.Resource{Name: name}}
	}
	switch r.Kind {
	case genesis.RunPrepare:
		return []access.Ask{ask(genesis.Steward, pin.Prepare.Name)}
	case genesis.RunTrain:
		return []access.Ask{ask(genesis.Steward, pin.Train.Name), ask(genesis.TrainOn, pin.Version.Name)}
	}
	return []access.Ask{ask(genesis.Infer, pin.Version.Name)}
}
