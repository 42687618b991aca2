package genesis

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest is the SHA-256 of some bytes, written "sha256:" and 64 hex digits.
type Digest string

const digestPrefix = "sha256:"

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return DigestSum(sum[:])
}

// DigestSum returns the digest whose 32 bytes are sum.
func DigestSum(sum []byte) Digest {
	return Digest(digestPrefix + hex.EncodeToString(sum))
}

// ParseDigest checks that s is a digest in its one canonical spelling.
func ParseDigest(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(h) != 2*sha256.Size || strings.ToLower(h) != h {
		return "", &Error{Op: "read digest", Kind: Invalid, Subject: s, Msg: `is not "sha256:" and 64 lower-case hex digits`}
	}
	if _, err := hex.DecodeString(h); err != nil {
		return "", &Error{Op: "read digest", Kind: Invalid, Subject: s, Msg: "holds a character that is not a hex digit"}
	}
	return Digest(s), nil
}

// Hex returns the 64 hex digits without the prefix.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), digestPrefix) }

// Short returns the first 12 hex digits, for people.
func (d Digest) Short() string {
	h := d.Hex()
	if len(h) < 12 {
		return h
	}
	return h[:12]
}

// Sum returns the 32 bytes of the digest, or an error when d is malformed.
func (d Digest) Sum() ([sha256.Size]byte, error) {
	var sum [sha256.Size]byte
	b, err := hex.DecodeString(d.Hex())
	if err != nil || len(b) != len(sum) {
		return sum, fmt.Errorf("digest %q is malformed", string(d))
	}
	copy(sum[:], b)
	return sum, nil
}
