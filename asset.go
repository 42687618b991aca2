package genesis

import "time"

// State is where a version stands in its life.
type State string

const (
	Draft     State = "draft"
	Published State = "published"
	Withdrawn State = "withdrawn"
	Erased    State = "erased"
)

// Asset is a named thing in a catalogue.
type Asset struct {
	Name    Name      `json:"name"`
	Kind    Kind      `json:"kind"`
	Title   string    `json:"title,omitempty"`
	Latest  *Version  `json:"latest,omitempty"`
	Created time.Time `json:"created"`
}

// Version is one immutable state of an asset.
type Version struct {
	Name    Name      `json:"name"`
	Kind    Kind      `json:"kind"`
	Digest  Digest    `json:"digest"`
	Number  int       `json:"number,omitempty"` // once published
	State   State     `json:"state"`
	Created time.Time `json:"created"`
	Creator string    `json:"creator"`
	Rows    int64     `json:"rows,omitempty"`
	Bytes   int64     `json:"bytes"` // stored
}

// Ref returns the reference that names exactly this version.
func (v Version) Ref() Ref { return Ref{Name: v.Name, Digest: v.Digest} }

// RecordKind names a record of a version. A record is a statement about a
// version that can change without changing the version.
type RecordKind string

const (
	RecordCard       RecordKind = "card"
	RecordRecipe     RecordKind = "recipe"     // JSON string: the recipe's YAML text
	RecordProfile    RecordKind = "profile"    // Profile
	RecordReadiness  RecordKind = "readiness"  // Readiness
	RecordSplits     RecordKind = "splits"     // []Split
	RecordProvenance RecordKind = "provenance" // Provenance
	RecordFindings   RecordKind = "findings"   // []Finding
	RecordLayout     RecordKind = "layout"     // Layout
	RecordReport     RecordKind = "report"     // ModelReport
	RecordEnd        RecordKind = "end"        // End
)

// End says why a version was withdrawn or erased, to whoever may know that it was there.
type End struct {
	State  State     `json:"state"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Card is a version's descriptive metadata. Field names follow the Genesis
// Mission Data Card where that has them.
type Card struct {
	Title         string   `json:"title,omitempty"`
	Description   string   `json:"description,omitempty"`
	Creators      []string `json:"creators,omitempty"`
	Institution   string   `json:"institution,omitempty"`
	Contact       string   `json:"contact,omitempty"`
	License       string   `json:"license,omitempty"`        // SPDX identifier where there is one
	Citation      string   `json:"citation,omitempty"`       //
	Source        string   `json:"source,omitempty"`         // where the raw data came from
	Keywords      []string `json:"keywords,omitempty"`       //
	Field         string   `json:"field,omitempty"`          // energy, materials, biomedicine, environment, …
	Challenge     string   `json:"challenge,omitempty"`      // a slug: which challenge of the Genesis Mission it serves
	Temporal      *Period  `json:"temporal,omitempty"`       // when what it is about happened
	Spatial       *Box     `json:"spatial,omitempty"`        // and where
	Sensitivity   string   `json:"sensitivity,omitempty"`    // one of Sensitivities
	ExportControl string   `json:"export_control,omitempty"` // one of ExportStatuses
	Use           string   `json:"use,omitempty"`            // conditions of use, in words
}

// Provenance says how a version came to be.
type Provenance struct {
	Sources  []Source  `json:"sources,omitempty"`
	Parents  []Ref     `json:"parents,omitempty"` // versions this one was made from
	Recipe   Digest    `json:"recipe,omitempty"`  // of the recipe's text
	Software string    `json:"software"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	By       string    `json:"by"`
	Split    string    `json:"split,omitempty"`  // models: the split trained on
	Copied   *Copied   `json:"copied,omitempty"` // where this is a copy of another node's version
}

// Source is one raw file as it was found.
type Source struct {
	Path     string   `json:"path"` // as given
	Digest   Digest   `json:"digest,omitempty"`
	Bytes    int64    `json:"bytes"`
	Format   string   `json:"format"`             // "csv", "xlsx"
	Encoding string   `json:"encoding,omitempty"` // of text: "UTF-8", "GBK"
	Packing  string   `json:"packing,omitempty"`  // "gzip", "zstd", "zip"
	Tables   []string `json:"tables,omitempty"`   // names of the tables it contributes to
	// Preamble holds the lines before the header and footers after the data,
	// verbatim, up to 64 KiB.
	Preamble string `json:"preamble,omitempty"`
}
