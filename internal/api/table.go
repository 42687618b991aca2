package api

import (
	"context"
	"io"
	"strings"

	"github.com/opengenesis/genesis"
)

// tablePath is where readers of Parquet find one table. What they read at it is stored as
// it is sent, so a request for a part costs the blocks that it touches.
const tablePath = "/v1/datasets/{ref}/tables/{table}"

type tableInput struct {
	RefInput
	Conditions
	Table string `path:"table" maxLength:"1000" doc:"the table's name, percent-encoded as one segment; .parquet may follow it" example:"turbines.parquet"`
}

func (s *server) table(ctx context.Context, who genesis.Principal, in *tableInput) (*content, error) {
	r, c, err := s.openTable(ctx, who, in)
	if err != nil {
		return nil, err
	}
	c.Write = copied(r, r)
	return c, c.heed(in.Conditions, r)
}

// tableHead is what table sends before the bytes; of it nothing is read, and no part of
// it is asked for (RFC 9110, section 14.2).
func (s *server) tableHead(ctx context.Context, who genesis.Principal, in *tableInput) (*content, error) {
	r, c, err := s.openTable(ctx, who, in)
	if err != nil {
		return nil, err
	}
	c.Write = func(io.Writer) error { return r.Close() }
	return c, c.heed(in.Conditions, struct{ io.Closer }{r})
}

func (s *server) openTable(ctx context.Context, who genesis.Principal, in *tableInput) (io.ReadCloser, *content, error) {
	r, b, err := s.Service.Table(ctx, who, in.Ref, in.Table)
	if err == nil && r == nil {
		err = notYet("read table")
	}
	if err != nil {
		return nil, nil, err
	}
	return r, &content{Type: mediaTypes["parquet"], Name: fileName(in.Ref, strings.TrimSuffix(in.Table, ".parquet"), "parquet"),
		Size: b.Size, Tag: `"` + string(b.Digest) + `"`}, nil
}
