//go:build linux || darwin

package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
)

// grace is how long a child that is asked to stop may take. Tests shorten it.
var grace = 5 * time.Second

const (
	// memoryEvery is how often its memory is looked at.
	memoryEvery = 100 * time.Millisecond

	// drain is how long its last words may take after it is gone.
	drain = 2 * time.Second
)

// child computes a job in a process of its own.
func (m *Manager) child(ctx context.Context, stop context.CancelCauseFunc, a *active, job Job, files []*os.File) (json.RawMessage, error) {
	b, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	out := &lines{event: a.event}
	noMemory := false
	last := &lineWriter{line: func(text string) {
		noMemory = noMemory || outOfMemory(text)
		a.log.line(text)
	}}
	cmd := &exec.Cmd{
		Path: m.cfg.Worker[0], Args: append([]string{"genesis"}, m.cfg.Worker[1:]...),
		Env: environment(job.Temp, m.cfg.Env), Dir: job.Temp,
		Stdout: guarded{out, stop}, Stderr: last,
		ExtraFiles: files, WaitDelay: drain, SysProcAttr: ownGroup(),
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, broken("start run", a.row.ID, err)
	}
	// The system kills a child when the thread ends that started it, so the
	// thread is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		in.Close()
		return nil, &genesis.Error{Op: "start run", Kind: genesis.Unavailable, Subject: a.row.ID, Msg: "its process cannot be started",
			Hint: "too many open files or processes?", Err: err}
	}
	go func() { _, _ = in.Write(b) }() // whoever does not read it does not answer; Wait closes the pipe
	exited := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		supervise(ctx, stop, cmd.Process, job.Memory, exited)
	}()
	err = cmd.Wait()
	close(exited)
	<-watched
	last.flush()
	if out.result == nil && out.problem == nil && noMemory {
		return nil, errTooLarge
	}
	return answered(out, cmd.ProcessState, err)
}

// answered is what a child that is gone leaves.
func answered(out *lines, state *os.ProcessState, err error) (json.RawMessage, error) {
	switch {
	case out.result != nil:
		return out.result, nil
	case out.problem != nil:
		return nil, out.problem.Err()
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil, &crash{"it says nothing"}
	}
	how := state.String()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
		how = "it was killed, perhaps by the system for want of memory"
	}
	return nil, &crash{how}
}

// supervise ends a child when its context does: gently when somebody asked, at
// once when it has no right to go on. It looks at its memory meanwhile.
func supervise(ctx context.Context, stop context.CancelCauseFunc, p *os.Process, memory int64, exited <-chan struct{}) {
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-exited:
			return
		case <-ctx.Done():
		case <-tick.C:
			if held, ok := residentMemory(p.Pid); ok && memory > 0 && held > memory {
				stop(errTooLarge)
			}
		}
	}
	if cause := context.Cause(ctx); isAsked(cause) || errors.Is(cause, errClosing) || errors.Is(cause, errTooLong) {
		signalGroup(p, syscall.SIGTERM)
		select {
		case <-exited:
			return
		case <-time.After(grace):
		}
	}
	signalGroup(p, syscall.SIGKILL)
	<-exited
}

// signalGroup signals the child and whatever it started.
func signalGroup(p *os.Process, sig syscall.Signal) {
	if p.Signal(sig) == nil { // else it is gone, and its id may be another's
		_ = syscall.Kill(-p.Pid, sig)
	}
}

// guarded stops a run whose child does not keep to the protocol.
type guarded struct {
	*lines
	stop context.CancelCauseFunc
}

func (g guarded) Write(p []byte) (int, error) {
	n, err := g.lines.Write(p)
	if err != nil {
		g.stop(fmt.Errorf("%w: %w", errNonsense, err))
	}
	return n, err
}

// outOfMemory recognises the words with which Go's runtime ends, or the race
// detector's where the program was built with it.
func outOfMemory(text string) bool {
	if strings.HasPrefix(text, "fatal error: ") || strings.HasPrefix(text, "runtime: ") {
		return strings.Contains(text, "out of memory") || strings.Contains(text, "cannot allocate") || strings.Contains(text, "errno=12")
	}
	return strings.Contains(text, "ThreadSanitizer failed to allocate")
}

// environment is all that a child gets to see of this process's.
func environment(temp string, more []string) []string {
	env := []string{"TMPDIR=" + temp}
	for _, name := range []string{"GODEBUG", "GOCOVERDIR", "TZ"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return append(env, more...)
}
