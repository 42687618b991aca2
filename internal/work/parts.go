package work

import (
	"context"
	"io"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// loggedOnly refuses to run a model that was trained elsewhere.
func (s *Service) loggedOnly(ctx context.Context, v genesis.Version) error {
	var report genesis.ModelReport
	err := s.Catalog.Record(ctx, v, genesis.RecordReport, &report)
	if genesis.KindOf(err) == genesis.NotFound || err == nil && report.Logged == nil {
		return nil
	}
	if err != nil {
		return err
	}
	hint := "whoever may read it can download it: `genesis model get " + v.Name.Arg() + " --out DIR`"
	if slices.ContainsFunc(report.Logged.Parts, func(p genesis.LoggedPart) bool { return p.Code }) {
		hint += "; loading it runs the code in it"
	}
	return &genesis.Error{Op: "predict", Kind: genesis.Unsupported, Subject: string(v.Name), Msg: "was trained elsewhere; models like it are kept here, and not run", Hint: hint}
}

// ModelPart returns the bytes of one part of a model, to who may read it.
func (s *Service) ModelPart(ctx context.Context, who genesis.Principal, ref, part string) (io.ReadCloser, genesis.Blob, error) {
	v, d, err := s.enter(ctx, who, genesis.Read, ref)
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	if v.Kind != genesis.Model {
		return nil, genesis.Blob{}, &genesis.Error{Op: "get part", Kind: genesis.Invalid, Subject: ref, Msg: "is a dataset, not a model", Hint: "`genesis export` writes its tables"}
	}
	l, err := s.Catalog.Layout(ctx, v)
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	b, ok := l.Parts[part]
	if !ok {
		return nil, b, &genesis.Error{Op: "get part", Kind: genesis.NotFound, Subject: part, Msg: "is no part of " + v.Ref().String(), Hint: "it has " + listed(slices.Sorted(maps.Keys(l.Parts)))}
	}
	ctx, stop := s.Access.Watch(ctx, d.Ask)
	var r *blob.Reader
	if r, err = s.Blobs.Open(ctx, b); err != nil {
		stop()
		return nil, b, err
	}
	return watched{r, ctx, stop}, b, nil
}
