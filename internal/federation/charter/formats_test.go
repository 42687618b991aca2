package charter

import (
	"bytes"
	"crypto/ed25519"
	"os"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestListVector holds the example of docs/formats.md.
func TestListVector(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	m := genesis.Member{ID: "mit", Institution: "Example University", Sector: genesis.University, URL: "https://data.example.edu"}
	for i, use := range genesis.KeyUses {
		public := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, 32)).Public().(ed25519.PublicKey)
		m.Keys = append(m.Keys, genesis.NodeKey{ID: genesis.KeyID(public), Use: use, Public: public, From: day0})
	}
	text, err := list{Format: listFormat, Federation: "energy", Members: []genesis.Member{m}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "\n"+string(text)+"\n") {
		t.Errorf("docs/formats.md does not hold\n%s", text)
	}
}
