package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/run"
)

// owns reports whether a run is one's own: asked for by the same person, and of a
// kind that their token lets them ask for. To the home's owner every run is.
func (s *Service) owns(who genesis.Principal, r genesis.Run) bool {
	if s.atHome(who) {
		return true
	}
	return who.SignedIn() && r.By.Person() == who.Person() && reaches(who, r)
}

// reaches reports whether a token is wide enough for such a run. What a model was
// trained on is not in a listing: a token for training on anything shows them.
func reaches(who genesis.Principal, r genesis.Run) bool {
	switch r.Kind {
	case genesis.RunPrepare, genesis.RunPull:
		return who.InScope(genesis.Steward, genesis.Name(r.Subject))
	case genesis.RunPredict:
		return who.InScope(genesis.Infer, genesis.Name(r.Subject))
	}
	return who.Scopes == nil || slices.ContainsFunc(who.Scopes, func(scope genesis.Scope) bool {
		act, _, _ := strings.Cut(string(scope), ":")
		return act == string(genesis.TrainOn)
	})
}

// keepsRuns reports whether who keeps the node, and with it the queue.
func (s *Service) keepsRuns(ctx context.Context, who genesis.Principal) bool {
	_, err := s.Access.Decide(ctx, s.ask(who, genesis.Operate, access.Resource{}))
	return err == nil
}

// told is a run as who is told of it. A cell that its error names is for stewards,
// as everywhere. Who keeps the node learns of others' runs what keeping the queue
// takes, and nothing of the data: requests, results and errors quote it.
func (s *Service) told(ctx context.Context, who genesis.Principal, r genesis.Run) genesis.Run {
	if s.owns(who, r) {
		if r.Error != nil && !who.Has(genesis.DutySteward) {
			e := *r.Error
			e.Value = ""
			r.Error = &e
		}
		r.Result = s.toldResult(ctx, who, r)
		return r
	}
	kept := genesis.Run{ID: r.ID, Kind: r.Kind, State: r.State, Created: r.Created, Started: r.Started, Ended: r.Ended,
		By: genesis.Principal{Subject: r.By.Subject, Node: r.By.Node}, Tries: r.Tries, Memory: r.Memory, Seconds: r.Seconds, Position: r.Position}
	if _, err := s.find(ctx, who, r.Subject); err == nil {
		kept.Subject = r.Subject
	}
	if p := r.Progress; p != nil {
		kept.Progress = &genesis.Event{Stage: p.Stage, Done: p.Done, Total: p.Total, Unit: p.Unit}
	}
	if e := r.Error; e != nil {
		kept.Error = &genesis.Problem{Type: e.Type, Title: e.Title, Status: e.Status, Kind: e.Kind, Message: "whoever asked for it is told more"}
	}
	return kept
}

// toldResult is what a run came to, as who is told of it: what quotes cells of a version,
// or measures its rows, is for who may read it now, as in a description of it.
func (s *Service) toldResult(ctx context.Context, who genesis.Principal, r genesis.Run) json.RawMessage {
	if r.At != "" { // as the node that carried it out told them
		return r.Result
	}
	var told any
	var v genesis.Version
	switch r.Kind {
	case genesis.RunPrepare:
		var p genesis.Prepared
		if json.Unmarshal(r.Result, &p) != nil {
			return r.Result
		}
		d := genesis.Description{Manifest: p.Manifest, Findings: p.Findings, Readiness: &p.Readiness, Splits: p.Splits, Recipe: p.Recipe}
		redact(&d)
		v, p.Manifest, p.Findings, p.Readiness, p.Splits, p.Recipe = p.Version, d.Manifest, []genesis.Finding{}, *d.Readiness, d.Splits, ""
		told = p
	case genesis.RunTrain:
		var t genesis.Trained
		if json.Unmarshal(r.Result, &t) != nil {
			return r.Result
		}
		v, t.Report = t.Version, *unworded(t.Report)
		told = t
	default:
		return r.Result // of the rows that who asked brought along
	}
	now, err := s.find(ctx, who, v.Ref().String())
	if err == nil && s.preview(ctx, who, now) {
		return r.Result
	}
	text, err := json.Marshal(told)
	if err != nil {
		return nil
	}
	return text
}

// Run returns a run, to whoever asked for it and, in part, to who keeps the node.
func (s *Service) Run(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error) {
	r, err := s.runs.Run(ctx, id)
	if err == nil && !s.owns(who, r) && !s.keepsRuns(ctx, who) {
		err = run.NotFound(id)
	}
	if err != nil {
		return nil, err
	}
	return pointed(s.told(ctx, who, s.freshened(ctx, who, r)), nil)
}

// ownRun returns a run of one's own. To others there is none.
func (s *Service) ownRun(ctx context.Context, who genesis.Principal, id string) (genesis.Run, error) {
	r, err := s.runs.Run(ctx, id)
	if err == nil && !s.owns(who, r) {
		err = run.NotFound(id)
	}
	return r, err
}

// Runs lists runs, newest first: one's own, or to operators everybody's.
func (s *Service) Runs(ctx context.Context, who genesis.Principal, all bool, state genesis.RunState, after string, limit int) (*genesis.RunPage, error) {
	if !who.SignedIn() {
		return &genesis.RunPage{}, nil
	}
	q := run.Query{Person: who.Person(), State: state, After: after, Limit: limit}
	keeps := all && s.keepsRuns(ctx, who)
	if keeps {
		q.Person = ""
	}
	page, err := s.runs.List(ctx, q)
	if err != nil {
		return nil, err
	}
	if !keeps {
		page.Runs = slices.DeleteFunc(page.Runs, func(r genesis.Run) bool { return !s.owns(who, r) })
	}
	for i := range page.Runs {
		page.Runs[i] = s.told(ctx, who, page.Runs[i])
	}
	return &page, nil
}

// FollowRun tells p the log and the progress of a run of one's own until it is ended.
// It ends before, with Unavailable, when the node stops: the run goes on.
func (s *Service) FollowRun(ctx context.Context, who genesis.Principal, id string, from int64, p genesis.Progress) (*genesis.Run, error) {
	r, err := s.ownRun(ctx, who, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.watching, func() { cancel(context.Cause(s.watching)) })()
	if r.At != "" {
		r, err = s.followThere(ctx, who, id, from, p)
	} else if s.tellsLog(ctx, who, r) {
		r, err = s.runs.Follow(ctx, id, from, p)
	}
	if stops := new(genesis.Error); err != nil && errors.As(context.Cause(ctx), &stops) {
		return nil, stops
	}
	return pointed(s.told(ctx, who, r), err)
}

// EndWatching ends requests that only watch a run: the node stops, and need not wait for
// who can come again.
func (s *Service) EndWatching() {
	s.endWatch(&genesis.Error{Op: "follow run", Kind: genesis.Unavailable, Msg: "the node stops; what was asked for is not lost", Hint: "follow it again when the node is back: genesis runs"})
}

// CancelRun stops a run. That an operator stopped somebody else's is recorded.
func (s *Service) CancelRun(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error) {
	if _, err := s.Run(ctx, who, id); err != nil {
		return nil, err
	}
	r, err := s.runs.Run(ctx, id)
	if err == nil && r.At != "" {
		r, err = s.cancelThere(ctx, who, r)
		return pointed(s.told(ctx, who, r), err)
	}
	if err == nil && r.By.Person() != who.Person() && !r.State.Ended() {
		err = s.act(ctx, who, "cancel-run", func(_ *sql.Tx, e *journal.Event) error {
			e.Subject, e.Detail = "run "+id, detail(map[string]any{"of": r.By.Person(), "kind": r.Kind})
			return nil
		})
	}
	if err != nil {
		return nil, err
	}
	r, err = s.runs.Cancel(ctx, id, who.Person())
	return pointed(s.told(ctx, who, r), err)
}

// RunLog returns the log of a run of one's own so far.
func (s *Service) RunLog(ctx context.Context, who genesis.Principal, id string) (io.ReadCloser, int64, error) {
	r, err := s.ownRun(ctx, who, id)
	if err != nil {
		return nil, 0, err
	}
	if r.At != "" {
		return s.logThere(ctx, who, r)
	}
	if !s.tellsLog(ctx, who, r) {
		return io.NopCloser(strings.NewReader("")), 0, nil
	}
	return s.runs.OpenLog(id)
}

// tellsLog reports whether who is told the log of a run of theirs: that of a training
// has losses, which are for who may read the rows if it was not bounded.
func (s *Service) tellsLog(ctx context.Context, who genesis.Principal, r genesis.Run) bool {
	var t genesis.Trained
	if r.Kind != genesis.RunTrain || json.Unmarshal(r.Result, &t) != nil || t.Report.Least >= genesis.LeastGroup {
		return true
	}
	now, err := s.find(ctx, who, t.Version.Ref().String())
	return err == nil && s.preview(ctx, who, now)
}

// Output returns the bytes of a prediction, to whoever had it made, as long as they
// may apply the model. To others there is none.
func (s *Service) Output(ctx context.Context, who genesis.Principal, d genesis.Digest) (io.ReadCloser, int64, error) {
	missing := &genesis.Error{Op: "fetch output", Kind: genesis.NotFound, Subject: string(d), Msg: "is no output of a run of yours", Hint: "`genesis runs` lists them"}
	if !who.SignedIn() {
		return nil, 0, missing
	}
	made, err := s.runs.Made(ctx, d, who.Person())
	if err != nil {
		return nil, 0, err
	}
	if made == nil {
		return nil, 0, missing
	}
	allowed, err := s.enterOutput(ctx, who, made.Model.Ref().String(), d)
	if err != nil {
		return nil, 0, err
	}
	ctx, stop := s.Access.Watch(ctx, allowed.Ask)
	b, err := s.Blobs.Stat(ctx, d)
	var r *blob.Reader
	if err == nil {
		r, err = s.Blobs.Open(ctx, b)
	}
	if err != nil {
		stop()
		return nil, 0, err
	}
	return watched{r, ctx, stop}, b.Size, nil
}

// enterOutput decides whether who may still apply the model of which an output is. The
// prediction has its entry; that its output was fetched is one of another act, so that
// nobody who counts either takes it for the other.
func (s *Service) enterOutput(ctx context.Context, who genesis.Principal, model string, output genesis.Digest) (access.Decision, error) {
	v, err := s.find(ctx, who, model)
	if err != nil {
		return access.Decision{}, err
	}
	d, refusal := s.Access.Decide(ctx, s.ask(who, genesis.Infer, resource(v)))
	if refusal != nil {
		return d, s.refused(ctx, who, d, refusal)
	}
	e := s.event(d)
	e.Act, e.Detail = "fetch-output", inSession(detail(map[string]any{"output": output}), s.session(who))
	return d, s.Journal.Append(ctx, e)
}

// watched are bytes that can be read as long as they may be.
type watched struct {
	stored
	ctx  context.Context // ends with the right to them
	stop func()
}

// stored is a blob, or the file of a table.
type stored interface {
	io.ReadCloser
	io.ReaderAt
}

// EndsWith has w, to which the bytes are copied, aborted when the right to them ends.
func (w watched) EndsWith(to io.Writer) (stop func()) { return endsWith(w.ctx, to) }

// Close lets go of the bytes and of the watch over them.
func (w watched) Close() error {
	w.stop()
	return w.stored.Close()
}
