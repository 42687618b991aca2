package genesis

// StreamFormat is the format number of stream keys and of what streams send
// (docs/streams.md).
const StreamFormat = 1

// StreamMode is how the rows of a stream are ordered.
type StreamMode string

const (
	Sequential StreamMode = "sequential" // as they are stored
	Block      StreamMode = "block"      // blocks of consecutive rows in random order, mixed some at a time
	Full       StreamMode = "full"       // a random permutation of all rows
)

// StreamForm is what a stream's batches hold.
type StreamForm string

const (
	AsTable      StreamForm = "table"      // the columns, typed
	AsDictionary StreamForm = "dictionary" // likewise, categories as codes into a dictionary
	AsRows       StreamForm = "rows"       // float32 rows of one length, ready for a net
)

// How [AsRows] encodes categories, and scales numbers.
const (
	OneHot   = "onehot"   // a 1 among as many numbers as there are words
	Code     = "code"     // the place of the word in the vocabulary
	Standard = "standard" // less the mean, by the standard deviation, of the training part
	Unscaled = "none"
)

// StreamRequest asks for a stream. The zero value of a field is its default.
type StreamRequest struct {
	Dataset string     `json:"dataset"`
	Table   string     `json:"table,omitempty"`   // the first
	Split   string     `json:"split,omitempty"`   // all rows; else a part, "train", or a split and its part, "by-site/train", "folds/fold-3", "folds/not-fold-3"
	Columns []string   `json:"columns,omitempty"` // all, in the order of the table
	Filter  string     `json:"filter,omitempty"`  // a CEL expression; rows for which it holds
	Mode    StreamMode `json:"mode,omitempty"`    // sequential
	Seed    uint64     `json:"seed,omitempty"`
	Epoch   uint64     `json:"epoch,omitempty"`

	// Block is how many consecutive rows stay together in block mode; 0: chosen by
	// the width of a row.
	Block int `json:"block,omitempty"`
	// Batch is how many rows of the order a batch is made of; 0: 1024. The filter
	// takes some of them away.
	Batch int `json:"batch,omitempty"`
	// Position is where in the order to begin: the first row that was not yet
	// consumed.
	Position int64 `json:"position,omitempty"`
	// Shard of Shards: every Shards-th batch from Position on, beginning with
	// batch Shard. Shards 0 is 1.
	Shard  int `json:"shard,omitempty"`
	Shards int `json:"shards,omitempty"`
	// Key, if given, is that of the order which Position belongs to: the request
	// is refused if the order is another one by now.
	Key string `json:"key,omitempty"`

	As         StreamForm `json:"as,omitempty"`         // table
	Target     []string   `json:"target,omitempty"`     // of rows: the columns to predict; those of role target
	Categories string     `json:"categories,omitempty"` // of rows: onehot, code
	Scale      string     `json:"scale,omitempty"`      // of rows: standard, none
	Mask       bool       `json:"mask,omitempty"`       // of rows: say which values were missing
}

// StreamPlan is what a stream will be. It is sent with the stream, too, as JSON in
// the schema's metadata under "genesis.stream".
type StreamPlan struct {
	Format  int    `json:"format"`
	Name    Name   `json:"name"`
	Version Digest `json:"version"`
	Number  int    `json:"number,omitempty"` // of a published version
	Table   string `json:"table"`
	Split   string `json:"split,omitempty"` // split and part
	// Assignment is the digest of what says which rows those are: part of the key.
	Assignment Digest     `json:"assignment,omitempty"`
	Mode       StreamMode `json:"mode"`
	Seed       uint64     `json:"seed"`
	Epoch      uint64     `json:"epoch"`
	Block      int        `json:"block"`
	Batch      int        `json:"batch"`
	Position   int64      `json:"position"`
	Shard      int        `json:"shard"`
	Shards     int        `json:"shards"`
	Rows       int64      `json:"rows"` // of the order, before the filter
	Key        string     `json:"key"`  // of the order, in hex
	As         StreamForm `json:"as"`
	Columns    []Column   `json:"columns"` // of the batches; of rows: those they are made of
	// Features says what the numbers of a row are, in order, and Targets what is to
	// be predicted; only of rows.
	Features []StreamFeature `json:"features,omitempty"`
	Targets  []StreamFeature `json:"targets,omitempty"`
	// Cached says that the rows lie in the node's cache already. Where they do not, a
	// shuffled stream begins when they do.
	Cached bool `json:"cached"`
}

// StreamFeature is how one column became numbers of a row.
type StreamFeature struct {
	Column string   `json:"column"`
	Kind   string   `json:"kind"`            // number, boolean, time (seconds since 1970), category
	At     int      `json:"at"`              // index of its first number
	Width  int      `json:"width"`           // how many they are
	Mean   float64  `json:"mean"`            // z = (x − mean) ÷ sd; 0 and 1 where nothing is scaled
	SD     float64  `json:"sd"`              //
	Words  []string `json:"words,omitempty"` // of a category, ascending
}

// Metadata keys of what streams send.
const (
	StreamPlanKey     = "genesis.stream"   // of the schema: the plan as JSON
	StreamPositionKey = "genesis.position" // of a batch: where in the order it begins
	StreamNextKey     = "genesis.next"     // of a batch: where the one after it in the order begins
)
