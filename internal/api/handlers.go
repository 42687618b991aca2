package api

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/format"
)

func (s *server) node(ctx context.Context, _ genesis.Principal, _ *struct{}) (*genesis.NodeInfo, error) {
	info := s.Info
	if !edge.Socket(ctx) {
		info.Home = ""
	}
	return &info, nil
}

type listInput struct {
	PageInput
	Kind string `query:"kind" enum:"dataset,model" doc:"only assets of this kind"`
}

func (s *server) list(ctx context.Context, who genesis.Principal, in *listInput) (*genesis.ListPage, error) {
	return turn(s, "assets "+in.Kind, &in.PageInput, func() (*genesis.ListPage, error) {
		assets, next, err := s.Service.List(ctx, who, genesis.Kind(in.Kind), in.After, in.Limit)
		return &genesis.ListPage{Assets: orEmpty(assets), Next: next}, err
	}, func(p *genesis.ListPage) *string { return &p.Next })
}

// RefInput names a version: one percent-encoded segment of the path. (It is
// exported because huma fills only exported fields, embedded ones too.)
type RefInput struct {
	Ref string `path:"ref" maxLength:"400" doc:"[node/]name[@version], percent-encoded as one segment" example:"turbines@3"`
}

func (s *server) describe(ctx context.Context, who genesis.Principal, in *RefInput) (*genesis.Description, error) {
	return s.Service.Describe(ctx, who, in.Ref)
}

type cardInput struct {
	RefInput
	Body map[string]string `doc:"fields by their JSON names; lists with commas; an empty value clears the field; title, institution, contact, license, field, sensitivity and export_control take 1000 bytes, others 64 KiB" example:"{\"license\":\"CC-BY-4.0\"}"`
}

const (
	maxCardField = 64 << 10 // bytes of one field of a card
	maxCardLine  = 1000     // of one that is a line or a word
)

// checkCard refuses fields that are too long. What is no field is refused later.
func checkCard(fields map[string]string) error {
	for name, value := range fields {
		most := maxCardField
		switch name {
		case "title", "institution", "contact", "license", "field", "sensitivity", "export_control":
			most = maxCardLine
		}
		if len(value) > most {
			return &genesis.Error{Op: "set card", Kind: genesis.Invalid, Subject: name, Msg: fmt.Sprintf("is longer than %d bytes", most)}
		}
	}
	return nil
}

func (s *server) setCard(ctx context.Context, who genesis.Principal, in *cardInput) (*genesis.Card, error) {
	if err := checkCard(in.Body); err != nil {
		return nil, err
	}
	return s.Service.SetCard(ctx, who, in.Ref, in.Body)
}

type answerInput struct {
	RefInput
	ID   string `path:"id" maxLength:"1000" doc:"the finding's id, percent-encoded as one segment"`
	Body struct {
		Answer string `json:"answer" minLength:"1" maxLength:"10000"`
	}
}

func (s *server) answer(ctx context.Context, who genesis.Principal, in *answerInput) (*genesis.Finding, error) {
	return s.Service.Answer(ctx, who, in.Ref, in.ID, in.Body.Answer)
}

type inspectInput struct {
	SessionInput
	Body genesis.InspectRequest
}

func (s *server) inspect(ctx context.Context, who genesis.Principal, in *inspectInput, p genesis.Progress) (*genesis.Inspection, error) {
	raws, done, err := s.take(ctx, who, "inspect", in.Session, in.Body.Files)
	defer done()
	if err != nil {
		return nil, err
	}
	return s.Service.Inspect(ctx, who, raws, in.Body.Options, p)
}

type prepareInput struct {
	SessionInput
	Body genesis.PrepareRequest
}

func (s *server) prepare(ctx context.Context, who genesis.Principal, in *prepareInput, p genesis.Progress) (*genesis.Prepared, error) {
	raws, done, err := s.take(ctx, who, "prepare", in.Session, in.Body.Files)
	defer done()
	if err != nil {
		return nil, err
	}
	splits, splitsDone, err := s.take(ctx, who, "prepare", in.Session, in.Body.Options.SplitFiles)
	defer splitsDone()
	if err != nil {
		return nil, err
	}
	return s.Service.Prepare(ctx, who, in.Body, raws, splits, p)
}

type trainInput struct{ Body genesis.TrainRequest }

func (s *server) train(ctx context.Context, who genesis.Principal, in *trainInput, p genesis.Progress) (*genesis.Trained, error) {
	return s.Service.Train(ctx, who, in.Body, p)
}

type predictInput struct {
	SessionInput
	Body genesis.PredictRequest
}

func (s *server) predict(ctx context.Context, who genesis.Principal, in *predictInput, p genesis.Progress) (*genesis.Predicted, error) {
	raws, done, err := s.take(ctx, who, "predict", in.Session, in.Body.Files)
	defer done()
	if err != nil {
		return nil, err
	}
	return s.Service.Predict(ctx, who, in.Body, raws, p)
}

type logModelInput struct {
	SessionInput
	Body genesis.LogModelRequest
}

func (s *server) logModel(ctx context.Context, who genesis.Principal, in *logModelInput, p genesis.Progress) (*genesis.LoggedModel, error) {
	if len(in.Body.Parts) > genesis.MaxParts { // before any is opened
		return nil, &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: string(in.Body.Name), Msg: fmt.Sprintf("has more than %d parts", genesis.MaxParts)}
	}
	names := slices.Sorted(maps.Keys(in.Body.Parts))
	var refs []genesis.FileRef
	for _, name := range names {
		refs = append(refs, in.Body.Parts[name])
	}
	raws, done, err := s.take(ctx, who, "log model", in.Session, refs)
	defer done()
	if err != nil {
		return nil, err
	}
	parts := map[string]*format.Raw{}
	for i, name := range names {
		parts[name] = raws[i]
	}
	return s.Service.LogModel(ctx, who, in.Body, parts, p)
}

func (s *server) verify(ctx context.Context, who genesis.Principal, in *RefInput, p genesis.Progress) (*genesis.Verification, error) {
	return s.Service.Verify(ctx, who, in.Ref, p)
}

type diffInput struct {
	From string `query:"from" required:"true" maxLength:"400" doc:"a Ref"`
	To   string `query:"to" required:"true" maxLength:"400" doc:"a Ref"`
}

func (s *server) diff(ctx context.Context, who genesis.Principal, in *diffInput, p genesis.Progress) (*genesis.Diff, error) {
	return s.Service.Diff(ctx, who, in.From, in.To, p)
}

// orEmpty makes a nil list an empty one, so that JSON says [] and not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
