package tile

import (
	"crypto/ed25519"
	"fmt"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what a log signs of itself: https://c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// text is the part of the note that is signed.
func (c Checkpoint) text() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// sign returns the signed note. Ed25519 gives one text one signature, so the
// same checkpoint is always the same bytes.
func (c Checkpoint) sign(s note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, s)
}

// ReadCheckpoint reads a signed note and checks that v signed it. Extension
// lines and signatures of others are allowed and ignored. Errors: Invalid.
func ReadCheckpoint(msg []byte, v note.Verifier) (Checkpoint, error) {
	bad := func(what string, err error) (Checkpoint, error) {
		return Checkpoint{}, &genesis.Error{Op: "read checkpoint", Kind: genesis.Invalid, Msg: what, Err: err}
	}
	if len(msg) > maxNote {
		return bad("it is longer than a checkpoint can be", nil)
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return bad(fmt.Sprintf("it is not signed by %s", v.Name()), err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] == "" {
		return bad("it has no origin, size and root", nil)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return bad("its size is not a number", err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil || root.String() != lines[2] {
		return bad("its root is not a hash", err)
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// maxNote is longer than any note this or another program writes.
const maxNote = 1 << 16

// OpenCheckpoint reads a checkpoint of another log, which one of the keys has to have
// signed under an origin. Errors: Invalid.
func OpenCheckpoint(msg []byte, origin string, keys []ed25519.PublicKey) (Checkpoint, error) {
	bad := func(what string, err error) (Checkpoint, error) {
		return Checkpoint{}, &genesis.Error{Op: "read checkpoint", Kind: genesis.Invalid, Subject: origin, Msg: what, Err: err}
	}
	if len(keys) == 0 {
		return bad("the charter has no key of the node for its logs", nil)
	}
	var last error
	for _, key := range keys {
		text, err := note.NewEd25519VerifierKey(origin, key)
		if err != nil {
			return bad("the charter's key is none", err)
		}
		v, err := note.NewVerifier(text)
		if err != nil {
			return bad("the charter's key is none", err)
		}
		c, err := ReadCheckpoint(msg, v)
		switch {
		case err != nil:
			last = err
		case c.Origin != origin:
			return bad(fmt.Sprintf("the checkpoint is of %q", c.Origin), nil)
		default:
			return c, nil
		}
	}
	return bad("the checkpoint is not signed by a key that the charter has of the node", last)
}
