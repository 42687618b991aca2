package vouch

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

var (
	noon   = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	secret = bytes.Repeat([]byte{9}, genesis.PeerKeySize)
)

// signerOf is a key made of one byte, and the member that has it.
func signerOf(id genesis.NodeID, seed byte) (Signer, genesis.Member) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public := private.Public().(ed25519.PublicKey)
	key := genesis.NodeKey{ID: genesis.KeyID(public), Use: genesis.KeyToken, Public: public, From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)}
	return Signer{ID: key.ID, Key: private}, genesis.Member{ID: id, Keys: []genesis.NodeKey{key}}
}

// checker is that of ornl, which knows of nrel and mit.
func checker() Checker {
	_, nrel := signerOf("nrel", 7)
	_, mit := signerOf("mit", 8)
	return Checker{Node: "ornl", Member: func(id genesis.NodeID) (genesis.Member, bool) {
		m, ok := map[genesis.NodeID]genesis.Member{"nrel": nrel, "mit": mit}[id]
		return m, ok
	}}
}

// ada is what nrel says of ada.
func ada() Word {
	return Word{Issuer: "nrel", Audience: "ornl", Subject: "ada", ID: "k3x7q2m9p0z1w4t8", Issued: At(noon), Begins: At(noon), Expires: At(noon.Add(TokenLife)),
		Confirm: Confirm{genesis.Thumbprint(secret)}, Assurance: genesis.AssuranceMFA, Vetting: genesis.Vetted, Citizenship: genesis.USPerson,
		Scopes: []genesis.Scope{"discover", "read"}, SignedIn: At(noon.Add(-time.Minute)), Until: At(noon.Add(time.Hour))}
}

func wind() Membership {
	return Membership{Home: "mit", Person: "nrel/ada", Project: "wind", Issued: At(noon), Expires: At(noon.Add(ProjectLife))}
}

func signed(t testing.TB, w Word) string {
	t.Helper()
	s, _ := signerOf("nrel", 7)
	text, err := s.Word(w)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func request() *http.Request {
	r := httptest.NewRequest("GET", "https://ornl.example/v1/versions/turbines%402/export?columns=a&columns=b", nil)
	r.Header.Set("Authorization", "Bearer gen_g_example")
	return r
}

// TestVectors holds what docs/federation.md gives for other implementations.
func TestVectors(t *testing.T) {
	doc, err := os.ReadFile("../../../../docs/federation.md")
	if err != nil {
		t.Fatal(err)
	}
	mit, _ := signerOf("mit", 8)
	project, err := mit.Membership(wind())
	if err != nil {
		t.Fatal(err)
	}
	node := Word{Issuer: "nrel", Audience: "ornl", Subject: "node", ID: "k3x7q2m9p0z1w4t8", Issued: At(noon), Begins: At(noon), Expires: At(noon.Add(TokenLife)), Confirm: Confirm{genesis.Thumbprint(secret)}}
	r := request()
	genesis.PeerProof{Created: noon, Nonce: "bm9uY2Ugb2Ygc2l4dGVlbg"}.Sign(r, r.URL.EscapedPath(), secret)
	for what, want := range map[string]string{"thumbprint": genesis.Thumbprint(secret), "person": signed(t, ada()), "node": signed(t, node), "project": project,
		"input": r.Header.Get("Signature-Input"), "signature": r.Header.Get("Signature")} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/federation.md lacks the %s\n%s", what, want)
		}
	}
}

func TestWord(t *testing.T) {
	w := ada()
	got, err := checker().Word(signed(t, w), noon)
	if err != nil {
		t.Fatal(err)
	}
	w.Key = got.Key
	if diff := cmp.Diff(w, got); diff != "" {
		t.Error(diff)
	}
	w.Scopes = []genesis.Scope{} // narrowed to nothing is not the same as not narrowed
	if got, err = checker().Word(signed(t, w), noon); err != nil || got.Scopes == nil {
		t.Errorf("%v %v", got.Scopes, err)
	}
}

func codeOf(err error) genesis.PeerCode {
	var e *genesis.Error
	if !errors.As(err, &e) || e.Kind != genesis.Permission {
		return ""
	}
	return e.Code
}

func TestWordsThatDoNotHold(t *testing.T) {
	nrel, member := signerOf("nrel", 7)
	other, _ := signerOf("nrel", 9)
	posing := Signer{ID: nrel.ID, Key: other.Key}
	change := func(f func(*Word)) func() string {
		return func() string { w := ada(); f(&w); return signed(t, w) }
	}
	by := func(s Signer, f func(*Word)) func() string {
		return func() string {
			w := ada()
			f(&w)
			text, err := s.Word(w)
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
	}
	same := func(*Word) {}
	for name, tt := range map[string]struct {
		token func() string
		at    time.Time
		code  genesis.PeerCode
		says  string
	}{
		"another audience":     {change(func(w *Word) { w.Audience = "mit" }), noon, genesis.CodeBadAudience, "it is for mit, and this is ornl"},
		"no member":            {change(func(w *Word) { w.Issuer = "pnnl" }), noon, genesis.CodeBadIssuer, `"pnnl", which is no member`},
		"another's issuer":     {change(func(w *Word) { w.Issuer = "mit" }), noon, genesis.CodeBadKey, "and mit has"},
		"unknown key":          {by(other, same), noon, genesis.CodeBadKey, "and nrel has " + nrel.ID},
		"key that ended":       {change(same), noon.Add(2 * time.Hour), genesis.CodeBadKey, "nrel has no token key"},
		"posing key":           {by(posing, same), noon, genesis.CodeBadSignature, "its signature is not one of key"},
		"four minutes later":   {change(func(w *Word) {}), noon.Add(4 * time.Minute), genesis.CodeExpired, "until 2027-01-01T12:02:00Z by the clock of nrel, and here it is 2027-01-01T12:04:00Z"},
		"a moment too late":    {change(same), noon.Add(3 * time.Minute), genesis.CodeExpired, ""},
		"before its time":      {change(same), noon.Add(-61 * time.Second), genesis.CodeNotYet, "from 2027-01-01T12:00:00Z on by the clock of nrel, and here it is 2027-01-01T11:58:59Z"},
		"long":                 {change(func(w *Word) { w.Expires = At(noon.Add(time.Hour)) }), noon, genesis.CodeMalformed, "further apart"},
		"never begins":         {change(func(w *Word) { w.Begins = At(noon.Add(-time.Hour)) }), noon, genesis.CodeMalformed, "not in order"},
		"a person called node": {by(nrel, func(w *Word) { w.Subject = "node" }), noon, genesis.CodeMalformed, "what is said of people"},
		"a subject's path":     {change(func(w *Word) { w.Subject = "../ada" }), noon, genesis.CodeMalformed, "sub is nobody"},
		"no secret":            {change(func(w *Word) { w.Confirm.Thumbprint = "" }), noon, genesis.CodeMalformed, "thumbprint"},
		"no id":                {change(func(w *Word) { w.ID = "" }), noon, genesis.CodeMalformed, "jti"},
		"no end at home":       {change(func(w *Word) { w.Until = Time{} }), noon, genesis.CodeMalformed, "until"},
		"a class of its own":   {change(func(w *Word) { w.Citizenship = "martian" }), noon, genesis.CodeMalformed, "none that is known"},
		"no scope":             {change(func(w *Word) { w.Scopes = []genesis.Scope{"fly"} }), noon, genesis.CodeMalformed, "scopes"},
		"too many scopes":      {change(func(w *Word) { w.Scopes = make([]genesis.Scope, MaxScopes+1) }), noon, genesis.CodeMalformed, "more than"},
		"empty":                {func() string { return "" }, noon, genesis.CodeMalformed, ""},
		"long text":            {func() string { return strings.Repeat("a", maxToken+1) }, noon, genesis.CodeMalformed, "longer than"},
		"critical":             {func() string { return raw(t, nrel, PersonType, `{}`, map[jose.HeaderKey]any{"crit": []string{"b64"}}) }, noon, genesis.CodeMalformed, "alg, kid and typ"},
		"with a key": {func() string {
			return raw(t, nrel, PersonType, `{}`, map[jose.HeaderKey]any{"jku": "https://evil.example"})
		}, noon, genesis.CodeMalformed, "alg, kid and typ"},
		"of another type":   {func() string { return raw(t, nrel, ProjectType, `{}`, nil) }, noon, genesis.CodeMalformed, "genesis-project+jwt"},
		"null scopes":       {func() string { return raw(t, nrel, PersonType, `{"iss":"nrel","scopes":null}`, nil) }, noon, genesis.CodeMalformed, `"scopes" is null`},
		"a time with parts": {func() string { return raw(t, nrel, PersonType, `{"iss":"nrel","iat":1.5}`, nil) }, noon, genesis.CodeMalformed, "whole seconds"},
		"unsigned":          {func() string { return unsigned() }, noon, genesis.CodeMalformed, "where EdDSA"},
	} {
		_, err := checker().Word(tt.token(), tt.at)
		if codeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v (%s)", name, err, codeOf(err))
		}
	}
	if _, ok := member.Key(genesis.KeyToken, nrel.ID, noon); !ok {
		t.Fatal("the key does not count")
	}
}

// raw signs any claims under any header.
func raw(t testing.TB, s Signer, typ, claims string, more map[jose.HeaderKey]any) string {
	t.Helper()
	opt := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", s.ID)
	for k, v := range more {
		opt = opt.WithHeader(k, v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: s.Key}, opt)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func unsigned() string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"none","kid":"0123456789abcdef","typ":"`+PersonType+`"}`)) + "." + b64([]byte(`{"iss":"nrel"}`)) + "."
}

func TestMembership(t *testing.T) {
	mit, _ := signerOf("mit", 8)
	nrel, _ := signerOf("nrel", 7)
	text := func(s Signer, f func(*Membership)) string {
		m := wind()
		f(&m)
		out, err := s.Membership(m)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	same := func(*Membership) {}
	got, err := checker().Membership(text(mit, same), "nrel/ada", noon)
	if err != nil || got.ID() != "mit/wind" {
		t.Fatalf("%v %v", got, err)
	}
	for name, tt := range map[string]struct {
		token string
		of    genesis.PersonID
		at    time.Time
		code  genesis.PeerCode
	}{
		"of another person":   {text(mit, same), "nrel/bob", noon, genesis.CodeMalformed},
		"not by its home":     {text(nrel, same), "nrel/ada", noon, genesis.CodeBadKey},
		"after an hour":       {text(mit, same), "nrel/ada", noon.Add(59*time.Minute + 2*time.Minute + time.Second), genesis.CodeBadKey},
		"for a day":           {text(mit, func(m *Membership) { m.Expires = At(noon.Add(24 * time.Hour)) }), "nrel/ada", noon, genesis.CodeMalformed},
		"expired":             {text(mit, func(m *Membership) { m.Expires = At(noon.Add(time.Minute)) }), "nrel/ada", noon.Add(3 * time.Minute), genesis.CodeExpired},
		"home in the project": {text(mit, func(m *Membership) { m.Project = "nrel/wind" }), "nrel/ada", noon, genesis.CodeMalformed},
		"a person's token":    {signed(t, ada()), "nrel/ada", noon, genesis.CodeMalformed},
	} {
		if _, err := checker().Membership(tt.token, tt.of, tt.at); codeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProof(t *testing.T) {
	prove := func(r *http.Request, at time.Time, key []byte) (Proof, error) {
		genesis.PeerProof{Created: at, Nonce: "bm9uY2Ugb2Ygc2l4dGVlbg"}.Sign(r, r.URL.EscapedPath(), key)
		return ReadProof(r)
	}
	p, err := prove(request(), noon, secret)
	if err != nil || p.Check(secret, noon) != nil || p.Check(secret, noon.Add(-time.Minute)) != nil || p.Check(secret, noon.Add(time.Minute)) != nil {
		t.Fatalf("%v %v", err, p.Check(secret, noon))
	}
	for name, tt := range map[string]struct {
		edit func(*http.Request)
		at   time.Time
		key  []byte
		code genesis.PeerCode
	}{
		"another method": {func(r *http.Request) { r.Method = "POST" }, noon, secret, genesis.CodeBadProof},
		"another path":   {func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/v1/versions/other/export", "" }, noon, secret, genesis.CodeBadProof},
		"unescaped path": {func(r *http.Request) { r.URL.RawPath = "" }, noon, secret, genesis.CodeBadProof},
		"another query":  {func(r *http.Request) { r.URL.RawQuery = "columns=a" }, noon, secret, genesis.CodeBadProof},
		"another bearer": {func(r *http.Request) { r.Header.Set("Authorization", "Bearer gen_g_other") }, noon, secret, genesis.CodeBadProof},
		"another secret": {func(*http.Request) {}, noon, make([]byte, 32), genesis.CodeBadProof},
		"a day early":    {func(*http.Request) {}, noon.Add(24 * time.Hour), secret, genesis.CodeNotYet},
		"a day late":     {func(*http.Request) {}, noon.Add(-24 * time.Hour), secret, genesis.CodeExpired},
	} {
		r := request()
		p, err := prove(r, tt.at, tt.key)
		if err != nil {
			t.Fatal(err)
		}
		tt.edit(r)
		if err := p.Check(secret, noon); codeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestProofsOfAnotherForm(t *testing.T) {
	good := request()
	genesis.PeerProof{Created: noon, Nonce: "bm9uY2Ugb2Ygc2l4dGVlbg"}.Sign(good, good.URL.EscapedPath(), secret)
	input, signature := good.Header.Get("Signature-Input"), good.Header.Get("Signature")
	for name, tt := range map[string]struct {
		input, signature []string
		code             genesis.PeerCode
	}{
		"none":              {nil, nil, genesis.CodeBadProof},
		"no signature":      {[]string{input}, nil, genesis.CodeMalformed},
		"two":               {[]string{input, input}, []string{signature, signature}, genesis.CodeMalformed},
		"fewer components":  {[]string{strings.Replace(input, ` "@query"`, "", 1)}, []string{signature}, genesis.CodeMalformed},
		"another label":     {[]string{strings.Replace(input, "genesis=", "sig1=", 1)}, []string{signature}, genesis.CodeMalformed},
		"another algorithm": {[]string{strings.Replace(input, "hmac-sha256", "ed25519", 1)}, []string{signature}, genesis.CodeMalformed},
		"more parameters":   {[]string{input + `;expires=1`}, []string{signature}, genesis.CodeMalformed},
		"short nonce":       {[]string{strings.Replace(input, "bm9uY2Ugb2Ygc2l4dGVlbg", "a", 1)}, []string{signature}, genesis.CodeMalformed},
		"short signature":   {[]string{input}, []string{"genesis=:AAAA:"}, genesis.CodeMalformed},
		"bits beyond":       {[]string{input}, []string{"genesis=:" + strings.Repeat("A", 42) + "B=:"}, genesis.CodeMalformed},
	} {
		r := request()
		r.Header["Signature-Input"], r.Header["Signature"] = tt.input, tt.signature
		if _, err := ReadProof(r); codeOf(err) != tt.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNonces(t *testing.T) {
	n := NewNonces(noon, func() int { return 3 })
	of := func(at time.Time, nonce string) Proof {
		return Proof{PeerProof: genesis.PeerProof{Created: at, Nonce: nonce}}
	}
	one, two := [32]byte{1}, [32]byte{2}
	if err := n.Use("mit", one, noon, of(noon, "a"), noon); err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Duration{0, 61 * time.Second, 119 * time.Second} {
		if err := n.Use("mit", one, noon, of(noon.Add(time.Minute), "a"), noon.Add(at)); codeOf(err) != genesis.CodeReplayed {
			t.Errorf("after %s: %v", at, err)
		}
	}
	if err := n.Use("mit", two, noon, of(noon, "a"), noon); err != nil {
		t.Errorf("a nonce of another session: %v", err)
	}
	before := noon.Add(-time.Hour)
	for _, at := range []time.Duration{-2 * time.Second, 0, time.Minute} { // by clocks that are ahead, too
		if err := n.Use("mit", one, before, of(noon.Add(at), "b"), noon); codeOf(err) != genesis.CodeExpired {
			t.Errorf("of a session of before, made %v after the node began: %v", at, err)
		}
	}
	if err := n.Use("mit", one, before, of(noon.Add(61*time.Second), "b"), noon.Add(time.Minute)); err != nil {
		t.Errorf("of a session of before, what cannot have been used then: %v", err)
	}
	for range 5 {
		n.turn(n.turned.Add(generation))
	}
	if len(n.young)+len(n.old) != 0 {
		t.Errorf("%d are kept", len(n.young)+len(n.old))
	}
	n.turn(n.turned.Add(24 * time.Hour))
	n.of[one] = MostOfOne
	yesterday := noon.Add(-24 * time.Hour)
	if err := n.Use("mit", one, yesterday, of(yesterday, "d"), yesterday); err != nil {
		t.Errorf("after the clock was set back: %v", err)
	}
	n.of[one] = MostOfOne
	if err := n.Use("mit", one, noon, of(noon, "c"), n.turned); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("one more than is remembered of one: %v", err)
	}
	if err := n.Use("mit", two, noon, of(noon, "c"), n.turned); err != nil {
		t.Errorf("another session pays for it: %v", err)
	}
}

// TestNoncesAreShared: whatever others take together, each member has its part, and all of
// it is bounded.
func TestNoncesAreShared(t *testing.T) {
	for _, c := range []struct{ members, greedy int }{{2, 1}, {4, 3}, {30, 29}} {
		n := NewNonces(noon, func() int { return c.members })
		p := Proof{PeerProof: genesis.PeerProof{Created: noon}}
		all := 0
		use := func(node string) (used int) {
			for ; ; used++ {
				all++
				p.Nonce = fmt.Sprint(all)
				one := sha256.Sum256(fmt.Append(nil, node, used/MostOfOne))
				if err := n.Use(genesis.NodeID(node), one, noon, p, noon); err != nil {
					if genesis.KindOf(err) != genesis.Unavailable {
						t.Fatal(err)
					}
					return used
				}
			}
		}
		part := common / c.members
		if got := use("greedy-0"); got != part+common/2 {
			t.Errorf("of %d members the first gets %d, want %d", c.members, got, part+common/2)
		}
		for i := range c.greedy {
			use(fmt.Sprint("greedy-", i))
		}
		if got := use("honest"); got < part {
			t.Errorf("of %d members %d take what they can get, and leave one %d of its %d", c.members, c.greedy, got, part)
		}
		if len(n.young) > MostNonces {
			t.Errorf("%d are remembered", len(n.young))
		}
		if n.turn(noon.Add(generation)); n.shared != 0 || use("honest") <= part {
			t.Error("the next generation begins with what was taken")
		}
	}
}
