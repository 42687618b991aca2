package jws

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"
)

var (
	key    = ed25519.NewKeyFromSeed(make([]byte, 32))
	public = key.Public().(ed25519.PublicKey)
)

func signed(t testing.TB) string {
	t.Helper()
	text, err := Sign("a+jws", key, []byte(`{"iss":"nrel"}`))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestMessage(t *testing.T) {
	m, err := Read("a+jws", signed(t))
	if err != nil || !m.Check(public) || string(m.Payload) != `{"iss":"nrel"}` {
		t.Fatalf("%+v %v", m, err)
	}
	other := ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))).Public().(ed25519.PublicKey)
	if m.Check(other) || m.Check(nil) {
		t.Error("another key passes")
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	good := signed(t)
	parts := strings.Split(good, ".")
	head := func(json string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(json)) + "." + parts[1] + "." + parts[2]
	}
	for name, text := range map[string]string{
		"none":             head(`{"alg":"none","kid":"x","typ":"a+jws"}`),
		"another type":     head(`{"alg":"EdDSA","kid":"x","typ":"b+jws"}`),
		"a key of its own": head(`{"alg":"EdDSA","kid":"x","typ":"a+jws","jwk":{}}`),
		"critical":         head(`{"alg":"EdDSA","kid":"x","typ":"a+jws","crit":["b64"]}`),
		"no signature":     parts[0] + "." + parts[1] + ".",
		"two parts":        parts[0] + "." + parts[1],
		"two lines":        parts[0] + "\n." + parts[1] + "." + parts[2],
		"padding":          good + "=",
		"too long":         good + strings.Repeat("A", Max),
	} {
		if m, err := Read("a+jws", text); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	changed := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"evil"}`)) + "." + parts[2]
	if m, err := Read("a+jws", changed); err != nil || m.Check(public) {
		t.Errorf("what was not signed passes: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(signed(f))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Read("a+jws", text)
		if err == nil && m.Check(public) && string(m.Payload) != `{"iss":"nrel"}` {
			t.Errorf("%q passes", m.Payload)
		}
	})
}
