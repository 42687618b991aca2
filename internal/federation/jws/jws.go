// Package jws signs what a node says, and reads what others signed: JWS in compact
// form (RFC 7515) with the one algorithm EdDSA over Ed25519 (RFC 8037).
//
// The reader takes what the writer writes and nothing else: no other algorithm, no key
// in the header, no critical extension, no second spelling of base64. Nothing of a
// payload is to be believed before [Message.Check].
package jws

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/opengenesis/genesis"
)

// Max bounds a message, in bytes; a descriptor has a few kilobytes.
const Max = genesis.MaxPeerMessage

// Message is a JWS that was read and not checked.
type Message struct {
	KeyID   string
	Payload []byte

	signed    string
	signature []byte
}

// header has its members in the order in which they are written.
type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

var encoding = base64.RawURLEncoding.Strict()

// Sign returns payload, signed, as one line.
func Sign(typ string, key ed25519.PrivateKey, payload []byte) (string, error) {
	head, err := json.Marshal(header{"EdDSA", genesis.KeyID(key.Public().(ed25519.PublicKey)), typ})
	if err != nil {
		return "", err
	}
	text := encoding.EncodeToString(head) + "." + encoding.EncodeToString(payload)
	if len(text) > Max-100 {
		return "", &genesis.Error{Op: "sign message", Kind: genesis.Invalid, Subject: typ, Msg: "it is too long"}
	}
	return text + "." + encoding.EncodeToString(ed25519.Sign(key, []byte(text))), nil
}

// Read reads a message of a type. Errors: Invalid.
func Read(typ, text string) (Message, error) {
	bad := func(msg string) (Message, error) {
		return Message{}, &genesis.Error{Op: "read message", Kind: genesis.Invalid, Subject: typ, Msg: msg}
	}
	if len(text) > Max {
		return bad("it is too long")
	}
	if strings.ContainsAny(text, "\r\n") { // over which the decoder reads
		return bad("it has more than one line")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return bad("it is not a JWS in compact form")
	}
	head, err := decodeHeader(parts[0])
	if err != nil || head.Algorithm != "EdDSA" || head.Type != typ {
		return bad("its header is not that of such a message")
	}
	m := Message{KeyID: head.KeyID, signed: parts[0] + "." + parts[1]}
	if m.Payload, err = encoding.DecodeString(parts[1]); err != nil {
		return bad("its payload is not base64url")
	}
	if m.signature, err = encoding.DecodeString(parts[2]); err != nil || len(m.signature) != ed25519.SignatureSize {
		return bad("its signature is none")
	}
	return m, nil
}

func decodeHeader(text string) (h header, err error) {
	raw, err := encoding.DecodeString(text)
	if err != nil {
		return h, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err = d.Decode(&h)
	return h, err
}

// Check reports whether a key signed the message.
func (m Message) Check(key ed25519.PublicKey) bool {
	return len(key) == ed25519.PublicKeySize && genesis.KeyID(key) == m.KeyID && ed25519.Verify(key, []byte(m.signed), m.signature)
}
