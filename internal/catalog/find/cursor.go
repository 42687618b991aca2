package find

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/opengenesis/genesis"
)

// cursorAt is where a page ended: at a hit that was shown, so that it tells nothing
// that the asker does not know.
type cursorAt struct {
	score int
	key   string
}

const querySum = 8 // bytes of a query's digest in a cursor

// sealCursor writes a cursor, with the digest of the query that it belongs to.
func sealCursor(q *Query, at cursorAt) string {
	b := append([]byte(nil), q.digest()...)
	b = binary.AppendUvarint(b, uint64(at.score))
	return base64.RawURLEncoding.EncodeToString(append(b, at.key...))
}

func openCursor(q *Query) (cursorAt, error) {
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err == nil && len(b) > querySum && string(b[:querySum]) == string(q.digest()) {
		if score, n := binary.Uvarint(b[querySum:]); n > 0 && score < 1<<16 {
			return cursorAt{int(score), string(b[querySum+n:])}, nil
		}
	}
	return cursorAt{}, &genesis.Error{Op: "search", Kind: genesis.Invalid, Msg: "the cursor belongs to another query", Hint: "ask for the first page, and go on with its cursor"}
}

// digest tells queries apart whose hits or their order differ.
func (q *Query) digest() []byte {
	text, err := json.Marshal([]any{q.Text, q.Filter})
	if err != nil {
		text = []byte(q.Text) // a box of no numbers, which was refused before
	}
	sum := sha256.Sum256(text)
	return sum[:querySum]
}
