package journal

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/opengenesis/genesis"
)

// sequencer is the one writer of the logs. Whatever must not happen while it
// writes is done by it, as a job.
type sequencer struct {
	j      *Journal
	jobs   chan job
	nudged chan struct{}
	stop   chan struct{}
	ended  chan struct{}

	current *batch // on its way; kept until every step succeeded
}

// job is work for the sequencer.
type job struct {
	do   func(ctx context.Context) error
	done chan error
}

const (
	maxBatch   = 8192 // entries under one checkpoint
	maxOutbox  = 1024 // rows of the outbox taken at once
	nudgeAfter = 4096 // entries that do not wait for the interval
)

// batch is entries that go into the log together. Its texts are made once: each
// step can be tried again, and a log never sees two forms of one entry.
type batch struct {
	at     int64 // number of the first
	taken  int   // items of the queue it does away with
	places []int64
	texts  [][]byte
	hidden []secret
	index  []columns
	logged bool
}

// run sequences until it is told to stop.
func (s *sequencer) run(interval time.Duration) {
	defer close(s.ended)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	ctx := context.Background()
	for {
		select {
		case <-tick.C:
			s.drain(ctx)
		case <-s.nudged:
			s.drain(ctx)
		case j := <-s.jobs:
			j.done <- j.do(ctx)
		case <-s.stop:
			s.drain(ctx)
			return
		}
	}
}

// nudge makes the sequencer begin at once.
func (s *sequencer) nudge() {
	select {
	case s.nudged <- struct{}{}:
	default:
	}
}

// do has a job done. Errors: those of the job; Canceled; Unavailable, when the
// journal is closed.
func (s *sequencer) do(ctx context.Context, op string, act func(ctx context.Context) error) error {
	j := job{act, make(chan error, 1)}
	select {
	case s.jobs <- j:
	case <-s.ended:
		return &genesis.Error{Op: op, Kind: genesis.Unavailable, Msg: "the journal is closed"}
	case <-ctx.Done():
		return &genesis.Error{Op: op, Kind: genesis.Canceled, Err: ctx.Err()}
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return &genesis.Error{Op: op, Kind: genesis.Canceled, Err: ctx.Err()}
	}
}

// drain brings everything into the logs that was there when it began.
func (s *sequencer) drain(ctx context.Context) error {
	err := s.flow(ctx)
	if _, _, _, before := s.j.queue.state(); err != nil && before == nil {
		s.j.log.Error("the journal cannot write its log", "error", err)
	}
	s.j.queue.stall(err)
	return err
}

func (s *sequencer) flow(ctx context.Context) error {
	_, target, _, _ := s.j.queue.state()
	for {
		rows, err := s.step(ctx)
		if err != nil {
			return err
		}
		if _, _, popped, _ := s.j.queue.state(); popped >= target && rows < maxOutbox {
			return s.j.catalogues.drain(ctx, func() error { return s.ahead(ctx) })
		}
	}
}

// ahead brings events that came meanwhile into the audit log.
func (s *sequencer) ahead(ctx context.Context) error {
	if _, pushed, popped, _ := s.j.queue.state(); pushed == popped && s.current == nil {
		return nil
	}
	_, err := s.step(ctx)
	return err
}

// step brings one batch into the log, and returns how many rows of the outbox
// were in it.
func (s *sequencer) step(ctx context.Context) (int, error) {
	if s.current == nil {
		b, err := s.gather(ctx)
		if err != nil {
			return 0, err
		}
		s.current = b
	}
	b := s.current
	if err := s.commit(ctx, b); err != nil {
		return 0, err
	}
	s.current = nil
	s.j.queue.pop(b.taken)
	s.removeSegments()
	return len(b.places), nil
}

// gather takes what waits and makes entries of it.
func (s *sequencer) gather(ctx context.Context) (*batch, error) {
	items := s.j.queue.peek(maxBatch)
	rows, err := outbox(ctx, s.j.db, auditLog, maxOutbox)
	if err != nil {
		return nil, err
	}
	b := &batch{at: s.j.audit.size(), taken: len(items)}
	all := items
	for _, r := range rows {
		e, err := readEvent(r.text)
		if err != nil {
			return nil, err
		}
		all = append(all, item{event: e})
		b.places = append(b.places, r.place)
	}
	events, err := s.once(ctx, all)
	if err != nil {
		return nil, err
	}
	return b, s.j.encode(ctx, b, events)
}

// once leaves out the events that are in the log already, and all but the first
// of those with one id.
func (s *sequencer) once(ctx context.Context, all []item) ([]Event, error) {
	var ask []string
	for _, it := range all {
		if !it.fresh {
			ask = append(ask, it.event.ID)
		}
	}
	seen, err := s.j.index.has(ctx, ask)
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(all))
	for _, it := range all {
		if !seen[it.event.ID] {
			seen[it.event.ID] = true
			events = append(events, it.event)
		}
	}
	return events, nil
}

// encode makes the entries of a batch.
func (j *Journal) encode(ctx context.Context, b *batch, events []Event) error {
	people := make([]genesis.PersonID, 0, 2*len(events))
	for _, e := range events {
		who, _ := owner(e.Subject, j.node)
		people = append(people, whole(e.Actor, j.node), who)
	}
	names, err := j.private.name(ctx, people)
	if err != nil {
		return err
	}
	salts := make([]byte, saltSize*len(events))
	rand.Read(salts)
	for i, event := range events {
		who, rest := owner(event.Subject, j.node)
		e := entryOf(event)
		e.Actor, e.Owner, e.Subject = names[whole(event.Actor, j.node)], names[who], rest
		b.add(e, secret{salt: salts[i*saltSize : (i+1)*saltSize], body: bodyOf(event)})
	}
	return nil
}

// entryOf returns the entry of an event without what needs a salt.
func entryOf(e Event) *entry {
	return &entry{Act: e.Act, Challenge: e.Challenge, Format: Format, ID: e.ID, Institution: e.Institution, Outcome: e.Outcome,
		Project: e.Project, Rule: e.Rule, Sector: e.Sector, Student: e.Student, Time: formatTime(e.Time), Version: e.Version}
}

// add adds an entry with its body.
func (b *batch) add(e *entry, s secret) {
	s.seq = b.at + int64(len(b.texts))
	if s.body != nil {
		e.Private = bodyDigest(s.salt, s.body)
		b.hidden = append(b.hidden, s)
	}
	b.texts = append(b.texts, e.encode())
	b.index = append(b.index, columnsOf(s.seq, e))
}

// commit does the steps by which a batch enters the log, in the order in which
// a crash between any two of them does no harm: bodies that no entry speaks of
// are dropped when the journal is opened, entries that are not indexed are
// indexed then, and events that are still in the outbox or the write-ahead log
// are found in the index.
func (s *sequencer) commit(ctx context.Context, b *batch) error {
	if len(b.texts) > 0 && !b.logged {
		if err := s.j.private.hide(ctx, b.hidden); err != nil {
			return err
		}
		if err := s.j.audit.append(b.at, b.texts); err != nil {
			return err
		}
		b.logged = true
	}
	if err := s.j.index.add(ctx, b.index); err != nil {
		return err
	}
	return taken(ctx, s.j.db, b.places)
}

// removeSegments removes what is in the log from the write-ahead log.
func (s *sequencer) removeSegments() {
	// In this order: all of the segments before this one has been delivered, and
	// what was delivered is in the queue or in the log.
	active := s.j.wal.Active()
	needed, _, _, _ := s.j.queue.state()
	if needed == 0 {
		needed = active
	}
	if needed <= s.j.removed {
		return
	}
	if err := s.j.wal.Remove(needed); err != nil {
		s.j.log.Warn("a segment of the journal cannot be removed", "error", err)
		return
	}
	s.j.removed = needed
}

// catchUp indexes the entries that are in the log and not in the index.
func (j *Journal) catchUp(ctx context.Context, x *index) error {
	var all []columns
	flush := func() error {
		err := x.add(ctx, all)
		all = all[:0]
		return err
	}
	err := j.audit.scan(x.size.Load(), func(seq int64, text []byte) error {
		e, err := decode(text)
		if err != nil {
			return badEntry(seq, err)
		}
		if all = append(all, columnsOf(seq, &e)); len(all) == maxBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}
