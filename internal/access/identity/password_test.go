package identity

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func TestCheckPassword(t *testing.T) {
	for _, good := range []string{password, "żółta łódź na jeziorze", "ada went to the sea", strings.Repeat("ab cd ", 100)[:600] + "z!"} {
		if err := checkPassword("test", "ada", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for name, bad := range map[string]string{
		"short":           "elevenchars",
		"short in runes":  "łódźłódź",
		"composed":        "e\u0301e\u0301e\u0301e\u0301e\u0301ab", // 12 code points, 7 characters
		"long":            strings.Repeat("long words ", 100),
		"not text":        "twelve\xffbytes!",
		"zero":            "twelve bytes\x00",
		"common":          "passwordpassword",
		"common, shouted": "PasswordPassword!!!",
		"repeats":         "aaaaaaaaaaaaaaaa",
		"repeats pairs":   "abababababababab",
		"counts up":       "abcdefghijklmnopq",
		"counts down":     "zyxwvutsrqponm",
		"the name":        "Lovelace12345lovelace",
	} {
		if err := checkPassword("test", "lovelace", bad); genesis.KindOf(err) != genesis.Invalid || strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for line := range strings.Lines(commonText) {
		if line = strings.TrimSpace(line); len(line) < leastPassword || checkPassword("test", "ada", line) == nil {
			t.Errorf("%q is in the list and is good, or would not be anyway", line)
		}
	}
}

// TestContextWords: a password is not made of the names that are known here alone.
func TestContextWords(t *testing.T) {
	w := open(t) // the node is nrel, the institution National Laboratory
	for secret, good := range map[string]bool{
		"genesis genesis": false, "Genesis@NREL2027": false, "nationallaboratory": false, "National-Laboratory-1": false, "LABORATORY nrel ada": false,
		"genesis is a lamp in the attic": true, "the laboratory has seven attics": true, password: true,
	} {
		_, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "ada", Password: secret})
		switch {
		case good && err != nil && genesis.KindOf(err) != genesis.Exists:
			t.Errorf("%q: %v", secret, err)
		case !good && genesis.KindOf(err) != genesis.Invalid:
			t.Errorf("%q is taken: %v", secret, err)
		}
	}
	doc, err := os.ReadFile("../../../docs/identity.md")
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(doc)), " "), "`genesis`, the node's id, the words of the institution's name and the account's name") {
		t.Errorf("docs/identity.md does not say which words: %v", err)
	}
}

// TestLeakedPasswords: what a file of the operator's names is no password, however it
// is written; a file that is gone lets none be set.
func TestLeakedPasswords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leaked.txt")
	var text strings.Builder
	for n := range 5000 {
		fmt.Fprintf(&text, "leaked password %d\r\n", n)
	}
	text.WriteString("short\n\xff\xff not text at all\nCaf\u00e9 am Rhein, 1999!\nthe last one has no end")
	write := func() {
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	w := open(t, func(c *Config) { c.Passwords = path })
	for secret, good := range map[string]bool{
		"leaked password 0": false, "Leaked Password 4999!": false, "cafe\u0301 am Rhein, 1999": false, "the last one has no end": false,
		"leaked password 5000": true, "the last one has an end": true, password: true,
	} {
		_, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "ada", Password: secret})
		switch {
		case good && err != nil && genesis.KindOf(err) != genesis.Exists:
			t.Errorf("%q: %v", secret, err)
		case !good && (genesis.KindOf(err) != genesis.Invalid || strings.Contains(err.Error(), secret)):
			t.Errorf("%q is taken: %v", secret, err)
		}
	}
	w.account(t, "bob")
	bob, _ := w.signIn(t, "bob")
	_, err := w.ChangeAccount(t.Context(), bob, "bob", genesis.AccountChange{Current: password, Password: ref("leaked password 7")})
	wants(t, err, genesis.Invalid, nil)

	w = open(t, func(c *Config) { c.Passwords = path })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "ada", Password: password})
	wants(t, err, genesis.Internal, nil)
	_, err = openLeaked(path)
	wants(t, err, genesis.Invalid, nil)
	_, err = openLeaked(t.TempDir())
	wants(t, err, genesis.Invalid, nil)
}

// TestPasswordsLast: a password is good until it is changed.
func TestPasswordsLast(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.clock.add(10 * 366 * 24 * time.Hour)
	w.signIn(t, "ada")
}

// TestComposedPasswords holds that a password is the same on every keyboard.
func TestComposedPasswords(t *testing.T) {
	w := open(t)
	if _, err := w.CreateAccount(t.Context(), local, genesis.AccountRequest{Subject: "ada", Password: "caf\u00e9 am Stra\u00dfenrand"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Password(t.Context(), "ada", "cafe\u0301 am Stra\u00dfenrand", "", ""); err != nil {
		t.Error(err)
	}
}

func TestHashes(t *testing.T) {
	for _, fips := range []bool{false, true} {
		h := newHasherOf(usualCost, fips)
		hash, err := h.hash(t.Context(), "test", password)
		if err != nil {
			t.Fatal(err)
		}
		want := "argon2id$m=65536,t=2,p=1$"
		if fips {
			want = "pbkdf2-sha256$i=600000$"
		}
		if !strings.HasPrefix(hash, want) {
			t.Errorf("the hash is %s", hash)
		}
		if ok, stale, err := h.verify(t.Context(), "test", password, hash); !ok || stale || err != nil {
			t.Errorf("verify says %v, stale %v, %v", ok, stale, err)
		}
		if ok, _, err := h.verify(t.Context(), "test", password+" ", hash); ok || err != nil {
			t.Errorf("another password: %v, %v", ok, err)
		}
		if again, _ := h.hash(t.Context(), "test", password); again == hash {
			t.Error("the salt repeats")
		}
	}
}

// TestHashVectors holds hashes made by other programs: PBKDF2 by Python's hashlib,
// Argon2id by the reference implementation.
func TestHashVectors(t *testing.T) {
	for fips, hash := range vectors {
		h := newHasherOf(cheap, fips)
		if ok, _, err := h.verify(t.Context(), "test", password, hash); !ok || err != nil {
			t.Errorf("fips %v: %v, %v", fips, ok, err)
		}
	}
}

// TestHashKinds moves accounts between the modes.
func TestHashKinds(t *testing.T) {
	argon, pbkdf2 := newHasherOf(cheap, false), newHasherOf(cheap, true)
	w := open(t)
	w.passwords = argon
	w.account(t, "ada")
	w.passwords = pbkdf2
	w.account(t, "bob")
	_, err := w.Password(t.Context(), "ada", password, "", "")
	wants(t, err, genesis.Unsupported, nil)
	if !strings.Contains(err.Error(), "FIPS") {
		t.Error(err)
	}
	w.passwords = argon
	w.signIn(t, "bob") // permitted; and replaced
	if text := dump(t, w.db); strings.Contains(text, "pbkdf2") || !strings.Contains(text, "argon2id$m=64,t=1") {
		t.Error("the hash was not made anew")
	}
	w.signIn(t, "bob")
}

// TestHashesAreReplaced signs in after the cost was raised.
func TestHashesAreReplaced(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	dearer := cheap
	dearer.Memory, dearer.Iterations = 128, 2000
	w.passwords = newHasherOf(dearer, w.passwords.fips)
	w.signIn(t, "ada")
	if text := dump(t, w.db); !strings.Contains(text, "$m=128,") && !strings.Contains(text, "$i=2000$") {
		t.Error("the hash was not made anew")
	}
	w.signIn(t, "ada")
}

func TestParseHash(t *testing.T) {
	good := newHasherOf(cheap, false).dummy
	if _, err := parseHash(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "x", good + "$", good[:len(good)-1], strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "m=64", "m=4194304", 1),
		strings.Replace(good, "t=1", "t=0", 1), strings.Replace(good, "p=1", "p=255", 1), strings.Replace(good, "m=64", "m=-64", 1), "pbkdf2-sha256$i=1$" + strings.Join(strings.Split(good, "$")[2:], "$")} {
		if _, err := parseHash(bad); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestFloodOfSignIns holds that few hashes are computed at a time, few wait, and
// the rest is turned away at once.
func TestFloodOfSignIns(t *testing.T) {
	h := newHasherOf(cheap, false)
	var leave []func()
	for range cap(h.running) {
		done, err := h.turn(t.Context(), "test")
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, done)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var waited, turnedAway atomic.Int64
	var all sync.WaitGroup
	for range cap(h.waiting) + 50 {
		all.Go(func() {
			_, err := h.turn(ctx, "test")
			switch genesis.KindOf(err) {
			case genesis.Canceled:
				waited.Add(1)
			case genesis.Unavailable:
				if turnedAway.Add(1) == 50 {
					cancel()
				}
			}
		})
	}
	all.Wait()
	cancel()
	if waited.Load() != int64(cap(h.waiting)) || turnedAway.Load() != 50 {
		t.Errorf("%d waited and %d were turned away", waited.Load(), turnedAway.Load())
	}
	for _, done := range leave {
		done()
	}
	if done, err := h.turn(t.Context(), "test"); err != nil {
		t.Error(err)
	} else {
		done()
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	w.account(t, "bob")
	wrong := func(subject, remote string) error {
		_, err := w.Password(t.Context(), subject, "not the password", "", remote)
		return err
	}
	tries := 0
	var err error
	for n := 0; genesis.KindOf(err) != genesis.Unavailable && n < 100; n++ {
		err = wrong("ada", fmt.Sprintf("192.0.2.%d:1234", n)) // from many places
		tries++
	}
	var wait TooMany
	if tries != 11 || !errors.As(err, &wait) || time.Duration(wait) < time.Second || time.Duration(wait) > 21*time.Second {
		t.Errorf("the %d. try is refused: %v (%v)", tries, err, wait)
	}
	_, err = w.Password(t.Context(), "ada", password, "", "198.51.100.1")
	wants(t, err, genesis.Unavailable, nil) // also with the right one
	w.clock.add(time.Duration(wait))
	w.signIn(t, "ada")
	for range 50 { // good ones do not count
		w.signIn(t, "bob")
	}

	tries, err = 0, nil
	for n := 0; genesis.KindOf(err) != genesis.Unavailable && n < 100; n++ {
		err = wrong(fmt.Sprintf("p%d", n), fmt.Sprintf("[2001:db8:0:1::%x]:443", n)) // many people, one network
		tries++
	}
	if tries != 31 {
		t.Errorf("the %d. try from one network is refused: %v", tries, err)
	}
	wants(t, wrong("carol", "[2001:db8:0:2::1]:443"), genesis.Permission, WrongPassword)
}

func TestRemoteKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "[2001:db8::1%eth0]:1": "2001:db8::/64",
		"2001:db8:0:0:ffff::1": "2001:db8::/64", "": "?", "a socket": "?",
	} {
		if got := remoteKey(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// TestTimingOfUnknownPeople counts that a hash is computed, whoever is named: the
// time that takes is what could tell.
func TestTimingOfUnknownPeople(t *testing.T) {
	w := open(t)
	w.account(t, "ada")
	slow := cheap
	slow.Memory, slow.Iterations = 16<<10, 200_000
	w.passwords = newHasherOf(slow, fips140.Enabled())
	w.account(t, "bob")
	took := func(subject string) time.Duration {
		best := time.Hour
		for range 3 {
			began := time.Now()
			w.Password(t.Context(), subject, "not the password", "", "")
			best = min(best, time.Since(began))
		}
		return best
	}
	if known, unknown := took("bob"), took("nobody"); unknown < known/3 {
		t.Errorf("a person who is there takes %s, one who is not %s", known, unknown)
	}
}

// vectors are hashes of the usual password by whether FIPS mode reads them.
var vectors = map[bool]string{
	false: "argon2id$m=512,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$DynEUzSV3tG5f66La2EMMSsJ4EA2vHPq7sExNssk3Ek",
	true:  "pbkdf2-sha256$i=5000$AAECAwQFBgcICQoLDA0ODw$wuFqVDLaoB2hpUOxj6rHsbY0htvNPleEvus+H1wJ0GA",
}
