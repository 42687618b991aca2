package upload

import (
	"crypto/sha256"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"io"
)

// blocks is SHA-256 of which the state between two parts is kept. It hashes whole blocks
// and holds back the rest, for a state with a begun block in it has the file's last bytes
// as they are: those lie in the file, from which they are read again, and in no database.
type blocks struct {
	h    hash.Hash
	rest []byte // less than a block
}

func newBlocks() *blocks { return &blocks{h: sha256.New()} }

func (b *blocks) Write(p []byte) (int, error) {
	n := len(p)
	if len(b.rest) > 0 {
		take := min(len(p), sha256.BlockSize-len(b.rest))
		b.rest, p = append(b.rest, p[:take]...), p[take:]
		if len(b.rest) < sha256.BlockSize {
			return n, nil
		}
		b.h.Write(b.rest)
		b.rest = b.rest[:0]
	}
	whole := len(p) / sha256.BlockSize * sha256.BlockSize
	b.h.Write(p[:whole])
	b.rest = append(b.rest, p[whole:]...)
	return n, nil
}

// sum is the digest of all that was written; nothing can be written after it.
func (b *blocks) sum() []byte {
	b.h.Write(b.rest)
	return b.h.Sum(nil)
}

// state is that of the whole blocks.
func (b *blocks) state() string {
	s, err := b.h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		panic(err) // SHA-256 of the standard library has a state
	}
	return base64.StdEncoding.EncodeToString(s)
}

// blocksAt goes on at an offset of a file from a state that was kept. (One of an earlier
// release may have a begun block in it; it is of all bytes up to the offset.)
func blocksAt(state string, file io.ReaderAt, offset int64) (*blocks, error) {
	b := newBlocks()
	s, err := base64.StdEncoding.DecodeString(state)
	if err == nil {
		err = b.h.(encoding.BinaryUnmarshaler).UnmarshalBinary(s)
	}
	if err != nil {
		return nil, err
	}
	hashed := int64(binary.BigEndian.Uint64(s[len(s)-8:])) // a state ends with how many bytes it is of
	_, err = io.Copy(b, io.NewSectionReader(file, hashed, offset-hashed))
	return b, err
}
