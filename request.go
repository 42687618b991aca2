package genesis

import "time"

// FileRef names a file handed to a node: by a token for an open descriptor
// passed over the home's socket, "upload:" and the id of an upload, or "path:"
// and a path at the node; with the path as the person wrote it.
type FileRef struct {
	Path  string `json:"path,omitempty" doc:"how the file is called; default: the upload's name, or the last part of the path"`
	Token string `json:"token"`
}

// PrepareRequest asks for a draft version made from raw files.
type PrepareRequest struct {
	Name    Name           `json:"name"`
	Files   []FileRef      `json:"files"`
	Recipe  string         `json:"recipe,omitempty"` // YAML; replay exactly this
	Options PrepareOptions `json:"options,omitzero"`
	Project string         `json:"project,omitempty"` // whose people may use the draft as who makes it
}

// PrepareOptions are what the flags of prepare and inspect say. They become
// lines of the recipe.
type PrepareOptions struct {
	Target    []string  `json:"target,omitempty"`
	Sheets    []string  `json:"sheets,omitempty"` // XLSX: these only; empty means all
	Split     []string  `json:"split,omitempty"`  // "random", "group:COL", "time:COL", "stratify:COL", "import:DIR"
	Fractions []float64 `json:"fractions,omitempty"`
	Folds     int       `json:"folds,omitempty"`
	Seed      uint64    `json:"seed,omitempty"`
	Strict    bool      `json:"strict,omitempty"`    // refuse instead of rejecting cells
	Dedup     bool      `json:"dedup,omitempty"`     // remove exact duplicate rows
	NoProof   bool      `json:"no_proof,omitempty"`  // skip the baseline network of the readiness report
	Header    string    `json:"header,omitempty"`    // "none", "auto" or a 1-based line number
	Delimiter string    `json:"delimiter,omitempty"` // override what was recognised
	Encoding  string    `json:"encoding,omitempty"`
	// SplitFiles are the files of an imported split, handed over like the raw files.
	SplitFiles []FileRef `json:"split_files,omitempty"`
}

// Prepared is the outcome of prepare: the draft version and what it holds.
type Prepared struct {
	Version   Version   `json:"version"`
	Unchanged bool      `json:"unchanged,omitempty"` // the catalogue already had exactly this version
	Manifest  Manifest  `json:"manifest"`
	Findings  []Finding `json:"findings"`
	Readiness Readiness `json:"readiness"`
	Splits    []Split   `json:"splits"`
	Recipe    string    `json:"recipe"`
}

// Description is everything a node says about one version.
type Description struct {
	Version    Version      `json:"version"`
	Manifest   Manifest     `json:"manifest"`
	Card       Card         `json:"card"`
	Recipe     string       `json:"recipe,omitempty"`
	Profile    *Profile     `json:"profile,omitempty"`
	Readiness  *Readiness   `json:"readiness,omitempty"`
	Splits     []Split      `json:"splits,omitempty"`
	Findings   []Finding    `json:"findings,omitempty"`
	Provenance *Provenance  `json:"provenance,omitempty"`
	Report     *ModelReport `json:"report,omitempty"`
	End        *End         `json:"end,omitempty"`
	Versions   []Version    `json:"versions"`          // of the same asset, newest first
	UsedBy     []Ref        `json:"used_by,omitempty"` // versions made from this one
}

// TrainRequest asks for a model version trained on a dataset version.
type TrainRequest struct {
	Dataset  string   `json:"dataset"` // a Ref
	Name     Name     `json:"name"`
	Table    string   `json:"table,omitempty"`
	Target   []string `json:"target"`
	Split    string   `json:"split,omitempty"` // empty: the first one, or a random one made for this run
	Fold     int      `json:"fold,omitempty"`  // k-fold splits: the held-out fold, from 0
	Features []string `json:"features,omitempty"`
	Seed     uint64   `json:"seed,omitempty"`
	Epochs   int      `json:"epochs,omitempty"`  // at most; 0: chosen
	Members  int      `json:"members,omitempty"` // nets in the ensemble; 0: chosen
	Threads  int      `json:"threads,omitempty"` // 0: all cores; the result does not depend on it
	Project  string   `json:"project,omitempty"` // for which it is done, and whose people may use the model
	Where    string   `json:"where,omitempty" enum:"here,there" doc:"where to train on another node's data; if missing, there if one may train on them but not read them"`
}

// Trained is the outcome of train.
type Trained struct {
	Version Version     `json:"version"`
	At      NodeID      `json:"at,omitempty"` // where it is; "": at this node
	Report  ModelReport `json:"report"`
	Resumed bool        `json:"resumed,omitempty"` // went on from a checkpoint of a training that was stopped
}

// KeepSent is how long a node keeps at most what people of other nodes sent to it, and
// what came of it, after they sent it or it was done: it is gone before that when they
// have fetched what came of it.
const KeepSent = time.Hour

// PredictRequest asks a model for predictions on the rows of raw files.
type PredictRequest struct {
	Model  string    `json:"model"` // a Ref
	Files  []FileRef `json:"files"`
	Level  float64   `json:"level,omitempty"` // of the interval; 0: 0.9
	Format string    `json:"format"`          // parquet or csv
	// Project is for which it is done.
	Project string `json:"project,omitempty"`
}

// Predicted is the outcome of predict.
type Predicted struct {
	Model     Version   `json:"model"`
	Rows      int64     `json:"rows"`
	Flagged   int64     `json:"flagged"` // out of distribution
	Columns   []Column  `json:"columns"`
	Findings  []Finding `json:"findings"`
	Output    Blob      `json:"output"`              // fetched by its digest
	Converted []string  `json:"converted,omitempty"` // unit conversions made: "temp: Fahrenheit → Cel"
}

// Verification is the outcome of verify.
type Verification struct {
	Version Version  `json:"version"`
	Blobs   int      `json:"blobs"`
	Bytes   int64    `json:"bytes"`
	Columns int      `json:"columns"` // logical digests recomputed
	Damage  []Damage `json:"damage"`
}

// Damage is a place where stored bytes are not what they were.
type Damage struct {
	Blob   Digest `json:"blob,omitempty"`
	Offset int64  `json:"offset,omitempty"` // of the 1 MiB block
	Table  string `json:"table,omitempty"`
	Column string `json:"column,omitempty"`
	Msg    string `json:"message"`
}

// Diff is the difference between two versions of a dataset.
type Diff struct {
	From   Version     `json:"from"`
	To     Version     `json:"to"`
	Tables []TableDiff `json:"tables"`
}

// TableDiff is the difference between two states of a table. Rows are matched
// by the declared id, else by their whole content.
type TableDiff struct {
	Name      string       `json:"name"`
	Columns   []ColumnDiff `json:"columns,omitempty"`
	By        string       `json:"by"` // the id column, or "content"
	Added     int64        `json:"added"`
	Removed   int64        `json:"removed"`
	Changed   int64        `json:"changed"` // same id, other values
	Unchanged int64        `json:"unchanged"`
}

// ColumnDiff is what differs in one column.
type ColumnDiff struct {
	Name    string   `json:"name"`
	Change  string   `json:"change"`            // added, removed, schema, values
	Details []string `json:"details,omitempty"` // "unit: kW → MW", "mean: 1.2 → 1.3"
	// Shift is the largest difference of the cumulative distributions
	// (Kolmogorov–Smirnov statistic), estimated from the stored quantiles.
	Shift float64 `json:"shift,omitempty"`
}

// Event is one line of a running request's progress.
type Event struct {
	Stage string `json:"stage"` // "reading", "encoding", "training"
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0: not known
	Unit  string `json:"unit"`            // bytes, rows, epochs
	Note  string `json:"note,omitempty"`  // "loss 0.123"
	Log   string `json:"log,omitempty"`   // a line for the log instead of progress
}

// Progress receives events; it must be fast and safe for concurrent use. A
// nil Progress is not called: use [Progress.Send].
type Progress func(Event)

// Send calls p unless it is nil.
func (p Progress) Send(e Event) {
	if p != nil {
		p(e)
	}
}
