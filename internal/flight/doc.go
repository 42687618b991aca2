// Package flight is a node's Arrow Flight: training streams over gRPC, with the
// parameters, decisions and evidence that they have over HTTP (docs/streams.md).
//
// It has no listener. A call is an HTTP/2 request like others, that passed
// internal/api/edge; [Server] hands it to grpc.Server, which runs the method on a
// goroutine of its own and writes through the request's ResponseWriter. What that
// leaves to do is here: a call is over only when its method has returned (call), a
// panic of a method is an error (guard), errors become statuses (status.go).
//
// A batch goes out without being copied: it is gathered into one of a few bodies that
// belong to the stream (sink), and a codec of our own (codec) hands that to the
// connection behind the few bytes that stand before it. As long as all bodies are on
// their way, the stream waits, so a slow reader holds no more of the node's memory
// than these.
package flight
