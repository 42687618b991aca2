package work_test

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/run"
)

// ended waits for a run that nobody waits for.
func ended(t *testing.T, s *work.Service, id string) *genesis.Run {
	t.Helper()
	r, err := s.FollowRun(t.Context(), me, id, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func prepareRun(t *testing.T, id string, req genesis.PrepareRequest) genesis.RunRequest {
	t.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	return genesis.RunRequest{ID: id, Kind: genesis.RunPrepare, Request: b}
}

// TestAskedTwice: the second time its files are not there to be handed over, and
// it is the same run, even when it could not be asked for any more.
func TestAskedTwice(t *testing.T) {
	s, _ := work.OpenTest(t)
	req := prepareRun(t, "asked-twice-0001", genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}})
	first, err := s.SubmitRun(t.Context(), me, req, files(raw("a.csv", turbines(0, 50))), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := ended(t, s, first.ID); r.State != genesis.RunDone {
		t.Fatalf("%s: %+v", r.State, r.Error)
	}
	meanwhile := me
	meanwhile.Duties = nil
	again, err := s.SubmitRun(t.Context(), meanwhile, req, nil, nil)
	if err != nil || again.ID != first.ID || !again.Created.Equal(first.Created) || again.State != genesis.RunDone {
		t.Errorf("asked again: %+v, %v", again, err)
	}
	other := prepareRun(t, "asked-twice-0001", genesis.PrepareRequest{Name: "others"})
	if _, err := s.SubmitRun(t.Context(), me, other, nil, nil); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("another request under its id: %v", err)
	}
	unknown := genesis.RunRequest{Kind: genesis.RunPrepare, Request: json.RawMessage(`{"name":"turbines","epochs":3}`)}
	if _, err := s.SubmitRun(t.Context(), me, unknown, nil, nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a field that the request does not have: %v", err)
	}
}

// TestRunsOfOthers: who keeps the node sees that a run failed and stops it, but is
// told nothing of what it was asked and found.
func TestRunsOfOthers(t *testing.T) {
	s, _ := work.OpenTest(t)
	learnt := "a,b\n1,2\n2,3\n3,4\n4,5\n5,6\n6,7\n7,8\n8,9\n9,10\n10,11\n"
	p := prepared(t, s, genesis.PrepareRequest{Name: "numbers", Options: genesis.PrepareOptions{NoProof: true}}, raw("n.csv", learnt))
	req := prepareRun(t, "with-a-bad-cell-1", genesis.PrepareRequest{Name: "numbers", Recipe: p.Recipe, Options: genesis.PrepareOptions{NoProof: true, Strict: true}})
	if _, err := s.SubmitRun(t.Context(), me, req, files(raw("n.csv", learnt+"secret-4711,12\n")), nil); err != nil {
		t.Fatal(err)
	}
	r := ended(t, s, req.ID)
	if r.State != genesis.RunFailed || r.Error == nil || r.Error.Value != "secret-4711" {
		t.Fatalf("the test needs a run that fails at a cell: %s %+v", r.State, r.Error)
	}
	keeper := me
	keeper.Subject, keeper.Duties = "oscar", []genesis.Duty{genesis.DutyOperator}
	told, err := s.Run(t.Context(), keeper, req.ID)
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Runs(t.Context(), keeper, true, genesis.RunFailed, "", 10)
	if err != nil || len(page.Runs) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	for _, got := range []genesis.Run{*told, page.Runs[0]} {
		want := genesis.Run{ID: r.ID, Kind: r.Kind, By: genesis.Principal{Subject: "local", Node: "here"}, State: r.State, Created: r.Created, Started: r.Started,
			Ended: r.Ended, Tries: r.Tries, Memory: r.Memory, Seconds: r.Seconds,
			Error: &genesis.Problem{Type: r.Error.Type, Title: r.Error.Title, Status: r.Error.Status, Kind: r.Error.Kind, Message: "whoever asked for it is told more"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("an operator is told (-want +got):\n%s", diff)
		}
	}
	if _, _, err := s.RunLog(t.Context(), keeper, req.ID); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("the log, to an operator: %v", err)
	}
	if _, err := s.FollowRun(t.Context(), keeper, req.ID, 0, nil); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("the log as it grows, to an operator: %v", err)
	}
	if _, err := s.CancelRun(t.Context(), keeper, req.ID); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("an operator stops what has ended: %v", err)
	}
}

// TestOutputNeedsTheModel: predictions are fetched only while the model may be
// applied, by a token that lets its holder do so, and by whoever asked for them.
func TestOutputNeedsTheModel(t *testing.T) {
	s, _ := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raw("a.csv", strings.NewReplacer("owner e-mail", "site", "@example.org", "").Replace(turbines(0, 100))))
	if _, err := s.Train(t.Context(), me, genesis.TrainRequest{Dataset: "turbines", Name: "net", Members: 1, Epochs: 1}, nil); err != nil {
		t.Fatal(err)
	}
	bob := genesis.Principal{Subject: "bob", Node: "here", Assurance: genesis.AssurancePassword}
	var grants []*genesis.Grant
	for _, name := range []string{"turbines", "net"} {
		if _, err := s.Publish(t.Context(), me, name, genesis.PublishRequest{Tier: genesis.TierControlled}); err != nil {
			t.Fatal(err)
		}
		g, err := s.Grant(t.Context(), me, genesis.GrantRequest{Ref: name, To: "person:bob", Actions: []genesis.Action{genesis.Infer}})
		if err != nil {
			t.Fatal(err)
		}
		grants = append(grants, g)
	}
	out, err := s.Predict(t.Context(), bob, genesis.PredictRequest{Model: "net", Format: "csv"}, files(raw("new.csv", "temp (°C),speed (m/s),site\n20,5.5,ann1\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	narrow := bob
	narrow.Scopes = []genesis.Scope{"discover"}
	keeper := genesis.Principal{Subject: "oscar", Node: "here", Duties: []genesis.Duty{genesis.DutyOperator}}
	fetch := func(who genesis.Principal) error {
		r, _, err := s.Output(t.Context(), who, out.Output.Digest)
		if err == nil {
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
		}
		return err
	}
	if err := fetch(bob); err != nil {
		t.Fatal(err)
	}
	for _, who := range []genesis.Principal{narrow, keeper, {}} {
		if err := fetch(who); err == nil {
			t.Errorf("%q with %v fetches it", who.Subject, who.Scopes)
		}
	}
	if page, err := s.Runs(t.Context(), narrow, false, "", "", 10); err != nil || len(page.Runs) != 0 {
		t.Errorf("a narrowed token lists %+v, %v", page, err)
	}
	if page, err := s.Runs(t.Context(), bob, false, "", "", 10); err != nil || len(page.Runs) != 1 {
		t.Errorf("bob lists %+v, %v", page, err)
	}
	open, _, err := s.Output(t.Context(), bob, out.Output.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if _, err := s.Revoke(t.Context(), me, grants[1].ID, "over"); err != nil {
		t.Fatal(err)
	}
	if err := fetch(bob); err == nil {
		t.Error("it is fetched after the grant was revoked")
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := open.(io.ReaderAt).ReadAt(make([]byte, 1), 0); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what was being fetched goes on")
		}
	}
}

// TestNodeStopsUnderATraining: whoever waits is told that the training goes on
// later, and it does.
func TestNodeStopsUnderATraining(t *testing.T) {
	s, dir := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}}, raw("a.csv", turbines(0, 400)))
	if err := s.CloseRuns(); err != nil {
		t.Fatal(err)
	}
	resume := run.Config{Dir: filepath.Join(dir, "runs"), ResumeAttached: true}
	if err := s.OpenRuns(t.Context(), resume); err != nil {
		t.Fatal(err)
	}
	training, goneOn := make(chan struct{}, 1000), make(chan error, 1)
	go func() {
		_, err := s.Train(t.Context(), me, genesis.TrainRequest{Dataset: "turbines", Name: "net", Members: 1, Epochs: 40}, func(e genesis.Event) {
			if e.Stage == "training" {
				select {
				case training <- struct{}{}:
				default:
				}
			}
		})
		goneOn <- err
	}()
	select {
	case <-training:
	case err := <-goneOn:
		t.Fatalf("it ended before it could be stopped: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the training does not start")
	}
	if err := s.CloseRuns(); err != nil {
		t.Fatal(err)
	}
	if err := <-goneOn; genesis.KindOf(err) != genesis.Unavailable {
		t.Fatalf("the caller is told %v", err)
	}
	if err := s.OpenRuns(t.Context(), resume); err != nil {
		t.Fatal(err)
	}
	page, err := s.Runs(t.Context(), me, false, "", "", 1)
	if err != nil || len(page.Runs) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if r := ended(t, s, page.Runs[0].ID); r.State != genesis.RunDone {
		t.Errorf("after the next start it is %s: %+v", r.State, r.Error)
	}
}

func files(raws ...*format.Raw) []*format.Raw { return raws }
