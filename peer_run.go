package genesis

import (
	"encoding/json"
	"slices"
	"time"
)

// RunOrder has another node carry a run out for somebody: the body of a message "run".
// The run has the same id at both nodes.
type RunOrder struct {
	By  Vouched    `json:"by"`
	Run RunRequest `json:"run"`
}

// RunCancel takes an order back: the body of a message "cancel".
type RunCancel struct {
	Run    string `json:"run"`
	Reason string `json:"reason,omitempty"` // as far as the node that carries it out is told
}

// RunTold says how a run stands at the node that carries it out: the body of a message
// "run-state". Of two of a run, that with the higher Seq is the later.
type RunTold struct {
	Run     string          `json:"run"`
	Seq     int64           `json:"seq"` // from 1
	State   RunState        `json:"state"`
	Tries   int             `json:"tries"`
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Result  json.RawMessage `json:"result,omitempty"` // as whoever asked for it may see it
	Error   *Problem        `json:"error,omitempty"`  // as whoever asked for it is told
}

// maxToldError bounds the words of an error that another node tells, in bytes.
const maxToldError = 32 << 10

// toldKinds are the kinds of errors that another node may tell of a run.
var toldKinds = []ErrorKind{Invalid, NotFound, Gone, Exists, Private, Permission, Conflict, Unavailable, Unsupported, Canceled, Internal}

// Check reports why what is told cannot be of a run, or nil: what another node says is
// kept and shown here. Errors: Invalid.
func (t RunTold) Check() error {
	bad := func(msg string) error {
		return &Error{Op: "take message", Kind: Invalid, Subject: "run-state", Msg: msg}
	}
	switch {
	case t.Seq < 1 || t.Tries < 0 || t.Tries > 1000:
		return bad("its counts cannot be")
	case t.State != RunQueued && t.State != RunRunning && !t.State.Ended():
		return bad("it names no state of a run")
	case (t.State == RunDone) != (t.Result != nil) || (t.State == RunFailed || t.State == RunCanceled) != (t.Error != nil):
		return bad("a run that is done has a result, one that failed or was canceled an error, and no other has either")
	}
	if e := t.Error; e != nil && (!slices.Contains(toldKinds, e.Kind) || len(e.Detail)+len(e.Message)+len(e.Hint)+len(e.Subject)+len(e.Value) > maxToldError) {
		return bad("its error is of no kind that is known here, or too long")
	}
	if t.Result == nil {
		return nil
	}
	var made Trained
	if err := json.Unmarshal(t.Result, &made); err != nil || CheckName(made.Version.Name) != nil || made.Version.Kind != Model {
		return bad("its result is no model")
	}
	if _, err := ParseDigest(string(made.Version.Digest)); err != nil {
		return bad("its result has no digest")
	}
	return nil
}

// Where a training is carried out whose data are at another node.
const (
	TrainHere  = "here"  // on a copy, which takes the right to read
	TrainThere = "there" // where the data are
)

// May is what somebody may do with a version now.
type May struct {
	Ref     Ref      `json:"ref"` // of exactly this version
	Kind    Kind     `json:"kind"`
	Actions []Action `json:"actions"`
}

// Allows reports whether an action is among those.
func (m May) Allows(a Action) bool {
	return slices.Contains(m.Actions, a)
}
