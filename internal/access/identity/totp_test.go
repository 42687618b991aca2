package identity

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestCodeVectors holds the SHA-1 vectors of RFC 6238, appendix B, in their last
// six digits.
func TestCodeVectors(t *testing.T) {
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := code([]byte("12345678901234567890"), at/30); got != want {
			t.Errorf("at %d the code is %s, want %s", at, got, want)
		}
	}
}

func TestMatchCode(t *testing.T) {
	secret, now := []byte("12345678901234567890"), time.Unix(1_000_000, 0)
	step := now.Unix() / 30
	for name, tt := range map[string]struct {
		given string
		last  int64
		ok    bool
	}{
		"now":       {code(secret, step), 0, true},
		"before":    {code(secret, step-1), 0, true},
		"after":     {code(secret, step+1), 0, true},
		"spaced":    {code(secret, step)[:3] + " " + code(secret, step)[3:], 0, true},
		"too early": {code(secret, step+2), 0, false},
		"too late":  {code(secret, step-2), 0, false},
		"used":      {code(secret, step), step, false},
		"older":     {code(secret, step-1), step, false},
		"signed":    {"+" + code(secret, step)[1:], 0, false},
		"short":     {code(secret, step)[1:], 0, false},
		"empty":     {"", 0, false},
	} {
		if _, ok := matchCode(secret, tt.given, now, tt.last); ok != tt.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestSecondFactor(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "op", genesis.DutyOperator)
	ada, secret := w.signIn(t, "ada")
	_, other := w.signIn(t, "ada")
	_, err := w.ConfirmTOTP(t.Context(), ada, "123456")
	wants(t, err, genesis.Conflict, nil)
	first, err := w.SetupTOTP(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if want := "otpauth://totp/Genesis%20nrel:ada?algorithm=SHA1&digits=6&issuer=Genesis%20nrel&period=30&secret=" + first.Secret; first.URI != want {
		t.Errorf("the URI is %s, want %s", first.URI, want)
	}
	w.signIn(t, "ada") // nothing has changed yet
	_, err = w.ConfirmTOTP(t.Context(), ada, "00000x")
	wants(t, err, genesis.Permission, WrongCode)
	setup, codes := w.secondFactor(t, ada) // begins anew
	if setup.Secret == first.Secret || len(codes) != recoveryCodes {
		t.Errorf("the second secret is the first, or there are %d codes", len(codes))
	}
	w.who(t, secret)
	_, err = w.Authenticate(t.Context(), other)
	wants(t, err, genesis.Permission, Revoked)

	sign := func(code string) (genesis.NewToken, error) {
		return w.Password(t.Context(), "ada", password, code, "192.0.2.1")
	}
	_, err = sign("")
	wants(t, err, genesis.Permission, CodeNeeded)
	_, err = sign(w.codeOf(t, setup)) // used by ConfirmTOTP
	wants(t, err, genesis.Permission, WrongCode)
	w.clock.add(totpStep)
	token, err := sign(w.codeOf(t, setup))
	if err != nil {
		t.Fatal(err)
	}
	if p := w.who(t, token.Secret); p.Assurance != genesis.AssuranceMFA {
		t.Errorf("assurance is %q", p.Assurance)
	}
	_, err = sign(w.codeOf(t, setup))
	wants(t, err, genesis.Permission, WrongCode)
	_, err = w.Password(t.Context(), "ada", "not the password", w.codeOf(t, setup), "192.0.2.1")
	wants(t, err, genesis.Permission, WrongPassword)

	w.attempts = newAttempts() // TestCodesAreLimited looks at those
	if _, err = sign(strings.ToUpper(codes[0])); err != nil {
		t.Errorf("a recovery code: %v", err)
	}
	if !strings.Contains(w.last(), "password and recovery code") {
		t.Errorf("the last event is %s", w.last())
	}
	_, err = sign(codes[0])
	wants(t, err, genesis.Permission, WrongCode)
	if _, err = sign(strings.ReplaceAll(codes[1], "-", "")); err != nil {
		t.Errorf("without dashes: %v", err)
	}

	_, err = w.SetupTOTP(t.Context(), ada)
	wants(t, err, genesis.Conflict, nil)
	wants(t, w.RemoveTOTP(t.Context(), ada, "ada"), genesis.Permission, nil) // that session has one factor
	mfa := w.who(t, token.Secret)
	w.clock.add(recently + time.Second)
	wants(t, w.RemoveTOTP(t.Context(), mfa, "ada"), genesis.Permission, nil) // too long ago
	op, _ := w.signIn(t, "op")
	wants(t, w.RemoveTOTP(t.Context(), mfa, "op"), genesis.Permission, nil)
	if err := w.RemoveTOTP(t.Context(), op, "ada"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Authenticate(t.Context(), token.Secret)
	wants(t, err, genesis.Permission, Revoked)
	ada, _ = w.signIn(t, "ada")
	if ada.Assurance != genesis.AssurancePassword {
		t.Errorf("assurance is %q", ada.Assurance)
	}
	setup, _ = w.secondFactor(t, ada)
	w.clock.add(totpStep)
	token, err = sign(w.codeOf(t, setup))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RemoveTOTP(t.Context(), w.who(t, token.Secret), "ada"); err != nil {
		t.Error(err)
	}
}

// TestCodesAreLong: recovery codes, which the database keeps as a plain hash, have 128
// bits, none is there twice, and none is kept as it is; a terminal's code has 34 and is
// not kept.
func TestCodesAreLong(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	_, codes := w.secondFactor(t, ada)
	text, seen := dump(t, w.db), map[string]bool{}
	for _, c := range codes {
		bare := strings.ReplaceAll(c, "-", "")
		b, err := base32Lower.DecodeString(bare)
		if err != nil || len(b)*8 < 112 || seen[bare] || len(c) > 64 {
			t.Errorf("%s: %d bits, %v", c, len(b)*8, err)
		}
		if seen[bare] = true; strings.Contains(text, bare) || strings.Contains(text, c) {
			t.Errorf("the database has %s", c)
		}
	}
	d := w.startDevice(t)
	bare := strings.ReplaceAll(d.UserCode, "-", "")
	if bits := float64(len(bare)) * math.Log2(float64(len(userLetters))); bits < 20 || strings.Trim(bare, userLetters) != "" {
		t.Errorf("%s has %.0f bits", d.UserCode, bits)
	}
	if text := dump(t, w.db); strings.Contains(text, bare) || strings.Contains(text, d.UserCode) {
		t.Errorf("the database has %s", d.UserCode)
	}
}

func TestSecondFactorTakesASession(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	token, err := w.CreateToken(t.Context(), ada, genesis.TokenRequest{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	narrowed := ada
	narrowed.Scopes = []genesis.Scope{"read"}
	for name, p := range map[string]genesis.Principal{"nobody": {}, "owner": local, "token": w.who(t, token.Secret), "narrowed": narrowed,
		"another's": {Subject: "bob", Node: "nrel", Credential: ada.Credential}, "elsewhere": {Subject: "ada", Node: "ornl", Credential: ada.Credential}} {
		_, err := w.SetupTOTP(t.Context(), p)
		if genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.clock.add(recently + time.Second)
	_, err = w.SetupTOTP(t.Context(), ada)
	wants(t, err, genesis.Permission, nil)
}

// TestChangedMeanwhile changes an account between the two halves of a sign-in:
// after its password was found right, before the session is made.
func TestChangedMeanwhile(t *testing.T) {
	for name, change := range map[string]func(*world){
		"password": func(w *world) {
			if _, err := w.ChangeAccount(t.Context(), local, "ada", genesis.AccountChange{Password: ref("quite another one")}); err != nil {
				t.Fatal(err)
			}
		},
		"second factor": func(w *world) {
			ada, _ := w.signIn(t, "ada")
			w.secondFactor(t, ada)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			w.account(t, "ada")
			known, err := find(t.Context(), w.db.Read(), "test", "ada")
			if err != nil {
				t.Fatal(err)
			}
			change(w)
			_, err = w.finishPassword(t.Context(), "test", known, "", "")
			wants(t, err, genesis.Permission, WrongPassword)
		})
	}
}

func TestCodesAreLimited(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	ada, _ := w.signIn(t, "ada")
	w.secondFactor(t, ada)
	tries := 0
	var err error
	for ; genesis.KindOf(err) != genesis.Unavailable && tries < 50; tries++ {
		_, err = w.Password(t.Context(), "ada", password, "000000", "192.0.2.1")
		w.clock.add(time.Minute) // slower than passwords are limited
	}
	if tries > 8 {
		t.Errorf("%d codes can be tried in as many minutes: %v", tries, err)
	}
}

// TestSealing holds that what is sealed opens with its key and for its use alone.
func TestSealing(t *testing.T) {
	one, err := newSealer(randomBytes(16))
	if err != nil {
		t.Fatal(err)
	}
	two, _ := newSealer(randomBytes(16))
	none, _ := newSealer(nil)
	sealed := one.seal("secret", "a")
	if text, err := one.open(sealed, "a"); text != "secret" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if sealed == one.seal("secret", "a") || strings.Contains(sealed, "secret") {
		t.Error("it is not sealed")
	}
	for name, open := range map[string]func() (string, error){
		"other use":    func() (string, error) { return one.open(sealed, "b") },
		"other key":    func() (string, error) { return two.open(sealed, "a") },
		"no key":       func() (string, error) { return none.open(sealed, "a") },
		"cut":          func() (string, error) { return one.open(sealed[:len(sealed)-2], "a") },
		"empty":        func() (string, error) { return one.open("", "a") },
		"plain cookie": func() (string, error) { return one.openSealed("plain1:secret", "a") },
	} {
		if text, err := open(); err == nil {
			t.Errorf("%s: %q", name, text)
		}
	}
	if text, err := one.open(none.seal("secret", "a"), "a"); text != "secret" || err != nil {
		t.Errorf("kept before there was a key: %q, %v", text, err)
	}
}
