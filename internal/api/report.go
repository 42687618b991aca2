package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// reporter says what the node did in a quarter.
type reporter interface {
	Report(ctx context.Context, who genesis.Principal, q genesis.Quarter, p genesis.Progress) (*genesis.Report, error)
}

// registerReport declares the route of [reporter].
func (s *server) registerReport(a huma.API) {
	long(s, a, weighs(8, op(http.MethodGet, "/v1/report", "report", "What the node did in a quarter, from its audit log alone")), s.report)
}

type reportInput struct {
	Quarter string `query:"quarter" maxLength:"6" doc:"default: this one" example:"2026Q4"`
}

func (s *server) report(ctx context.Context, who genesis.Principal, in *reportInput, p genesis.Progress) (*genesis.Report, error) {
	return s.Service.Report(ctx, who, genesis.Quarter(in.Quarter), p)
}
