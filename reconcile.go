package genesis

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AuditState is the state of a node's audit log as its peers are told it: the signed
// checkpoint, and the proof that the log grew from the state they asked about. No entry
// of the log is told but the first of an epoch, which says how the epoch before ended.
type AuditState struct {
	Checkpoint []byte       `json:"checkpoint"`      // of the last epoch
	Root       []byte       `json:"root,omitempty"`  // of the state asked about, as the log has it
	Proof      [][]byte     `json:"proof,omitempty"` // RFC 6962, section 2.1.2: the epoch asked about, as it ended, grew from that state
	Begun      []EpochBegun `json:"begun,omitempty"` // the epochs after the one asked about, in order
}

// EpochBegun shows how an epoch began.
type EpochBegun struct {
	Entry []byte   `json:"entry"`           // its first entry, which declares how the one before ended
	Proof [][]byte `json:"proof,omitempty"` // RFC 6962, section 2.1.1: that it is the first entry
}

// MaxEpochs bounds the epochs of an audit log that one answer shows.
const MaxEpochs = 256

// AuditPoint names a state of an audit log.
type AuditPoint struct {
	Epoch int    `json:"epoch"`
	Size  int64  `json:"size"` // entries in the epoch
	Root  string `json:"root"` // base64
}

// AuditOrigin names an epoch of the audit log of a node.
func AuditOrigin(node NodeID, epoch int) string { return fmt.Sprintf("%s/audit/%d", node, epoch) }

// AuditEpoch is the inverse of AuditOrigin for the logs of a node.
func AuditEpoch(node NodeID, origin string) (int, bool) {
	text, ok := strings.CutPrefix(origin, string(node)+"/audit/")
	epoch, err := strconv.Atoi(text)
	return epoch, ok && err == nil && epoch > 0 && AuditOrigin(node, epoch) == origin
}

// KeptList is the checkpoints that a node keeps of the audit log of whoever asks, newest
// first.
type KeptList struct {
	Kept []KeptCheckpoint `json:"kept"`
}

// KeptCheckpoint is a checkpoint as its node signed it.
type KeptCheckpoint struct {
	Checkpoint []byte    `json:"checkpoint"`
	At         time.Time `json:"at"` // when it was taken
}

// MaxKept bounds the checkpoints that a node keeps of another's log: the newest, and the
// last of each day of the last 400.
const MaxKept = 401

// WitnessStanding is what became of keeping the checkpoints of a node's audit log.
type WitnessStanding string

const (
	WitnessGood     WitnessStanding = ""
	WitnessRestored WitnessStanding = "restored" // it went back to an earlier state, and says so, or is another log of another key: kept as evidence, and followed
	WitnessBehind   WitnessStanding = "behind"   // it answers with an earlier state than it did, and does not say why
	WitnessRefused  WitnessStanding = "refused"  // its signature or its proof does not hold
	WitnessForked   WitnessStanding = "forked"   // it contradicts what it signed before
)

// Witnessed is what a node keeps of the audit log of another.
type Witnessed struct {
	Node     NodeID          `json:"node"`
	Point    AuditPoint      `json:"point,omitzero"` // the state that was proved last
	Since    time.Time       `json:"since,omitzero"` // when the first checkpoint was taken that others were proved from
	Seen     time.Time       `json:"seen,omitzero"`  // when the log was last known to be in this state
	Kept     int             `json:"kept"`           // checkpoints, one a day
	Standing WitnessStanding `json:"standing,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Evidence int             `json:"evidence,omitempty"` // checkpoints that contradict, or that a restore left behind
	Error    string          `json:"error,omitempty"`    // why the node could not be asked when it last was
}

// WitnessedList is whose checkpoints a node keeps.
type WitnessedList struct {
	Nodes []Witnessed `json:"nodes"`
}

// PeerWitness is what a peer keeps of this node's audit log, held against the log.
type PeerWitness struct {
	Node   NodeID     `json:"node"`
	Kept   int        `json:"kept"`             // checkpoints of this log that it showed
	Held   int        `json:"held"`             // of which the log holds
	First  time.Time  `json:"first,omitzero"`   // when the peer took the oldest
	Newest AuditPoint `json:"newest,omitzero"`  // that it keeps
	Lost   []string   `json:"lost,omitempty"`   // entries that a restore lost, and the log says so
	Wrong  []string   `json:"wrong,omitempty"`  // what contradicts the log: it was rewritten, or cut
	Odd    []string   `json:"odd,omitempty"`    // what this node never signed: the peer's word alone
	Error  string     `json:"error,omitempty"`  // why the peer could not be asked
	Passed bool       `json:"passed,omitempty"` // it was asked, and nothing is wrong
}

// PeerWitnesses is what all peers keep of this node's audit log.
type PeerWitnesses struct {
	Peers []PeerWitness `json:"peers"`
}

// SharedKind is a sort of act in which two nodes take part.
type SharedKind string

const (
	SharedToken   SharedKind = "token"   // vouch at the home, exchange at the other
	SharedMessage SharedKind = "message" // send-message and take-message
	SharedPull    SharedKind = "pull"    // pull at both: allowed by the node of the version, done by that of the copy
)

// SharedKinds are all sorts, in a fixed order.
var SharedKinds = []SharedKind{SharedToken, SharedMessage, SharedPull}

// Origin and Receipt are the acts of the two sides: whose it is first, and who takes it.
func (k SharedKind) Origin() string {
	switch k {
	case SharedToken:
		return "vouch"
	case SharedPull:
		return "pull"
	}
	return "send-message"
}

// Receipt is the act of the side that takes what the other made.
func (k SharedKind) Receipt() string {
	switch k {
	case SharedToken:
		return "exchange"
	case SharedPull:
		return "pull"
	}
	return "take-message"
}

// Begins reports whether an act is that of the side whose it is first. A pull has one name
// at both: it is allowed at one, and done at the other.
func (k SharedKind) Begins(a SharedAct) bool {
	return a.Act == k.Origin() && (k != SharedPull || a.Outcome == Allowed)
}

// Takes reports whether an act is that of the side that takes what the other made.
func (k SharedKind) Takes(a SharedAct) bool {
	return a.Act == k.Receipt() && (k != SharedPull || a.Outcome == Done)
}

// SharedAct is an entry of an audit log about an act in which another node took part, as
// that node is told it: without whom or what it was about.
type SharedAct struct {
	Seq     int64     `json:"seq"` // place in the log of who tells it
	Time    time.Time `json:"time"`
	Act     string    `json:"act"`
	Outcome Outcome   `json:"outcome"`
	ID      string    `json:"id"`               // of the token, message or pull
	Kind    string    `json:"kind,omitempty"`   // of the message
	Digest  Digest    `json:"digest,omitempty"` // of the message, or the version
}

// SharedQuery says which acts are told: those of the asker's node, from a time on and
// before another, behind a place in the log.
type SharedQuery struct {
	Kind  SharedKind `json:"kind"`
	From  time.Time  `json:"from"`
	Until time.Time  `json:"until"`
	After int64      `json:"after"` // −1: from the first
}

// SharedPage is a stretch of the acts, in the order of the log.
type SharedPage struct {
	Acts    []SharedAct `json:"acts"`
	Next    int64       `json:"next,omitempty"`    // place to go on behind; 0: there is no more
	Unknown int64       `json:"unknown,omitempty"` // entries that may be about the asker's node: what they said was forgotten
}

// MaxShared bounds a page.
const MaxShared = 1000

// ReconcileRequest asks to compare what two nodes keep of their acts with each other.
type ReconcileRequest struct {
	Peer  NodeID    `json:"peer"`
	From  time.Time `json:"from,omitzero"`  // default: 30 days ago
	Until time.Time `json:"until,omitzero"` // default: now
}

// Reconciliation is what came of comparing.
type Reconciliation struct {
	Peer    NodeID          `json:"peer"`
	From    time.Time       `json:"from"`
	Until   time.Time       `json:"until"`
	Log     Witnessed       `json:"log"` // of the peer's audit log
	Kinds   []ReconcileSums `json:"kinds"`
	Found   []Discrepancy   `json:"found"`             // what only one side knows, or both differently; at most 1,000
	More    int64           `json:"more,omitempty"`    // than are listed
	Cut     string          `json:"cut,omitempty"`     // why the peer's answer was not read to its end
	Unknown int64           `json:"unknown,omitempty"` // entries of both sides of which what they said was forgotten
}

// Sound reports whether both sides know the same, and all was compared.
func (r *Reconciliation) Sound() bool {
	return len(r.Found) == 0 && r.More == 0 && r.Cut == "" && (r.Log.Standing == WitnessGood || r.Log.Standing == WitnessRestored)
}

// ReconcileSums counts acts of one sort.
type ReconcileSums struct {
	Kind     SharedKind `json:"kind"`
	Both     int64      `json:"both"`                // sides know them, as done
	Refused  int64      `json:"refused,omitempty"`   // both know that the receiver refused
	Unused   int64      `json:"unused,omitempty"`    // tokens that were never exchanged, and copies that were never finished, as happens
	UnderWay int64      `json:"under_way,omitempty"` // messages that may still arrive
	Here     int64      `json:"here,omitempty"`      // only this side knows
	There    int64      `json:"there,omitempty"`     // only the peer knows
	Differ   int64      `json:"differ,omitempty"`    // both know, differently
}

// Discrepancy is one act that the two sides know differently.
type Discrepancy struct {
	Kind  SharedKind `json:"kind"`
	What  string     `json:"what"` // here, there, differ: who knows it
	ID    string     `json:"id"`
	Why   string     `json:"why"`             // in words
	Here  *SharedAct `json:"here,omitempty"`  // the entry on this side
	There *SharedAct `json:"there,omitempty"` // as the peer tells it
}

// MaxFound bounds what a Reconciliation lists.
const MaxFound = 1000
