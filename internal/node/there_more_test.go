//go:build linux || darwin

package node

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/work/run"
)

// endless is a training that goes on until it is stopped.
func endless(dataset string) genesis.TrainRequest {
	return genesis.TrainRequest{Dataset: dataset, Members: 64, Epochs: 1_000_000, Threads: 1, Where: genesis.TrainThere}
}

// begun waits until a run of ada's is carried out.
func (p *pair) begun(id string) {
	p.Helper()
	p.eventually("the run begins", func() bool {
		r, err := p.ada().Run(p.Context(), id)
		if err != nil || r.State.Ended() {
			p.Fatalf("%+v %v", r, err)
		}
		return r.State == genesis.RunRunning
	})
}

// at nrel, what the run is.
func (p *pair) there(id string) *genesis.Run {
	p.Helper()
	r, err := p.towns["nrel"].works.Run(p.Context(), p.towns["nrel"].local, id)
	if err != nil {
		p.Fatal(err)
	}
	return r
}

// TestThereRefused: what the owner refuses comes back in the owner's words, and nothing is
// made.
func TestThereRefused(t *testing.T) {
	p := newPair(t)
	p.offer("other")
	for name, c := range map[string]struct {
		q    genesis.TrainRequest
		kind genesis.ErrorKind
		says string
	}{
		"not allowed":       {tiny("nrel/other"), genesis.Permission, "grant"},
		"out of bounds":     {genesis.TrainRequest{Dataset: "nrel/turbines", Target: []string{"speed"}}, genesis.Permission, "unread-target"},
		"a name of another": {genesis.TrainRequest{Dataset: "nrel/turbines", Name: "~bob+mit/x"}, genesis.Permission, "stewards"},
		"a name there":      {genesis.TrainRequest{Dataset: "nrel/turbines", Name: "~ada/x"}, genesis.Permission, "stewards"},
		"no such version":   {genesis.TrainRequest{Dataset: "nrel/turbines@7"}, genesis.NotFound, ""},
	} {
		c.q.Where = genesis.TrainThere
		end := p.ended(p.submit("", c.q).ID)
		if end.State != genesis.RunFailed || end.Error.Kind != c.kind && end.Error.Kind != genesis.Private || !strings.Contains(end.Error.Detail+end.Error.Hint, c.says) {
			t.Errorf("%s: %s %+v", name, end.State, end.Error)
		}
	}
	bad := func(q genesis.TrainRequest, kind genesis.ErrorKind) {
		t.Helper()
		_, err := p.ada().SubmitRun(t.Context(), genesis.RunRequest{Kind: genesis.RunTrain, Request: asJSON(t, q)})
		if genesis.KindOf(err) != kind {
			t.Errorf("%+v: %v", q, err)
		}
	}
	bad(genesis.TrainRequest{Dataset: "ornl/turbines"}, genesis.NotFound)
	bad(genesis.TrainRequest{Dataset: "nrel/nothing"}, genesis.NotFound)
	bad(genesis.TrainRequest{Dataset: "nrel/turbines", Name: "No Name"}, genesis.Invalid)
	bad(genesis.TrainRequest{Dataset: "nrel/turbines", Where: genesis.TrainHere}, genesis.Unsupported)
	r := p.submit("", tiny("nrel/turbines"))
	if _, err := p.ada().SubmitRun(t.Context(), genesis.RunRequest{ID: r.ID, Kind: genesis.RunTrain, Request: asJSON(t, tiny("nrel/other"))}); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("another request with the id: %v", err)
	}
	if again := p.submit(r.ID, tiny("nrel/turbines")); again.ID != r.ID {
		t.Errorf("asked twice: %+v", again)
	}
	p.ended(r.ID)
}

// TestThereEnds: a run at another node ends when its owner takes the right away, when its
// asker's home does, when its home is a member no longer, and when whoever asked cancels.
func TestThereEnds(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(p *pair, id string)
		state genesis.RunState // at nrel
	}{
		"grant revoked": {func(p *pair, _ string) {
			nrel := p.towns["nrel"]
			page, err := nrel.works.Grants(p.Context(), nrel.local, genesis.GrantQuery{Name: "turbines"})
			if err != nil {
				p.Fatal(err)
			}
			nrel.must(nrel.works.Revoke(p.Context(), nrel.local, page.Grants[0].ID, "over"))
		}, genesis.RunFailed},
		"account disabled": {func(p *pair, _ string) {
			off := true
			p.towns["mit"].must(p.towns["mit"].works.ChangeAccount(p.Context(), p.towns["mit"].local, "ada", genesis.AccountChange{Disabled: &off}))
		}, genesis.RunCanceled},
		"signed out": {func(p *pair, _ string) {
			if err := p.ada().SignOut(p.Context()); err != nil {
				p.Fatal(err)
			}
		}, genesis.RunCanceled},
		"vetted otherwise": {func(p *pair, _ string) {
			mit := p.towns["mit"]
			mit.must(mit.works.Vet(p.Context(), mit.local, "ada", genesis.Vetting{State: genesis.VettingRefused, Note: "no"}))
		}, genesis.RunCanceled},
		"home removed": {func(p *pair, _ string) {
			nrel := p.towns["nrel"]
			nrel.must(nrel.works.RemoveMember(p.Context(), nrel.local, "mit"))
		}, genesis.RunFailed},
		"canceled": {func(p *pair, id string) {
			if r, err := p.ada().CancelRun(p.Context(), id); err != nil || r.State != genesis.RunCanceled {
				p.Errorf("%+v %v", r, err)
			}
		}, genesis.RunCanceled},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			r := p.submit("", endless("nrel/turbines"))
			p.begun(r.ID)
			c.do(p, r.ID)
			began := time.Now()
			p.eventually("it ends there", func() bool { return p.there(r.ID).State.Ended() })
			end := p.there(r.ID)
			if end.State != c.state {
				t.Errorf("%s %+v", end.State, end.Error)
			}
			if name == "grant revoked" && (end.Error == nil || !strings.Contains(end.Error.Detail, "was taken back")) {
				t.Errorf("it says %+v", end.Error)
			}
			if took := time.Since(began); c.state == genesis.RunFailed && took > 2*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestWatchersDoNotHoldUp: when either node stops, whoever watches a run is told at once that it goes
// on, and can follow it again.
func TestWatchersDoNotHoldUp(t *testing.T) {
	p := newPair(t)
	r := p.submit("", endless("nrel/turbines"))
	p.begun(r.ID)
	for _, at := range []genesis.NodeID{"nrel", "mit"} {
		heard := make(chan struct{}, 1)
		ended := make(chan error, 1)
		go func() {
			_, err := p.ada().FollowRun(t.Context(), r.ID, 0, func(genesis.Event) {
				select {
				case heard <- struct{}{}:
				default:
				}
			})
			ended <- err
		}()
		<-heard
		began := time.Now()
		p.towns[at].works.EndWatching()
		if at == "nrel" { // its end of the line, which mit takes up again
			select {
			case err := <-ended:
				t.Fatalf("at home: %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			continue
		}
		if err := <-ended; genesis.KindOf(err) != genesis.Unavailable || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	}
	if r, err := p.ada().Run(t.Context(), r.ID); err != nil || r.State.Ended() {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestThereAway: while the other node is away, an order waits, and so does taking it back;
// what was heard last is told, and there is one result when it is back.
func TestThereAway(t *testing.T) {
	p := newPair(t)
	p.line.cuts("nrel")
	kept, dropped := p.submit("", tiny("nrel/turbines")), p.submit("", endless("nrel/turbines"))
	if !strings.Contains(kept.Why, "does not answer") || kept.State != genesis.RunSent {
		t.Errorf("%+v", kept)
	}
	if r, err := p.ada().CancelRun(t.Context(), dropped.ID); err != nil || r.State != genesis.RunCanceling {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := p.ada().Run(t.Context(), kept.ID); err != nil || r.State != genesis.RunSent || !r.Heard.IsZero() {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := p.ada().RunLog(t.Context(), kept.ID, io.Discard); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("the log: %v", err)
	}
	p.line.breaks(nil)
	if end := p.ended(kept.ID); end.State != genesis.RunDone {
		t.Errorf("%+v", end)
	}
	if end := p.ended(dropped.ID); end.State != genesis.RunCanceled {
		t.Errorf("%+v", end)
	}
}

// TestThereCanceledFirst: taking back an order that arrives before the order keeps the run
// from ever beginning.
func TestThereCanceledFirst(t *testing.T) {
	p := newPair(t)
	nrel, mit := p.towns["nrel"].works, p.towns["mit"].works
	p.line.cuts("nrel")
	r := p.submit("", tiny("nrel/turbines"))
	if _, err := p.ada().CancelRun(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	// The order changes places with the message that takes it back.
	err := mit.DB().Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE post_out SET place = place + 1000 WHERE kind = 'run' AND about = $1", r.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.line.breaks(nil)
	if end := p.ended(r.ID); end.State != genesis.RunCanceled {
		t.Errorf("%+v", end)
	}
	if _, err := nrel.Run(t.Context(), p.towns["nrel"].local, r.ID); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("there is a run: %v", err)
	}
}

// TestThereForgotten: an order that the other node lost, to a backup that is older, is
// carried out all the same, and an end that this one lost is told again.
func TestThereForgotten(t *testing.T) {
	p := newPair(t)
	mit := p.towns["mit"]
	change := func(id genesis.NodeID, query string, args ...any) {
		t.Helper()
		err := p.towns[id].works.DB().Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), query, args...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	told := p.submit("", tiny("nrel/turbines"))
	p.ended(told.ID)
	p.line.cuts("nrel")
	lost := p.submit("", tiny("nrel/turbines"))
	change("mit", "UPDATE post_out SET state = 'taken' WHERE about = $1", lost.ID)
	change("mit", "UPDATE runs SET state = 'sent', seen = 0, heard = 0, result = '', ended_at = NULL WHERE id = $1", told.ID)
	p.line.breaks(nil)
	p.line.clocks["mit"].turn(25 * time.Hour)
	for _, id := range []string{lost.ID, told.ID} {
		p.eventually("what was lost is asked again", func() bool {
			r, err := mit.works.Run(t.Context(), mit.local, id)
			return err == nil && r.State == genesis.RunDone
		})
	}
	var models int
	if err := p.towns["nrel"].works.DB().Read().QueryRow("SELECT spent FROM unread_trainings").Scan(&models); err != nil || models != 2 {
		t.Errorf("%d trainings were counted, %v", models, err)
	}
}

// TestThereHostile: what another node says of runs that are not its own counts for
// nothing, and neither does what cannot be.
func TestThereHostile(t *testing.T) {
	p := &pair{newCluster(t, "nrel", "mit", "evil")}
	p.towns["mit"].settle("ada", nil)
	p.offer("turbines", genesis.TrainOn)
	r := p.submit("", endless("nrel/turbines"))
	p.begun(r.ID)
	evil := p.towns["evil"].works
	says := func(to genesis.NodeID, kind, about string, body any) string {
		t.Helper()
		var id string
		err := evil.DB().Tx(t.Context(), func(tx *sql.Tx) error {
			m, err := evil.post.Put(t.Context(), tx, to, kind, about, body)
			id = m.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		evil.post.Wake()
		var state string
		p.eventually("the message ends", func() bool {
			if err := evil.DB().Read().QueryRow("SELECT state FROM post_out WHERE id = $1", id).Scan(&state); err != nil {
				t.Fatal(err)
			}
			return state != "waits"
		})
		return state
	}
	failed := genesis.Problem{Kind: genesis.Permission, Detail: "no"}
	order := genesis.RunOrder{By: genesis.Vouched{Subject: "ada"}, Run: genesis.RunRequest{ID: r.ID, Kind: genesis.RunTrain, Request: asJSON(t, tiny("nrel/turbines"))}}
	fresh, elsewhere := order, order
	fresh.Run.ID, elsewhere.Run.ID = run.NewID(), run.NewID()
	elsewhere.Run.Request = asJSON(t, tiny("mit/turbines"))
	for name, c := range map[string]struct {
		to          genesis.NodeID
		kind, about string
		body        any
		want        string
	}{
		"the end of another's run":   {"mit", "run-state", r.ID, genesis.RunTold{Run: r.ID, Seq: 100, State: genesis.RunFailed, Error: &failed}, "refused"},
		"the end of another's order": {"nrel", "cancel", r.ID, genesis.RunCancel{Run: r.ID}, "refused"},
		"an id that is taken":        {"nrel", "run", r.ID, order, "refused"},
		"about something else":       {"nrel", "run", r.ID, fresh, "refused"},
		"data of a third":            {"nrel", "run", elsewhere.Run.ID, elsewhere, "refused"},
		"no state":                   {"mit", "run-state", r.ID, genesis.RunTold{Run: r.ID, Seq: 100, State: "lost"}, "refused"},
		"no body":                    {"nrel", "run", r.ID, 7, "refused"},
		"in its own name":            {"nrel", "run", fresh.Run.ID, fresh, "taken"},
	} {
		if got := says(c.to, c.kind, c.about, c.body); got != c.want {
			t.Errorf("%s: it is %s", name, got)
		}
	}
	if now, err := p.ada().Run(t.Context(), r.ID); err != nil || now.State != genesis.RunRunning {
		t.Errorf("%+v %v", now, err)
	}
	var models int
	if err := p.towns["nrel"].works.DB().Read().QueryRow("SELECT count(*) FROM assets WHERE name LIKE '~ada%'").Scan(&models); err != nil || models != 0 {
		t.Errorf("%d models, %v", models, err)
	}
	if _, err := p.ada().CancelRun(t.Context(), r.ID); err != nil {
		t.Error(err)
	}
}

// TestGuestsMakeModelsOnly: people of other nodes make nothing of their own files, though
// names there are theirs.
func TestGuestsMakeModelsOnly(t *testing.T) {
	p := newPair(t)
	there, err := p.ada().At(t.Context(), "nrel")
	if err != nil {
		t.Fatal(err)
	}
	made, err := there.Train(t.Context(), genesis.TrainRequest{Dataset: "turbines", Name: "~ada+mit/net", Target: []string{"power"}, Members: 1, Epochs: 1}, nil)
	if err != nil || made.Version.Creator != "mit/ada" {
		t.Fatalf("%+v %v", made, err)
	}
	if err := there.Export(t.Context(), "turbines", client.ExportOptions{}, io.Discard, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("reads what it may train on: %v", err)
	}
	for name, q := range map[string]genesis.TrainRequest{"a home name": {Dataset: "turbines", Name: "net"}, "ada's of nrel": {Dataset: "turbines", Name: "~ada/net"}, "bob's": {Dataset: "turbines", Name: "~bob+mit/net"}} {
		_, err := there.Train(t.Context(), q, nil)
		if genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(fmt.Sprintf("%+v", genesis.ProblemOf(err, false)), "~ada+mit/net") {
			t.Errorf("%s: the hint is %+v", name, genesis.ProblemOf(err, false))
		}
	}
	up, err := there.Upload(t.Context(), bytes.NewReader([]byte("a,b\n1,2\n")), 8, "x.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = there.Prepare(t.Context(), genesis.PrepareRequest{Name: "~ada+mit/data", Files: []genesis.FileRef{{Token: "upload:" + up.ID}}}, nil)
	if genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), "own node") {
		t.Errorf("prepares: %v", err)
	}
}
