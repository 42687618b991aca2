package journal

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// Shared stands for many small reads that share their entries. The opening entry
// says who reads what, why and under which rule; a closing one, after a
// minute, how much it was. [Shared.Add] may be called for as long as a read
// takes: what is added after the closing entry comes in another one.
type Shared struct {
	share *share
	all   *shares
}

// Add counts reads and bytes.
func (s Shared) Add(reads, bytes int64) {
	if s.share != nil {
		s.all.add(s.share, reads, bytes)
	}
}

// ID returns the id of the opening entry.
func (s Shared) ID() string {
	if s.share == nil {
		return ""
	}
	return s.share.event.ID
}

// shareKey is what reads have in common that share their entries.
type shareKey struct {
	actor                                                                genesis.PersonID
	act, subject, rule, purpose, institution, project, challenge, detail string
	outcome                                                              genesis.Outcome
	version                                                              genesis.Digest
	sector                                                               genesis.Sector
	student                                                              bool
}

func keyOf(e Event) shareKey {
	return shareKey{e.Actor, e.Act, e.Subject, e.Rule, e.Purpose, e.Institution, e.Project, e.Challenge, string(e.Detail),
		e.Outcome, e.Version, e.Sector, e.Student}
}

// share is one opening entry. Its fields are guarded by shares.mu.
type share struct {
	key    shareKey
	event  Event // the opening entry
	opened chan struct{}
	err    error // once opened is closed

	due          time.Time // of the closing entry; zero: none is due
	closed       bool      // a closing entry was written, or is being written
	reads, bytes int64     // since the last closing entry
}

// closing is the detail of a closing entry.
type closing struct {
	Opening string `json:"opening"` // id of the opening entry
	Reads   int64  `json:"reads"`
	Bytes   int64  `json:"bytes"`
}

// mostShares bounds how many windows are open at once; the oldest close early.
const mostShares = 1 << 14

// retryClosing is how long a closing entry waits that could not be written.
const retryClosing = time.Second

// shares are the windows that are open.
type shares struct {
	window time.Duration
	append func(context.Context, Event) error
	log    *slog.Logger
	wake   chan struct{}
	ended  chan struct{}

	mu      sync.Mutex
	byKey   map[shareKey]*share
	due     []*share // in the order in which their closing entries are due
	stopped bool
}

func newShares(window time.Duration, add func(context.Context, Event) error, log *slog.Logger) *shares {
	s := &shares{window: window, append: add, log: log, wake: make(chan struct{}, 1), ended: make(chan struct{}), byKey: map[shareKey]*share{}}
	go s.run()
	return s
}

// share returns the window that e belongs to, with its opening entry durable.
func (s *shares) share(ctx context.Context, e Event) (Shared, error) {
	if err := check(&e); err != nil {
		return Shared{}, err
	}
	one, mine := s.join(e)
	if !mine {
		select {
		case <-one.opened:
			return Shared{one, s}, one.err
		case <-ctx.Done():
			return Shared{}, &genesis.Error{Op: "record event", Kind: genesis.Canceled, Err: ctx.Err()}
		}
	}
	// Others wait for this entry: it is written though this caller goes away.
	one.err = s.append(context.WithoutCancel(ctx), e)
	s.opened(one)
	return Shared{one, s}, one.err
}

// join returns the open window of e's kind, and whether it was made for it.
func (s *shares) join(e Event) (*share, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := keyOf(e)
	if one := s.byKey[key]; one != nil {
		return one, false
	}
	one := &share{key: key, event: e, opened: make(chan struct{})}
	s.byKey[key] = one
	return one, true
}

// opened begins the window, or ends it at once if there is no opening entry.
func (s *shares) opened(one *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(one.opened)
	if one.err != nil {
		delete(s.byKey, one.key)
		return
	}
	s.schedule(one, s.window)
	if over := len(s.due) - mostShares; over > 0 {
		s.due[over-1].due = time.Now()
		s.signal()
	}
}

// schedule has a closing entry written after a time, which is the same for all
// but those tried again: these come first when they are due.
func (s *shares) schedule(one *share, after time.Duration) {
	one.due = time.Now().Add(after)
	s.due = append(s.due, one)
	s.signal()
}

func (s *shares) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *shares) add(one *share, reads, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one.reads += reads
	one.bytes += bytes
	if one.closed && one.due.IsZero() && !s.stopped {
		s.schedule(one, s.window)
	}
}

// run writes closing entries when they are due.
func (s *shares) run() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	for {
		select {
		case <-timer.C:
		case <-s.wake:
		}
		next, stopped := s.closeDue(false)
		if stopped {
			return
		}
		timer.Reset(next)
	}
}

// closeDue writes the closing entries that are due, or all, and returns when
// the next one is.
func (s *shares) closeDue(all bool) (time.Duration, bool) {
	for {
		s.mu.Lock()
		if s.stopped && !all {
			s.mu.Unlock()
			return 0, true
		}
		if len(s.due) == 0 {
			s.mu.Unlock()
			return time.Hour, false
		}
		one := s.due[0]
		if wait := time.Until(one.due); wait > 0 && !all {
			s.mu.Unlock()
			return wait, false
		}
		s.due = s.due[1:]
		e := s.take(one)
		s.mu.Unlock()
		if err := s.append(context.Background(), e); err != nil {
			if all {
				s.log.Error("a closing entry of the journal is lost", "opening", one.event.ID, "error", err)
				continue
			}
			s.putBack(one, e)
		}
	}
}

// take ends the window of a share and returns its closing entry.
func (s *shares) take(one *share) Event {
	if s.byKey[one.key] == one {
		delete(s.byKey, one.key)
	}
	e := one.event
	e.ID, e.Time, e.Outcome, e.Purpose, e.minted = "", time.Time{}, genesis.Done, "", false
	e.Detail, _ = json.Marshal(closing{one.event.ID, one.reads, one.bytes}) // three plain fields
	one.reads, one.bytes, one.closed, one.due = 0, 0, true, time.Time{}
	return e
}

// putBack has a closing entry tried again that could not be written.
func (s *shares) putBack(one *share, e Event) {
	var c closing
	json.Unmarshal(e.Detail, &c) // as take wrote it
	s.mu.Lock()
	defer s.mu.Unlock()
	one.reads += c.Reads
	one.bytes += c.Bytes
	if one.due.IsZero() {
		one.due = time.Now().Add(retryClosing)
		s.due = append([]*share{one}, s.due...)
	}
}

// close writes all closing entries.
func (s *shares) close() {
	s.mu.Lock()
	s.stopped = true
	s.signal()
	s.mu.Unlock()
	<-s.ended
	s.closeDue(true)
}
