package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/opengenesis/genesis"
)

// written collects what shares append, or refuses it.
type written struct {
	mu     sync.Mutex
	events []Event
	err    error
}

func (w *written) append(_ context.Context, e Event) error {
	if err := check(&e); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.events = append(w.events, e)
	}
	return w.err
}

func (w *written) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

// texts shows the events: openings as their purpose, closings as their counts.
func (w *written) texts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, e := range w.events {
		var c closing
		if e.Outcome == genesis.Done && json.Unmarshal(e.Detail, &c) == nil {
			out = append(out, fmt.Sprintf("%d reads, %d bytes", c.Reads, c.Bytes))
		} else {
			out = append(out, e.Purpose)
		}
	}
	return out
}

// inBubble runs a test of shares with a clock of its own.
func inBubble(t *testing.T, test func(t *testing.T, w *written, s *shares)) {
	t.Helper()
	// In FIPS mode randomness is measured from the clock, which stands still here.
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		w := &written{}
		s := newShares(time.Minute, w.append, slog.New(slog.DiscardHandler))
		test(t, w, s)
		s.close()
	})
}

func shared(t *testing.T, s *shares, e Event) Shared {
	t.Helper()
	one, err := s.share(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return one
}

func asked(purpose string) Event {
	return Event{Actor: "nrel/ada", Act: "read", Outcome: genesis.Allowed, Subject: "turbines", Version: "sha256:00", Purpose: purpose}
}

func wants(t *testing.T, w *written, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := w.texts(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: entries are %q, want %q", time.Now().Format("04:05"), got, want)
	}
}

func TestSharedWindow(t *testing.T) {
	inBubble(t, func(t *testing.T, w *written, s *shares) {
		var ids []string
		for range 100 {
			one := shared(t, s, asked("a study"))
			one.Add(1, 10)
			ids = append(ids, one.ID())
		}
		wants(t, w, "a study")
		if ids[0] != ids[99] || w.events[0].ID != ids[0] {
			t.Error("they do not share the opening entry")
		}
		time.Sleep(59 * time.Second)
		shared(t, s, asked("a study")).Add(1, 5)
		wants(t, w, "a study")
		time.Sleep(time.Second)
		wants(t, w, "a study", "101 reads, 1005 bytes")
		var c closing
		if err := json.Unmarshal(w.events[1].Detail, &c); err != nil || c.Opening != ids[0] || w.events[1].Actor != "nrel/ada" {
			t.Errorf("the closing entry is %+v", w.events[1])
		}
		shared(t, s, asked("a study"))
		wants(t, w, "a study", "101 reads, 1005 bytes", "a study")
		time.Sleep(time.Hour)
		wants(t, w, "a study", "101 reads, 1005 bytes", "a study", "0 reads, 0 bytes")
	})
}

// TestSharedApart changes each thing that reads must have in common.
func TestSharedApart(t *testing.T) {
	inBubble(t, func(t *testing.T, w *written, s *shares) {
		changes := []func(*Event){
			func(*Event) {},
			func(e *Event) { e.Actor = "nrel/bob" },
			func(e *Event) { e.Act = "train" },
			func(e *Event) { e.Subject = "towers" },
			func(e *Event) { e.Version = "sha256:01" },
			func(e *Event) { e.Purpose = "y" },
			func(e *Event) { e.Rule = "grant:1" },
			func(e *Event) { e.Project = "wind" },
			func(e *Event) { e.Outcome = genesis.Refused },
			func(e *Event) { e.Student = true },
			func(e *Event) { e.Sector = genesis.Federal },
			func(e *Event) { e.Institution = "MIT" },
			func(e *Event) { e.Challenge = "c" },
			func(e *Event) { e.Detail = json.RawMessage(`1`) },
		}
		for range 2 {
			for _, change := range changes {
				e := asked("x")
				change(&e)
				shared(t, s, e)
			}
		}
		if synctest.Wait(); len(w.events) != len(changes) {
			t.Errorf("%d opening entries, want %d", len(w.events), len(changes))
		}
	})
}

// TestSharedLate adds after the window: nothing that was read goes uncounted.
func TestSharedLate(t *testing.T) {
	inBubble(t, func(t *testing.T, w *written, s *shares) {
		one := shared(t, s, asked("a study"))
		time.Sleep(time.Minute)
		wants(t, w, "a study", "0 reads, 0 bytes")
		one.Add(1, 100)
		one.Add(0, 100)
		time.Sleep(time.Minute)
		wants(t, w, "a study", "0 reads, 0 bytes", "1 reads, 200 bytes")
		one.Add(2, 0)
		s.close()
		wants(t, w, "a study", "0 reads, 0 bytes", "1 reads, 200 bytes", "2 reads, 0 bytes")
	})
}

func TestSharedNeedsTheOpening(t *testing.T) {
	inBubble(t, func(t *testing.T, w *written, s *shares) {
		full := &genesis.Error{Op: "write ahead", Kind: genesis.Unavailable}
		w.fail(full)
		if _, err := s.share(t.Context(), asked("a study")); !errors.Is(err, full) {
			t.Errorf("without an entry, sharing gives %v", err)
		}
		w.fail(nil)
		one := shared(t, s, asked("a study"))
		one.Add(1, 1)
		w.fail(full)
		time.Sleep(90 * time.Second)
		wants(t, w, "a study")
		one.Add(1, 1)
		w.fail(nil)
		time.Sleep(2 * time.Second)
		wants(t, w, "a study", "2 reads, 2 bytes")
	})
}

// TestSharedIsBounded opens more windows than there may be.
func TestSharedIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, w *written, s *shares) {
		for i := range mostShares + 10 {
			shared(t, s, asked(fmt.Sprint(i))).Add(1, 1)
		}
		synctest.Wait()
		if n := len(s.byKey); n > mostShares {
			t.Errorf("%d windows are open", n)
		}
		if n := len(w.events); n != mostShares+20 {
			t.Errorf("%d entries, want %d", n, mostShares+20)
		}
	})
}

// TestSharedManyAtOnce has one window for all, and everybody waits for its
// opening entry.
func TestSharedManyAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, w *written, s *shares) {
		slow := s.append
		s.append = func(ctx context.Context, e Event) error {
			time.Sleep(time.Second)
			return slow(ctx, e)
		}
		began := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				shared(t, s, asked("a study")).Add(1, 2)
				if time.Since(began) < time.Second {
					t.Error("somebody does not wait for the opening entry")
				}
			})
		}
		all.Wait()
		time.Sleep(2 * time.Minute)
		wants(t, w, "a study", "50 reads, 100 bytes")
	})
}

// TestShare goes through the journal.
func TestShare(t *testing.T) {
	h := start(t, t.TempDir(), func(c *Config) { c.Window = 50 * time.Millisecond })
	for range 10 {
		one, err := h.Share(t.Context(), asked("a study"))
		if err != nil {
			t.Fatal(err)
		}
		one.Add(1, 7)
	}
	h = h.again().settled()
	got := h.query(genesis.AuditQuery{})
	var reads int64
	for _, e := range got {
		var c closing
		json.Unmarshal(e.Detail, &c)
		reads += c.Reads
	}
	if reads != 10 || len(got) >= 10 {
		t.Errorf("%d reads in entries %+v", reads, got)
	}
}
