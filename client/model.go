package client

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
)

// LogModel takes a model that was trained elsewhere into the catalogue, of files handed
// over before.
func (c *Client) LogModel(ctx context.Context, req genesis.LogModelRequest, p genesis.Progress) (*genesis.LoggedModel, error) {
	return long[genesis.LoggedModel](ctx, c, http.MethodPost, "/v1/models", nil, req, p)
}

// ModelPart writes the bytes of a part of a model to w and checks them against the
// digest that its manifest names. After an error w holds what must not be used.
func (c *Client) ModelPart(ctx context.Context, ref, part string, digest genesis.Digest, w io.Writer, p genesis.Progress) error {
	hash := sha256.New()
	out := meter{w: io.MultiWriter(w, hash), stage: "fetching " + part, p: p}
	if _, err := c.bytes(ctx, "/v1/models/"+url.PathEscape(ref)+"/parts/"+url.PathEscape(part), nil, out); err != nil {
		return err
	}
	if got := genesis.DigestSum(hash.Sum(nil)); got != digest {
		return &genesis.Error{Op: "get part", Kind: genesis.Internal, Subject: part, Msg: "arrived with other bytes than its digest names"}
	}
	return nil
}
