package genesis

import (
	"encoding/json"
	"time"
)

// Outcome is how an audited act ended.
type Outcome string

const (
	Allowed Outcome = "allowed" // a decision that let somebody do something
	Refused Outcome = "refused"
	Done    Outcome = "done" // an act: publish, grant, sign-in
)

// AuditEntry is one entry of the audit log, as an officer reads it.
type AuditEntry struct {
	Seq         int64           `json:"seq"` // place in the log, from 0
	ID          string          `json:"id"`
	Time        time.Time       `json:"time"`
	Actor       string          `json:"actor"` // a Person; "(forgotten)" once the person is
	Act         string          `json:"act"`   // one of Acts or Actions
	Outcome     Outcome         `json:"outcome"`
	Subject     string          `json:"subject,omitempty"` // an asset's name, a person, a run
	Version     Digest          `json:"version,omitempty"`
	Rule        string          `json:"rule,omitempty"`
	Purpose     string          `json:"purpose,omitempty"`
	Institution string          `json:"institution,omitempty"`
	Sector      Sector          `json:"sector,omitempty"`
	Project     string          `json:"project,omitempty"`
	Student     bool            `json:"student,omitempty"`
	Challenge   string          `json:"challenge,omitempty"`
	Detail      json.RawMessage `json:"detail,omitempty"`
}

// Acts are what entries of the audit log may name as done, beside [Actions]: of
// those the decisions and the refusals are recorded. A log that was taken over from
// an older node may name others.
var Acts = []string{"account", "approve", "audit", "backup", "cancel-run", "charter", "commit", "deny", "end-project", "end-run", "epoch", "erase",
	"exchange", "explain", "fetch-output", "forget", "fork", "gc", "grant", "invite", "lower", "message", "move-journal", "name-file", "open", "order", "preview",
	"project", "publish", "pull", "purge", "reconcile", "record", "report", "request", "revoke", "run-state", "send-message", "sign-in", "sign-out",
	"take-message", "terms", "token", "vetting", "vouch", "withdraw", "withdraw-request"}

// AuditQuery says which entries to list, newest first. Empty fields match all.
type AuditQuery struct {
	Actor   PersonID  `json:"actor,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Act     string    `json:"act,omitempty"`
	Outcome Outcome   `json:"outcome,omitempty"`
	Project string    `json:"project,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	After   string    `json:"after,omitempty"` // cursor
	Limit   int       `json:"limit,omitempty"` // 0: 100; at most 1000
}

// AuditPage is one page of the audit log.
type AuditPage struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty"`
}

// AuditVerification is the outcome of `audit verify`. A log that was restored from a
// backup, or whose node has another name, is one of several epochs; the latest
// checkpoint is that of the last.
type AuditVerification struct {
	Origin  string `json:"origin"`
	Size    int64  `json:"size"`    // entries under the latest checkpoint, of its epoch alone
	Epochs  int    `json:"epochs"`  // that were looked at
	Entries int64  `json:"entries"` // in all of them
	Checked int64  `json:"checked"` // of those recomputed
	Root    string `json:"root"`    // base64, of the latest checkpoint
	// Bad is the first entry that does not hold, −1 when all do.
	Bad     int64  `json:"bad"`
	Message string `json:"message,omitempty"` // what is wrong, in one sentence
}
