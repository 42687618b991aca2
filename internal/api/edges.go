package api

import (
	"crypto/rand"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis/internal/api/edge"
)

// routeKey is where an operation's edge.Route stands in its metadata.
const routeKey = "edge"

func routeOf(o huma.Operation) edge.Route {
	route, _ := o.Metadata[routeKey].(edge.Route)
	return route
}

// treated returns o with its edge.Route changed.
func treated(o huma.Operation, change func(*edge.Route)) huma.Operation {
	route := routeOf(o)
	change(&route)
	o.Metadata = map[string]any{routeKey: route}
	return o
}

// creates says that an operation makes something, and so takes an
// Idempotency-Key.
func creates(o huma.Operation) huma.Operation {
	one, most := 1, 200
	o.Parameters = append(o.Parameters, &huma.Param{Name: edge.KeyHeader, In: "header", Schema: &huma.Schema{Type: "string", MinLength: &one, MaxLength: &most},
		Description: "Makes asking twice the same as asking once, for a day: the same key and request get the same answer, another request under the key 422, one that is being carried out 409. For callers who signed in."})
	return treated(o, func(r *edge.Route) { r.Creates = true })
}

// tellsSecret says that the answer of a creating operation is told once: asked
// again under its key, it answers 409.
func tellsSecret(o huma.Operation) huma.Operation {
	return treated(o, func(r *edge.Route) { r.Secret = true })
}

// repeats says that a parameter of the query may be there more than once.
func repeats(o huma.Operation) huma.Operation {
	return treated(o, func(r *edge.Route) { r.Repeats = true })
}

// weighs says how much an operation counts among those that run at once.
func weighs(weight int, o huma.Operation) huma.Operation {
	return treated(o, func(r *edge.Route) { r.Weight = weight })
}

// PurposeHeader says what a request is for, in at most MaxPurpose bytes.
const (
	PurposeHeader = "Genesis-Purpose"
	MaxPurpose    = 1000
)

// purposeful are the paths of what may depend on a purpose.
var purposeful = []string{"/v1/versions/", "/v1/datasets/", "/v1/train", "/v1/predict", "/v1/models", "/v1/runs", "/v1/explain"}

// declare notes how the edge treats an operation.
func (s *server) declare(o *huma.Operation, stream bool) {
	route := routeOf(*o)
	route.Stream = stream
	s.routes[o.Method+" "+o.Path] = route
	if slices.ContainsFunc(purposeful, func(prefix string) bool { return strings.HasPrefix(o.Path, prefix) }) {
		most := MaxPurpose
		o.Parameters = append(o.Parameters, &huma.Param{Name: PurposeHeader, In: "header", Schema: &huma.Schema{Type: "string", MaxLength: &most},
			Description: "What this is for, in words: conditions of grants may ask for it, and the audit log keeps it."})
	}
	if o.MaxBodyBytes == maxBody && s.Edge != nil && s.Edge.Body > 0 {
		o.MaxBodyBytes = s.Edge.Body
	}
}

// nameRequest puts the id of the request into problems that huma made.
func nameRequest(hc huma.Context, _ string, v any) (any, error) {
	if p, ok := v.(*refusal); ok && p.Request == "" {
		named := *p
		named.Request = edge.RequestID(hc.Context())
		return &named, nil
	}
	return v, nil
}

func freshKey() []byte {
	key := make([]byte, edge.CursorKeySize)
	_, _ = rand.Read(key) // never fails
	return key
}
