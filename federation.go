package genesis

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// KeyUse is what a node's key is for. A key has one use, so that what it signed for
// one purpose counts for no other.
type KeyUse string

const (
	KeyToken   KeyUse = "token"   // tokens that say who somebody is
	KeyMessage KeyUse = "message" // descriptors, and messages between nodes
	KeyLog     KeyUse = "log"     // checkpoints of the node's logs
	KeyCharter KeyUse = "charter" // the federation's charter, where the member is a holder of it
)

// KeyUses are all uses, in a fixed order.
var KeyUses = []KeyUse{KeyToken, KeyMessage, KeyLog, KeyCharter}

// NodeKey is the public half of a key of a node: Ed25519.
type NodeKey struct {
	ID     string    `json:"id"` // KeyID of Public
	Use    KeyUse    `json:"use"`
	Public []byte    `json:"public"`         // 32 bytes
	From   time.Time `json:"from"`           // it counts from then on
	Until  time.Time `json:"until,omitzero"` // and until then; zero: until it is replaced
}

// KeyID names a public key: the first 16 hexadecimal digits of its SHA-256.
func KeyID(public ed25519.PublicKey) string {
	return string(DigestOf(public))[len(digestPrefix):][:16]
}

// Holds reports whether the key counts at a time.
func (k NodeKey) Holds(at time.Time) bool {
	return !at.Before(k.From) && (k.Until.IsZero() || at.Before(k.Until))
}

// Key returns the member's key of an id for a use, if it counts at a time.
func (m Member) Key(use KeyUse, id string, at time.Time) (ed25519.PublicKey, bool) {
	for _, k := range m.Keys {
		if k.Use == use && k.ID == id && k.Holds(at) && len(k.Public) == ed25519.PublicKeySize {
			return ed25519.PublicKey(k.Public), true
		}
	}
	return nil, false
}

// CurrentKeys are the keys of a use that count at a time, newest first.
func (m Member) CurrentKeys(use KeyUse, at time.Time) []NodeKey {
	all := slices.DeleteFunc(slices.Clone(m.Keys), func(k NodeKey) bool { return k.Use != use || !k.Holds(at) })
	slices.SortFunc(all, func(a, b NodeKey) int { return cmp.Or(b.From.Compare(a.From), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Federation is the charter as a node has verified it.
type Federation struct {
	Name      string         `json:"name"`
	Root      Digest         `json:"root"`      // of the first root metadata: what the federation is, for ever
	Versions  CharterVersion `json:"versions"`  //
	Holders   []NodeID       `json:"holders"`   // members whose signatures change it
	Threshold int            `json:"threshold"` // how many of them it takes
	Fresh     time.Time      `json:"fresh"`     // until when what it says is current, unless it is signed anew
	Members   []Member       `json:"members"`   // by id
}

// CharterVersion are the versions of the charter's parts.
type CharterVersion struct {
	Root      int64 `json:"root"`
	Targets   int64 `json:"targets"`
	Snapshot  int64 `json:"snapshot"`
	Timestamp int64 `json:"timestamp"`
}

// DescriptorFormat is the format number of the descriptors this program writes.
const DescriptorFormat = 1

// Descriptor is what a node says of itself at /.well-known/genesis, signed with its
// message key.
type Descriptor struct {
	Format      int            `json:"format"`
	Node        NodeID         `json:"node"`
	Institution string         `json:"institution"`
	Sector      Sector         `json:"sector"`
	URL         string         `json:"url"`
	Software    Software       `json:"software"`
	APIs        []string       `json:"apis"`    // "v1", best first
	Entries     []int          `json:"entries"` // formats of log entries and messages that it reads, best first
	Keys        []NodeKey      `json:"keys"`
	Federation  string         `json:"federation,omitempty"` // its name
	Root        Digest         `json:"root,omitempty"`       // of the federation
	Charter     CharterVersion `json:"charter,omitzero"`
	At          time.Time      `json:"at"`
}

// Speaks is what a program speaks with other nodes, best first. A release speaks what the
// one before did, too.
type Speaks struct {
	APIs    []string
	Formats []int // of log entries that it reads, and of messages that it reads and writes
}

// Spoken is what this program speaks.
var Spoken = Speaks{APIs: []string{"v1"}, Formats: []int{1}}

// NodeSubject is the subject of a node that asks in its own name. No person has it.
const NodeSubject = "node"

// PeerCode says why the word of a node, or a proof, does not count: [Error.Code].
type PeerCode string

const (
	CodeBadAudience  PeerCode = "bad-audience"  // it is for another node
	CodeBadIssuer    PeerCode = "bad-issuer"    // its node is no member of the charter
	CodeBadKey       PeerCode = "bad-key"       // not a key of its node, or not now
	CodeBadSignature PeerCode = "bad-signature" // not signed with the key it names
	CodeExpired      PeerCode = "expired"       // a token, a session or a proof that was good before
	CodeNotYet       PeerCode = "not-yet"       // by the clock here
	CodeReplayed     PeerCode = "replayed"      // it was used before
	CodeBadProof     PeerCode = "bad-proof"     // not made with the session's secret, or for another request
	CodeMalformed    PeerCode = "malformed"     // cannot be read, or says what cannot be
	CodeUnknown      PeerCode = "unknown"       // a session that is not of this node, or is kept no longer
)

// PeerTokenRequest asks one's own node to vouch for one at another.
type PeerTokenRequest struct {
	Audience NodeID  `json:"audience"`
	Key      string  `json:"key"`              // thumbprint of the secret that the session will be bound to
	Scopes   []Scope `json:"scopes,omitempty"` // to narrow it; at most those one has
}

// PeerToken is the word of one's own node, good for one exchange.
type PeerToken struct {
	Token   string    `json:"token"`
	URL     string    `json:"url"` // of the other node, as the charter has it
	Expires time.Time `json:"expires"`
}

// ExchangeRequest asks a node for a session in return for the word of another.
type ExchangeRequest struct {
	Token  string `json:"token"`
	Key    []byte `json:"key"`              // 32 bytes: the secret whose thumbprint the token names
	Bearer bool   `json:"bearer,omitempty"` // a narrow token for programs that can sign nothing
}

// PeerSession is a session at another node.
type PeerSession struct {
	Session   string    `json:"session"`
	Expires   time.Time `json:"expires"` // renewed with another token
	Principal Principal `json:"principal"`
}

// Class says who may know of a version without being asked who they are: everybody,
// the people of all members, or those of one. What fewer may know of has none.
type Class string

const (
	ClassPublic  Class = "public"
	ClassMembers Class = "members"
	ClassNone    Class = ""
)

// ClassOf is the class of what the people of one member may know of.
func ClassOf(member NodeID) Class { return Class("to-" + member) }

// CheckClass reports why c is not the class of anybody, or nil. It does not know who is
// a member. Errors: Invalid.
func CheckClass(c Class) error {
	id, single := strings.CutPrefix(string(c), "to-")
	if c == ClassPublic || c == ClassMembers || single && namePattern.MatchString(id) {
		return nil
	}
	return &Error{Op: "read class", Kind: Invalid, Subject: string(c), Msg: "is not a class", Hint: "write public, members, or to- and the id of a member"}
}

// LogInfo is a log of the catalogue, as whoever may follow it is told.
type LogInfo struct {
	Class  Class      `json:"class"`
	Epochs []LogEpoch `json:"epochs"` // oldest first
}

// LogEpoch is one epoch of a log.
type LogEpoch struct {
	Number int    `json:"number"`
	Origin string `json:"origin"`
	Size   int64  `json:"size"` // entries in it
}

// LogList is which logs of a node somebody may follow.
type LogList struct {
	Logs []LogInfo `json:"logs"`
}

// Stated is an entry of a catalogue log with what it says, as long as that holds; else
// there is Place alone. Text is the statement and Salt what its digest in the log is
// made with; Listing is the JSON whose digest the statement has.
type Stated struct {
	Place   int64           `json:"place"` // counted through all epochs, from 0
	Text    json.RawMessage `json:"text,omitempty"`
	Salt    []byte          `json:"salt,omitempty"`
	Listing json.RawMessage `json:"listing,omitempty"`
}

// StatedPage is a stretch of a catalogue log: places follow each other without a gap.
type StatedPage struct {
	Statements []Stated `json:"statements"`
	Size       int64    `json:"size"` // of the log, through all epochs
}

// CharterBundle is the charter as it travels: the metadata and the list of members,
// each as the exact bytes that were signed.
type CharterBundle struct {
	Roots     [][]byte `json:"roots"` // from the first, which says what the federation is
	Targets   []byte   `json:"targets"`
	Snapshot  []byte   `json:"snapshot"`
	Timestamp []byte   `json:"timestamp"`
	Members   []byte   `json:"members"`
}

// DraftParts are what holders sign of a change: the next root, where it changes, and
// the next targets, each with the signatures so far, and the next list of members.
type DraftParts struct {
	Root    []byte `json:"root,omitempty"`
	Targets []byte `json:"targets"`
	Members []byte `json:"members,omitempty"`
}

// Standing is what a node is to a federation.
type Standing string

const (
	StandingAlone   Standing = "alone"   // in none
	StandingWaiting Standing = "waiting" // its charter does not have the node: not yet, or not any more
	StandingMember  Standing = "member"
	StandingStale   Standing = "stale" // a member, but what it knows is past its end: nobody at others is vouched for
)

// FederationInfo is a node's federation as it knows it.
type FederationInfo struct {
	Node       NodeID      `json:"node"`
	Standing   Standing    `json:"standing"`
	Holder     bool        `json:"holder"` // of the charter
	Federation *Federation `json:"federation,omitempty"`
	Catalogues []Followed  `json:"catalogues,omitempty"` // of the others, as they are mirrored here: told to operators
	Waiting    []Waiting   `json:"waiting,omitempty"`    // messages for others: told to operators
	Forks      []Fork      `json:"forks,omitempty"`      // of others' logs, that this node has evidence of: told to operators
	Heard      time.Time   `json:"heard,omitzero"`       // when a peer last told what this node knows, or more
	Advice     []string    `json:"advice,omitempty"`     // what somebody has to do, in words
}

// Fork is evidence that the log of a node contradicts what the node said before.
type Fork struct {
	Node   NodeID    `json:"node"`
	Class  Class     `json:"class"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
	By     NodeID    `json:"by,omitempty"` // the member that showed it; "": this node saw it
}

// FederationRequest makes a federation of this node.
type FederationRequest struct {
	Name string `json:"name"`
}

// InviteRequest invites one institution: whoever joins with the invitation is in the
// charter what it says here.
type InviteRequest struct {
	Institution string `json:"institution"`
	Sector      Sector `json:"sector"`
	Node        NodeID `json:"node,omitempty"` // the id it has to take; "": its own
}

// Invitation is told once.
type Invitation struct {
	Format      int       `json:"format"`
	Federation  string    `json:"federation"`
	Root        Digest    `json:"root"` // what the federation is
	URL         string    `json:"url"`  // of the holder that invites
	Secret      []byte    `json:"secret"`
	Institution string    `json:"institution"`
	Sector      Sector    `json:"sector"`
	Node        NodeID    `json:"node,omitempty"`
	Expires     time.Time `json:"expires"`
}

// NewInvitation is an invitation as one line, to be handed on.
type NewInvitation struct {
	Invitation string    `json:"invitation"`
	Expires    time.Time `json:"expires"`
}

// MembershipRequest makes this node a member.
type MembershipRequest struct {
	Invitation string `json:"invitation"`
	As         NodeID `json:"as,omitempty"` // refused where the node has another id
}

// JoinRequest is what the node that joins sends to the holder that invited it.
type JoinRequest struct {
	Secret     []byte `json:"secret"`
	Descriptor string `json:"descriptor"` // JWS
}

// MessageRequest is a message between nodes: a JWS by a message key.
type MessageRequest struct {
	Message string `json:"message"`
}

// RotateRequest replaces keys of this node.
type RotateRequest struct {
	Uses []KeyUse `json:"uses,omitempty"` // empty: token, message and charter
}

// HoldersRequest says who holds the charter. What is left out stays; a request that
// changes nothing renews what the holders signed.
type HoldersRequest struct {
	Add       []NodeID `json:"add,omitempty"`
	Remove    []NodeID `json:"remove,omitempty"`
	Threshold int      `json:"threshold,omitempty"`
}

// CharterChange is what came of a change of the charter: it is done, or waits for
// signatures.
type CharterChange struct {
	Done     bool           `json:"done"`
	Versions CharterVersion `json:"versions"` // of the charter now
	Draft    *CharterDraft  `json:"draft,omitempty"`
}

// CharterDraft is a change of the charter that waits for holders' signatures.
type CharterDraft struct {
	ID     string     `json:"id"`
	At     NodeID     `json:"at"` // the holder's node where it was made, and is finished
	Made   time.Time  `json:"made"`
	Says   []string   `json:"says"`   // what it changes, in words
	Signed []NodeID   `json:"signed"` // holders
	Needs  int        `json:"needs"`  // how many more have to
	Parts  DraftParts `json:"parts"`
}

// DraftList is the drafts that wait, and the holders that could not be asked.
type DraftList struct {
	Drafts  []CharterDraft `json:"drafts"`
	Missing []NodeID       `json:"missing,omitempty"`
}

// Waiting is what waits for another node.
type Waiting struct {
	Node     NodeID    `json:"node"`
	Messages int       `json:"messages"`
	Since    time.Time `json:"since"`            // of the oldest
	Failing  time.Time `json:"failing,omitzero"` // since when the node cannot be reached
	Why      string    `json:"why,omitempty"`
}

// Followed is how the catalogue log of another node is followed.
type Followed struct {
	Node     NodeID    `json:"node"`
	Class    Class     `json:"class"`
	Origin   string    `json:"origin,omitempty"`
	Entries  int64     `json:"entries"`            // that were verified
	Listings int64     `json:"listings"`           // that hold
	Fresh    time.Time `json:"fresh,omitzero"`     // when it was last known to be all there is
	Standing string    `json:"standing,omitempty"` // "": good; StandingFailing, behind, refused, forked
	Reason   string    `json:"reason,omitempty"`
}
