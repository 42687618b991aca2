package charter

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// The shapes that go-tuf takes for granted: maps without empty values, keys that are
// keys, roles with the keys they name. What is signed wrongly is left to it.

type (
	root      = metadata.Metadata[metadata.RootType]
	targets   = metadata.Metadata[metadata.TargetsType]
	snapshot  = metadata.Metadata[metadata.SnapshotType]
	timestamp = metadata.Metadata[metadata.TimestampType]
)

const snapshotFile, targetsFile = "snapshot.json", "targets.json"

// readRoot reads root metadata of the shape a charter's has: Ed25519 keys, each of
// them in all roles; root and targets take more than half of them, so that two changes
// cannot both be agreed to; snapshot and timestamp take one.
func readRoot(text []byte) (*root, error) {
	m, err := parse("root", text, metadata.Root().FromBytes)
	if err != nil {
		return nil, err
	}
	bad := func(msg string) (*root, error) { return nil, malformed("root", msg) }
	s := m.Signed
	switch {
	case !versioned(s.Version, s.Expires):
		return bad("its version or its end is out of bounds")
	case len(s.Keys) == 0 || len(s.Keys) > MaxHolders:
		return bad(fmt.Sprintf("it has %d keys, and may have 1 to %d", len(s.Keys), MaxHolders))
	case len(s.Roles) != 4:
		return bad("it has other roles than the four")
	}
	for id, k := range s.Keys {
		if !isKey(id, k) {
			return bad("a key of it is not an Ed25519 key under its id")
		}
	}
	for _, name := range metadata.TOP_LEVEL_ROLE_NAMES {
		if !isRole(s.Roles[name], s.Keys) {
			return bad("the role " + name + " is not of all its keys")
		}
	}
	k, n := s.Roles[metadata.ROOT].Threshold, len(s.Keys)
	switch {
	case !majority(k, n):
		return bad(fmt.Sprintf("%d of %d holders could agree to two changes at once, or none could", k, n))
	case s.Roles[metadata.TARGETS].Threshold != k, s.Roles[metadata.SNAPSHOT].Threshold != 1, s.Roles[metadata.TIMESTAMP].Threshold != 1:
		return bad("its thresholds are not those of a charter")
	}
	return m, nil
}

// majority reports whether k of n holders are more than half and can be had.
func majority(k, n int) bool { return k <= n && 2*k > n }

func isKey(id string, k *metadata.Key) bool {
	if k == nil || k.Type != metadata.KeyTypeEd25519 || k.Scheme != metadata.KeySchemeEd25519 || len(k.UnrecognizedFields)+len(k.Value.UnrecognizedFields) > 0 {
		return false
	}
	raw, err := hex.DecodeString(k.Value.PublicKey)
	if err != nil || len(raw) != 32 || hex.EncodeToString(raw) != k.Value.PublicKey {
		return false
	}
	own, err := k.ID()
	return err == nil && own == id
}

func isRole(r *metadata.Role, keys map[string]*metadata.Key) bool {
	if r == nil || len(r.KeyIDs) != len(keys) {
		return false
	}
	for i, id := range r.KeyIDs {
		if keys[id] == nil || slices.Contains(r.KeyIDs[:i], id) {
			return false
		}
	}
	return true
}

func readTargets(text []byte) (*targets, error) {
	m, err := parse("targets", text, metadata.Targets().FromBytes)
	if err != nil {
		return nil, err
	}
	s := m.Signed
	only := s.Targets[listName]
	if !versioned(s.Version, s.Expires) || s.Delegations != nil || len(s.Targets) != 1 || only == nil || only.Length < 1 || !hashed(only.Hashes) {
		return nil, malformed("targets", "it does not say of "+listName+" alone how long it is and its SHA-256")
	}
	return m, nil
}

func readSnapshot(text []byte) (*snapshot, error) {
	m, err := parse("snapshot", text, metadata.Snapshot().FromBytes)
	if err != nil {
		return nil, err
	}
	if s := m.Signed; !versioned(s.Version, s.Expires) || !describes(s.Meta, targetsFile) {
		return nil, malformed("snapshot", "it does not describe "+targetsFile+" alone")
	}
	return m, nil
}

func readTimestamp(text []byte) (*timestamp, error) {
	m, err := parse("timestamp", text, metadata.Timestamp().FromBytes)
	if err != nil {
		return nil, err
	}
	if s := m.Signed; !versioned(s.Version, s.Expires) || !describes(s.Meta, snapshotFile) {
		return nil, malformed("timestamp", "it does not describe "+snapshotFile+" alone")
	}
	return m, nil
}

// describes reports whether meta is of one file, with what ties it to its very bytes.
func describes(meta map[string]*metadata.MetaFiles, name string) bool {
	f := meta[name]
	return len(meta) == 1 && f != nil && f.Version >= 1 && f.Version <= maxVersion && f.Length > 0 && hashed(f.Hashes)
}

func hashed(h metadata.Hashes) bool { return len(h) == 1 && len(h["sha256"]) == 32 }

func versioned(version int64, expires time.Time) bool {
	return version >= 1 && version <= maxVersion && plainTime(expires.Year())
}

// parse reads metadata of one type.
func parse[T any](part string, text []byte, read func([]byte) (*T, error)) (*T, error) {
	if err := plain(text); err != nil {
		return nil, malformed(part, err.Error())
	}
	m, err := read(text)
	if err != nil {
		return nil, fault(verifying, Malformed, part, "it is not metadata: "+clip(err.Error()), "")
	}
	return m, nil
}

// maxDepth is the nesting of metadata, and more.
const maxDepth = 12

// plain refuses JSON that may be read in two ways, or has a null: metadata has none,
// and go-tuf would fall over one.
func plain(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := plainValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is something after it")
	}
	return nil
}

func plainValue(d *json.Decoder, depth int) error {
	t, err := d.Token()
	switch {
	case err != nil:
		return errors.New("it is not JSON")
	case t == nil:
		return errors.New("it has a null")
	case depth > maxDepth:
		return errors.New("it is nested too deeply")
	case t == json.Delim('{'):
		return plainObject(d, depth)
	case t != json.Delim('['):
		return nil
	}
	for d.More() {
		if err := plainValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func plainObject(d *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return errors.New("it is not JSON")
		}
		name := strings.ToLower(t.(string)) // in which Go's reader sees no difference
		switch {
		case strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }):
			return errors.New("it has a member whose name is not ASCII")
		case seen[name]:
			return errors.New("it has a member twice")
		}
		seen[name] = true
		if err := plainValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
