package genesis

// Type is the kind of value a column holds.
type Type string

const (
	Integer     Type = "integer"     // 64-bit signed
	Float       Type = "float"       // IEEE 754 binary64
	Boolean     Type = "boolean"     //
	Timestamp   Type = "timestamp"   // microseconds since 1970-01-01T00:00:00Z; Column.Zone says how the source wrote it
	Date        Type = "date"        // days since 1970-01-01
	Categorical Type = "categorical" // text from a small vocabulary
	Text        Type = "text"        // free text, UTF-8
	Identifier  Type = "identifier"  // text that names the row or a thing, never a quantity
)

// Role is what a column is to learning.
type Role string

const (
	Feature   Role = "feature"
	Target    Role = "target"
	ID        Role = "id"     // the row's identity
	Group     Role = "group"  // rows of one group never straddle a split
	Time      Role = "time"   // the row's time
	Weight    Role = "weight" // the row's weight in the loss
	Qualifier Role = "qualifier"
	Ignore    Role = "ignore"
)

// Semantic says what a column is about, beyond its type.
type Semantic string

const (
	SMILES    Semantic = "smiles"    // a molecule (Weininger 1988, OpenSMILES)
	Formula   Semantic = "formula"   // a chemical formula: Ce2K1Mn1
	Latitude  Semantic = "latitude"  // degrees north
	Longitude Semantic = "longitude" // degrees east
	Angle     Semantic = "angle"     // a direction: 0 and 360 degrees are the same
	Person    Semantic = "person"    // names, e-mail addresses, birth dates: needs an answer before anything is published
)

// Column is one column of a table: what it is called, what it holds and what
// it is for. It is part of a version's content.
type Column struct {
	Name        string   `json:"name"`               // snake_case, unique within its table
	Original    string   `json:"original,omitempty"` // the name as the source spells it
	Type        Type     `json:"type"`
	Unit        string   `json:"unit,omitempty"`        // UCUM code: kW, Cel, m/s
	UnitSource  string   `json:"unit_source,omitempty"` // the unit as the source spells it: °C
	Semantic    Semantic `json:"semantic,omitempty"`
	Role        Role     `json:"role"`
	Description string   `json:"description,omitempty"`
	Missing     []string `json:"missing,omitempty"`      // spellings that mean "no value" here: NA, -9999
	QualifierOf string   `json:"qualifier_of,omitempty"` // this column holds the <, >, ~ of that column's values
	Zone        string   `json:"zone,omitempty"`         // Timestamp: the zone of the source: "UTC", "-07:00", "unstated"
	DateForm    string   `json:"date_form,omitempty"`    // Timestamp, Date: the form of the source: "DD MM YYYY HH:mm"
}

// Numeric reports whether values of type t are numbers.
func (t Type) Numeric() bool { return t == Integer || t == Float }

// Textual reports whether values of type t are text.
func (t Type) Textual() bool { return t == Categorical || t == Text || t == Identifier }
