package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// allower says what somebody may do.
type allower interface {
	May(ctx context.Context, who genesis.Principal, ref string) (*genesis.May, error)
}

// registerThere declares the routes of [allower].
func (s *server) registerThere(a huma.API) {
	quick(s, a, op(http.MethodGet, "/v1/versions/{ref}/may", "may", "What one may do with a version now, also with one of another node"), s.may)
}

func (s *server) may(ctx context.Context, who genesis.Principal, in *RefInput) (*genesis.May, error) {
	return s.Service.May(ctx, who, in.Ref)
}
