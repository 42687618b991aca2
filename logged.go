package genesis

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// LogModelRequest asks for a model that was trained outside of the node to be taken
// into the catalogue, with what it was trained on: it owes to that what a model trained
// here does. What is said of it is taken as said, not measured.
type LogModelRequest struct {
	Name             Name                       `json:"name"`
	Framework        string                     `json:"framework" doc:"pytorch, tensorflow, jax, sklearn, xgboost, onnx, other"`
	FrameworkVersion string                     `json:"framework_version,omitempty"`
	Parts            map[string]FileRef         `json:"parts" doc:"the files of the model, by name; 1 to 64"`
	Inputs           []LoggedInput              `json:"inputs,omitempty" doc:"what it was trained on; at most 100"`
	Metrics          []LoggedMetric             `json:"metrics,omitempty" doc:"at most 1000"`
	Targets          []string                   `json:"targets,omitempty" doc:"what it predicts; at most 100"`
	Description      string                     `json:"description,omitempty" doc:"becomes the card's"`
	Code             Digest                     `json:"code,omitempty" doc:"of the code that trained it"`
	Parameters       map[string]json.RawMessage `json:"parameters,omitempty" doc:"any JSON, at most 64 KiB of it"`
}

// Bounds of a LogModelRequest.
const (
	MaxParts         = 64
	MaxLoggedInputs  = 100
	MaxLoggedMetrics = 1000
	MaxLoggedTargets = 100
)

// LoggedInput is a version that a model was trained on, and what of it.
type LoggedInput struct {
	Ref       Ref    `json:"ref"` // exact version
	Table     string `json:"table,omitempty"`
	Split     string `json:"split,omitempty"`     // as in a [StreamRequest]
	Key       string `json:"key,omitempty"`       // of the stream's order, in hex
	Epochs    string `json:"epochs,omitempty"`    // which were consumed, in words
	Positions string `json:"positions,omitempty"` // likewise
}

// LoggedMetric is one figure.
type LoggedMetric struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Split  string  `json:"split,omitempty"`  // on which part
	Target string  `json:"target,omitempty"` // of which target
}

// LoggedReport is what was stated by who logged a model. Nothing of it was measured
// here but the parts.
type LoggedReport struct {
	Framework        string                     `json:"framework"`
	FrameworkVersion string                     `json:"framework_version,omitempty"`
	InputsStated     bool                       `json:"inputs_stated"` // false: nobody said what it was trained on
	Inputs           []LoggedInput              `json:"inputs"`        // those that may be known
	Metrics          []LoggedMetric             `json:"metrics"`
	Targets          []string                   `json:"targets,omitempty"`
	Code             Digest                     `json:"code,omitempty"`
	Parameters       map[string]json.RawMessage `json:"parameters,omitempty"`
	Parts            []LoggedPart               `json:"parts"` // by name
}

// LoggedPart is one file of a model, as far as it was looked into.
type LoggedPart struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Format string `json:"format,omitempty"` // safetensors, onnx, pickle, python, keras; "": not known
	Code   bool   `json:"code,omitempty"`   // loading it runs what is in it
}

// LoggedModel is the outcome of logging a model.
type LoggedModel struct {
	Version   Version     `json:"version"`
	Unchanged bool        `json:"unchanged,omitempty"` // the name had a version of just these parts
	Report    ModelReport `json:"report"`
	Findings  []Finding   `json:"findings"`
}

var (
	partPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	devices     = []string{"con", "prn", "aux", "nul", "com", "lpt"} // files of that name are devices on Windows
)

// CheckPart reports why name cannot be that of a part of a model, or nil. A name that
// can is a file's in one folder on every system.
func CheckPart(name string) error {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	if partPattern.MatchString(name) && !strings.HasSuffix(name, ".") && !slices.Contains(devices, strings.TrimRight(stem, "0123456789")) {
		return nil
	}
	return &Error{Op: "read part", Kind: Invalid, Subject: name, Msg: "is not a name of a part",
		Hint: "a name is 1 to 100 of A-Z, a-z, 0-9, '.', '_' and '-', begins with a letter or digit and does not end in a dot: model.safetensors"}
}

// CheckParts is CheckPart of several, of which no two may be the same file where case
// does not count.
func CheckParts(names []string) error {
	seen := map[string]bool{}
	for _, name := range names {
		if err := CheckPart(name); err != nil {
			return err
		}
		if lower := strings.ToLower(name); seen[lower] {
			return &Error{Op: "read part", Kind: Invalid, Subject: name, Msg: "is the name of another part, too, case aside", Hint: "give it another name"}
		} else {
			seen[lower] = true
		}
	}
	return nil
}
