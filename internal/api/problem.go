package api

import (
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// refusal makes a genesis.Problem an error that huma sends.
type refusal struct {
	genesis.Problem
	wait time.Duration // how long to; 0: it does not say
}

func (p *refusal) Error() string  { return p.Detail }
func (p *refusal) GetStatus() int { return p.Status }

// GetHeaders says when to come again, in whole seconds.
func (p *refusal) GetHeaders() http.Header {
	if p.wait <= 0 {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(p.wait.Seconds())))}}
}

// ContentType names problem details as such.
func (p *refusal) ContentType(ct string) string {
	if ct == "application/json" {
		return "application/problem+json"
	}
	return ct
}

// fault makes err what who may be told of it. Whoever tries too often is told so by the
// status, and when to come again.
func fault(who genesis.Principal, err error) *refusal {
	var inside interface{ MayRead() bool } // it is about what they read already
	p := &refusal{Problem: genesis.ProblemOf(err, mayRead(who) || errors.As(err, &inside) && inside.MayRead())}
	var often interface{ RetryAfter() time.Duration }
	if p.Kind == genesis.Unavailable && errors.As(err, &often) {
		p.wait = often.RetryAfter()
		p.Status, p.Title = http.StatusTooManyRequests, http.StatusText(http.StatusTooManyRequests)
	}
	return p
}

// unreadable is what huma says of a body whose chunks are none, or that breaks off. It
// takes that for a fault of ours.
const unreadable = "cannot read request body"

// speakProblems makes huma's own errors (a body that does not fit its schema, a
// parameter out of range) problems of our kind too. huma keeps this in a
// package variable, so it is set once.
var speakProblems = sync.OnceFunc(func() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		if status == http.StatusInternalServerError && msg == unreadable {
			status = http.StatusBadRequest
		}
		e := &genesis.Error{Op: "read request", Kind: kindOf(status), Msg: explain(msg, errs)}
		p := genesis.ProblemOf(e, true)
		if status >= 400 {
			p.Status = status
			p.Title = http.StatusText(status)
		}
		return &refusal{Problem: p}
	}
})

// knownQuery refuses parameters of the query that an operation does not have, as huma
// refuses members of a body: a name that is mistyped would else be a limit or a filter
// that does not count.
func knownQuery(a huma.API) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		u := hc.URL()
		var unknown []error
		if u.RawQuery != "" {
			for _, name := range slices.Sorted(maps.Keys(u.Query())) {
				takes := func(p *huma.Param) bool { return p.In == "query" && p.Name == name }
				if !slices.ContainsFunc(hc.Operation().Parameters, takes) {
					unknown = append(unknown, &huma.ErrorDetail{Location: "query." + name, Message: "unexpected parameter"})
				}
			}
		}
		if unknown != nil {
			_ = huma.WriteErr(a, hc, http.StatusUnprocessableEntity, "validation failed", unknown...) // a client that is gone needs no answer
			return
		}
		next(hc)
	}
}

func kindOf(status int) genesis.ErrorKind {
	switch {
	case status == http.StatusNotFound:
		return genesis.NotFound
	case status >= 400 && status < 500:
		return genesis.Invalid
	}
	return genesis.Internal
}

// explain joins what huma found wrong into one line.
func explain(msg string, errs []error) string {
	parts := []string{}
	for _, err := range errs {
		var detail *huma.ErrorDetail
		switch {
		case errors.As(err, &detail) && detail.Location != "":
			parts = append(parts, detail.Location+": "+detail.Message)
		case err != nil:
			parts = append(parts, err.Error())
		}
	}
	if len(parts) == 0 {
		return msg
	}
	return strings.Join(parts, "; ")
}
