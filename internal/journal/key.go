package journal

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"golang.org/x/mod/sumdb/note"
)

// keyFile is the name of the file with the private key: one line, as
// golang.org/x/mod/sumdb/note writes private keys.
const keyFile = "journal.key"

// keyName is the name under which the key is kept. It signs under the origins of
// the logs, because a checkpoint's key should be named like its origin.
const keyName = "journal"

// algEd25519 is the algorithm number of note keys.
const algEd25519 = 1

// key signs checkpoints.
type key struct{ private ed25519.PrivateKey }

// openKey reads the key in a folder. create says that a missing one is to be
// made.
func openKey(dir string, d disk.Disk, create bool) (key, error) {
	path := filepath.Join(dir, keyFile)
	bad := func(msg, hint string, err error) (key, error) {
		return key{}, &genesis.Error{Op: "open journal", Kind: genesis.Internal, Subject: path, Msg: msg, Hint: hint, Err: err}
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		return makeKey(path, d)
	case errors.Is(err, fs.ErrNotExist):
		return bad("the key that signed the log is missing", "put it back from a backup of the home", err)
	case err != nil:
		return key{}, disk.Error("open journal", path, err)
	}
	line := strings.TrimSuffix(string(text), "\n")
	if _, err := note.NewSigner(line); err != nil || string(text) != line+"\n" {
		return bad("it is not a signing key any more", "put it back from a backup of the home", err)
	}
	fields := strings.SplitN(line, "+", 5) // base64 has a + of its own
	seed, err := base64.StdEncoding.DecodeString(fields[4])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return bad("it is not an Ed25519 key", "", err)
	}
	k := key{ed25519.NewKeyFromSeed(seed[1:])}
	if k.text(keyName) != line {
		return bad("it is not the journal's key", "put it back from a backup of the home", nil)
	}
	return k, nil
}

// makeKey makes a key and a file that only this user can read.
func makeKey(path string, d disk.Disk) (key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, &genesis.Error{Op: "open journal", Kind: genesis.Internal, Subject: path, Err: err}
	}
	k := key{private}
	err = disk.MkdirAll(d, filepath.Dir(path))
	if err == nil {
		err = disk.Replace(d, path, []byte(k.text(keyName)+"\n"))
	}
	if err == nil {
		err = d.SyncDir(filepath.Dir(path))
	}
	return k, disk.Error("open journal", path, err)
}

// hash is the id of the key under a name: https://c2sp.org/signed-note.
func (k key) hash(name string) string {
	sum := sha256.Sum256(append([]byte(name+"\n"), k.public()...))
	return hex.EncodeToString(sum[:4])
}

func (k key) public() []byte {
	return append([]byte{algEd25519}, k.private.Public().(ed25519.PublicKey)...)
}

// text is the private key under a name.
func (k key) text(name string) string {
	seed := append([]byte{algEd25519}, k.private.Seed()...)
	return fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, k.hash(name), base64.StdEncoding.EncodeToString(seed))
}

// verifier is the public key under a name, as others are told it.
func (k key) verifier(name string) string {
	return fmt.Sprintf("%s+%s+%s", name, k.hash(name), base64.StdEncoding.EncodeToString(k.public()))
}

// pair returns what signs, and what checks, under a name.
func (k key) pair(name string) (note.Signer, note.Verifier, error) {
	s, err1 := note.NewSigner(k.text(name))
	v, err2 := note.NewVerifier(k.verifier(name))
	if err := errors.Join(err1, err2); err != nil {
		return nil, nil, &genesis.Error{Op: "open journal", Kind: genesis.Invalid, Subject: name, Msg: "it cannot be the name of a log", Err: err}
	}
	return s, v, nil
}
