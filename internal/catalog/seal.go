package catalog

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/opengenesis/genesis"
)

// sealer hides a name in a cursor from whom it is given to, under a key that
// lasts as long as the process.
type sealer struct{ aead cipher.AEAD }

// sealMark begins a sealed cursor; no name begins with it.
const sealMark = "."

// sealedLen is how long every name is made before it is sealed: the length says
// nothing. No name is longer.
const sealedLen = 144

func newSealer() sealer {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // a key of 32 bytes is one
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

func (s sealer) seal(name string) string {
	plain := name + strings.Repeat(" ", max(0, sealedLen-len(name)))
	return sealMark + base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(plain), nil))
}

// open returns the name that a cursor stands for, sealed or not. Invalid.
func (s sealer) open(cursor string) (string, error) {
	bad := &genesis.Error{Op: "read cursor", Kind: genesis.Invalid, Msg: "is not a cursor that this node gave out lately", Hint: "start again without one"}
	text, sealed := strings.CutPrefix(cursor, sealMark)
	if !sealed {
		if cursor != "" && genesis.CheckName(genesis.Name(cursor)) != nil {
			return "", bad
		}
		return cursor, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", bad
	}
	plain, err := s.aead.Open(nil, nil, b, nil)
	if err != nil {
		return "", bad
	}
	return strings.TrimRight(string(plain), " "), nil
}
