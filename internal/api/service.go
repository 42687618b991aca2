package api

import (
	"context"
	"io"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/format"
)

// Service is what the API offers to the world: internal/work, or a stand-in.
type Service interface {
	maker
	reader
	keeper
	governor
	doorman
	officer
	runner
	operator
	streamer
	Federator
	teller
	logKeeper
	puller
	allower
	searcher
	Witness
	reporter
}

// maker does long work on raw files and versions.
type maker interface {
	Inspect(ctx context.Context, who genesis.Principal, files []*format.Raw, opt genesis.PrepareOptions, p genesis.Progress) (*genesis.Inspection, error)
	Prepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error)
	Train(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error)
	Predict(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error)
	LogModel(ctx context.Context, who genesis.Principal, req genesis.LogModelRequest, parts map[string]*format.Raw, p genesis.Progress) (*genesis.LoggedModel, error)
}

// reader reads what the catalogue and the store hold.
type reader interface {
	Describe(ctx context.Context, who genesis.Principal, ref string) (*genesis.Description, error)
	List(ctx context.Context, who genesis.Principal, kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error)
	Verify(ctx context.Context, who genesis.Principal, ref string, p genesis.Progress) (*genesis.Verification, error)
	Diff(ctx context.Context, who genesis.Principal, from, to string, p genesis.Progress) (*genesis.Diff, error)
	Export(ctx context.Context, who genesis.Principal, ref, table, as string, columns []string, w io.Writer, p genesis.Progress) error
	Table(ctx context.Context, who genesis.Principal, ref, table string) (io.ReadCloser, genesis.Blob, error)
	Output(ctx context.Context, who genesis.Principal, d genesis.Digest) (io.ReadCloser, int64, error)
	ModelPart(ctx context.Context, who genesis.Principal, ref, part string) (io.ReadCloser, genesis.Blob, error)
}

// keeper changes the records of a version.
type keeper interface {
	SetCard(ctx context.Context, who genesis.Principal, ref string, fields map[string]string) (*genesis.Card, error)
	Answer(ctx context.Context, who genesis.Principal, ref, finding, answer string) (*genesis.Finding, error)
}

// operator keeps the node itself.
type operator interface {
	Backup(ctx context.Context, who genesis.Principal, req genesis.BackupRequest, p genesis.Progress) (*genesis.Backup, error)
}

// files gives the descriptors that a client handed over. Take gives a token's
// file to the caller, once, and only within the session that handed it over.
type files interface {
	Take(session, token string) (*os.File, error)
}

// WithPrincipal says who makes the requests of ctx. The listener calls it, from
// what the transport proves; a request without a principal is refused.
func WithPrincipal(ctx context.Context, who genesis.Principal) context.Context {
	return edge.WithPrincipal(ctx, who)
}

// caller returns who makes the request.
func caller(ctx context.Context) (genesis.Principal, error) {
	who, ok := edge.PrincipalOf(ctx)
	if !ok {
		return who, &genesis.Error{Op: "sign in", Kind: genesis.Permission,
			Msg:  "this connection does not belong to the person who owns the home",
			Hint: "run the command as the owner of the home, or use a home of your own with --home"}
	}
	return who, nil
}

// mayRead reports whether who may see cell values in messages: for now the
// steward alone.
func mayRead(who genesis.Principal) bool { return who.Has(genesis.DutySteward) }
