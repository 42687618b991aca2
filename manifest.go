package genesis

// ManifestFormat is the format number of the content manifests this program
// writes.
const ManifestFormat = 1

// Kind is what sort of thing an asset is.
type Kind string

const (
	Dataset Kind = "dataset"
	Model   Kind = "model"
)

// Manifest names the content of a version and nothing else: no file, path,
// person, time or number. Its canonical JSON (RFC 8785) is at most 1 MiB and
// the SHA-256 of that is the version.
type Manifest struct {
	Format  int             `json:"format"`
	Kind    Kind            `json:"kind"`
	Tables  []ManifestTable `json:"tables,omitempty"`
	Rejects []ManifestTable `json:"rejects,omitempty"`
	// Model parts: the digest of each file that makes the model.
	Parts map[string]Digest `json:"parts,omitempty"`
}

// ManifestTable is one table: its columns, and for each the logical digest of
// its values (docs/formats.md).
type ManifestTable struct {
	Name    string           `json:"name"`
	Rows    int64            `json:"rows"`
	Columns []ManifestColumn `json:"columns,omitempty"`
	// Pages stands in place of Columns in the stored form of a manifest that
	// would be too long: digests of blobs that hold the columns, in order. Whoever
	// reads a manifest from the catalogue gets the columns.
	Pages []Digest `json:"pages,omitempty"`
}

// ManifestColumn is a column and the logical digest of its values.
type ManifestColumn struct {
	Column
	Digest Digest `json:"digest"`
}

// Table returns the table called name; "" means the only or the first one.
func (m Manifest) Table(name string) (ManifestTable, bool) {
	for _, t := range m.Tables {
		if t.Name == name || name == "" {
			return t, true
		}
	}
	return ManifestTable{}, false
}

// Column returns the column called name.
func (t ManifestTable) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c.Column, true
		}
	}
	return Column{}, false
}

// Schema returns the columns without their digests.
func (t ManifestTable) Schema() []Column {
	cols := make([]Column, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = c.Column
	}
	return cols
}

// Formats of layouts: LayoutFormat is the newest one that this program writes and
// reads. Format 2 has pages; what needs none is written in format 1.
const LayoutFormat = 2

// Layout says where the bytes of a version lie. It is a record: a version can
// be laid out again without changing.
//
// A table of very many files has them in Pages, not in Tables: package blob/layout
// reads either. Whoever makes a layout may put all files into Tables; they are
// moved to pages where a version is committed.
type Layout struct {
	Format int                     `json:"format"`
	Tables map[string][]LayoutFile `json:"tables,omitempty"` // by table name; rejects under "rejects/NAME"
	Pages  map[string][]LayoutPage `json:"pages,omitempty"`  // likewise, in place of Tables
	Parts  map[string]Blob         `json:"parts,omitempty"`  // by part name
}

// LayoutFile is one Parquet file of a table, in row order.
type LayoutFile struct {
	Blob
	Rows int64 `json:"rows"`
}

// LayoutPage is a blob that lists files of a table, in row order, as the canonical
// JSON of []LayoutFile; one of a Level above 0 lists pages of the level below, as
// []LayoutPage.
type LayoutPage struct {
	Blob
	Rows  int64 `json:"rows"`            // of all its files
	Files int64 `json:"files"`           // under it, at all levels
	Bytes int64 `json:"bytes"`           // of those files
	Level int   `json:"level,omitempty"` // of pages of pages
}

// Blob is content-addressed bytes.
type Blob struct {
	Digest Digest `json:"digest"`
	Size   int64  `json:"size"`
	// Merkle is the root of a SHA-256 tree over 1 MiB blocks (docs/formats.md),
	// so that any range can be verified without the whole.
	Merkle Digest `json:"merkle"`
}
