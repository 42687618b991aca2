package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

// isElsewhere reports whether the dataset is at another node than the one the command uses.
func (cmd *trainCmd) isElsewhere(a *app, c *client.Client) (bool, error) {
	ref, err := genesis.ParseRef(cmd.Dataset)
	if err != nil || ref.Node == "" || string(ref.Node) == a.at {
		return false, nil // the node says what is wrong with it
	}
	info, err := c.Node(a.ctx)
	return err == nil && info.Node != ref.Node, err
}

// elsewhere trains on the data of another node. What is left open, that node fills in.
func (cmd *trainCmd) elsewhere(a *app, c *client.Client, req genesis.TrainRequest) error {
	switch {
	case a.home != nil:
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: cmd.Dataset, Msg: "is at another node than --at " + a.at, Hint: "leave out --at"}
	case a.node != nil:
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: cmd.Dataset, Msg: "nobody would hear what comes of it: no node stays when this command has ended", Hint: "start `genesis serve` first"}
	case cmd.There:
		req.Where = genesis.TrainThere
	case cmd.Here || cmd.mayCopy(a, c):
		return cmd.onCopy(a, c, req)
	}
	if req.Name != "" {
		if err := genesis.CheckName(req.Name); err != nil {
			return err
		}
	}
	if cmd.Detach {
		return a.detach(genesis.RunTrain, req)
	}
	text, err := json.Marshal(req)
	if err != nil {
		return err
	}
	r, err := c.SubmitRun(a.ctx, genesis.RunRequest{ID: strings.ToLower(rand.Text()), Kind: genesis.RunTrain, Request: text})
	if err != nil {
		return err
	}
	if err := a.aside(func(p *printer) {
		p.line("%s (run %s)", whereText(*r), r.ID)
		p.line("%s", p.style.dim("Ctrl-C takes it back; with --detach it goes on without you, and `genesis runs "+r.ID+"` says how it stands"))
	}); err != nil {
		return err
	}
	return a.await(c, r)
}

// mayCopy reports whether the data may be copied here. When their node does not answer,
// the order is sent, and it decides.
func (cmd *trainCmd) mayCopy(a *app, c *client.Client) bool {
	may, err := c.May(a.ctx, cmd.Dataset)
	return err == nil && may.Allows(genesis.Read)
}

// onCopy trains here, on a copy of the data.
func (cmd *trainCmd) onCopy(a *app, c *client.Client, req genesis.TrainRequest) error {
	m, stop := a.progress()
	got, err := c.Pull(a.ctx, genesis.PullRequest{Ref: cmd.Dataset}, m.event)
	stop()
	if err != nil {
		return err
	}
	if err := a.aside(func(p *printer) {
		p.line("Trains here: you may read the data, and %s is a copy of them", clean(versionText(got.Version)))
	}); err != nil {
		return err
	}
	cmd.Dataset = got.Version.Ref().String()
	req.Dataset = cmd.Dataset
	return cmd.here(a, c, req)
}

// whereText says where a run is carried out and why.
func whereText(r genesis.Run) string {
	text := "Trains at " + clean(string(r.At))
	if r.Why != "" {
		text += ": " + clean(r.Why)
	}
	return text
}

// await waits for a training that another node carries out, and prints what it made. When
// the command is stopped, so is the run.
func (a *app) await(c *client.Client, r *genesis.Run) error {
	m, stop := a.progress()
	end, err := a.follow(c, r, m.event)
	stop()
	if err != nil && a.ctx.Err() != nil {
		ctx, done := context.WithTimeout(context.WithoutCancel(a.ctx), 10*time.Second)
		defer done()
		if _, canceled := c.CancelRun(ctx, r.ID); canceled != nil && genesis.KindOf(canceled) != genesis.Conflict {
			return canceled
		}
	}
	if err != nil {
		return err
	}
	if end.Error != nil {
		return end.Error.Err()
	}
	made := genesis.Trained{At: end.At}
	if err := json.Unmarshal(end.Result, &made); err != nil {
		return &genesis.Error{Op: "train", Kind: genesis.Internal, Subject: r.ID, Msg: "its result cannot be read", Err: err}
	}
	return a.print(made, func(p *printer) {
		ref := made.Version.Ref()
		ref.Node = end.At
		p.line("Trained %s", p.style.bold(madeText(*end, made.Version)))
		p.field("reference", ref.String())
		printReport(p, &made.Report)
		p.line("\nNext: genesis predict %s FILE --out predictions.parquet", genesis.Ref{Node: end.At, Name: made.Version.Name}.Arg())
	})
}

// followFor is for how long a node that does not answer is asked for a run that goes on.
const followFor = 5 * time.Minute

// follow follows a run that another node carries out to its end. It goes on whether this
// node is there or not.
func (a *app) follow(c *client.Client, r *genesis.Run, p genesis.Progress) (*genesis.Run, error) {
	heard := time.Now()
	for {
		end, err := c.FollowRun(a.ctx, r.ID, 0, func(e genesis.Event) {
			if heard = time.Now(); e.Log == "" {
				p.Send(e)
			}
		})
		if genesis.KindOf(err) != genesis.Unavailable || a.ctx.Err() != nil {
			return end, err
		}
		if time.Since(heard) > followFor {
			return nil, &genesis.Error{Op: "train", Kind: genesis.Unavailable, Subject: r.ID, Msg: "the node does not say how it goes; " + string(r.At) + " goes on with it",
				Hint: "genesis runs " + r.ID + " says it when the node is back", Err: err}
		}
		p.Send(genesis.Event{Stage: "waiting for the node"})
		select {
		case <-time.After(time.Second):
		case <-a.ctx.Done():
			return nil, a.ctx.Err()
		}
	}
}
