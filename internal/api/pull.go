package api

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// puller lets others take a whole version away, and takes versions of others.
type puller interface {
	Bundle(ctx context.Context, who genesis.Principal, ref string) (*genesis.Bundle, error)
	VersionBlob(ctx context.Context, who genesis.Principal, ref string, d genesis.Digest) (io.ReadCloser, genesis.Blob, error)
	BlobLeaves(ctx context.Context, who genesis.Principal, ref string, d genesis.Digest) ([]byte, error)
	Pull(ctx context.Context, who genesis.Principal, req genesis.PullRequest, p genesis.Progress) (*genesis.Pulled, error)
}

// registerPull declares the routes of [puller].
func (s *server) registerPull(a huma.API) {
	get := http.MethodGet
	quick(s, a, weighs(8, op(get, "/v1/versions/{ref}/bundle", "bundle", "What a version consists of, and what a copy owes")), s.bundle)
	bytesOf(s, a, inParts(op(get, "/v1/versions/{ref}/blobs/{digest}", "version-blob", "The bytes of one blob of a version")), s.versionBlob)
	bytesOf(s, a, inParts(op(get, "/v1/versions/{ref}/blobs/{digest}/leaves", "blob-leaves", "The leaf hashes of one blob of a version")), s.blobLeaves)
	long(s, a, weighs(4, creates(op(http.MethodPost, "/v1/pull", "pull", "Copy a version of another node"))), s.pull)
}

func (s *server) bundle(ctx context.Context, who genesis.Principal, in *RefInput) (*genesis.Bundle, error) {
	return s.Service.Bundle(ctx, who, in.Ref)
}

type versionBlobInput struct {
	RefInput
	Conditions
	Digest string `path:"digest" maxLength:"100" doc:"sha256:…" example:"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
}

func (s *server) versionBlob(ctx context.Context, who genesis.Principal, in *versionBlobInput) (*content, error) {
	d, err := genesis.ParseDigest(in.Digest)
	if err != nil {
		return nil, err
	}
	r, b, err := s.Service.VersionBlob(ctx, who, in.Ref, d)
	if err == nil && r == nil {
		err = notYet("get blob")
	}
	if err != nil {
		return nil, err
	}
	return stored(in.Conditions, r, b.Digest, b.Size)
}

func (s *server) blobLeaves(ctx context.Context, who genesis.Principal, in *versionBlobInput) (*content, error) {
	d, err := genesis.ParseDigest(in.Digest)
	if err != nil {
		return nil, err
	}
	leaves, err := s.Service.BlobLeaves(ctx, who, in.Ref, d)
	if err != nil {
		return nil, err
	}
	return stored(in.Conditions, readable{bytes.NewReader(leaves)}, genesis.DigestOf(leaves), int64(len(leaves)))
}

// readable are bytes in memory as a file that is open.
type readable struct{ *bytes.Reader }

func (readable) Close() error { return nil }

type pullInput struct {
	Body genesis.PullRequest
}

func (s *server) pull(ctx context.Context, who genesis.Principal, in *pullInput, p genesis.Progress) (*genesis.Pulled, error) {
	return s.Service.Pull(ctx, who, in.Body, p)
}
