package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// logKeeper lets others follow the logs of the catalogue.
type logKeeper interface {
	Logs(ctx context.Context, who genesis.Principal) (*genesis.LogList, error)
	LogCheckpoint(ctx context.Context, who genesis.Principal, class genesis.Class, epoch int) ([]byte, error)
	LogTile(ctx context.Context, who genesis.Principal, class genesis.Class, epoch int, path string) ([]byte, error)
	LogStatements(ctx context.Context, who genesis.Principal, class genesis.Class, from int64, limit int) (*genesis.StatedPage, error)
}

// registerLogs declares the routes of [logKeeper].
func (s *server) registerLogs(a huma.API) {
	const tiles = "/v1/logs/{class}/{epoch}/tile/"
	quick(s, a, op(http.MethodGet, "/v1/logs", "logs", "The logs of the catalogue that one may follow"), ofCaller(s.Service.Logs))
	short(s, a, op(http.MethodGet, "/v1/logs/{class}/{epoch}/checkpoint", "log-checkpoint", "The signed checkpoint of a log (C2SP tlog-checkpoint)"), s.logCheckpoint)
	short(s, a, op(http.MethodGet, tiles+"{path...}", "log-tile", "A tile or bundle of a log (C2SP tlog-tiles)"), s.logTile)
	quick(s, a, weighs(4, op(http.MethodGet, "/v1/logs/{class}/statements", "log-statements", "What entries of a log say, where that still holds")), s.logStatements)
	paths := a.OpenAPI().Paths // where a parameter that takes several segments is written as any other
	paths[tiles+"{path}"] = paths[tiles+"{path...}"]
	delete(paths, tiles+"{path...}")
}

// file is a short answer that is not JSON.
type file struct {
	Type  string `header:"Content-Type"`
	Cache string `header:"Cache-Control"`
	Body  []byte
}

// short registers an operation that answers with a file.
func short[I any](s *server, a huma.API, o huma.Operation, do func(context.Context, genesis.Principal, *I) (*file, error)) {
	s.declare(&o, false)
	huma.Register(a, o, func(ctx context.Context, in *I) (*file, error) {
		who, err := caller(ctx)
		if err != nil {
			return nil, fault(who, err)
		}
		out, err := do(ctx, who, in)
		if err != nil {
			return nil, s.fail(ctx, o.OperationID, who, err)
		}
		return out, nil
	})
}

// LogInput names an epoch of a log.
type LogInput struct {
	Class string `path:"class" maxLength:"100" doc:"public, members, or to- and the id of a member" example:"public"`
	Epoch int    `path:"epoch" minimum:"1" maximum:"1000000"`
}

func (s *server) logCheckpoint(ctx context.Context, who genesis.Principal, in *LogInput) (*file, error) {
	b, err := s.Service.LogCheckpoint(ctx, who, genesis.Class(in.Class), in.Epoch)
	return &file{Type: "text/plain; charset=utf-8", Cache: "private, no-store", Body: b}, err
}

type logTileInput struct {
	LogInput
	Path string `path:"path" maxLength:"100" example:"entries/x001/234.p/17"`
}

// logTile answers with bytes that never change: whoever got them may keep them, and those
// of the log that everybody may follow may be kept for others.
func (s *server) logTile(ctx context.Context, who genesis.Principal, in *logTileInput) (*file, error) {
	b, err := s.Service.LogTile(ctx, who, genesis.Class(in.Class), in.Epoch, in.Path)
	whose := "private"
	if in.Class == string(genesis.ClassPublic) {
		whose = "public"
	}
	return &file{Type: "application/octet-stream", Cache: whose + ", max-age=31536000, immutable", Body: b}, err
}

type logStatementsInput struct {
	Class string `path:"class" maxLength:"100" example:"public"`
	From  int64  `query:"from" minimum:"0" doc:"the first place, counted through all epochs"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" doc:"places at most; there are fewer where what they say is long"`
}

func (s *server) logStatements(ctx context.Context, who genesis.Principal, in *logStatementsInput) (*genesis.StatedPage, error) {
	return s.Service.LogStatements(ctx, who, genesis.Class(in.Class), in.From, in.Limit)
}
