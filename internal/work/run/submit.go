package run

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Inputs are what a request came to when it was allowed.
type Inputs struct {
	Subject  string // what it makes or uses, for people
	Pinned   any    // for Plan and Commit
	Files    []File // in the order in which Plan and Compute count them
	Attached bool   // the caller waits for it, and cancels it when it goes
	Owner    bool   // of the home: what is kept for it does not count
}

// File is a raw file. One with a Path is opened again for every try. An open one
// stays its owner's, who keeps it open while an attached run is not ended; of
// other runs' files the manager makes copies before Submit returns.
type File struct {
	Name string // as the person wrote it
	Path string
	Open *os.File
}

// Submit queues a run. Asked again with the same id, person and request it
// returns the run there is. Errors: Invalid (the id), Conflict (the id is that of
// another request), Unavailable (too many wait; no room on the disk).
func (m *Manager) Submit(ctx context.Context, req genesis.RunRequest, by genesis.Principal, in Inputs) (genesis.Run, error) {
	if req.ID == "" {
		req.ID = NewID()
	}
	r, err := newRow(req, by, in, m.cfg.Limits)
	if err != nil {
		return genesis.Run{}, err
	}
	unclaim, err := m.claim(ctx, req.ID)
	if err != nil {
		return genesis.Run{}, err
	}
	defer unclaim()
	have, err := find(ctx, m.cfg.DB.Read(), req.ID)
	if err == nil {
		if err := sameRequest(have, r); err != nil {
			return genesis.Run{}, err
		}
		return m.live(have.Run), nil
	}
	if genesis.KindOf(err) != genesis.NotFound {
		return genesis.Run{}, err
	}
	keeps, err := in.keeps()
	if err != nil {
		return genesis.Run{}, broken("submit run", req.ID, err)
	}
	if err := m.reserve(by.Person(), keeps); err != nil {
		return genesis.Run{}, err
	}
	a, err := m.admit(ctx, r, in)
	if a != nil {
		a.keeps = keeps
	}
	if !m.enqueue(a) {
		m.release(by.Person(), keeps)
		return genesis.Run{}, err
	}
	m.start()
	return m.live(a.Run()), nil
}

// keeps is how many bytes of the files that were handed over open have to outlive
// their owner, and count for the person.
func (in Inputs) keeps() (n int64, err error) {
	if in.Attached || in.Owner {
		return 0, nil
	}
	for _, f := range in.Files {
		if f.Path != "" {
			continue
		}
		info, err := f.Open.Stat()
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

// release gives back what reserve took of a person's share.
func (m *Manager) release(person genesis.PersonID, keeps int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.releaseLocked(person, keeps)
}

func (m *Manager) releaseLocked(person genesis.PersonID, keeps int64) {
	of := m.sharing(person)
	if m.kept[of] -= keeps; m.kept[of] <= 0 {
		delete(m.kept, of)
	}
}

// sharing is who has one person's share: a person of this node, or the people of another node
// together, for how many these are is that node's word.
func (m *Manager) sharing(person genesis.PersonID) genesis.PersonID {
	if home, _ := person.Split(m.cfg.Node); m.cfg.Node != "" && home != "" && home != m.cfg.Node {
		return genesis.PersonID(home) + "/"
	}
	return person
}

// Kept returns how many bytes are kept of the files of a person's runs that are not
// ended; of somebody of another node, of those of all its people.
func (m *Manager) Kept(person genesis.PersonID) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[m.sharing(person)]
}

// enqueue gives back the reserved place, and fills it with a.
func (m *Manager) enqueue(a *active) bool {
	queue := func() {}
	if a != nil {
		queue = m.waits(a)
	}
	m.mu.Lock()
	m.reserved--
	closed := m.closed
	if !closed {
		queue()
	}
	m.mu.Unlock()
	if a != nil && closed {
		m.end(a, errClosing)
	}
	return a != nil
}

// newRow makes the row of a request, and checks it.
func newRow(req genesis.RunRequest, by genesis.Principal, in Inputs, l Limits) (*row, error) {
	if err := checkID(req.ID); err != nil {
		return nil, err
	}
	bad := func(err error) error {
		return &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: req.ID, Msg: "its request is not JSON", Err: err}
	}
	var text bytes.Buffer
	if err := json.Compact(&text, req.Request); err != nil {
		return nil, bad(err)
	}
	pinned, err := json.Marshal(in.Pinned)
	if err != nil {
		return nil, bad(err)
	}
	r := &row{attached: in.Attached, pinned: pinned, Run: genesis.Run{ID: req.ID, Kind: req.Kind, Subject: in.Subject, By: by, State: genesis.RunQueued,
		Request: text.Bytes(), Created: time.Now().UTC().Truncate(time.Microsecond), Memory: l.Memory, Seconds: int64(l.Time.Seconds())}}
	for _, f := range in.Files {
		r.inputs = append(r.inputs, input{Name: f.Name, Path: f.Path})
	}
	return r, nil
}

// sameRequest refuses an id that stands for something else.
func sameRequest(have row, r *row) error {
	if have.By.Person() == r.By.Person() && have.Kind == r.Kind && bytes.Equal(have.Request, r.Request) {
		return nil
	}
	return &genesis.Error{Op: "submit run", Kind: genesis.Conflict, Subject: r.ID, Msg: "is the id of another request", Hint: "leave the id out to get a new one"}
}

// claim keeps an id to one submission at a time.
func (m *Manager) claim(ctx context.Context, id string) (release func(), err error) {
	for {
		m.mu.Lock()
		other, taken := m.claims[id]
		if !taken {
			m.claims[id] = make(chan struct{})
			m.mu.Unlock()
			return func() { m.unclaim(id) }, nil
		}
		m.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, canceled("submit run", id, ctx.Err())
		}
	}
}

func (m *Manager) unclaim(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.claims[id])
	delete(m.claims, id)
}

// reserve takes a place among the runs that are not ended. One person gets at
// most half of those that wait, and so do all people of one other node: how many of
// these there are is that node's word.
func (m *Manager) reserve(person genesis.PersonID, keeps int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.cfg.Limits
	full := func(msg, hint string) error {
		return &genesis.Error{Op: "submit run", Kind: genesis.Unavailable, Msg: msg, Hint: hint}
	}
	if m.closed {
		return full("the node is about to stop", "try again")
	}
	if len(m.active)+m.reserved >= l.Concurrent+l.Queue {
		return full(fmt.Sprintf("%d runs wait already", l.Queue), "try again when some have ended: `genesis runs` lists them")
	}
	mine, theirs := 0, 0
	home, _ := person.Split(m.cfg.Node)
	for _, a := range m.active {
		if a.person == person {
			mine++
		}
		if of, _ := a.person.Split(m.cfg.Node); of == home {
			theirs++
		}
	}
	most := l.Concurrent + max(1, l.Queue/2)
	if m.cfg.Node != "" && home != m.cfg.Node && theirs >= most {
		return full(fmt.Sprintf("%d runs of people of %s are not ended yet", theirs, home), "try again when some have ended")
	}
	if mine >= most {
		return full(fmt.Sprintf("%d runs of yours are not ended yet", mine), "try again when some have ended: `genesis runs` lists them, `genesis cancel` stops one")
	}
	if quota := m.cfg.Quota; quota > 0 && keeps > quota-m.kept[m.sharing(person)] {
		return &genesis.Error{Op: "submit run", Kind: genesis.Permission, Msg: fmt.Sprintf("the files kept for your runs would be larger together than the %s of one person's uploads", size(quota)),
			Hint: "wait until some of your runs have ended, or cancel one"}
	}
	m.reserved++
	m.kept[m.sharing(person)] += keeps
	return nil
}

// admit makes a run durable: first its files, then its row.
func (m *Manager) admit(ctx context.Context, r *row, in Inputs) (*active, error) {
	files := make([]*os.File, len(in.Files))
	for i, f := range in.Files {
		files[i] = f.Open
	}
	if !in.Attached {
		if err := m.keep(ctx, r, files); err != nil {
			os.RemoveAll(m.workOf(r.ID))
			return nil, err
		}
	}
	a, err := m.newActive(*r, files)
	if err != nil {
		return nil, err
	}
	if err := m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error { return insert(ctx, tx, r) }); err != nil {
		a.cancel(err)
		a.log.close()
		os.Remove(m.logOf(r.ID))
		os.RemoveAll(m.workOf(r.ID))
		return nil, err
	}
	a.log.line("submitted by " + string(a.person))
	return a, nil
}

// keep copies the files that were handed over open, so that they outlive their
// owner. Uploads, which never change once they are whole, get another name instead.
func (m *Manager) keep(ctx context.Context, r *row, files []*os.File) error {
	dir := filepath.Join(m.workOf(r.ID), "in")
	for i := range r.inputs {
		if r.inputs[i].Path != "" {
			continue
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return broken("keep input", r.inputs[i].Name, err)
		}
		path := filepath.Join(dir, strconv.Itoa(i))
		if m.link(path, files[i]) {
			r.inputs[i].Path = path
			continue
		}
		if err := copyFile(ctx, path, files[i]); err != nil {
			return kept(r.inputs[i].Name, err)
		}
		r.inputs[i].Path = path
	}
	return nil
}

// link gives an open upload the further name path, and reports whether it has it now.
func (m *Manager) link(path string, f *os.File) bool {
	if m.cfg.Uploads == "" || filepath.Dir(f.Name()) != filepath.Clean(m.cfg.Uploads) || os.Link(f.Name(), path) != nil {
		return false
	}
	linked, err := os.Lstat(path)
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil && os.SameFile(info, linked) {
			return true
		}
	}
	_ = os.Remove(path) // somebody put another file there meanwhile
	return false
}

func kept(name string, err error) error {
	if errors.Is(err, context.Canceled) {
		return canceled("keep input", name, err)
	}
	return &genesis.Error{Op: "keep input", Kind: genesis.Unavailable, Subject: name, Msg: "cannot be copied to the node",
		Hint: "is there room on its disk?", Err: err}
}

// copyFile copies an open file to path, durably. The file's offset, which it
// shares with its owner's, is left alone.
func copyFile(ctx context.Context, path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, stopping{ctx, io.NewSectionReader(f, 0, info.Size())})
	return errors.Join(err, out.Sync(), out.Close())
}

// stopping is a reader that ends with a context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

func canceled(op, subject string, err error) error {
	return &genesis.Error{Op: op, Kind: genesis.Canceled, Subject: subject, Msg: "stopped", Err: err}
}

// recover takes up what a crash left unfinished.
func (m *Manager) recover(ctx context.Context) error {
	left, err := listRows(ctx, m.cfg.DB.Read(), rowColumns, "WHERE state IN ('queued', 'running') AND node = '' ORDER BY seq")
	if err != nil {
		return err
	}
	for _, r := range left {
		a, err := m.newActive(r, make([]*os.File, len(r.inputs)))
		if err != nil {
			return err
		}
		os.RemoveAll(m.tempOf(r.ID))
		if err := m.unresumable(r); err != nil {
			m.end(a, err)
			continue
		}
		if err := m.requeue(ctx, a, 0); err != nil {
			return err
		}
		a.keeps = m.keptBy(r)
		a.log.line("the node was started again")
		queue := m.waits(a)
		m.mu.Lock() // what was queued before may be on its way out
		m.kept[m.sharing(a.person)] += a.keeps
		queue()
		m.mu.Unlock()
	}
	return m.sweep()
}

// keptBy is how many bytes lie in the run's own folder.
func (m *Manager) keptBy(r row) (n int64) {
	for _, in := range r.inputs {
		if info, err := os.Stat(in.Path); err == nil && filepath.Dir(in.Path) == filepath.Join(m.workOf(r.ID), "in") {
			n += info.Size()
		}
	}
	return n
}

// requeue makes a running run one that waits, as if it had been tried less often.
func (m *Manager) requeue(ctx context.Context, a *active, less int) error {
	if a.Run().State == genesis.RunQueued {
		return nil
	}
	err := m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := change(ctx, tx, a.row.ID, "state = 'queued', tries = tries - $2", less)
		return err
	})
	if err == nil {
		a.update(func(r *genesis.Run) { r.State, r.Tries = genesis.RunQueued, r.Tries-less })
	}
	return store.Error("queue run", a.row.ID, err)
}

// unresumable says why a run that a crash interrupted cannot go on, or nil.
func (m *Manager) unresumable(r row) error {
	again := &genesis.Error{Op: string(r.Kind), Kind: genesis.Unavailable, Subject: r.Subject, Msg: "the node stopped before it was done, and nothing was kept",
		Hint: "run the command again"}
	for _, in := range r.inputs {
		if in.Path == "" {
			again.Msg = "the node stopped before it was done; its files were handed over open and are no longer there"
			return again
		}
		if _, err := os.Stat(in.Path); err != nil {
			return lost(in.Name, err)
		}
	}
	if r.attached && !m.cfg.ResumeAttached {
		if r.Kind == genesis.RunTrain {
			again.Msg, again.Hint = "the node stopped before it was done", "run the command again: the training goes on where it was"
		}
		if r.Kind == genesis.RunPull {
			again.Msg, again.Hint = "the node stopped before it was done", "run the command again: the copying goes on where it was"
		}
		return again
	}
	if r.Tries >= m.cfg.Limits.Tries {
		return &genesis.Error{Op: string(r.Kind), Kind: genesis.Internal, Subject: r.Subject,
			Msg:  fmt.Sprintf("the node stopped in the middle of it %d times; it is not tried again", r.Tries),
			Hint: "`genesis logs " + r.ID + "` shows how far it got; if it takes the node down with it, give it less data"}
	}
	return nil
}

// sweep removes files of runs that are ended or were never submitted.
func (m *Manager) sweep() error {
	entries, err := os.ReadDir(m.works())
	if err != nil {
		return broken("open runs", m.cfg.Dir, err)
	}
	for _, e := range entries {
		if m.find(e.Name()) == nil {
			os.RemoveAll(m.workOf(e.Name()))
		}
	}
	return nil
}
