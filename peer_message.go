package genesis

import (
	"encoding/json"
	"time"
)

// PeerMessageFormat is the format of messages between nodes in which they are kept until
// they are sent, and of which their digest is, whichever both nodes have in common
// ([Speaks]) and they travel in.
const PeerMessageFormat = 1

// MaxPeerMessage bounds a signed message, in bytes.
const MaxPeerMessage = 1 << 20

// PeerMessageType is the media type of what nodes sign and send.
const PeerMessageType = "application/jose"

// PeerMessage is what one node tells another.
type PeerMessage struct {
	Format int             `json:"format"`
	ID     string          `json:"id"`
	From   NodeID          `json:"from"`
	To     NodeID          `json:"to"`
	Kind   string          `json:"kind"`            // "request", "run", …
	About  string          `json:"about,omitempty"` // id of the request, run or project it belongs to
	At     time.Time       `json:"at"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// LogEvidence shows that the log of a node contradicts itself, to whoever knows the
// node's key: two checkpoints that it signed. Where their sizes differ, Prefix is the root
// hash that the larger tree had at the size of the smaller one, and Proof shows that.
type LogEvidence struct {
	Node   NodeID   `json:"node"`
	Class  Class    `json:"class"`
	Reason string   `json:"reason"`
	First  []byte   `json:"first"`
	Second []byte   `json:"second"`
	Prefix []byte   `json:"prefix,omitempty"`
	Proof  [][]byte `json:"proof,omitempty"`
}

// PeerReceipt says that a message was taken.
type PeerReceipt struct {
	Format int       `json:"format"`
	ID     string    `json:"id"`
	From   NodeID    `json:"from"` // who sent the message
	To     NodeID    `json:"to"`   // who took it
	Digest Digest    `json:"digest"`
	At     time.Time `json:"at"`
}

// Vouched is somebody as their home vouches for them in a message. Institution and
// sector are the charter's.
type Vouched struct {
	Subject     string       `json:"subject"`
	Assurance   Assurance    `json:"assurance,omitempty"`
	Vetting     VettingState `json:"vetting,omitempty"`
	Citizenship Citizenship  `json:"citizenship,omitempty"`
	Student     bool         `json:"student,omitempty"`
	Scopes      []Scope      `json:"scopes,omitzero"`    // what their token is narrowed to; nil: nothing
	Projects    []string     `json:"projects,omitempty"` // tokens, as in the token of a person
	Purpose     string       `json:"purpose,omitempty"`
}
