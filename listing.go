package genesis

import (
	"fmt"
	"time"
)

// ListingFormat is the format number of the listings this program writes.
const ListingFormat = 1

// Listing is what a catalogue shows of a version to whoever may discover it: what is
// searched, and what peers mirror. It holds no cell of a table.
type Listing struct {
	Format      int       `json:"format"`
	Node        NodeID    `json:"node"`
	Name        Name      `json:"name"`
	Version     Digest    `json:"version"`
	Number      int       `json:"number,omitempty"`
	Kind        Kind      `json:"kind"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description,omitempty"`
	Keywords    []string  `json:"keywords,omitempty"`
	Creators    []string  `json:"creators,omitempty"`
	Institution string    `json:"institution,omitempty"`
	Field       string    `json:"field,omitempty"`     // as on the card
	Challenge   string    `json:"challenge,omitempty"` // a slug
	License     string    `json:"license,omitempty"`
	Tier        Tier      `json:"tier,omitempty"`
	Formats     []string  `json:"formats,omitempty"` // of the raw files: "csv"
	Tasks       []string  `json:"tasks,omitempty"`   // regression, classification, …
	Ready       *Ready    `json:"ready,omitempty"`
	Variables   []Listed  `json:"variables,omitempty"`
	More        int       `json:"more,omitempty"` // variables that there was no room for
	Start       time.Time `json:"start,omitzero"` // of what the rows are about
	End         time.Time `json:"end,omitzero"`
	Place       *Box      `json:"place,omitempty"`
	Inputs      []string  `json:"inputs,omitempty"` // refs: what a model was trained on
	Rows        int64     `json:"rows,omitempty"`
	Bytes       int64     `json:"bytes,omitempty"`
	Published   time.Time `json:"published,omitzero"`
}

// CheckOf reports why a listing cannot be one that a node says of its own, whichever way it
// came, or nil. Errors: Unsupported (a newer format), Invalid.
func (l Listing) CheckOf(node NodeID) error {
	bad := func(kind ErrorKind, msg string) error {
		return &Error{Op: "read listing", Kind: kind, Subject: string(node) + "/" + string(l.Name), Msg: msg}
	}
	switch {
	case l.Format > ListingFormat:
		return bad(Unsupported, fmt.Sprintf("it has format %d, and this program reads up to %d", l.Format, ListingFormat))
	case l.Format < 1:
		return bad(Invalid, "it has no format")
	case l.Node != node:
		return bad(Invalid, fmt.Sprintf("it is of something at %q", l.Node))
	case CheckName(l.Name) != nil:
		return bad(Invalid, "its name is malformed")
	case l.Kind != Dataset && l.Kind != Model:
		return bad(Invalid, fmt.Sprintf("it is of a kind %q, which this program does not know", l.Kind))
	case l.Number < 0 || l.Rows < 0 || l.Bytes < 0 || l.More < 0 || l.Ready != nil && (l.Ready.Passed < 0 || l.Ready.Failed < 0):
		return bad(Invalid, "it counts less than nothing")
	}
	if _, err := ParseDigest(string(l.Version)); err != nil {
		return err
	}
	if l.Place != nil {
		return CheckBox(*l.Place)
	}
	return nil
}

// Ready counts readiness checks.
type Ready struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
}

// Listed is a column in a listing.
type Listed struct {
	Table    string `json:"table,omitempty"` // where there are several
	Name     string `json:"name"`
	Unit     string `json:"unit,omitempty"` // UCUM
	Semantic string `json:"semantic,omitempty"`
	Role     Role   `json:"role,omitempty"`
}

// MaxListing bounds the canonical JSON of a listing, in bytes.
const MaxListing = 64 << 10
