package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
)

// Job is what a child is told.
type Job struct {
	Run      string          `json:"run"`
	Kind     genesis.RunKind `json:"kind"`
	Files    []string        `json:"files"` // their names; open as descriptors 3, 4, …
	Temp     string          `json:"temp"`  // a folder for this try alone
	Memory   int64           `json:"memory"`
	Soft     int64           `json:"soft"`
	Settings json.RawMessage `json:"settings"`
	Task     json.RawMessage `json:"task"`
}

// Exit statuses of a child.
const (
	exitAnswered = 0
	exitOrphaned = 3 // the parent is gone
	exitNoJob    = 4
)

// firstFile is the descriptor of a job's first file.
const firstFile = 3

// Serve is the child: it reads a job from in, has it computed, and answers on
// out. What it writes to errors is the run's log. It ends the process when in is
// closed, for then nobody waits for an answer.
func Serve(in io.Reader, out, errs io.Writer, compute Compute) (status int) {
	dec := json.NewDecoder(in)
	var job Job
	if err := dec.Decode(&job); err != nil {
		fmt.Fprintln(errs, "worker: there is no job on the standard input; `genesis` starts workers itself")
		return exitNoJob
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(exitOrphaned)
	}()
	if err := confine(job.Memory); err != nil {
		fmt.Fprintln(errs, "worker: limits cannot be set:", err)
	}
	bound(job)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	files := make([]*os.File, len(job.Files))
	for i, name := range job.Files {
		files[i] = os.NewFile(uintptr(firstFile+i), name)
	}
	w := &answer{enc: json.NewEncoder(out)}
	outcome, err := compute(ctx, job, files, w.event)
	if err == nil {
		err = w.result(outcome)
	}
	// One that was told to stop has no causes to tell: the log has who told it and why.
	if err != nil && ctx.Err() == nil {
		for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
			fmt.Fprintln(errs, "cause:", cause)
		}
	}
	if err != nil {
		w.problem(err)
	}
	return exitAnswered
}

// bound tells the garbage collector to stay below what is enforced.
func bound(job Job) {
	limit := job.Memory / 8 * 7
	if job.Soft > 0 && (limit <= 0 || job.Soft < limit) {
		limit = job.Soft
	}
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}

// eventEvery is how often progress of one stage is passed on.
const eventEvery = 30 * time.Millisecond

// answer writes lines of JSON.
type answer struct {
	mu    sync.Mutex
	enc   *json.Encoder
	stage string
	sent  time.Time
}

// event passes an event on. Of progress, which comes with every batch, only some.
func (w *answer) event(e genesis.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Log == "" {
		if e.Stage == w.stage && time.Since(w.sent) < eventEvery && (e.Total == 0 || e.Done < e.Total) {
			return
		}
		w.stage, w.sent = e.Stage, time.Now()
	}
	e = Bounded(e)
	_ = w.enc.Encode(genesis.Line[struct{}]{Event: &e}) // a parent that is gone needs none
}

func (w *answer) result(outcome any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.enc.Encode(genesis.Line[any]{Result: &outcome})
	if err != nil {
		return &genesis.Error{Op: "answer", Kind: genesis.Internal, Msg: "the outcome cannot be written as JSON", Err: err}
	}
	return nil
}

// problem answers with an error. It is whole, values included: what the asker
// may see of it the parent decides.
func (w *answer) problem(err error) {
	p := genesis.ProblemOf(err, true)
	const most = 4 << 10
	for _, s := range []*string{&p.Detail, &p.Message, &p.Hint, &p.Value, &p.Subject} {
		*s = cut(*s, most)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.enc.Encode(genesis.Line[struct{}]{Error: &p})
}
