package genesis

import (
	"encoding/json"
	"time"
)

// RunKind is what a run does.
type RunKind string

const (
	RunPrepare RunKind = "prepare" // Request is a PrepareRequest, Result a Prepared
	RunTrain   RunKind = "train"   // TrainRequest, Trained
	RunPredict RunKind = "predict" // PredictRequest, Predicted
	RunPull    RunKind = "pull"    // PullRequest, Pulled
)

// RunState is where a run stands.
type RunState string

const (
	RunQueued   RunState = "queued"
	RunRunning  RunState = "running"
	RunDone     RunState = "done"
	RunFailed   RunState = "failed"
	RunCanceled RunState = "canceled"

	// Of runs that another node carries out.
	RunSent      RunState = "sent"      // it has not said anything yet
	RunCanceling RunState = "canceling" // it was asked to stop it
)

// Ended reports whether the run will change no more.
func (s RunState) Ended() bool { return s == RunDone || s == RunFailed || s == RunCanceled }

// Run is one execution of some work. Its id is minted by whoever asks for it, so
// that asking twice is asking once; it may be tried again, and one result commits.
type Run struct {
	ID       string          `json:"id"`
	Kind     RunKind         `json:"kind"`
	Subject  string          `json:"subject"` // what it makes or uses, for people: "turbines"
	By       Principal       `json:"by"`
	At       NodeID          `json:"at,omitempty"`   // that carries it out; "": this one
	Why      string          `json:"why,omitempty"`  // it is carried out there
	Heard    time.Time       `json:"heard,omitzero"` // when that node last said how it stands
	State    RunState        `json:"state"`
	Request  json.RawMessage `json:"request,omitempty"`
	Created  time.Time       `json:"created"`
	Started  time.Time       `json:"started,omitzero"` // of the last try
	Ended    time.Time       `json:"ended,omitzero"`
	Tries    int             `json:"tries"`
	Memory   int64           `json:"memory"`             // bytes it may hold
	Seconds  int64           `json:"seconds"`            // it may take
	Position int             `json:"position,omitempty"` // in the queue, from 1
	Progress *Event          `json:"progress,omitempty"` // the latest
	Result   json.RawMessage `json:"result,omitempty"`
	Error    *Problem        `json:"error,omitempty"`
}

// RunRequest asks for a run.
type RunRequest struct {
	ID      string          `json:"id,omitempty"` // 16 to 64 of a-z, 0-9 and -; made if missing
	Kind    RunKind         `json:"kind"`
	Request json.RawMessage `json:"request"`
}

// RunPage is one page of runs, newest first.
type RunPage struct {
	Runs []Run  `json:"runs"`
	Next string `json:"next,omitempty"`
}
