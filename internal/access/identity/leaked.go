package identity

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// leaked are passwords that are known elsewhere: a file of the operator's, one a
// line, read when the first password is set. It is kept as 64 bits of a hash for each,
// so that a million cost 8 MB.
type leaked struct {
	read func() ([]uint64, error)
}

// openLeaked looks whether there is such a file. Errors: Invalid.
func openLeaked(path string) (leaked, error) {
	if path == "" {
		return leaked{func() ([]uint64, error) { return nil, nil }}, nil
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return leaked{}, &genesis.Error{Op: "open identity", Kind: genesis.Invalid, Subject: path, Msg: "is not a file of passwords that can be read",
			Hint: "identity.passwords in config.yaml names it", Err: err}
	}
	return leaked{sync.OnceValues(func() ([]uint64, error) { return readLeaked(path) })}, nil
}

// readLeaked reads the file. Lines that no password can be are passed over.
func readLeaked(path string) ([]uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []uint64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
		if utf8.Valid(line) && utf8.RuneCount(line) >= leastPassword {
			all = append(all, short(fold(normal(string(line)))))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	slices.Sort(all)
	return slices.Clip(slices.Compact(all)), nil
}

func short(folded string) uint64 {
	sum := sha256.Sum256([]byte(folded))
	return binary.BigEndian.Uint64(sum[:])
}

// has reports whether a password is among them. A file that cannot be read lets no
// password be set.
func (l leaked) has(op, subject, password string) (bool, error) {
	all, err := l.read()
	if err != nil {
		return false, fault(op, subject, err)
	}
	_, found := slices.BinarySearch(all, short(fold(normal(password))))
	return found, nil
}
