package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/opengenesis/genesis"
)

type runsCmd struct {
	ID    string `arg:"" optional:"" help:"Show this run alone." placeholder:"ID"`
	State string `help:"queued, running, done, failed or canceled; if missing, all." enum:"queued,running,done,failed,canceled," default:"" placeholder:"STATE"`
	Kind  string `help:"prepare, train or predict; if missing, all." enum:"prepare,train,predict," default:"" placeholder:"KIND"`
	Limit int    `help:"At most so many." default:"20" placeholder:"N"`
}

func (runsCmd) Help() string {
	return `Lists what was prepared, trained and predicted here, newest first, and what goes on.

Examples:

    genesis runs
    genesis runs --state failed --kind train
    genesis runs 2nkv5dw7qz3xw6m4a8u9b1c0de`
}

func (cmd *runsCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if cmd.ID != "" {
		r, err := c.Run(a.ctx, cmd.ID)
		if err != nil {
			return err
		}
		return a.print(r, func(p *printer) { printRun(p, r) })
	}
	page, err := c.Runs(a.ctx, genesis.RunQuery{State: genesis.RunState(cmd.State), Kind: genesis.RunKind(cmd.Kind), Limit: cmd.Limit})
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) {
		if len(page.Runs) == 0 {
			p.line("No runs")
			return
		}
		t := newTable("id", "kind", "subject", "state", "by", "asked", "took", "")
		for _, r := range page.Runs {
			t.row(r.ID, string(r.Kind), r.Subject, string(r.State), string(r.By.Person()), when(r.Created), took(r), stands(r))
		}
		t.print(p)
	})
}

// took is how long the last try of a run took, so far.
func took(r genesis.Run) string {
	switch {
	case r.Started.IsZero():
		return ""
	case r.Ended.IsZero():
		return time.Since(r.Started).Round(time.Second).String()
	}
	return r.Ended.Sub(r.Started).Round(10 * time.Millisecond).String()
}

// stands is in a few words how a run stands.
func stands(r genesis.Run) string {
	switch {
	case r.Error != nil:
		return r.Error.Detail
	case r.Position > 0:
		return fmt.Sprintf("place %d in the queue", r.Position)
	case r.State == genesis.RunRunning && r.Progress != nil && r.Progress.Total > 0:
		return fmt.Sprintf("%s %s", r.Progress.Stage, percent(float64(r.Progress.Done)/float64(r.Progress.Total)))
	case r.State == genesis.RunRunning && r.Progress != nil:
		return r.Progress.Stage
	}
	return ""
}

func printRun(p *printer, r *genesis.Run) {
	p.line("%s %s: %s", r.Kind, p.style.bold(clean(r.Subject)), r.State)
	p.field("id", r.ID)
	p.field("by", string(r.By.Person()))
	p.field("asked", when(r.Created))
	p.field("took", took(*r))
	p.field("tries", count(int64(r.Tries)))
	p.field("memory", bytesText(r.Memory))
	if text := stands(*r); text != "" {
		p.field("stands", clean(text))
	}
	if r.Error != nil && r.Error.Hint != "" {
		p.field("hint", clean(r.Error.Hint))
	}
	var made struct{ Version *genesis.Version }
	if json.Unmarshal(r.Result, &made) == nil && made.Version != nil {
		p.field("made", versionText(*made.Version))
	}
}

type logsCmd struct {
	ID     string `arg:"" help:"The run." placeholder:"ID"`
	Follow bool   `short:"f" help:"Go on until the run is ended."`
}

func (logsCmd) Help() string {
	return `Examples:

    genesis logs 2nkv5dw7qz3xw6m4a8u9b1c0de
    genesis logs 2nkv5dw7qz3xw6m4a8u9b1c0de --follow`
}

func (cmd *logsCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	lines := a.out
	if a.json {
		lines = a.err
	}
	from, err := c.RunLog(a.ctx, cmd.ID, cleanLines{lines})
	if err != nil {
		return err
	}
	r, err := c.Run(a.ctx, cmd.ID)
	if err == nil && cmd.Follow {
		r, err = cmd.follow(a, lines, from)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.print(r, nil)
	}
	if cmd.Follow && r.Error != nil {
		return r.Error.Err()
	}
	return nil
}

// follow prints what is yet to come.
func (cmd *logsCmd) follow(a *app, lines io.Writer, from int64) (*genesis.Run, error) {
	m, stop := a.progress()
	defer stop()
	return a.client.FollowRun(a.ctx, cmd.ID, from, func(e genesis.Event) {
		if e.Log == "" {
			m.event(e)
			return
		}
		m.aside(func() { fmt.Fprintln(lines, clean(e.Log)) })
	})
}

// cleanLines passes text on without what would steer a terminal.
type cleanLines struct{ w io.Writer }

func (c cleanLines) Write(b []byte) (int, error) {
	for line := range bytes.Lines(b) {
		text, end, whole := bytes.Cut(line, []byte("\n"))
		out := clean(string(text)) + string(end)
		if whole {
			out += "\n"
		}
		if _, err := io.WriteString(c.w, out); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

type cancelCmd struct {
	ID string `arg:"" help:"The run." placeholder:"ID"`
}

func (cancelCmd) Help() string {
	return `Stops a run that waits or goes on; nothing half-done is kept.

Examples:

    genesis cancel 2nkv5dw7qz3xw6m4a8u9b1c0de`
}

func (cmd *cancelCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	r, err := c.CancelRun(a.ctx, cmd.ID)
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) { p.line("%s %s is %s", r.Kind, clean(r.Subject), r.State) })
}

// detach queues a run that goes on when this command has ended.
func (a *app) detach(kind genesis.RunKind, request any) error {
	if a.node != nil {
		return &genesis.Error{Op: string(kind), Kind: genesis.Invalid, Msg: "nobody would do it: no node stays when this command has ended",
			Hint: "start `genesis serve` first, or leave out --detach"}
	}
	r, err := a.client.SubmitRun(a.ctx, "", kind, request)
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) {
		p.line("Queued %s %s as %s", r.Kind, clean(r.Subject), p.style.bold(r.ID))
		p.line("\nNext: genesis logs %s --follow", r.ID)
	})
}
