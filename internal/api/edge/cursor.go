package edge

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/opengenesis/genesis"
)

// CursorKeySize is the length of a home's cursor key.
const CursorKeySize = 32

const (
	cursorFormat = 1
	maxCursor    = 2048 // characters
	tagSize      = 16
)

// Cursors makes positions in lists into opaque text and back. A position is the
// last item that was sent, never a number of items, so that what is added or
// taken away meanwhile neither repeats nor hides others. The text is encrypted and
// authenticated (AES-CTR under a synthetic IV, the HMAC of list and position: the
// same position always gives the same text), so that nobody can ask for a
// position they were not given, or read one.
type Cursors struct {
	mac   []byte
	block cipher.Block
}

// NewCursors returns the cursors of a home. It panics for a key that is not
// CursorKeySize bytes long.
func NewCursors(key []byte) *Cursors {
	if len(key) != CursorKeySize {
		panic("edge: a cursor key has 32 bytes")
	}
	block, err := aes.NewCipher(derive(key, "genesis cursor encryption"))
	if err != nil {
		panic(err) // 32 bytes are a key of AES-256
	}
	return &Cursors{mac: derive(key, "genesis cursor authentication"), block: block}
}

func derive(key []byte, label string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(label))
	return h.Sum(nil)
}

// Seal returns the text for a position in a list. list says which, with whatever
// the order of its items depends on; a cursor of one list is none of another.
// position is small and becomes JSON.
func (c *Cursors) Seal(list string, position any) (string, error) {
	plain, err := json.Marshal(position)
	if err != nil {
		return "", &genesis.Error{Op: "write cursor", Kind: genesis.Internal, Err: err}
	}
	out := make([]byte, 1+tagSize+len(plain))
	out[0] = cursorFormat
	copy(out[1:], c.tag(list, plain))
	cipher.NewCTR(c.block, out[1:1+tagSize]).XORKeyStream(out[1+tagSize:], plain)
	text := base64.RawURLEncoding.EncodeToString(out)
	if len(text) > maxCursor {
		return "", &genesis.Error{Op: "write cursor", Kind: genesis.Internal, Msg: "the position is too long"}
	}
	return text, nil
}

// Open reads the text of a position in a list. Errors: Invalid.
func (c *Cursors) Open(list, text string, position any) error {
	if len(text) > maxCursor {
		return badCursor(nil)
	}
	in, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(in) < 1+tagSize || in[0] != cursorFormat {
		return badCursor(err)
	}
	tag, plain := in[1:1+tagSize], make([]byte, len(in)-1-tagSize)
	cipher.NewCTR(c.block, tag).XORKeyStream(plain, in[1+tagSize:])
	if !hmac.Equal(tag, c.tag(list, plain)) {
		return badCursor(nil)
	}
	if err := json.Unmarshal(plain, position); err != nil {
		return badCursor(err)
	}
	return nil
}

// tag is what authenticates a position, and its IV.
func (c *Cursors) tag(list string, plain []byte) []byte {
	h := hmac.New(sha256.New, c.mac)
	h.Write([]byte(list))
	h.Write([]byte{0, cursorFormat})
	h.Write(plain)
	return h.Sum(nil)[:tagSize]
}

func badCursor(err error) error {
	return &genesis.Error{Op: "read cursor", Kind: genesis.Invalid, Msg: "is not a position in this list", Hint: "begin again without it", Err: err}
}
