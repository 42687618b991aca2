package genesis

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SearchQuery says what to look for in the catalogues that a node knows.
type SearchQuery struct {
	Text   string       // words and "phrases", each of which must be there; empty: everything
	Filter SearchFilter // all of it must hold
	Facets []Facet      // to count
	Values int          // of each facet; 0: 10
	Limit  int          // hits; 0: 20
	After  string       // [SearchResult.Next] of the page before
	Local  bool         // ask no other node
	// Own leaves what the node has itself and whoever asks may know of though it is in
	// no class of theirs: what their own node cannot know of by mirroring. It is how
	// nodes ask each other.
	Own bool
}

// SearchFilter narrows a search.
type SearchFilter struct {
	Values    map[Facet][]string // any of the values of a facet
	Variables []VariableFilter   // each of them
	MinRows   int64
	MaxRows   int64  // 0: no end
	Time      Period // what overlaps it
	Place     *Box   // what overlaps it
	HasModel  *bool  // whether some model that the asker may know of was trained on it
}

// VariableFilter asks for a column: its name, of which case and accents do not count,
// and its unit, if that is given, as UCUM writes it.
type VariableFilter struct {
	Name string
	Unit string
}

// ParseVariable reads a filter by variable: "wind_speed", or "wind_speed:m/s".
func ParseVariable(text string) VariableFilter {
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		return VariableFilter{Name: text[:i], Unit: text[i+1:]}
	}
	return VariableFilter{Name: text}
}

// String is what ParseVariable reads.
func (v VariableFilter) String() string {
	if v.Unit == "" && !strings.Contains(v.Name, ":") {
		return v.Name
	}
	return v.Name + ":" + v.Unit
}

// Params writes the query as parameters of GET /v1/search.
func (q SearchQuery) Params() url.Values {
	p := url.Values{}
	set := func(name, value string) {
		if value != "" {
			p.Set(name, value)
		}
	}
	number := func(name string, n int64) {
		if n != 0 {
			p.Set(name, strconv.FormatInt(n, 10))
		}
	}
	set("q", q.Text)
	for f, values := range q.Filter.Values {
		p[string(f)] = values
	}
	for _, v := range q.Filter.Variables {
		p.Add("variable", v.String())
	}
	for _, f := range q.Facets {
		p.Add("facets", string(f))
	}
	number("min_rows", q.Filter.MinRows)
	number("max_rows", q.Filter.MaxRows)
	if q.Filter.Time != (Period{}) {
		set("time", q.Filter.Time.String())
	}
	if q.Filter.Place != nil {
		set("place", q.Filter.Place.String())
	}
	if q.Filter.HasModel != nil {
		set("has_model", strconv.FormatBool(*q.Filter.HasModel))
	}
	number("values", int64(q.Values))
	number("limit", int64(q.Limit))
	set("after", q.After)
	for name, on := range map[string]bool{"local": q.Local, "own": q.Own} {
		if on {
			p.Set(name, "true")
		}
	}
	return p
}

// Facet is a property whose values are counted and filtered by.
type Facet string

const (
	FacetNode        Facet = "node"
	FacetInstitution Facet = "institution"
	FacetField       Facet = "field"
	FacetKind        Facet = "kind"
	FacetTier        Facet = "tier"
	FacetLicense     Facet = "license"
	FacetReadiness   Facet = "readiness" // ready, nearly, partly, hardly
	FacetChallenge   Facet = "challenge"
	FacetFormat      Facet = "format"
	FacetTask        Facet = "task"
	FacetVariable    Facet = "variable"
	FacetUnit        Facet = "unit"
)

// Facets are all facets.
var Facets = []Facet{FacetNode, FacetInstitution, FacetField, FacetKind, FacetTier, FacetLicense, FacetReadiness, FacetChallenge, FacetFormat, FacetTask, FacetVariable, FacetUnit}

// SearchResult is a page of hits, best first, and what is known of all of them.
type SearchResult struct {
	Hits        []Hit                  `json:"hits"`
	Total       int                    `json:"total"`
	Facets      map[Facet][]FacetCount `json:"facets,omitempty"`
	Suggestions []Suggestion           `json:"suggestions,omitempty"` // for a word, or a value of a filter, that is nowhere
	Next        string                 `json:"next,omitempty"`        // cursor of the next page; empty on the last
	Coverage    []NodeCoverage         `json:"coverage"`              // by node, this one first
}

// FacetCount is how many hits have a value.
type FacetCount struct {
	Value string `json:"value"`
	Hits  int    `json:"hits"`
}

// Hit is a version that was found, by the listing of the place where it matches best.
type Hit struct {
	Ref     string    `json:"ref"`               // as the node that answers calls it
	Listing Listing   `json:"listing"`           // the first variables alone
	Score   int       `json:"score"`             //
	Snippet string    `json:"snippet,omitempty"` // where it matched
	Marks   []Mark    `json:"marks,omitempty"`   // what matched in the snippet, in order
	Places  []AtPlace `json:"places"`            // where the version is, this one included
}

// Mark is a part of a text in bytes, End excluded.
type Mark struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// AtPlace is where a version is.
type AtPlace struct {
	Node   NodeID `json:"node"`
	Name   Name   `json:"name"`
	Number int    `json:"number,omitempty"`
}

// Suggestion is a word that is there, for one that was typed.
type Suggestion struct {
	For      string `json:"for"`      // as it was typed
	Word     string `json:"word"`     //
	Distance int    `json:"distance"` // edits; 0: it goes on from what was typed
	Hits     int    `json:"hits"`     // versions that have it
}

// SuggestList is what may have been meant, likeliest first.
type SuggestList struct {
	Suggestions []Suggestion `json:"suggestions"`
}

// SimilarList are versions like one, most alike first.
type SimilarList struct {
	Of       string         `json:"of"` // as the node that answers calls it
	Similar  []Similar      `json:"similar"`
	Coverage []NodeCoverage `json:"coverage"`
}

// Similar is a version like another, and what they share.
type Similar struct {
	Ref       string   `json:"ref"`
	Listing   Listing  `json:"listing"` // the first variables alone
	Score     int      `json:"score"`
	Variables []string `json:"variables,omitempty"` // "wind_speed (m/s)"
	Units     []string `json:"units,omitempty"`     // beyond those of the variables
	Words     []string `json:"words,omitempty"`     // of title, keywords and description, "and" and the like left out
}

// Standings of a node in an answer, beside those of its logs.
const (
	StandingPartial = "partial" // what was read of it is not all in the search index yet
	StandingFailing = "failing" // its logs could not be read, or did not check, since they were last
	StandingUnread  = "unread"  // nothing of it is known yet
)

// NodeCoverage says how far an answer covers one node of the federation.
type NodeCoverage struct {
	Node NodeID `json:"node"`
	// Entries is how much of the node's catalogue logs was read, of those that whoever
	// asks may follow; 0 for the node that answers, which reads its own catalogue.
	Entries  int64     `json:"entries,omitempty"`
	Fresh    time.Time `json:"fresh,omitzero"`     // when that was last known to be all there is
	Standing string    `json:"standing,omitempty"` // "": good; StandingPartial, StandingFailing, behind, refused, forked, or StandingUnread
	Cause    string    `json:"cause,omitempty"`    // why it stands so, as people of this node are told
	Asked    bool      `json:"asked"`              // for what whoever asks alone may know of there
	Answered bool      `json:"answered"`           // in time, with what could be believed
	Reason   string    `json:"reason,omitempty"`   // why it was not asked, or did not answer
}
