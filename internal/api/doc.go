// Package api is a node's HTTP interface: a JSON API under /v1 whose OpenAPI
// 3.1 document, at /openapi.json, comes from the Go types of the vocabulary.
//
// It decides nothing. It turns a request into a call of the node's [Service],
// with the principal that the listener found out (see [WithPrincipal]), and
// the outcome into a response:
//
//   - Short requests answer with JSON.
//   - Long ones (inspect, prepare, train, predict, verify, diff) answer with
//     application/x-ndjson, one [genesis.Line] per line: events while the work
//     goes on, then exactly one result or error. A response that ends without
//     one was cut off, so a broken connection never looks like a whole answer.
//   - Bytes (export, blobs) are streamed as they are. When something breaks in
//     the middle the connection is cut, so that no client takes half a file
//     for a whole one; the reason waits under /v1/streams/{id}.
//   - Errors are problem details (RFC 9457) that carry the fields of
//     genesis.Error; its Kind gives the status ([genesis.ErrorKind.HTTPStatus]).
//
// A client that goes away cancels its request's context, and with it the work.
//
// A raw file is named by a token (genesis.FileRef), which this package turns into
// bytes at random access: a descriptor that a client on the same machine handed
// over, an upload (uploads.go, package upload), or a path under the roots that the
// operator listed.
//
// What every request passes before it comes here is package edge: ids, limits,
// sign-in, ETags, idempotency, metrics.
package api
