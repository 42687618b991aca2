package identity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// A sealed text reads "sealed1:" and the base64 of nonce, ciphertext and tag of
// AES-256-GCM. Without a key a text is kept as "plain1:" and itself.
const (
	sealedPrefix = "sealed1:"
	plainPrefix  = "plain1:"
)

// sealer hides what leaves the process and comes back, and notices changes.
type sealer struct{ aead cipher.AEAD } // nil: no key

func newSealer(key []byte) (*sealer, error) {
	if len(key) == 0 {
		return &sealer{}, nil
	}
	derived, err := hkdf.Key(sha256.New, key, nil, "genesis identity 1", 32)
	if err != nil {
		return nil, fault("open identity", "", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fault("open identity", "", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fault("open identity", "", err)
	}
	return &sealer{aead}, nil
}

// seal returns text so that open gives it back. What it is for, say the account
// to which it belongs, is bound to it.
func (s *sealer) seal(text, use string) string {
	if s.aead == nil {
		return plainPrefix + text
	}
	return sealedPrefix + base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(text), []byte(use)))
}

var errSeal = errors.New("a sealed text was changed, or sealed with another key")

// open is the inverse of seal. A sealer with a key opens what was kept without
// one, so that a key can be added later.
func (s *sealer) open(sealed, use string) (string, error) {
	if text, ok := strings.CutPrefix(sealed, plainPrefix); ok {
		return text, nil
	}
	return s.openSealed(sealed, use)
}

// openSealed opens only what was sealed with the key.
func (s *sealer) openSealed(sealed, use string) (string, error) {
	body, ok := strings.CutPrefix(sealed, sealedPrefix)
	if !ok || s.aead == nil {
		return "", errSeal
	}
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return "", errSeal
	}
	text, err := s.aead.Open(nil, nil, b, []byte(use))
	if err != nil {
		return "", errSeal
	}
	return string(text), nil
}
