//go:build linux || darwin

package node

import (
	"context"
	"net/http"

	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/flight"
)

// flightRoutes says how the edge treats the methods of Arrow Flight.
func flightRoutes() map[string]edge.Route {
	return map[string]edge.Route{
		"POST " + flight.Path + "{method}":    {},
		"POST " + flight.Path + "DoGet":       {Stream: true},
		"POST " + flight.Path + "GetSchema":   {Stream: true}, // it may wait for the cache
		"POST " + flight.Path + "ListFlights": {Stream: true},
		"POST " + flight.Path + "DoAction":    {Stream: true, Weight: 4},
	}
}

// registerFlight serves Arrow Flight beside everything else, if the service can.
func (n *Node) registerFlight(mux *http.ServeMux) {
	s, ok := n.service.(flight.Service)
	if !ok {
		return
	}
	h := flight.New(flight.Config{Service: s, Log: n.log, Edge: flight.Edge{
		Caller: edge.PrincipalOf, RequestID: edge.RequestID, Told: edge.Told, Cut: cutCall,
	}})
	for pattern := range flightRoutes() {
		mux.Handle(pattern, h)
	}
}

// cutCall ends the connection of a call: always, or only if the reader is slow.
func cutCall(ctx context.Context, always bool) {
	if always {
		edge.Sever(ctx)
		return
	}
	edge.SeverSlow(ctx)
}

// protocols are HTTP/1.1 and HTTP/2. Without TLS clients of gRPC begin with HTTP/2 and
// do not ask.
func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}
