// Package edge is what every request passes before it reaches a handler of
// internal/api, and what every response passes on its way out. Each part is a
// small middleware; [Edge.Handler] puts them together in this order, outermost
// first:
//
//	begin         an id for the request, its route, timeouts for its body and its answer
//	observe       one line in the log, one span, the metrics
//	recover       a panic cuts this request, not the node
//	headers       what browsers must not do with an answer; who may cache it
//	guard         how long a URL may be, under which name the node is called, from which site
//	admit         no more at once than the node can do well; nothing new while it drains
//	authenticate  who asks
//	limitRate     how often one caller may ask
//	limitBody     how much they may send
//	conditional   ETag, If-None-Match, If-Match
//	once          Idempotency-Key
//
// Cheap refusals come first: when ten times as many requests arrive as the node
// takes, nine of ten end in admit, before anything is looked up for them.
//
// A request comes over the home's Unix socket, where the kernel says who calls
// ([Socket]), or over the network, where Config.Authenticate does. The owner on
// the socket is not limited in rate or number and needs no host name, so that an
// overloaded node can still be operated.
//
// What a route needs is said where the route is declared, as a [Route]. Handlers
// see of all this the caller ([PrincipalOf]) and the request's id ([RequestID]).
//
// [Cursors] are here too: opaque, authenticated positions in a list.
package edge
