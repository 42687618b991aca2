package find

import (
	"time"

	"github.com/opengenesis/genesis"
)

// ID names a document: a version of an asset at a node. Without a version it names
// all of the asset, without a name all of the node.
type ID struct {
	Node    genesis.NodeID
	Name    genesis.Name
	Version genesis.Digest
}

// Document is what is searched: the listing of a version, and who may know of it.
// Without a class only those may who name it (see [Asker]).
type Document struct {
	genesis.Listing
	Classes []genesis.Class
	Turn    int64 // orders the versions of an asset that have no number; 0: as they were published
}

// ID returns what the document is known by.
func (d Document) ID() ID { return ID{d.Node, d.Name, d.Version} }

// Batch changes the index: first documents go, then others come, each in place of
// what has its ID.
type Batch struct {
	Delete []ID
	Put    []Document
	// Mark is what [Index.Mark] says once the batch counts: how far the source of the
	// documents has been read. Empty: it stays.
	Mark string
}

// Asker says what somebody may know of: what is in one of their classes, and what is
// named, their own and what was granted. All else does not exist for them: the index
// gives the answers of one without it, byte for byte.
type Asker struct {
	Classes []genesis.Class
	Also    []ID // at most MaxAlso; each with node and name
}

// MaxAlso is how much an asker may know of beyond their classes.
const MaxAlso = 100_000

// Facet is a property whose values are counted and filtered by.
type Facet = genesis.Facet

const (
	Node        = genesis.FacetNode
	Institution = genesis.FacetInstitution
	Field       = genesis.FacetField
	Kind        = genesis.FacetKind
	Tier        = genesis.FacetTier
	License     = genesis.FacetLicense
	Readiness   = genesis.FacetReadiness // a band: see [Band]
	Challenge   = genesis.FacetChallenge
	Format      = genesis.FacetFormat
	Task        = genesis.FacetTask
	Variable    = genesis.FacetVariable // folded: "wind_speed"
	Unit        = genesis.FacetUnit
)

// Facets are all facets, in the order in which segments hold them.
var Facets = []Facet{Node, Institution, Field, Kind, Tier, License, Readiness, Challenge, Format, Task, Variable, Unit}

// Query says what to look for.
type Query struct {
	Asker  Asker
	Text   string // words and "phrases", each of which must be there; empty: everything
	Filter Filter
	Facets []Facet // to count
	Values int     // of each facet; 0: 10; at most 1,000
	Limit  int     // hits; 0: 20; at most 200
	After  string  // Result.Next of the page before
}

// Filter narrows a query. All of it must hold.
type Filter struct {
	Values    map[Facet][]string // any of the values of a facet
	Variables []VariableFilter   // each of them
	Rows      *Range
	Time      *Period      // what overlaps it
	Place     *genesis.Box // what overlaps it
	HasModel  *bool        // whether a model that the asker may see was trained on it
}

// VariableFilter asks for a column, in any of some units if there are some.
type VariableFilter struct {
	Name  string
	Units []string
}

// Range is from Min to Max, both included; Max 0 is without end.
type Range struct{ Min, Max int64 }

// Period is from From to Until, both included; either may be zero: without end.
type Period struct{ From, Until time.Time }

// Result is a page of hits and what is known of all of them.
type Result struct {
	Hits   []Hit             `json:"hits"`
	Total  int               `json:"total"`
	Facets map[Facet][]Count `json:"facets,omitempty"`
	Next   string            `json:"next,omitempty"` // there is more: Query.After of the next page
}

// Count is how many hits have a value.
type Count = genesis.FacetCount

// Hit is a version that was found, by the listing of the place where it matches best.
type Hit struct {
	genesis.Listing
	Score   int     `json:"score"`
	Snippet string  `json:"snippet,omitempty"`
	Marks   []Mark  `json:"marks,omitempty"` // what matched in the snippet, in order
	Places  []Place `json:"places"`          // where the version is, this one included
}

// Mark is a part of a snippet in bytes, End excluded.
type Mark = genesis.Mark

// Place is where a version is.
type Place = genesis.AtPlace

// Suggestion is a word that documents have in place of one that was asked for.
type Suggestion struct {
	Word     string `json:"word"`
	Distance int    `json:"distance"` // edits; 0: it goes on from what was asked
	Hits     int    `json:"hits"`     // documents that have it
}

// Likeness is a version like another, and what they share.
type Likeness struct {
	genesis.Listing
	Score     int      `json:"score"`
	Variables []string `json:"variables,omitempty"` // "wind_speed (m/s)"
	Units     []string `json:"units,omitempty"`     // beyond those of the variables
	Words     []string `json:"words,omitempty"`     // of title, keywords and description
}
