package federation

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
		d, _, err := readDescriptor(text)
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

// FuzzHear: only what a member's message key signed, for this node and about now, is
// heard.
func FuzzHear(f *testing.F) {
	w := newTown(f)
	all := w.found(1, "nrel", "mit")
	nrel, mit := all[0], all[1]
	holder, _ := mit.Member("nrel")
	real, err := mit.say(f.Context(), "leave", holder, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(real)
	f.Add(real + "=")
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		m, from, err := nrel.hear(text, "leave", "keys", "drafts")
		if err == nil && (from.ID != "mit" || m.Kind != "leave" || text != real) {
			t.Errorf("%q is heard as %+v", text, m)
		}
		if k := genesis.KindOf(err); err != nil && k != genesis.Invalid && k != genesis.Permission && k != genesis.Unsupported {
			t.Error(err)
		}
	})
}

// FuzzProblem: what another node says is wrong becomes one short line, and no kind of
// error that this node would take for its own.
func FuzzProblem(f *testing.F) {
	text, err := json.Marshal(genesis.ProblemOf(&genesis.Error{Op: "read", Kind: genesis.Permission, Msg: "not you", Hint: "ask"}, true))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(403, text)
	f.Add(500, []byte(`{"kind":"internal","detail":"a\nb`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		err := problem("evil", "https://data.example.edu", &http.Response{StatusCode: status, Status: "?", Body: io.NopCloser(bytes.NewReader(body))})
		if k := genesis.KindOf(err); k == genesis.Internal || k == genesis.Private || k == "" {
			t.Errorf("%q is taken for %v", body, err)
		}
		if said := err.Error(); len(said) > 1000 || strings.ContainsAny(said, "\n\r") || !utf8.ValidString(said) {
			t.Errorf("it says %q", said)
		}
	})
}
