package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
)

func stack() string { return string(debug.Stack()) }

// register declares every route. Kept in one place so that it reads as the
// table of contents of the API.
func (s *server) register(a huma.API) {
	get, post, patch := http.MethodGet, http.MethodPost, http.MethodPatch

	quick(s, a, op(get, "/v1/node", "node", "What this node is"), s.node)
	quick(s, a, op(get, "/v1/assets", "list", "List assets in name order"), s.list)
	quick(s, a, op(get, "/v1/versions/{ref}", "describe", "Everything about one version"), s.describe)
	quick(s, a, op(patch, "/v1/versions/{ref}/card", "set-card", "Change fields of a version's card"), s.setCard)
	quick(s, a, op(post, "/v1/versions/{ref}/findings/{id}", "answer", "Answer a finding"), s.answer)

	long(s, a, weighs(4, op(post, "/v1/inspect", "inspect", "Say what raw files hold; store nothing")), s.inspect)
	long(s, a, weighs(4, creates(op(post, "/v1/prepare", "prepare", "Make a draft dataset version from raw files"))), s.prepare)
	long(s, a, weighs(4, creates(op(post, "/v1/train", "train", "Train a model on a dataset version"))), s.train)
	long(s, a, weighs(4, creates(op(post, "/v1/predict", "predict", "Apply a model to raw files"))), s.predict)
	long(s, a, weighs(4, creates(op(post, "/v1/models", "log-model", "Take in a model that was trained elsewhere"))), s.logModel)
	long(s, a, weighs(8, op(post, "/v1/versions/{ref}/verify", "verify", "Re-hash everything a version consists of")), s.verify)
	long(s, a, weighs(8, op(get, "/v1/diff", "diff", "Compare two versions")), s.diff)
	long(s, a, weighs(8, op(post, "/v1/admin/backup", "backup", "Copy the home to a folder or archive on the node's machine")), s.backup)

	bytesOf(s, a, weighs(8, repeats(op(get, "/v1/versions/{ref}/export", "export", "A table as Parquet or CSV"))), s.export)
	bytesOf(s, a, inParts(op(get, "/v1/models/{ref}/parts/{part}", "model-part", "The bytes of one part of a model")), s.modelPart)
	bytesOf(s, a, inParts(op(get, tablePath, "table", "A table's Parquet file, whole or a part")), s.table)
	bytesOf(s, a, inParts(op(http.MethodHead, tablePath, "table-head", "How large a table's Parquet file is")), s.tableHead)
	bytesOf(s, a, inParts(op(get, "/v1/blobs/{digest}", "blob", "The bytes of a prediction output")), s.output)
	quick(s, a, op(get, "/v1/streams/{id}", "stream-error", "Why a stream of bytes broke off"), s.streamError)

	s.registerStreams(a)
	s.registerGovern(a)
	s.registerDoor(a)
	s.registerOfficer(a)
	s.registerFederation(a)
	s.registerAbroad(a)
	s.registerRuns(a)
	s.registerLogs(a)
	s.registerPull(a)
	s.registerThere(a)
	s.registerSearch(a)
	s.registerWitness(a)
	s.registerReport(a)
}

func op(method, path, id, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary,
		MaxBodyBytes: maxBody, BodyReadTimeout: bodyTimeout,
	}
}

// body is a JSON response.
type body[T any] struct{ Body T }

// quick registers an operation that answers with JSON.
func quick[I, T any](s *server, a huma.API, o huma.Operation, do handler[I, T]) {
	s.declare(&o, false)
	huma.Register(a, o, func(ctx context.Context, in *I) (*body[T], error) {
		who, err := caller(ctx)
		if err != nil {
			return nil, fault(who, err)
		}
		out, err := do(ctx, who, in)
		if err == nil && out == nil {
			err = notYet(o.OperationID)
		}
		if err != nil {
			return nil, s.fail(ctx, o.OperationID, who, err)
		}
		return &body[T]{*out}, nil
	})
}

// notYet is the answer of a service that has no body for an operation.
func notYet(id string) error {
	return &genesis.Error{Op: id, Kind: genesis.Unsupported, Msg: "this node cannot do that yet"}
}

// fail logs what is our own fault and returns what the caller may know.
func (s *server) fail(ctx context.Context, id string, who genesis.Principal, err error) *refusal {
	told := fault(who, err)
	told.Request = edge.RequestID(ctx)
	if told.Kind == genesis.Internal {
		s.Log.ErrorContext(ctx, "request failed", "request_id", told.Request, "operation", id, "subject", who.Subject, "error", err, "cause", errors.Unwrap(err))
	}
	return told
}
