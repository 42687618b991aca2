// Package vouch makes and checks the word of nodes about who somebody is, as
// docs/federation.md has it: JSON Web Tokens of three types, each signed with a node's
// token key ([Signer], [Checker]), and the proof that comes with every request of a
// session at another node ([ReadProof], [Nonces]).
//
// The package decides nothing and keeps nothing but nonces: it is given the charter, the
// time and the request, and says whether they fit. Whatever it is given is hostile, so
// sizes and counts are bounded before anything is decoded, and one form of everything is
// taken: that which this package writes.
//
// What does not hold is a [genesis.Error] of kind Permission whose Code says which rule
// it broke, and whose words name what both sides see: two nodes whose clocks differ read
// both clocks in the error, and need not guess.
package vouch

import (
	"fmt"

	"github.com/opengenesis/genesis"
)

// refuse is the error of something that does not hold. subject says of what: "token",
// "proof", "session".
func refuse(code genesis.PeerCode, subject, hint, msg string, args ...any) error {
	return &genesis.Error{Op: "sign in", Kind: genesis.Permission, Code: code, Subject: subject, Msg: fmt.Sprintf(msg, args...), Hint: hint}
}

func malformed(subject, msg string, args ...any) error {
	return refuse(genesis.CodeMalformed, subject, "", msg, args...)
}
