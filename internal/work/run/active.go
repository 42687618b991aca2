package run

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/opengenesis/genesis"
)

// active is a run that is not ended.
type active struct {
	row    row // as it was submitted or found
	person genesis.PersonID
	share  genesis.PersonID // with whom the person takes turns; see [Manager.sharing]
	files  []*os.File       // handed over open; nil where the input has a path
	log    *log
	ctx    context.Context // of the whole run; ends when it is to stop
	cancel context.CancelCauseFunc
	ended  chan struct{}
	keeps  int64  // bytes that count for the person until the run is ended
	leave  func() // ends the watch over its access while it waits; under the manager's mu

	mu        sync.Mutex
	run       genesis.Run
	listeners map[*genesis.Progress]struct{}
}

func (m *Manager) newActive(r row, files []*os.File) (*active, error) {
	log, err := openLog(m.logOf(r.ID))
	if err != nil {
		return nil, broken("submit run", r.ID, err)
	}
	a := &active{row: r, person: r.By.Person(), share: m.sharing(r.By.Person()), files: files, log: log, run: r.Run,
		ended: make(chan struct{}), listeners: map[*genesis.Progress]struct{}{}}
	a.ctx, a.cancel = context.WithCancelCause(m.base)
	return a, nil
}

// Run returns the run as it is now.
func (a *active) Run() genesis.Run {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.run
}

func (a *active) update(f func(*genesis.Run)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.run)
}

// event passes on what the work says. Lines for the log are kept there, where those
// who follow it read them; whoever waits for the run is told of its progress.
func (a *active) event(e genesis.Event) {
	if e.Log != "" {
		a.log.line(e.Log)
		return
	}
	a.mu.Lock()
	a.run.Progress = &e
	listeners := make([]genesis.Progress, 0, len(a.listeners))
	for p := range a.listeners {
		listeners = append(listeners, *p)
	}
	a.mu.Unlock()
	for _, p := range listeners {
		p(e)
	}
}

// listen calls p at every event until the function it returns is called.
func (a *active) listen(p genesis.Progress) (stop func()) {
	if p == nil {
		return func() {}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listeners[&p] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.listeners, &p)
	}
}

// catchUp tells p how far the run is.
func (a *active) catchUp(p genesis.Progress) {
	if now := a.Run().Progress; now != nil {
		p.Send(*now)
	}
}

// open returns the run's files, open, and how to close those it opened.
func (a *active) open() (files []*os.File, done func(), err error) {
	var opened []*os.File
	done = func() {
		for _, f := range opened {
			f.Close()
		}
	}
	for i, in := range a.row.inputs {
		if in.Path == "" {
			files = append(files, a.files[i])
			continue
		}
		f, err := os.Open(in.Path)
		if err != nil {
			done()
			return nil, func() {}, lost(in.Name, err)
		}
		opened = append(opened, f)
		files = append(files, f)
	}
	return files, done, nil
}

func lost(name string, err error) error {
	e := &genesis.Error{Op: "open input", Kind: genesis.NotFound, Subject: name, Msg: "is no longer there", Err: err}
	if !errors.Is(err, os.ErrNotExist) {
		e.Kind, e.Msg = genesis.Unavailable, "cannot be opened again"
	}
	return e
}
