package vouch

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/opengenesis/genesis"
)

// Signer signs with a node's token key.
type Signer struct {
	ID  string // of the key
	Key ed25519.PrivateKey
}

// Word signs a word about a person, or, with the subject of one, a node.
func (s Signer) Word(w Word) (string, error) {
	if w.OfNode() {
		return s.sign(NodeType, w)
	}
	return s.sign(PersonType, w)
}

// Membership signs that somebody is in a project.
func (s Signer) Membership(m Membership) (string, error) { return s.sign(ProjectType, m) }

func (s Signer) sign(typ string, claims any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	opt := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", s.ID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: s.Key}, opt)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(body)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Checker is what a node checks the word of others with.
type Checker struct {
	Node   genesis.NodeID                              // to whom tokens must be
	Member func(genesis.NodeID) (genesis.Member, bool) // of the charter
}

// Word checks a token about a person or a node, at a time. Errors: Permission, with a
// Code. What else is true of the word (that it was not used before, that who brings it
// has the secret) is for the caller.
func (c Checker) Word(token string, at time.Time) (Word, error) {
	var w Word
	s, err := read("token", token, maxToken, PersonType, NodeType)
	if err != nil {
		return w, err
	}
	if err := decode(s.body, &w); err != nil {
		return w, malformed("token", "its claims cannot be read: %v", err)
	}
	if err := c.signed(s, w.Issuer, at); err != nil {
		return w, err
	}
	w.Key = s.kid
	if err := w.check(s.typ); err != nil {
		return w, err
	}
	if w.Audience != c.Node {
		return w, refuse(genesis.CodeBadAudience, "token", "ask your own node for one for "+string(c.Node), "it is for %s, and this is %s", w.Audience, c.Node)
	}
	return w, holds("token", w.Issuer, w.Begins, w.Expires, at)
}

// Membership checks a token that says that somebody is in a project, at a time. Errors:
// as of Word.
func (c Checker) Membership(token string, of genesis.PersonID, at time.Time) (Membership, error) {
	var m Membership
	s, err := read("project token", token, maxMember, ProjectType)
	if err != nil {
		return m, err
	}
	if err := decode(s.body, &m); err != nil {
		return m, malformed("project token", "its claims cannot be read: %v", err)
	}
	if err := c.signed(s, m.Home, at); err != nil {
		return m, err
	}
	if err := m.check(); err != nil {
		return m, err
	}
	if m.Person != of {
		return m, malformed("project token", "it is about %s, and was brought for %s", m.Person, of)
	}
	return m, holds("project token", m.Home, m.Issued, m.Expires, at)
}

// holds reports whether a time is within those of a token, whose node's clock may be a
// minute off.
func holds(what string, issuer genesis.NodeID, from, until Time, at time.Time) error {
	const hint = "the clocks of both machines, and NTP, tell who is wrong"
	switch {
	case at.Add(Skew).Before(from.Time):
		return refuse(genesis.CodeNotYet, what, hint, "it counts from %s on by the clock of %s, and here it is %s", clock(from.Time), issuer, clock(at))
	case !at.Add(-Skew).Before(until.Time):
		return refuse(genesis.CodeExpired, what, hint, "it counted until %s by the clock of %s, and here it is %s", clock(until.Time), issuer, clock(at))
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// parts of a token that was read, and not yet verified.
type parts struct {
	what, typ, kid string
	body           []byte
	jws            *jose.JSONWebSignature
}

// header is all that the header of a token may hold.
type header struct {
	Algorithm string `json:"alg"`
	Key       string `json:"kid"`
	Type      string `json:"typ"`
}

// read takes a token apart. Its header has alg, kid and typ, and nothing else: no key or
// URL that somebody could be made to use, and nothing critical (crit) to understand.
func read(what, token string, most int, types ...string) (parts, error) {
	if len(token) > most {
		return parts{}, malformed(what, "it is longer than %d bytes", most)
	}
	first, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return parts{}, malformed(what, "it is not a JSON Web Token in compact form")
	}
	var h header
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &h) != nil || len(members) != 3 {
		return parts{}, malformed(what, "its header does not consist of alg, kid and typ")
	}
	if h.Algorithm != string(jose.EdDSA) || !slices.Contains(types, h.Type) || len(h.Key) != 16 {
		return parts{}, malformed(what, "alg is %.20q, typ %.40q and kid %.20q, where EdDSA, %s and the id of a key are taken", h.Algorithm, h.Type, h.Key, strings.Join(types, " or "))
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(jws.Signatures) != 1 {
		return parts{}, malformed(what, "it is not a JSON Web Token in compact form with one signature")
	}
	return parts{what, h.Type, h.Key, jws.UnsafePayloadWithoutVerification(), jws}, nil
}

// signed verifies the signature by the charter's key.
func (c Checker) signed(p parts, issuer genesis.NodeID, at time.Time) error {
	m, ok := c.Member(issuer)
	if !ok {
		return refuse(genesis.CodeBadIssuer, p.what, "`genesis members` lists those of this node's charter", "it is of %.64q, which is no member of the federation", issuer)
	}
	key, ok := m.Key(genesis.KeyToken, p.kid, at)
	if !ok {
		return refuse(genesis.CodeBadKey, p.what, "one of the nodes may have an old charter, or a wrong clock", "it is signed with key %s, and %s has %s at %s by the charter here", p.kid, issuer, keysOf(m, at), clock(at))
	}
	if _, err := p.jws.Verify(key); err != nil {
		return refuse(genesis.CodeBadSignature, p.what, "", "its signature is not one of key %s of %s", p.kid, issuer)
	}
	return nil
}

// keysOf names the token keys of a member that count.
func keysOf(m genesis.Member, at time.Time) string {
	var ids []string
	for _, k := range m.CurrentKeys(genesis.KeyToken, at) {
		ids = append(ids, k.ID)
	}
	if len(ids) == 0 {
		return "no token key"
	}
	return strings.Join(ids, ", ")
}
