package api

import (
	"context"

	"github.com/opengenesis/genesis"
)

// Most operations hand what a request names straight to the service. These are the
// shapes of such requests, and what makes a handler of a method of the service.

// IDInput names something by its id.
type IDInput struct {
	ID string `path:"id" maxLength:"100"`
}

// SubjectInput names an account.
type SubjectInput struct {
	Subject string `path:"subject" maxLength:"100"`
}

// PageInput says which page of a list is wanted.
type PageInput struct {
	After string `query:"after" maxLength:"1000" doc:"cursor: the next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

// turn answers with one page of a list: what a client goes on with tells it nothing
// and is of this list alone.
func turn[T any](s *server, list string, in *PageInput, page func() (*T, error), next func(*T) *string) (*T, error) {
	if text := in.After; text != "" {
		in.After = ""
		if err := s.Cursors.Open(list, text, &in.After); err != nil {
			return nil, err
		}
	}
	p, err := page()
	if err != nil {
		return nil, err
	}
	if at := next(p); *at != "" {
		*at, err = s.Cursors.Seal(list, *at)
	}
	return p, err
}

// reason is a body that says why.
type reason struct {
	Reason string `json:"reason" minLength:"1" maxLength:"10000"`
}

type (
	bodyInput[B any] struct{ Body B }

	refBodyInput[B any] struct {
		RefInput
		Body B
	}

	idBodyInput[B any] struct {
		IDInput
		Body B
	}
)

// handler answers one operation.
type handler[I, T any] func(ctx context.Context, who genesis.Principal, in *I) (*T, error)

// ofCaller needs nothing but who asks.
func ofCaller[T any](do func(context.Context, genesis.Principal) (*T, error)) handler[struct{}, T] {
	return func(ctx context.Context, who genesis.Principal, _ *struct{}) (*T, error) { return do(ctx, who) }
}

// ofRef is about a version.
func ofRef[T any](do func(context.Context, genesis.Principal, string) (*T, error)) handler[RefInput, T] {
	return func(ctx context.Context, who genesis.Principal, in *RefInput) (*T, error) {
		return do(ctx, who, in.Ref)
	}
}

// ofID is about something with an id.
func ofID[T any](do func(context.Context, genesis.Principal, string) (*T, error)) handler[IDInput, T] {
	return func(ctx context.Context, who genesis.Principal, in *IDInput) (*T, error) { return do(ctx, who, in.ID) }
}

// ofBody is what its body says.
func ofBody[B, T any](do func(context.Context, genesis.Principal, B) (*T, error)) handler[bodyInput[B], T] {
	return func(ctx context.Context, who genesis.Principal, in *bodyInput[B]) (*T, error) {
		return do(ctx, who, in.Body)
	}
}

// ofRefAndBody does to a version what its body says.
func ofRefAndBody[B, T any](do func(context.Context, genesis.Principal, string, B) (*T, error)) handler[refBodyInput[B], T] {
	return func(ctx context.Context, who genesis.Principal, in *refBodyInput[B]) (*T, error) {
		return do(ctx, who, in.Ref, in.Body)
	}
}

// ofIDAndBody does to something with an id what its body says.
func ofIDAndBody[B, T any](do func(context.Context, genesis.Principal, string, B) (*T, error)) handler[idBodyInput[B], T] {
	return func(ctx context.Context, who genesis.Principal, in *idBodyInput[B]) (*T, error) {
		return do(ctx, who, in.ID, in.Body)
	}
}

// because gives a method its reason as a string.
func because[T any](do func(context.Context, genesis.Principal, string, string) (*T, error)) func(context.Context, genesis.Principal, string, reason) (*T, error) {
	return func(ctx context.Context, who genesis.Principal, of string, why reason) (*T, error) {
		return do(ctx, who, of, why.Reason)
	}
}

// nothing is an empty JSON object.
type nothing struct{}
