//go:build linux || darwin

package node

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/store"
)

// pact is the charter of the nodes of a test, which learn their URLs when they run.
type pact struct {
	mu      sync.Mutex
	members map[genesis.NodeID]genesis.Member
}

func (p *pact) Member(id genesis.NodeID) (genesis.Member, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.members[id]
	return m, ok
}

func (p *pact) Members() (all []genesis.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		all = append(all, m)
	}
	return all
}

// put says what a member is; without keys it is none.
func (p *pact) put(m genesis.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.members[m.ID] = m; m.Keys == nil {
		delete(p.members, m.ID)
	}
}

// allied is a town that is a member of a federation.
func allied(t *testing.T, p *pact, id genesis.NodeID) *town {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := genesis.NodeKey{ID: genesis.KeyID(public), Use: genesis.KeyToken, Public: public, From: time.Now().Add(-time.Hour)}
	m := genesis.Member{ID: id, Institution: "Institute " + string(id), Sector: genesis.University, Keys: []genesis.NodeKey{key}}
	p.put(m)
	w := newTown(t, func(h *Home, o *Options) {
		h.Config.Node = id
		o.charter, o.token = p, func() (string, ed25519.PrivateKey) { return key.ID, private }
	})
	w.local.Node = id
	m.URL = w.url
	p.put(m)
	return w
}

func alliance(t *testing.T) (p *pact, here, there *town) {
	t.Helper()
	p = &pact{members: map[genesis.NodeID]genesis.Member{}}
	return p, allied(t, p, "here"), allied(t, p, "there")
}

// traveller signs requests for a session of somebody of another node.
type traveller struct {
	session string
	secret  []byte
	inner   http.RoundTripper
}

func (v *traveller) RoundTrip(r *http.Request) (*http.Response, error) {
	signed := r.Clone(r.Context())
	signed.Header.Set("Authorization", "Bearer "+v.session)
	genesis.PeerProof{Created: time.Now(), Nonce: rand.Text()}.Sign(signed, signed.URL.EscapedPath(), v.secret)
	return v.inner.RoundTrip(signed)
}

// travel gives somebody of this town a session at another.
func (w *town) travel(who string, to *town, secret []byte) genesis.PeerSession {
	w.Helper()
	ask := func(at *town, who, path string, in, out any) {
		b, err := json.Marshal(in)
		if err != nil {
			w.Fatal(err)
		}
		status, answer := at.call(who, "POST", path, string(b))
		if err := json.Unmarshal(answer, out); err != nil || status != 200 {
			w.Fatalf("%s: %d %s", path, status, answer)
		}
	}
	var token genesis.PeerToken
	ask(w, who, "/v1/tokens/peer", genesis.PeerTokenRequest{Audience: to.local.Node, Key: genesis.Thumbprint(secret)}, &token)
	var s genesis.PeerSession
	ask(to, "nobody", "/v1/exchange", genesis.ExchangeRequest{Token: token.Token, Key: secret}, &s)
	return s
}

func newSecret() []byte {
	secret := make([]byte, genesis.PeerKeySize)
	_, _ = rand.Read(secret)
	return secret
}

// TestAtAnotherNode: people of one node find, ask for and take what another lets them, and
// its journal says who, by whose word.
func TestAtAnotherNode(t *testing.T) {
	pact, here, there := alliance(t)
	registered, controlled := there.build("registered"), there.build("controlled")
	there.build("restricted")
	home := client.New(here.url, nil).WithToken(here.token["ada"])
	ada, err := home.At(t.Context(), "there")
	if err != nil {
		t.Fatal(err)
	}
	who, err := ada.WhoAmI(t.Context())
	if err != nil || who.Person() != "here/ada" || who.Institution != "Institute here" || who.Sector != genesis.University || who.Duties != nil {
		t.Fatalf("%+v %v", who, err)
	}
	list, err := ada.ListPage(t.Context(), "", "", 0)
	if err != nil || len(list.Assets) != 2 {
		t.Errorf("%+v %v", list, err)
	}
	var csv bytes.Buffer
	if err := ada.Export(t.Context(), registered, client.ExportOptions{Format: "csv", Columns: []string{"a", "b"}}, &csv, nil); err != nil || !strings.HasPrefix(csv.String(), "a,b\r\n") {
		t.Errorf("%q %v", csv.String(), err)
	}
	if err := ada.Export(t.Context(), controlled, client.ExportOptions{}, io.Discard, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("without a grant: %v", err)
	}
	asked, err := ada.Ask(t.Context(), genesis.AskRequest{Ref: controlled, Purpose: "wakes"})
	if err != nil {
		t.Fatal(err)
	}
	there.must(there.works.Approve(t.Context(), there.local, asked.ID, genesis.Approval{}))
	if err := ada.Export(t.Context(), controlled, client.ExportOptions{}, io.Discard, nil); err != nil {
		t.Error(err)
	}
	there.must(nil, there.works.Journal.Settle(t.Context()))
	page, err := there.works.Audit(t.Context(), there.local, genesis.AuditQuery{Actor: "here/ada", Act: "read", Outcome: genesis.Allowed})
	if err != nil || len(page.Entries) == 0 || !strings.Contains(string(page.Entries[0].Detail), who.Credential) {
		t.Errorf("%+v %v", page, err)
	}
	if _, err := home.At(t.Context(), "nowhere"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("no member: %v", err)
	}
	if same, err := home.At(t.Context(), "here"); err != nil || same != home {
		t.Errorf("at home: %v", err)
	}
	m, _ := pact.Member("here")
	m.Keys = nil
	pact.put(m)
	if _, err = ada.WhoAmI(t.Context()); genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), "no member") {
		t.Errorf("of a node that left: %v", err)
	}
}

// TestGuestStreamsOutliveRenewals: a stream goes on when the session in which it began has
// ended and been renewed; a right that ends at its owner's node ends it within a second, and
// so does the end of the last session.
func TestGuestStreamsOutliveRenewals(t *testing.T) {
	_, here, there := alliance(t)
	base := there.reach(false)
	for name, end := range map[string]func(*genesis.Grant){
		"revoked": func(g *genesis.Grant) {
			there.must(there.works.Revoke(t.Context(), there.local, g.ID, "over"))
		},
		"not renewed": func(*genesis.Grant) { there.endSessions("") },
	} {
		asset := strings.ReplaceAll(name, " ", "-")
		there.lend(asset, long(200_000), genesis.Read)
		g, err := there.works.Grant(t.Context(), there.local, genesis.GrantRequest{Ref: asset, To: "person:here/gil", Actions: []genesis.Action{genesis.Read}})
		there.must(nil, err)
		secret := newSecret()
		first := here.travel("gil", there, secret)
		h, _ := slowly(false)
		h.Transport = &traveller{first.Session, secret, h.Transport}
		resp := there.streamed(h, base, "nobody", asset, url.Values{"mode": {"full"}})
		if resp.StatusCode != 200 {
			b, _ := io.ReadAll(resp.Body)
			t.Fatalf("%s %s", resp.Status, b)
		}
		ended := make(chan error, 1)
		go func() { _, err := io.Copy(io.Discard, resp.Body); ended <- err }()
		here.travel("gil", there, secret)
		there.endSessions(first.Principal.Credential)
		select {
		case err := <-ended:
			t.Fatalf("%s: it ended with its first session: %v", name, err)
		case <-time.After(2 * time.Second):
		}
		if got := there.streamed(h, base, "nobody", asset, nil); got.StatusCode != 401 {
			t.Errorf("%s: the session that ended begins another: %s", name, got.Status)
		}
		began := time.Now()
		end(g)
		select {
		case err := <-ended:
			if err == nil {
				t.Errorf("%s: it was whole", name)
			}
		case <-time.After(5 * time.Second):
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: it ended after %v", name, took)
		}
	}
}

// endSessions lets sessions of guests run out: one, or all.
func (w *town) endSessions(jti string) {
	w.Helper()
	w.must(nil, w.works.db.Tx(w.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE guests SET expires_at = $1 WHERE $2 IN ('', jti)", store.Time(time.Now().Add(-time.Second)), jti)
		return err
	}))
}
