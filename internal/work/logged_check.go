package work

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

var (
	frameworkPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._+-]{0,63}$`)
	keyPattern       = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func tooMany(what string, n, most int) error {
	return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: what, Msg: fmt.Sprintf("are %d, and at most %d are taken", n, most)}
}

// checkLogged refuses what does not fit, before a byte is stored.
func checkLogged(req *genesis.LogModelRequest) error {
	bad := func(subject, msg, hint string) error {
		return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: hint}
	}
	switch names := slices.Sorted(maps.Keys(req.Parts)); {
	case len(names) == 0:
		return bad(string(req.Name), "has no parts", "name the files that make the model")
	case len(names) > genesis.MaxParts:
		return tooMany("parts", len(names), genesis.MaxParts)
	default:
		if err := genesis.CheckParts(names); err != nil {
			return err
		}
	}
	for _, f := range req.Parts {
		if len(f.Path) > 1000 {
			return bad("parts", "a path is longer than 1000 bytes", "")
		}
	}
	if !frameworkPattern.MatchString(req.Framework) {
		return bad(req.Framework, "is not a framework", "write pytorch, tensorflow, jax, sklearn, xgboost, onnx or other")
	}
	if len(req.Description) > 64<<10 {
		return bad("description", "is longer than 64 KiB", "")
	}
	if req.Code != "" {
		if _, err := genesis.ParseDigest(string(req.Code)); err != nil {
			return err
		}
	}
	if err := checkStated(req); err != nil {
		return err
	}
	return checkParameters(req.Parameters)
}

// checkStated bounds texts and figures.
func checkStated(req *genesis.LogModelRequest) error {
	if len(req.FrameworkVersion) > 100 {
		return tooLong(req.FrameworkVersion, 100)
	}
	texts := slices.Clone(req.Targets)
	if n := len(req.Targets); n > genesis.MaxLoggedTargets {
		return tooMany("targets", n, genesis.MaxLoggedTargets)
	}
	if n := len(req.Metrics); n > genesis.MaxLoggedMetrics {
		return tooMany("metrics", n, genesis.MaxLoggedMetrics)
	}
	for _, m := range req.Metrics {
		if strings.TrimSpace(m.Name) == "" || len(m.Name) > 100 || math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: cutText(m.Name), Msg: "is not a metric: it has a name of at most 100 bytes and a finite value"}
		}
		texts = append(texts, m.Split, m.Target)
	}
	for _, in := range req.Inputs {
		if in.Key != "" && !keyPattern.MatchString(in.Key) {
			return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: cutText(in.Key), Msg: "is not the key of a stream", Hint: "a key is 64 hexadecimal digits; the plan of the stream has it"}
		}
		texts = append(texts, in.Table, in.Split, in.Epochs, in.Positions)
	}
	for _, text := range texts {
		if len(text) > 1000 {
			return tooLong(text, 1000)
		}
	}
	return nil
}

func tooLong(text string, most int) error {
	return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: cutText(text), Msg: fmt.Sprintf("is longer than %d bytes", most)}
}

// cutText is the beginning of a text that may be of any length.
func cutText(s string) string {
	const most = 50
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// checkParameters refuses parameters that are more than a few settings.
func checkParameters(all map[string]json.RawMessage) error {
	const most, deepest = 64 << 10, 8
	total := 0
	for name, text := range all {
		if total += len(name) + len(text); total > most {
			return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: "parameters", Msg: "are more than 64 KiB", Hint: "keep them as a part: config.json"}
		}
		depth := 1
		for dec := json.NewDecoder(strings.NewReader(string(text))); ; {
			t, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: name, Msg: "is no JSON", Err: err}
			}
			switch t {
			case json.Delim('{'), json.Delim('['):
				depth++
			case json.Delim('}'), json.Delim(']'):
				depth--
			}
			if depth > deepest {
				return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: name, Msg: "is more than 8 levels deep"}
			}
		}
	}
	return nil
}
