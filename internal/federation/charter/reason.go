package charter

import (
	"errors"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/opengenesis/genesis"
)

// Reason says why a charter was not taken. errors.Is finds it in an error's chain.
type Reason string

// The reasons.
const (
	Expired      Reason = "expired"             // a part is past its end
	RolledBack   Reason = "rolled back"         // a part is older than the one that is known
	FastForward  Reason = "fast-forwarded"      // a version leaps, so that no other could follow
	TooLong      Reason = "good for too long"   // one holder signed longer than others would sign anew
	TooFew       Reason = "too few signatures"  // fewer holders signed than it takes
	NotThis      Reason = "not this federation" // another first root
	TooLarge     Reason = "too large"
	Malformed    Reason = "malformed"
	Mismatched   Reason = "mismatched" // parts of different states
	Forked       Reason = "forked"     // the holders signed two different states of one version
	NotHolder    Reason = "not a holder"
	BadChange    Reason = "bad change"
	NotTheNext   Reason = "not the next" // a draft that follows another state
	NothingNewer Reason = "nothing newer"
)

// Error makes a Reason the cause of an error.
func (r Reason) Error() string { return string(r) }

// kinds are how reasons are shown.
var kinds = map[Reason]genesis.ErrorKind{Expired: genesis.Unavailable, RolledBack: genesis.Conflict, Forked: genesis.Conflict,
	NotTheNext: genesis.Conflict, NotHolder: genesis.Permission}

func fault(op string, r Reason, part, msg, hint string) error {
	kind, ok := kinds[r]
	if !ok {
		kind = genesis.Invalid
	}
	return &genesis.Error{Op: op, Kind: kind, Subject: clip(part), Msg: string(r) + ": " + msg, Hint: hint, Err: r}
}

const verifying = "verify charter"

func malformed(part, msg string) error { return fault(verifying, Malformed, part, msg, "") }

// told gives an error of go-tuf its reason.
func told(part string, err error) error {
	if err == nil {
		return nil
	}
	reason := Malformed
	var unsigned *metadata.ErrUnsignedMetadata
	var version *metadata.ErrBadVersionNumber
	var length *metadata.ErrLengthOrHashMismatch
	var expired *metadata.ErrExpiredMetadata
	switch {
	case errors.As(err, &unsigned):
		reason = TooFew
	case errors.As(err, &version), errors.As(err, &length):
		reason = Mismatched
	case errors.As(err, &expired):
		reason = Expired
	}
	return fault(verifying, reason, part, err.Error(), "")
}
