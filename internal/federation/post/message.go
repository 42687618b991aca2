package post

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/opengenesis/genesis"
)

// Format is the format number of messages and receipts.
const Format = 1

// Bounds of what comes from others.
const (
	MaxBytes = 1 << 20 // of a signed message
	maxText  = 256     // of ids, kinds and what a message is about
)

// Ages of messages.
const (
	lasts    = 30 * 24 * time.Hour // for which a message is tried
	oldest   = 60 * 24 * time.Hour // beyond which none is taken: ids are kept longer
	kept     = 90 * 24 * time.Hour // for which ids of what was taken are kept
	mostSkew = 26 * time.Hour      // by which another node's clock may be ahead
)

// Types of what is signed.
const (
	typeMessage = "genesis-message+jws"
	typeReceipt = "genesis-receipt+jws"
)

// Message is what one node tells another.
type Message struct {
	Format int             `json:"format"`
	ID     string          `json:"id"`
	From   genesis.NodeID  `json:"from"`
	To     genesis.NodeID  `json:"to"`
	Kind   string          `json:"kind"`            // "request", "run", …
	About  string          `json:"about,omitempty"` // id of the request, run or project it belongs to
	At     time.Time       `json:"at"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// Receipt says that a message was taken.
type Receipt struct {
	Format int            `json:"format"`
	ID     string         `json:"id"`
	From   genesis.NodeID `json:"from"` // who sent the message
	To     genesis.NodeID `json:"to"`   // who took it
	Digest genesis.Digest `json:"digest"`
	At     time.Time      `json:"at"`
}

// bad is the error of a message that cannot be one.
func bad(msg string) error {
	return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Msg: msg}
}

// sign puts a payload under a signature.
func sign(typ, id string, key ed25519.PrivateKey, payload []byte) ([]byte, error) {
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, err
	}
	text, err := signed.CompactSerialize()
	return []byte(text), err
}

// signed is a text whose signature was not checked yet.
type signed struct {
	jws     *jose.JSONWebSignature
	kid     string
	payload []byte // as it claims to be
}

// parse reads a signed text of a type. Nothing in it is true before verify.
func parse(typ string, text []byte) (signed, error) {
	if len(text) > MaxBytes {
		return signed{}, bad(fmt.Sprintf("it is longer than %d bytes", MaxBytes))
	}
	jws, err := jose.ParseSignedCompact(string(text), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(jws.Signatures) != 1 {
		return signed{}, bad("it is not a signed text (JWS in compact form, EdDSA)")
	}
	header := jws.Signatures[0].Protected
	if got, _ := header.ExtraHeaders[jose.HeaderType].(string); got != typ {
		return signed{}, bad(fmt.Sprintf("it is of type %.40q, not %q", got, typ))
	}
	if header.KeyID == "" || len(header.KeyID) > maxText {
		return signed{}, bad("it does not say with which key it was signed")
	}
	return signed{jws, header.KeyID, jws.UnsafePayloadWithoutVerification()}, nil
}

// verify checks the signature against a member's message keys.
func (s signed) verify(m genesis.Member, at time.Time) error {
	key, ok := m.Key(genesis.KeyMessage, s.kid, at)
	if !ok {
		return &genesis.Error{Op: "take message", Kind: genesis.Unavailable, Subject: string(m.ID),
			Msg: fmt.Sprintf("%.40q is not a key with which %s signs messages now", s.kid, m.ID)}
	}
	if _, err := s.jws.Verify(key); err != nil {
		return &genesis.Error{Op: "take message", Kind: genesis.Permission, Subject: string(m.ID), Msg: "the signature does not hold"}
	}
	return nil
}

// check says what is wrong with a message that was read, as one for a node.
func (m *Message) check(to genesis.NodeID, now time.Time) error {
	switch {
	case m.Format > Format:
		return &genesis.Error{Op: "take message", Kind: genesis.Unsupported, Msg: fmt.Sprintf("it is of format %d, and this node reads %d", m.Format, Format)}
	case m.Format != Format:
		return bad("it has no format")
	case m.ID == "" || len(m.ID) > maxText || m.Kind == "" || len(m.Kind) > maxText || len(m.About) > maxText:
		return bad("its id, kind or what it is about is missing or too long")
	case m.To != to:
		return bad(fmt.Sprintf("it is for %.80q", m.To))
	case m.At.After(now.Add(mostSkew)):
		return bad(fmt.Sprintf("it is of %s, and here it is %s: one of the clocks is wrong", m.At.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	case m.At.Before(now.Add(-oldest)):
		return bad(fmt.Sprintf("it is of %s, which is too long ago", m.At.UTC().Format(time.RFC3339)))
	}
	return nil
}
