package identity

import (
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// FuzzSecret brings any bearer: it is unknown, and well formed only with the
// checksum of its own random part.
func FuzzSecret(f *testing.F) {
	w := open(f)
	secret, _ := newSecret(genesis.PersonalToken)
	f.Add(secret)
	f.Add(secret[:len(secret)-1])
	f.Add("gen_p_")
	f.Add(strings.Repeat("x", secretLength))
	f.Fuzz(func(t *testing.T, s string) {
		if wellFormed(s) && (len(s) != secretLength || s[secretLength-secretChecksum:] != checksum(s[:secretLength-secretChecksum])) {
			t.Errorf("%q is well formed", s)
		}
		_, err := w.Authenticate(t.Context(), s)
		wants(t, err, genesis.Permission, Unknown)
		_, err = w.PollDevice(t.Context(), s)
		wants(t, err, genesis.Permission, ExpiredDevice)
	})
}

// FuzzCode brings any second factor: only the three codes of the time are taken.
func FuzzCode(f *testing.F) {
	secret, now := []byte("12345678901234567890"), time.Unix(1_000_000, 0)
	step := now.Unix() / 30
	f.Add(code(secret, step), int64(0))
	f.Add(code(secret, step-1), step)
	f.Add("12 34 56", int64(-1))
	f.Add("", int64(1<<62))
	f.Fuzz(func(t *testing.T, given string, last int64) {
		got, ok := matchCode(secret, given, now, last)
		plain := strings.ReplaceAll(given, " ", "")
		want := false
		for s := step - 1; s <= step+1; s++ {
			want = want || plain == code(secret, s) && s > last
		}
		if ok != want || ok && (got <= last || code(secret, got) != plain) {
			t.Errorf("%q after %d: %d %v, want %v", given, last, got, ok, want)
		}
		recoveryHash(given)
	})
}

// FuzzHash brings any text as the hash of a password. What is read asks for
// bounded work.
func FuzzHash(f *testing.F) {
	for _, h := range vectors {
		f.Add(h)
	}
	f.Add("argon2id$m=4294967295,t=1,p=1$AAAA$AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseHash(text)
		if err == nil && (p.cost.Memory > maxMemory || p.cost.Passes > maxPasses || p.cost.Iterations > maxIterations || len(p.key) != keyBytes || p.cost.Memory == 0 && p.cost.Iterations == 0) {
			t.Errorf("%q asks for %+v", text, p)
		}
	})
}

// FuzzCursor brings any cursor.
func FuzzCursor(f *testing.F) {
	w := open(f)
	w.account(f, "ada")
	f.Add("")
	f.Add(writeCursor("12:abc"))
	f.Add(writeCursor("ada"))
	f.Fuzz(func(t *testing.T, cursor string) {
		_, _, err := w.Accounts(t.Context(), cursor)
		if err != nil {
			wants(t, err, genesis.Invalid, nil)
		}
		if _, _, err = w.Tokens(t.Context(), "ada", cursor); err != nil {
			wants(t, err, genesis.Invalid, nil)
		}
	})
}
