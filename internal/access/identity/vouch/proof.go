package vouch

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// The one form in which a proof is taken.
var (
	inputPattern     = regexp.MustCompile(`^genesis=\("@method" "@path" "@query" "authorization"\);created=([1-9][0-9]{0,10});nonce="([A-Za-z0-9_-]{16,64})";alg="hmac-sha256"$`)
	signaturePattern = regexp.MustCompile(`^genesis=:([A-Za-z0-9+/]{43}=):$`)
)

// Proof is a proof as it came with a request.
type Proof struct {
	genesis.PeerProof
	request *http.Request
	sum     []byte
}

// ReadProof reads the proof of a request. Errors: Permission, with the Code malformed,
// or bad-proof where there is none.
func ReadProof(r *http.Request) (Proof, error) {
	input, signature := r.Header.Values(genesis.ProofInput), r.Header.Values(genesis.ProofSignature)
	if len(input) == 0 && len(signature) == 0 {
		return Proof{}, refuse(genesis.CodeBadProof, "proof", "the session counts with a signature by its secret: docs/federation.md", "there is none: no %s and no %s", genesis.ProofInput, genesis.ProofSignature)
	}
	if len(input) != 1 || len(signature) != 1 || len(r.Header.Values("Authorization")) != 1 {
		return Proof{}, malformed("proof", "Authorization, %s and %s are not there once each", genesis.ProofInput, genesis.ProofSignature)
	}
	in, sig := inputPattern.FindStringSubmatch(input[0]), signaturePattern.FindStringSubmatch(signature[0])
	if in == nil || sig == nil {
		return Proof{}, malformed("proof", `it is not of the form genesis=%s;created=…;nonce="…";alg="hmac-sha256"`, genesis.ProofComponents)
	}
	created, err := strconv.ParseInt(in[1], 10, 64)
	if err != nil {
		return Proof{}, malformed("proof", "created is not a time")
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(sig[1])
	if err != nil || len(sum) != sha256.Size {
		return Proof{}, malformed("proof", "the signature is not 32 bytes in base64")
	}
	return Proof{genesis.PeerProof{Created: time.Unix(created, 0).UTC(), Nonce: in[2]}, r, sum}, nil
}

// Check reports whether the proof was made with a secret, for the request it came with,
// about now. Errors: Permission, with a Code.
func (p Proof) Check(secret []byte, now time.Time) error {
	if !hmac.Equal(p.Sum(p.request, p.request.URL.EscapedPath(), secret), p.sum) {
		return refuse(genesis.CodeBadProof, "proof", "sign @path as it is sent, below the node's URL", "it was not made with the session's secret for %s %.200q", p.request.Method, p.request.URL.RequestURI())
	}
	const hint = "set the clock; the answer's Date is this node's"
	switch {
	case p.Created.After(now.Add(Skew)):
		return refuse(genesis.CodeNotYet, "proof", hint, "it was made at %s by your clock, and here it is %s", clock(p.Created), clock(now))
	case p.Created.Before(now.Add(-Skew)):
		return refuse(genesis.CodeExpired, "proof", hint, "it was made at %s by your clock, and here it is %s", clock(p.Created), clock(now))
	}
	return nil
}

// Bounds of the nonces that are remembered. A generation is as long as a proof can be
// good, and two are kept. Half of a generation is divided among the members, so that each
// has its part however many of the others take all they can get together; of the other half
// each gets as much as it leaves.
const (
	generation  = 2 * Skew
	nonceBytes  = 16
	MostNonces  = 250_000 // of a generation; about 12 MB
	MostOfOne   = 25_000  // of one session in a generation: 200 requests a second
	common      = MostNonces / 2
	proofsEvery = time.Second
)

type (
	session [sha256.Size]byte
	nonce   [nonceBytes]byte
)

// Nonces remembers the proofs of the last minutes, so that each counts once. It is safe
// for concurrent use; its memory is bounded.
type Nonces struct {
	began   time.Time  // what was used before is not known
	members func() int // of the federation; asked once a generation

	mu         sync.Mutex
	turned     time.Time
	young, old map[nonce]struct{}
	// Of the young generation:
	of     map[session]int
	by     map[genesis.NodeID]int
	part   int // of each member, which no other can take
	shared int // of the common half, taken by those who have used up their part
}

// NewNonces remembers proofs from now on, of people of so many members.
func NewNonces(now time.Time, members func() int) *Nonces {
	return &Nonces{began: now, members: members} // the first use begins a generation
}

// Use takes the nonce of a proof that was checked, of a session of somebody of a node that
// is named by a hash and was made at a time. Of a session from before these were remembered, a proof may have
// been used then, by a clock that was ahead by as much as it may be. Errors: Permission,
// with the Code replayed or expired; Unavailable (more requests than can be remembered).
func (n *Nonces) Use(from genesis.NodeID, of [sha256.Size]byte, made time.Time, p Proof, now time.Time) error {
	sum := sha256.Sum256(append(of[:], p.Nonce...))
	key := nonce(sum[:nonceBytes])
	n.mu.Lock()
	defer n.mu.Unlock()
	if now.Before(n.began) { // the clock was set back: by the one that counts now, it has been running since
		n.began = now
	}
	if made.Before(n.began) && !p.Created.After(n.began.Add(Skew)) {
		return refuse(genesis.CodeExpired, "proof", "exchange another token of your own node for a new session", "this node has been running since %s, and does not know whether this was used before", clock(n.began))
	}
	if since := now.Sub(n.turned); since >= generation || since < 0 { // the clock may have been set back
		n.turn(now)
	}
	_, young := n.young[key]
	_, old := n.old[key]
	switch {
	case young || old:
		return refuse(genesis.CodeReplayed, "proof", "sign each request with another nonce", "its nonce was used before")
	case n.of[of] >= MostOfOne || !n.room(from):
		return &genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Subject: "proof", Msg: "there are more signed requests than this node remembers", Hint: "try again in a minute", Err: later(proofsEvery)}
	}
	if n.by[from] >= n.part {
		n.shared++
	}
	n.young[key] = struct{}{}
	n.of[of]++
	n.by[from]++
	return nil
}

// room reports whether one more of a node can be remembered: of its part, or of what is
// left of the common half, of which it may have as much as it leaves.
func (n *Nonces) room(from genesis.NodeID) bool {
	more := n.by[from] - n.part
	return len(n.young) < MostNonces && (more < 0 || more < common-n.shared)
}

// turn begins a generation. What was not used for one that long cannot be used again.
func (n *Nonces) turn(now time.Time) {
	n.old = n.young
	if now.Sub(n.turned) >= 2*generation {
		n.old = map[nonce]struct{}{}
	}
	n.young, n.of, n.by, n.turned = map[nonce]struct{}{}, map[session]int{}, map[genesis.NodeID]int{}, now
	n.part, n.shared = common/max(n.members(), 1), 0
}

// later is when to try again.
type later time.Duration

func (l later) Error() string             { return "too many requests" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }
