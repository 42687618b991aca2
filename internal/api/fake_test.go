package api

import (
	"context"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
)

// fake is a Service of functions; an operation without one returns nothing.
type fake struct {
	maker
	governor
	doorman
	officer
	runner
	operator
	Federator
	teller
	logKeeper
	puller
	allower
	search func(genesis.SearchQuery) (*genesis.SearchResult, error)
	Witness
	reporter
	describe func(who genesis.Principal, ref string) (*genesis.Description, error)
	train    func(ctx context.Context, p genesis.Progress) (*genesis.Trained, error)
	prepare  func(req genesis.PrepareRequest, files, splits []*format.Raw) (*genesis.Prepared, error)
	export   func(w io.Writer) error
	output   func() (io.ReadCloser, int64, error)
	table    func(ref, table string) (io.ReadCloser, genesis.Blob, error)
	setCard  func(fields map[string]string) (*genesis.Card, error)
	list     func(kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error)
	asked    []string // table, format and columns of the last export
}

func (f *fake) Train(ctx context.Context, _ genesis.Principal, _ genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
	if f.train == nil {
		return nil, nil
	}
	return f.train(ctx, p)
}

func (f *fake) Prepare(_ context.Context, _ genesis.Principal, req genesis.PrepareRequest, files, splits []*format.Raw, _ genesis.Progress) (*genesis.Prepared, error) {
	return f.prepare(req, files, splits)
}

func (f *fake) Describe(_ context.Context, who genesis.Principal, ref string) (*genesis.Description, error) {
	return f.describe(who, ref)
}

func (f *fake) List(_ context.Context, _ genesis.Principal, kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error) {
	return f.list(kind, after, limit)
}

func (f *fake) Search(_ context.Context, _ genesis.Principal, q genesis.SearchQuery) (*genesis.SearchResult, error) {
	return f.search(q)
}

func (f *fake) Suggest(context.Context, genesis.Principal, string, int) (*genesis.SuggestList, error) {
	return nil, nil
}

func (f *fake) Similar(context.Context, genesis.Principal, string, int) (*genesis.SimilarList, error) {
	return nil, nil
}

func (f *fake) Verify(context.Context, genesis.Principal, string, genesis.Progress) (*genesis.Verification, error) {
	return nil, nil
}

func (f *fake) Diff(context.Context, genesis.Principal, string, string, genesis.Progress) (*genesis.Diff, error) {
	return nil, nil
}

func (f *fake) Export(_ context.Context, _ genesis.Principal, _, table, as string, columns []string, w io.Writer, _ genesis.Progress) error {
	f.asked = append([]string{table, as}, columns...)
	return f.export(w)
}

func (f *fake) Table(_ context.Context, _ genesis.Principal, ref, table string) (io.ReadCloser, genesis.Blob, error) {
	return f.table(ref, table)
}

func (f *fake) Output(context.Context, genesis.Principal, genesis.Digest) (io.ReadCloser, int64, error) {
	return f.output()
}

func (f *fake) ModelPart(context.Context, genesis.Principal, string, string) (io.ReadCloser, genesis.Blob, error) {
	r, size, err := f.output()
	return r, genesis.Blob{Digest: genesis.DigestOf(nil), Size: size}, err
}

func (f *fake) SetCard(_ context.Context, _ genesis.Principal, _ string, fields map[string]string) (*genesis.Card, error) {
	return f.setCard(fields)
}

func (f *fake) Answer(context.Context, genesis.Principal, string, string, string) (*genesis.Finding, error) {
	return nil, nil
}

func (f *fake) Stream(context.Context, genesis.Principal, genesis.StreamRequest) (stream.Sender, error) {
	return nil, nil
}

func (f *fake) StreamPlan(context.Context, genesis.Principal, genesis.StreamRequest) (*genesis.StreamPlan, error) {
	return nil, nil
}

func (f *fake) WarmStream(context.Context, genesis.Principal, genesis.StreamRequest, genesis.Progress) (*genesis.StreamPlan, error) {
	return nil, nil
}
