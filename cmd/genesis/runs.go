package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

type runsCmd struct {
	ID    string           `arg:"" optional:"" help:"One run, with its result." placeholder:"ID"`
	All   bool             `help:"Everybody's, for operators."`
	State genesis.RunState `help:"queued, running, done, failed or canceled; of runs at other nodes also sent and canceling." placeholder:"STATE" enum:"sent,queued,running,canceling,done,failed,canceled," default:""`
	Limit int              `help:"At most so many." default:"50" placeholder:"N"`
}

func (runsCmd) Help() string {
	return `Examples:

    genesis runs
    genesis runs --state running
    genesis runs tz3k7q2m4x6p8r0vabcdefghij`
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
		return a.print(r, func(p *printer) { printRun(p, *r) })
	}
	page, err := c.Runs(a.ctx, cmd.All, cmd.State, "", cmd.Limit)
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) {
		if len(page.Runs) == 0 {
			p.line("No runs%s.", map[bool]string{false: " of yours; operators see everybody's with --all"}[cmd.All])
			return
		}
		t := newTable("id", "kind", "of", "state", "by", "asked", "took", "try", "why")
		for _, r := range page.Runs {
			why := ""
			if r.Error != nil {
				why = r.Error.Message
			}
			t.row(r.ID, string(r.Kind), r.Subject, string(r.State), string(r.By.Person()), when(r.Created), tookText(r), fmt.Sprint(r.Tries), why)
		}
		t.print(p)
	})
}

func tookText(r genesis.Run) string {
	switch {
	case r.Started.IsZero():
		return ""
	case r.Ended.IsZero():
		return time.Since(r.Started).Round(time.Second).String()
	}
	return r.Ended.Sub(r.Started).Round(10 * time.Millisecond).String()
}

func printRun(p *printer, r genesis.Run) {
	p.line("run %s: %s %s", r.ID, r.Kind, clean(r.Subject))
	p.field("state", string(r.State))
	if r.At != "" {
		p.field("at", placeText(r))
	}
	if r.Position > 0 {
		p.field("queue", fmt.Sprintf("place %d", r.Position))
	}
	p.field("by", string(r.By.Person()))
	p.field("asked", when(r.Created))
	p.field("took", tookText(r))
	p.field("tries", fmt.Sprint(r.Tries))
	if r.Memory > 0 {
		p.field("memory", bytesText(r.Memory))
	}
	if r.Progress != nil {
		p.field("progress", fmt.Sprintf("%s %s %s", r.Progress.Stage, count(r.Progress.Done), r.Progress.Unit))
	}
	if r.Error != nil {
		p.field("error", r.Error.Detail)
		p.field("hint", r.Error.Hint)
	}
	var made struct{ Version genesis.Version }
	if json.Unmarshal(r.Result, &made) == nil && made.Version.Name != "" {
		p.field("made", madeText(r, made.Version))
	}
}

// madeText names what a run made, with the node where it is.
func madeText(r genesis.Run, v genesis.Version) string {
	if r.At == "" {
		return versionText(v)
	}
	return clean(string(r.At)) + "/" + versionText(v)
}

// placeText says where another node carries a run out, and when it was last heard of.
func placeText(r genesis.Run) string {
	heard := "nothing was heard of it yet"
	if !r.Heard.IsZero() {
		heard = "as heard " + when(r.Heard)
	}
	if r.Why != "" {
		heard = clean(r.Why) + "; " + heard
	}
	return clean(string(r.At)) + " (" + heard + ")"
}

type logsCmd struct {
	ID     string `arg:"" help:"The run." placeholder:"ID"`
	Follow bool   `help:"Go on until it is ended." short:"f"`
}

func (logsCmd) Help() string {
	return `Examples:

    genesis logs tz3k7q2m4x6p8r0vabcdefghij
    genesis logs tz3k7q2m4x6p8r0vabcdefghij --follow`
}

func (cmd *logsCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	// What there is comes whole; of lines that follow, too many at once are left out.
	from, err := c.RunLog(a.ctx, cmd.ID, cleanLines{a.out})
	if err != nil || !cmd.Follow {
		return err
	}
	r, err := c.FollowRun(a.ctx, cmd.ID, from, func(e genesis.Event) {
		if e.Log != "" {
			fmt.Fprintln(a.out, clean(e.Log))
		}
	})
	if err != nil {
		return err
	}
	if r.Error != nil {
		return r.Error.Err()
	}
	return nil
}

// cleanLines passes lines on without what would steer a terminal: a log holds what
// raw files made a reader say.
type cleanLines struct{ w io.Writer }

func (c cleanLines) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		text, whole := strings.CutSuffix(line, "\n")
		text = clean(text)
		if whole {
			text += "\n"
		}
		if _, err := io.WriteString(c.w, text); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// detach queues a run that goes on when this command has ended.
func (a *app) detach(kind genesis.RunKind, request any) error {
	if a.node != nil {
		return &genesis.Error{Op: string(kind), Kind: genesis.Invalid, Msg: "nobody would do it: no node stays when this command has ended",
			Hint: "start `genesis serve` first, or leave out --detach"}
	}
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := a.client.SubmitRun(a.ctx, genesis.RunRequest{Kind: kind, Request: b})
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) {
		p.line("Queued %s %s as %s", r.Kind, clean(r.Subject), p.style.bold(r.ID))
		if r.At != "" {
			p.line("  %s", p.style.dim(whereText(*r)))
		}
		p.line("\nNext: genesis logs %s --follow", r.ID)
	})
}

type cancelCmd struct {
	ID string `arg:"" help:"The run." placeholder:"ID"`
}

func (cancelCmd) Help() string {
	return `Examples:

    genesis cancel tz3k7q2m4x6p8r0vabcdefghij`
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
	return a.print(r, func(p *printer) { printRun(p, *r) })
}
