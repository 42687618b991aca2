package identity

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// algorithms are those by which an ID token may be signed: with a key that only
// the provider has, and no hash weaker than SHA-256.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

const (
	keysFresh   = time.Hour        // after which keys are asked for again
	keysLast    = 24 * time.Hour   // for which they do when nobody answers
	keysBetween = 10 * time.Second // questions because of a key that is not known
	leastRSA    = 2048             // bits
)

// keySet are the public keys of a provider. A key that is not known makes it ask
// again, but not often: whoever can make up key ids must not make this node
// flood the provider.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time

	turn  chan struct{} // held while reading and changing what follows
	keys  []jose.JSONWebKey
	at    time.Time // of the last answer
	retry backoff
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	return &keySet{url: url, client: client, now: now, turn: make(chan struct{}, 1)}
}

// errKeys is the cause when the provider's keys cannot be had.
var errKeys = errors.New("the provider's keys are not to be had")

// errSignature is the cause when a token was not signed by the provider.
var errSignature = errors.New("the signature is not one of the provider's")

// VerifySignature returns the payload of a token that the provider signed. It is
// what go-oidc asks of a key set.
func (s *keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errSignature
	}
	leave, err := enter(ctx, s.turn)
	if err != nil {
		return nil, err
	}
	defer leave()
	kid := jws.Signatures[0].Header.KeyID
	if err := s.refresh(ctx, kid); err != nil {
		return nil, err
	}
	for _, k := range s.named(kid) {
		if payload, err := jws.Verify(&k); err == nil {
			return payload, nil
		}
	}
	return nil, errSignature
}

// refresh asks for the keys when they are old, or lack one.
func (s *keySet) refresh(ctx context.Context, kid string) error {
	now := s.now()
	age := now.Sub(s.at)
	missing := len(s.named(kid)) == 0
	if !s.at.IsZero() && age < keysFresh && (!missing || age < keysBetween) {
		return nil
	}
	err := errWaiting
	if s.retry.ready(now) {
		err = s.fetch(ctx)
	}
	switch {
	case err == nil:
		s.at, s.retry = now, backoff{}
		return nil
	case !errors.Is(err, errWaiting):
		s.retry.failed(now)
	}
	if !missing && age < keysLast {
		return nil
	}
	return fmt.Errorf("%w: %w", errKeys, err)
}

// named returns the keys of an id; all, where a token names none.
func (s *keySet) named(kid string) []jose.JSONWebKey {
	if kid == "" {
		return s.keys
	}
	var out []jose.JSONWebKey
	for _, k := range s.keys {
		if k.KeyID == kid {
			out = append(out, k)
		}
	}
	return out
}

// fetch asks for the keys, and keeps those that are good for signatures.
func (s *keySet) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the provider answers %s to the question for its keys", resp.Status)
	}
	keys, err := readKeys(body)
	if err == nil {
		s.keys = keys
	}
	return err
}

const mostKeys = 100

// readKeys returns the keys of a JSON Web Key Set (RFC 7517) that are good for
// signatures. Keys that cannot be read are left out: they may be of a kind that
// is not known here.
func readKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("the provider's keys cannot be read: %w", err)
	}
	var out []jose.JSONWebKey
	for _, raw := range set.Keys[:min(len(set.Keys), mostKeys)] {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) != nil || !k.Valid() || !k.IsPublic() || k.Use != "" && k.Use != "sig" {
			continue
		}
		if r, ok := k.Key.(*rsa.PublicKey); ok && r.N.BitLen() < leastRSA {
			continue
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, errors.New("the provider has no key that is good for signatures")
	}
	return out, nil
}
