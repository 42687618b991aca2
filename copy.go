package genesis

import (
	"strings"
	"time"
)

// BundleFormat is the format number of the bundles this program writes.
const BundleFormat = 1

// Bounds of what a node takes from another as a [Bundle]. Whatever is longer is refused
// before it is read.
const (
	MaxBundle      = 64 << 20 // bytes of JSON
	MaxBundleBlobs = 20_000   // blobs that the bundle itself lists
)

// Bundle is what a version consists of, as its node tells it to somebody who may read it:
// everything but the bytes of its blobs. A copy made from it elsewhere has the same digest
// and owes what the version owes.
type Bundle struct {
	Format  int     `json:"format"`
	Node    NodeID  `json:"node"` // whose version it is
	ID      string  `json:"id"`   // of the leave to copy it: the entries `pull` of both nodes have it
	Version Version `json:"version"`
	Bytes   int64   `json:"bytes"` // of all blobs, each once

	Layout Layout `json:"layout"`
	// Blobs are those that the layout does not name: the manifest, the pages of its columns,
	// and what the records name.
	Blobs []Blob `json:"blobs"`

	Card       Card         `json:"card"`
	Recipe     string       `json:"recipe,omitempty"`
	Profile    *Profile     `json:"profile,omitempty"`
	Readiness  *Readiness   `json:"readiness,omitempty"`
	Splits     []Split      `json:"splits,omitempty"`
	Findings   []Finding    `json:"findings,omitempty"`
	Provenance *Provenance  `json:"provenance,omitempty"`
	Report     *ModelReport `json:"report,omitempty"`

	Owes []Owed `json:"owes"` // the version itself first, then what it was made from
}

// Owed is what a copy owes to one version: to that which it is a copy of, or to one that
// this was made from.
type Owed struct {
	// Name is how the version is called at the node that says so: turbines; of what that one
	// copied itself, with the node it came from: ornl/turbines.
	Name    string  `json:"name"`
	Version Digest  `json:"version"`
	Kind    Kind    `json:"kind"`
	Terms   Terms   `json:"terms"`            // as wide as the node opens it to all, and no wider
	Leaves  []Leave `json:"leaves,omitempty"` // of whoever copies
}

// Leave is what the person who copies a version may do with it beyond what everybody may.
type Leave struct {
	Actions   []Action  `json:"actions"`
	Until     time.Time `json:"until,omitzero"` // zero: until it is revoked
	Condition string    `json:"condition,omitempty"`
	Licence   string    `json:"licence,omitempty"`
	Purpose   string    `json:"purpose,omitempty"`
	Agreement Digest    `json:"agreement,omitempty"`
	Grant     string    `json:"grant,omitempty"`   // id at the owner's node, where one says so
	Project   string    `json:"project,omitempty"` // "nrel/wind", to which that was made: it is over for who is not in it any more
}

// Copied says where a version was copied from. It is part of the provenance of the copy.
type Copied struct {
	From   Ref       `json:"from"`             // node, name and digest
	Number int       `json:"number,omitempty"` // that it has there
	At     time.Time `json:"at"`
	By     PersonID  `json:"by"`
	Tier   Tier      `json:"tier"`             // as which the copy counts
	Grants []string  `json:"grants,omitempty"` // ids at the owner's node
	Until  time.Time `json:"until,omitzero"`   // when the first of them ends
}

// PullRequest asks for a copy of another node's version.
type PullRequest struct {
	Ref  string `json:"ref" doc:"node and name, with or without a version: nrel/turbines@3"`
	Name Name   `json:"name,omitempty" doc:"of the copy; if missing, that of the version, for who is no steward below their own name"`
}

// Pulled is the outcome of a pull.
type Pulled struct {
	Version   Version `json:"version"`             // here
	Copied    Copied  `json:"copied"`              // from where
	Unchanged bool    `json:"unchanged,omitempty"` // it was here, and so were its bytes
	Moved     int64   `json:"moved"`               // bytes that came over the network, in all tries
	Owes      []Owed  `json:"owes"`                // as its node said
}

// CopyNames are how a copy is called if nobody says otherwise: as at its node, or where
// that is the name of something else with the node before it; below the person's own name
// where they do not steward this one.
func CopyNames(r Ref, subject string, steward bool) [2]Name {
	base := string(r.Name)
	if i := strings.LastIndexByte(base, '/'); i >= 0 {
		base = base[i+1:]
	}
	below := ""
	if !steward {
		below = "~" + subject + "/"
	}
	return [2]Name{Name(below + base), Name(below + string(r.Node) + "-" + base)}
}
