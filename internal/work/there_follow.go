package work

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work/run"
)

// How long another node is waited for that carries a run out.
const (
	mostAsking  = 2 * time.Second  // to say how the run stands
	mostLogging = 30 * time.Second // to send the log
	mostPause   = 5 * time.Second  // between two tries to follow it
)

// maxRemoteLog bounds the log of a run at another node, in bytes: a node keeps less of one,
// and says in it that it was cut.
const maxRemoteLog = 17 << 20

func runAt(id, what string) string { return "/runs/" + url.PathEscape(id) + what }

// freshened is a run that another node carries out as that one says it stands, to whom it
// belongs; if it does not say, as it was last heard of.
func (s *Service) freshened(ctx context.Context, who genesis.Principal, r genesis.Run) genesis.Run {
	if r.At == "" || r.State.Ended() || !s.home(who) || r.By.Person() != who.Person() {
		return r
	}
	ctx, stop := context.WithTimeout(ctx, mostAsking)
	defer stop()
	now, err := peerGet[genesis.Run](ctx, s, who, r.At, runAt(r.ID, ""))
	if err != nil || now.ID != r.ID || now.State.Ended() { // of its end a message tells
		return r
	}
	r.Tries, r.Started, r.Position, r.Heard = now.Tries, now.Started, now.Position, s.now().UTC()
	if now.Progress != nil {
		e := run.Bounded(*now.Progress)
		r.Progress = &e
	}
	if r.State != genesis.RunCanceling && (now.State == genesis.RunQueued || now.State == genesis.RunRunning) {
		r.State = now.State
	}
	return r
}

// followThere tells p the log and the progress of a run that another node carries out,
// until its end is heard of here. While that node is away it waits.
func (s *Service) followThere(ctx context.Context, who genesis.Principal, id string, from int64, p genesis.Progress) (genesis.Run, error) {
	said, works := "", false // it is known to be at it: how far says more than that it was sent
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, mostPause) {
		news := s.heard.next()
		r, err := s.runs.Run(ctx, id)
		if err != nil || r.State.Ended() {
			return r, err
		}
		if note := fmt.Sprintf("at %s: %s", r.At, r.State); note != said && !works {
			said = note
			p.Send(genesis.Event{Stage: "waiting", Note: note})
		}
		sent, err := s.streamThere(ctx, who, r, from, func(e genesis.Event) {
			works = true
			p.Send(e)
		})
		if from += sent; sent > 0 || err == nil {
			pause = 50 * time.Millisecond
		}
		select {
		case <-news:
		case <-time.After(pause):
		case <-ctx.Done():
			return r, &genesis.Error{Op: "follow run", Kind: genesis.Canceled, Subject: id, Msg: "stopped", Err: ctx.Err()}
		}
	}
}

// streamThere passes on what the other node says of a run while it goes on, and returns
// how many bytes of its log came.
func (s *Service) streamThere(ctx context.Context, who genesis.Principal, r genesis.Run, from int64, p genesis.Progress) (logged int64, err error) {
	resp, err := s.peer(ctx, who, r.At, runAt(r.ID, fmt.Sprintf("/events?from=%d", from)))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, maxPeerAnswer)
	for in.Scan() {
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		var line genesis.Line[json.RawMessage]
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return logged, err
		}
		if line.Event == nil { // it has ended, or cannot be followed: a message tells
			return logged, nil
		}
		if e := run.Bounded(*line.Event); e.Log != "" {
			logged += int64(len(line.Event.Log)) + 1
			p.Send(genesis.Event{Log: e.Log})
		} else {
			p.Send(e)
		}
	}
	return logged, in.Err()
}

// logThere is the log of a run as the node that carries it out has it for whoever asks.
func (s *Service) logThere(ctx context.Context, who genesis.Principal, r genesis.Run) (io.ReadCloser, int64, error) {
	ctx, stop := context.WithTimeout(ctx, mostLogging)
	defer stop()
	resp, err := s.peer(ctx, who, r.At, runAt(r.ID, "/log"))
	if genesis.KindOf(err) == genesis.NotFound && r.State == genesis.RunSent {
		return io.NopCloser(bytes.NewReader(nil)), 0, nil // it has not got the order yet
	}
	if genesis.KindOf(err) == genesis.NotFound && r.Error != nil { // it was refused before it began
		return nil, 0, inside{&genesis.Error{Op: "read log", Kind: genesis.NotFound, Subject: "run " + r.ID, Msg: fmt.Sprintf("%s has no log of it: it ended there with %s", r.At, r.Error.Detail), Err: err}}
	}
	if err != nil {
		return nil, 0, notThere(err, "read log", "run "+r.ID, r.At)
	}
	text, err := readPeer(ctx, r.At, resp.Body, maxRemoteLog)
	if err != nil {
		return nil, 0, err
	}
	return io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
}

// cancelThere has the node that carries a run out stop it, and waits a moment for it to
// say that it did.
func (s *Service) cancelThere(ctx context.Context, who genesis.Principal, r genesis.Run) (genesis.Run, error) {
	if !r.State.Ended() {
		if err := s.takeBack(ctx, who, r, "canceled by whoever asked for it"); err != nil {
			return r, err
		}
	}
	end := time.After(mostAsking)
	for {
		news := s.heard.next()
		now, err := s.runs.Run(ctx, r.ID)
		if err != nil {
			return r, err
		}
		switch {
		case now.State.Ended() && now.State != genesis.RunCanceled:
			return now, &genesis.Error{Op: "cancel run", Kind: genesis.Conflict, Subject: r.ID, Msg: "it has ended already: " + string(now.State)}
		case now.State.Ended():
			return now, nil
		}
		select {
		case <-news:
		case <-end:
			return now, nil
		case <-ctx.Done():
			return now, nil // it is stopping
		}
	}
}

// attachedThere waits for a run that another node carries out, for a caller with whom it
// goes.
func (s *Service) attachedThere(ctx context.Context, who genesis.Principal, r genesis.Run, p genesis.Progress) (genesis.Run, error) {
	out, err := s.followThere(ctx, who, r.ID, 0, func(e genesis.Event) {
		if e.Log == "" {
			p.Send(e)
		}
	})
	if genesis.KindOf(err) == genesis.Canceled {
		if now, failed := s.cancelThere(context.WithoutCancel(ctx), who, r); failed == nil && now.State.Ended() {
			return now, nil
		}
	}
	return out, err
}
