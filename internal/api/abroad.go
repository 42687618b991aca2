package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// teller tells other nodes about their own people.
type teller interface {
	ProjectTokens(ctx context.Context, who genesis.Principal, after string, limit int) (*genesis.ProjectTokenPage, error)
}

// registerAbroad declares the routes of [teller].
func (s *server) registerAbroad(a huma.API) {
	quick(s, a, op(http.MethodGet, "/v1/memberships", "memberships", "For members' nodes: who of their people is in projects of this one"), s.memberships)
}

func (s *server) memberships(ctx context.Context, who genesis.Principal, in *PageInput) (*genesis.ProjectTokenPage, error) {
	return turn(s, "memberships", in, func() (*genesis.ProjectTokenPage, error) {
		return s.Service.ProjectTokens(ctx, who, in.After, in.Limit)
	}, func(p *genesis.ProjectTokenPage) *string {
		p.Tokens = orEmpty(p.Tokens)
		return &p.Next
	})
}
