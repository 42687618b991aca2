package charter

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/opengenesis/genesis"
)

// What a charter may be. Everything is measured before it is parsed.
const (
	maxRoots   = 1000
	maxRoot    = 64 << 10
	maxTargets = 32 << 10
	maxOther   = 16 << 10 // snapshot, timestamp
	maxList    = 1 << 20
	maxParts   = 8 << 20 // of all together

	// MaxBundle bounds the JSON of a bundle: base64, and a little around it.
	MaxBundle = maxParts/3*4 + 64<<10

	MaxMembers = 2000
	MaxHolders = 50
	maxKeys    = 32 // of one member
	maxVersion = 1 << 40
	maxLeap    = 1 << 20 // by which a version may be ahead of the one that is known
)

// Bundle is the charter's parts, each as the exact bytes that were signed.
type Bundle = genesis.CharterBundle

// Parse reads the JSON of a bundle. Its parts are not looked at.
func Parse(text []byte) (Bundle, error) {
	var b Bundle
	if len(text) > MaxBundle {
		return b, fault(verifying, TooLarge, "", fmt.Sprintf("it has %d bytes, more than %d", len(text), MaxBundle), "")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&b); err != nil {
		return b, malformed("", "it is not the JSON of a charter")
	}
	return b, measure(b)
}

// measure refuses what is too large or not there.
func measure(b Bundle) error {
	if len(b.Roots) == 0 {
		return malformed("root", "there is none")
	}
	if len(b.Roots) > maxRoots {
		return fault(verifying, TooLarge, "root", fmt.Sprintf("there are %d, more than %d", len(b.Roots), maxRoots), "")
	}
	total := 0
	for _, r := range b.Roots {
		if err := measurePart("root", r, maxRoot); err != nil {
			return err
		}
		total += len(r)
	}
	for _, p := range []struct {
		name string
		text []byte
		most int
	}{{"targets", b.Targets, maxTargets}, {"snapshot", b.Snapshot, maxOther}, {"timestamp", b.Timestamp, maxOther}, {listName, b.Members, maxList}} {
		if err := measurePart(p.name, p.text, p.most); err != nil {
			return err
		}
		total += len(p.text)
	}
	if total > maxParts {
		return fault(verifying, TooLarge, "", fmt.Sprintf("its parts have %d bytes, more than %d", total, maxParts), "")
	}
	return nil
}

func measurePart(name string, text []byte, most int) error {
	switch {
	case len(text) == 0:
		return malformed(name, "it is empty")
	case len(text) > most:
		return fault(verifying, TooLarge, name, fmt.Sprintf("it has %d bytes, more than %d", len(text), most), "")
	}
	return nil
}
