package vouch

import (
	"net/http"
	"testing"

	"github.com/opengenesis/genesis"
)

// FuzzToken brings any text as a token. What is taken was signed by the issuer that it
// names, and is for this node; what is not says why.
func FuzzToken(f *testing.F) {
	good := signed(f, ada())
	mit, _ := signerOf("mit", 8)
	project, err := mit.Membership(wind())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(project)
	f.Add(good[:len(good)-3])
	f.Add(unsigned())
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := checker().Word(text, noon)
		if err == nil && (w.Issuer != "nrel" && w.Issuer != "mit" || w.Audience != "ornl" || w.check(PersonType) != nil) {
			t.Errorf("%q is taken: %+v", text, w)
		}
		if err != nil && codeOf(err) == "" {
			t.Errorf("%q: %v has no code", text, err)
		}
		if _, err := checker().Membership(text, "nrel/ada", noon); err != nil && codeOf(err) == "" {
			t.Errorf("%q: %v has no code", text, err)
		}
	})
}

// FuzzProof brings any headers as a proof: none but the one that was made is taken.
func FuzzProof(f *testing.F) {
	r := request()
	genesis.PeerProof{Created: noon, Nonce: "bm9uY2Ugb2Ygc2l4dGVlbg"}.Sign(r, r.URL.EscapedPath(), secret)
	input, signature := r.Header.Get("Signature-Input"), r.Header.Get("Signature")
	f.Add(input, signature, "GET", "/v1/versions/turbines%402/export?columns=a&columns=b")
	f.Add(input, signature, "POST", "/")
	f.Add(input, "genesis=:AAAA:", "GET", "/%zz")
	f.Fuzz(func(t *testing.T, in, sig, method, target string) {
		r, err := http.NewRequest(method, "https://ornl.example"+target, nil)
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer gen_g_example")
		r.Header["Signature-Input"], r.Header["Signature"] = []string{in}, []string{sig}
		p, err := ReadProof(r)
		if err == nil {
			err = p.Check(secret, noon)
		}
		if err != nil && codeOf(err) == "" {
			t.Errorf("%v has no code", err)
		}
		if err == nil && sig != signature && p.Nonce == "bm9uY2Ugb2Ygc2l4dGVlbg" && r.URL.String() == request().URL.String() {
			t.Errorf("%q %q is taken", in, sig)
		}
	})
}
