package edge

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Check is one condition of being ready: nil means it holds.
type Check struct {
	Name string
	Do   func(context.Context) error
}

const (
	checkTimeout = 2 * time.Second

	// keepReadiness spares the checks when many ask.
	keepReadiness = time.Second
)

// Readiness is the body of /readyz. Errors are told on the home's socket and in
// the log alone: strangers ask this, too.
type Readiness struct {
	Ready  bool           `json:"ready"`
	Checks []CheckOutcome `json:"checks"`
}

// CheckOutcome is how one check went.
type CheckOutcome struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// Healthz answers 200 while the process lives.
func (e *Edge) Healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"alive":true}` + "\n"))
}

// Readyz answers 200 while the node takes requests and all checks hold, else
// 503.
func (e *Edge) Readyz(w http.ResponseWriter, r *http.Request) {
	checks := e.readiness.ask(r.Context(), e)
	checks = append(checks[:len(checks):len(checks)], CheckOutcome{Name: "draining", OK: !e.draining.Load()})
	out := Readiness{Ready: true, Checks: checks}
	for i := range checks {
		out.Ready = out.Ready && checks[i].OK
		if !Socket(r.Context()) {
			checks[i].Error = ""
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !out.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// readiness is how the checks went a moment ago.
type readiness struct {
	mu     sync.Mutex
	at     time.Time
	latest []CheckOutcome
}

// ask returns a copy of the latest outcomes, at most [keepReadiness] old.
func (s *readiness) ask(ctx context.Context, e *Edge) []CheckOutcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || time.Since(s.at) >= keepReadiness {
		s.latest = e.runChecks(context.WithoutCancel(ctx)) // who asks may go; others wait for the same answer
		s.at = time.Now()
	}
	return append([]CheckOutcome{}, s.latest...)
}

// runChecks runs all checks at once.
func (e *Edge) runChecks(ctx context.Context) []CheckOutcome {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	outcomes := make([]CheckOutcome, len(e.Checks))
	var wg sync.WaitGroup
	for i, c := range e.Checks {
		wg.Go(func() {
			outcomes[i] = CheckOutcome{Name: c.Name, OK: true}
			if err := c.Do(ctx); err != nil {
				outcomes[i].OK, outcomes[i].Error = false, err.Error()
				e.Log.WarnContext(ctx, "the node is not ready", "check", c.Name, "error", err)
			}
		})
	}
	wg.Wait()
	return outcomes
}
