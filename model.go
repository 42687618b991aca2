package genesis

// ModelReport is what a model version says about itself: what it was trained
// on, how well it predicts beside trivial and reference predictors, and how
// far its intervals can be trusted.
type ModelReport struct {
	Format     int            `json:"format"`
	Dataset    Ref            `json:"dataset"` // exact version
	Table      string         `json:"table"`
	Split      string         `json:"split"`
	Seed       uint64         `json:"seed"`
	Inputs     []Column       `json:"inputs"`
	Targets    []TargetReport `json:"targets"`
	Network    string         `json:"network"` // in words: "5 nets of 2×128, GELU, periodic embeddings"
	Parameters int64          `json:"parameters"`
	Epochs     int            `json:"epochs"`
	Seconds    float64        `json:"seconds"`
	Curve      []CurvePoint   `json:"curve"`
	OOD        OODReport      `json:"ood"`
	Notes      []string       `json:"notes,omitempty"` // where the net loses to a reference, and why it may
	// Least is how many rows share every figure at least, where whoever had it trained
	// may not read them; 0: the figures may tell of single rows.
	Least int `json:"least,omitempty"`
	// Logged is what was stated of a model that was trained elsewhere; of such a one the
	// rest of the report is empty.
	Logged *LoggedReport `json:"logged,omitempty"`
}

// TargetReport is how well one target is predicted.
type TargetReport struct {
	Column  Column   `json:"column"`
	Task    string   `json:"task"` // regression, binary, multiclass
	Classes []string `json:"classes,omitempty"`
	// Scores by part ("validation", "test") and predictor ("net", "trivial",
	// "ridge", "forest"), then by metric: rmse, mae, r2, nll; accuracy, auc,
	// log_loss.
	Scores   map[string]map[string]map[string]float64 `json:"scores"`
	Coverage *Coverage                                `json:"coverage,omitempty"`
}

// Coverage is the share of held-out rows whose true value lay in the predicted
// interval (regression) or set (classes).
type Coverage struct {
	Nominal float64 `json:"nominal"` // 0.9
	Actual  float64 `json:"actual"`
	Rows    int64   `json:"rows"`
	Width   float64 `json:"width"` // mean width, in the target's unit; set size for classes
}

// CurvePoint is one epoch of training, averaged over the ensemble.
type CurvePoint struct {
	Epoch      int     `json:"epoch"`
	Train      float64 `json:"train"`
	Validation float64 `json:"validation"` // rows held back from the training part
}

// OODReport is how the out-of-distribution flag behaves. A share is absent where
// there were too few held-out rows to measure it.
type OODReport struct {
	Threshold float64  `json:"threshold"`
	Untouched *float64 `json:"untouched,omitempty"` // share of held-out rows flagged
	Scaled    *float64 `json:"scaled,omitempty"`    // share flagged with one numeric feature multiplied by ten, least over features
}
