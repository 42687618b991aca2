package genesis

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// PeerKeySize is how many bytes the secret has that a session at another node is bound
// to.
const PeerKeySize = 32

// Thumbprint names a secret without telling it: that of RFC 7638, of the JWK
// {"k":…,"kty":"oct"}, as base64url.
func Thumbprint(secret []byte) string {
	sum := sha256.Sum256([]byte(`{"k":"` + base64.RawURLEncoding.EncodeToString(secret) + `","kty":"oct"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// PeerProof shows with one request that whoever sends it has the secret of their session:
// a signature by HTTP Message Signatures (RFC 9421) with hmac-sha256. What it covers is
// fixed, and is in docs/federation.md.
type PeerProof struct {
	Created time.Time // whole seconds count
	Nonce   string    // at most one request has it
}

// Headers of a proof, and the components that it covers.
const (
	ProofInput      = "Signature-Input"
	ProofSignature  = "Signature"
	ProofComponents = `("@method" "@path" "@query" "authorization")`
)

// Params are the parameters of the signature as they are sent, and signed.
func (p PeerProof) Params() string {
	return ProofComponents + ";created=" + strconv.FormatInt(p.Created.Unix(), 10) + `;nonce="` + p.Nonce + `";alg="hmac-sha256"`
}

// Sum is the signature of a request. path is that below the node's URL, which is what
// the node sees, percent-encoded as it is sent.
func (p PeerProof) Sum(r *http.Request, path string, secret []byte) []byte {
	var base strings.Builder
	for _, line := range [][2]string{{"@method", r.Method}, {"@path", path}, {"@query", "?" + r.URL.RawQuery}, {"authorization", strings.TrimSpace(r.Header.Get("Authorization"))}} {
		base.WriteString(`"` + line[0] + `": ` + line[1] + "\n")
	}
	base.WriteString(`"@signature-params": ` + p.Params())
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(base.String()))
	return mac.Sum(nil)
}

// Sign adds the proof to a request that has its Authorization.
func (p PeerProof) Sign(r *http.Request, path string, secret []byte) {
	r.Header.Set(ProofInput, "genesis="+p.Params())
	r.Header.Set(ProofSignature, "genesis=:"+base64.StdEncoding.EncodeToString(p.Sum(r, path, secret))+":")
}
