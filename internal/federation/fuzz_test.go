package federation

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
	"github.com/opengenesis/genesis/internal/federation/jws"
)

// FuzzDescriptor: what a stranger says of a node ends in an entry that could be in a
// charter, or in an error.
func FuzzDescriptor(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	public := key.Public().(ed25519.PublicKey)
	d := genesis.Descriptor{Format: 1, Node: "mit", URL: "https://data.example.edu", At: day0,
		Keys: []genesis.NodeKey{{ID: genesis.KeyID(public), Use: genesis.KeyMessage, Public: public, From: day0}}}
	payload, err := json.Marshal(d)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		text, err := jws.Sign(descriptorType, key, payload)
		if err != nil {
			return
		}
		d, err := readDescriptor(text)
		if err != nil {
			return
		}
		if joiner(d) == string(d.Node) {
			t.Error("nobody knows by which key it joins")
		}
		m := entryOf(invited{institution: "Somebody", sector: genesis.University}, d, day0)
		if charter.CheckMember(m) == nil && m.Institution != "Somebody" {
			t.Errorf("%+v", m)
		}
	})
}

func FuzzInvitation(f *testing.F) {
	text, err := json.Marshal(genesis.Invitation{Format: 1, Federation: "energy", Root: genesis.DigestOf(nil), URL: "https://data.example.edu",
		Secret: make([]byte, secretSize), Institution: "Somebody", Sector: genesis.University, Expires: day0.Add(7 * 24 * time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(invitationPrefix + invitationText.EncodeToString(text))
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := readInvitation(text)
		if err == nil && (len(inv.Secret) != secretSize || charter.CheckURL(inv.URL) != nil) {
			t.Errorf("%+v", inv)
		}
	})
}
