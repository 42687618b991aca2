package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"hash/crc32"
	"strings"

	"github.com/opengenesis/genesis"
)

// A secret reads gen_p_‹28 base62 digits›‹6 base62 digits›: what it is for, 166
// random bits, and the CRC-32 (IEEE) of all before. The prefix lets scanners find
// secrets where they should not be, and the checksum tells a mistyped one without
// asking the database.
const (
	secretPrefix   = "gen_"
	secretRandom   = 28
	secretChecksum = 6
	secretLength   = len(secretPrefix) + 2 + secretRandom + secretChecksum
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// deviceSecret is what a terminal holds while it waits; it is no token.
const deviceSecret genesis.TokenKind = "device"

// guestSecret is a session of somebody of another node.
const guestSecret genesis.TokenKind = "guest"

var secretLetters = map[genesis.TokenKind]byte{
	genesis.SessionToken: 's', genesis.PersonalToken: 'p', genesis.ServiceToken: 'v', deviceSecret: 'd', guestSecret: 'g',
}

// newSecret makes a secret and the hash under which it is known.
func newSecret(kind genesis.TokenKind) (string, [32]byte) {
	head := secretPrefix + string(secretLetters[kind]) + "_" + randomBase62(secretRandom)
	secret := head + checksum(head)
	return secret, sha256.Sum256([]byte(secret))
}

// wellFormed reports whether s looks like a secret of this node: nothing is
// known yet about whether it is one.
func wellFormed(s string) bool {
	if len(s) != secretLength || !strings.HasPrefix(s, secretPrefix) || s[len(secretPrefix)+1] != '_' {
		return false
	}
	return checksum(s[:secretLength-secretChecksum]) == s[secretLength-secretChecksum:]
}

func checksum(s string) string {
	sum := crc32.ChecksumIEEE([]byte(s))
	var digits [secretChecksum]byte
	for at := range digits {
		digits[secretChecksum-1-at] = base62[sum%62]
		sum /= 62
	}
	return string(digits[:])
}

// randomBase62 returns n random digits. Bytes of 248 and more are thrown away, so
// that every digit is as likely as another.
func randomBase62(n int) string { return randomOf(base62, n) }

func randomOf(digits string, n int) string {
	limit := 256 - 256%len(digits)
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range randomBytes(n) {
			if int(b) < limit && len(out) < n {
				out = append(out, digits[int(b)%len(digits)])
			}
		}
	}
	return string(out)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// base64URL is how JSON Web Tokens are written.
var base64URL = base64.RawURLEncoding

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID names a token where its secret must not be.
func newID() string { return base32Lower.EncodeToString(randomBytes(10)) }
