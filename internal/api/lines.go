package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/opengenesis/genesis"
)

const (
	linesType = "application/x-ndjson"

	// eventEvery is how often progress is sent: often enough for a smooth bar,
	// seldom enough to cost nothing.
	eventEvery = 100 * time.Millisecond

	// maxPending bounds the events that wait for a slow client.
	maxPending = 1000

	// writeTimeout is how long a client may leave a line unread before its
	// request is given up.
	writeTimeout = time.Minute
)

// long registers an operation whose progress is streamed.
func long[I, T any](s *server, a huma.API, o huma.Operation, do func(context.Context, genesis.Principal, *I, genesis.Progress) (*T, error)) {
	schema := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[genesis.Line[T]](), true, "")
	o.Description = "Answers with lines of JSON: events while the work goes on, then exactly one result or error."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "Events, then one result or error",
		Content:     map[string]*huma.MediaType{linesType: {Schema: schema}},
	}}
	s.declare(&o, true)
	huma.Register(a, o, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		who, err := caller(ctx)
		if err != nil {
			return nil, fault(who, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			ctx, out := newLines(hc)
			defer out.settle() // also when the work panics
			result, err := do(ctx, who, in, out.event)
			if err == nil && result == nil {
				err = notYet(o.OperationID)
			}
			finish(s, out, o.OperationID, who, result, err)
		}}, nil
	})
}

// finish sends the outcome of a long request as its last line or, when nothing
// was sent so far, an error as a problem with its own HTTP status.
func finish[T any](s *server, out *lines, id string, who genesis.Principal, result *T, err error) {
	var line genesis.Line[T]
	if err == nil {
		line.Result = result
		b, jsonErr := json.Marshal(line)
		if jsonErr == nil {
			out.end(b)
			return
		}
		err = &genesis.Error{Op: id, Kind: genesis.Internal, Msg: "the result cannot be written as JSON", Err: jsonErr}
	}
	told := s.fail(out.hc.Context(), id, who, err)
	if out.untouched() {
		writeProblem(out.hc, told)
		return
	}
	b, _ := json.Marshal(genesis.Line[T]{Error: &told.Problem}) // strings and an int: cannot fail
	out.end(b)
}

func writeProblem(hc huma.Context, p *refusal) {
	hc.SetHeader("Content-Type", "application/problem+json")
	hc.SetStatus(p.Status)
	_ = json.NewEncoder(hc.BodyWriter()).Encode(p.Problem) // a client that is gone needs no answer
}

// lines writes a response of JSON lines. Work reports progress faster than any
// client wants to hear it, so events wait and newer ones of a stage replace
// older ones; reporting never blocks the work.
type lines struct {
	hc     huma.Context
	rc     *http.ResponseController
	cancel context.CancelFunc
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	pending []genesis.Event
	started bool // the status line is out
}

// newLines starts the response; the context it returns ends when the client
// stops reading.
func newLines(hc huma.Context) (context.Context, *lines) {
	ctx, cancel := context.WithCancel(hc.Context())
	_, w := humago.Unwrap(hc)
	l := &lines{hc: hc, rc: http.NewResponseController(w), cancel: cancel, stop: make(chan struct{}), done: make(chan struct{})}
	go l.pump()
	return ctx, l
}

// event queues e.
func (l *lines) event(e genesis.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Log == "" {
		for i := range l.pending {
			if l.pending[i].Log == "" && l.pending[i].Stage == e.Stage {
				l.pending[i] = e
				return
			}
		}
	}
	if len(l.pending) < maxPending {
		l.pending = append(l.pending, e)
	}
}

// pump sends what waits, at a steady pace, until stop.
func (l *lines) pump() {
	defer close(l.done)
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.send(l.takePending(), nil)
		}
	}
}

func (l *lines) takePending() []genesis.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := l.pending
	l.pending = nil
	return events
}

// send writes events and then last. Only pump, and end after pump has ended,
// call it.
func (l *lines) send(events []genesis.Event, last []byte) {
	if len(events) == 0 && last == nil {
		return
	}
	l.start()
	_ = l.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	enc := json.NewEncoder(l.hc.BodyWriter())
	var err error
	for i := range events {
		err = errors.Join(err, enc.Encode(genesis.Line[struct{}]{Event: &events[i]}))
	}
	if last != nil {
		_, writeErr := l.hc.BodyWriter().Write(append(last, '\n'))
		err = errors.Join(err, writeErr)
	}
	if errors.Join(err, l.rc.Flush()) != nil {
		l.cancel()
	}
}

func (l *lines) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started {
		return
	}
	l.started = true
	l.hc.SetHeader("Content-Type", linesType)
	l.hc.SetHeader("X-Content-Type-Options", "nosniff")
	l.hc.SetStatus(http.StatusOK)
}

// settle ends the pump.
func (l *lines) settle() {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	<-l.done
	l.cancel()
}

// untouched ends the pump and reports whether nothing was sent and nothing but
// progress waits, so that the outcome may still choose the HTTP status.
func (l *lines) untouched() bool {
	l.settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.pending {
		if e.Log != "" {
			return false
		}
	}
	return !l.started
}

// end sends what waits and the last line.
func (l *lines) end(last []byte) {
	l.settle()
	l.send(l.takePending(), last)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that is gone needs no answer
}
