package federation

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/jws"
)

const (
	descriptorType = "genesis-descriptor+jws"
	messageType    = "genesis-charter-request+jws"
	messageAge     = 5 * time.Minute // by which clocks may differ, too
)

// Descriptor is what the node says of itself, signed.
func (f *Federation) Descriptor(context.Context) (string, error) {
	v := f.view.Load()
	d := genesis.Descriptor{Format: genesis.DescriptorFormat, Node: v.own.ID, Institution: v.own.Institution, Sector: v.own.Sector, URL: v.own.URL,
		Software: genesis.Build(), APIs: f.Speaks.APIs, Entries: f.Speaks.Formats, Keys: v.own.Keys, At: f.Now().UTC().Truncate(time.Second)}
	if v.charter != nil {
		d.Federation, d.Root, d.Charter = v.charter.Name(), v.charter.ID(), v.charter.Versions()
	}
	return f.sign(descriptorType, d)
}

func (f *Federation) sign(typ string, v any) (string, error) {
	key, err := f.Key(genesis.KeyMessage)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return jws.Sign(typ, key.Private, text)
}

// readDescriptor reads a descriptor and checks that it is signed by the message key
// that it names and returns: whoever made it has that key. What else it says is theirs to
// say.
func readDescriptor(text string) (d genesis.Descriptor, by genesis.NodeKey, err error) {
	m, err := jws.Read(descriptorType, text)
	if err != nil {
		return d, by, err
	}
	bad := func(msg string) (genesis.Descriptor, genesis.NodeKey, error) {
		return d, by, refusal("read descriptor", genesis.Invalid, "", msg, "")
	}
	if err := json.NewDecoder(bytes.NewReader(m.Payload)).Decode(&d); err != nil || d.Format != genesis.DescriptorFormat {
		return bad("it is not a descriptor of format 1")
	}
	for _, k := range d.Keys {
		if k.Use == genesis.KeyMessage && m.Check(k.Public) {
			return d, k, nil
		}
	}
	return bad("it is not signed by a message key that it names")
}

// message is what a node says to another. It is signed by the message key, and
// good for one node and some minutes.
type message struct {
	Format int               `json:"format"`
	Kind   string            `json:"kind"` // "leave", "keys", "drafts"
	From   genesis.NodeID    `json:"from"`
	To     genesis.NodeID    `json:"to"`
	Root   genesis.Digest    `json:"root"` // of the federation
	At     time.Time         `json:"at"`
	Keys   []genesis.NodeKey `json:"keys,omitempty"` // the sender's new entry
}

// say writes a message to a member, in the latest format that both read.
func (f *Federation) say(ctx context.Context, kind string, to genesis.Member, keys []genesis.NodeKey) (string, error) {
	p, err := f.speaksAt(ctx, to.URL)
	if err != nil {
		return "", err
	}
	return f.sign(messageType, message{p.format, kind, f.Self.ID, to.ID, f.view.Load().charter.ID(), f.Now().UTC().Truncate(time.Second), keys})
}

// hear reads a message of a kind to this node by a member. Errors: Invalid, Permission.
func (f *Federation) hear(text string, kinds ...string) (message, genesis.Member, error) {
	var m message
	refuse := func(kind genesis.ErrorKind, msg string) (message, genesis.Member, error) {
		return m, genesis.Member{}, refusal("read message", kind, string(m.From), msg, "")
	}
	signed, err := jws.Read(messageType, text)
	if err != nil {
		return m, genesis.Member{}, err
	}
	d := json.NewDecoder(bytes.NewReader(signed.Payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || !slices.Contains(f.Speaks.Formats, m.Format) || !slices.Contains(kinds, m.Kind) {
		m.From = ""
		return refuse(genesis.Invalid, fmt.Sprintf("it is not such a message of a format that this node reads: %v", f.Speaks.Formats))
	}
	c := f.view.Load().charter
	if c == nil || m.To != f.Self.ID || m.Root != c.ID() {
		m.From = ""
		return refuse(genesis.Permission, "it is for another node or federation")
	}
	from, ok := c.Member(m.From)
	var key ed25519.PublicKey
	if ok {
		key, ok = from.Key(genesis.KeyMessage, signed.KeyID, f.Now())
	}
	if !ok || !signed.Check(key) {
		return refuse(genesis.Permission, "it is not signed by a message key of a member")
	}
	if age := f.Now().Sub(m.At); age > messageAge || age < -messageAge {
		return refuse(genesis.Permission, "it was signed at "+m.At.UTC().Format(time.RFC3339)+", and it is "+f.Now().UTC().Format(time.RFC3339))
	}
	return m, from, nil
}
