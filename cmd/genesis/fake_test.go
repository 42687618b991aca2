package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/node"
)

// fake is a service with one dataset, "turbines", and one model,
// "turbine-power". Its answers are fixed: it stands in for internal/work where
// a test is about the command line alone.
type fake struct{ node.Service }

func fakeOptions() node.Options {
	return node.Options{Open: func(context.Context, *node.Home) (node.Service, error) { return fake{}, nil }}
}

func (fake) Close() error { return nil }

func (fake) WhoAmI(_ context.Context, who genesis.Principal) (*genesis.Principal, error) {
	return &who, nil
}

var (
	made     = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	dataset  = genesis.Version{Name: "turbines", Kind: genesis.Dataset, Digest: genesis.DigestOf([]byte("t")), State: genesis.Draft, Created: made, Creator: "local", Rows: 50530, Bytes: 1 << 20}
	model    = genesis.Version{Name: "turbine-power", Kind: genesis.Model, Digest: genesis.DigestOf([]byte("m")), Number: 2, State: genesis.Published, Created: made, Creator: "local", Bytes: 4096}
	outputs  = []byte("time,power_predicted\n")
	columns  = []genesis.Column{timeColumn, windColumn, powerColumn}
	manifest = genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{{Name: "turbines", Rows: 50530, Columns: []genesis.ManifestColumn{{Column: timeColumn}, {Column: windColumn}, {Column: powerColumn}}}}}

	timeColumn  = genesis.Column{Name: "time", Original: "Date/Time", Type: genesis.Timestamp, Role: genesis.Time}
	windColumn  = genesis.Column{Name: "wind_speed", Original: "Wind Speed (m/s)", Type: genesis.Float, Unit: "m/s", Role: genesis.Feature, Missing: []string{"-9999"}}
	powerColumn = genesis.Column{Name: "power", Original: "LV ActivePower\x1b[31m (kW)", Type: genesis.Float, Unit: "kW", Role: genesis.Target}

	ready = genesis.Readiness{Format: 1, Passed: 2, Failed: 1, Checks: []genesis.Check{
		{ID: "name", Group: "discoverable", Verdict: genesis.Pass, Evidence: "it is called turbines"},
		{ID: "license-stated", Group: "reusable", Verdict: genesis.Fail, Evidence: "the card states no licence", Fix: "genesis card set turbines license=…"},
		{ID: "units-stated", Group: "interoperable", Verdict: genesis.Pass, Evidence: "2 of 2 numbers have units"},
		{ID: "proof", Group: "usable-for-ai", Verdict: genesis.Unknown, Evidence: "no target"},
	}}
	findings = []genesis.Finding{
		{ID: "sentinel:wind_speed:-9999", Code: "sentinel", Severity: genesis.Note, Message: "-9999 means no value", Count: 7, Rows: []int64{3, 9}},
		{ID: "person:operator", Code: "person", Severity: genesis.Ask, Message: "operator looks like names of people", Hint: `genesis answer turbines person:operator "…"`},
	}
	splits = []genesis.Split{{Name: "random", Table: "turbines", Kind: "random", Counts: map[string]int64{"train": 40424, "validation": 5053, "test": 5053},
		Leaks: []genesis.LeakCheck{{Name: "duplicates", Passed: true}}}}
	report = genesis.ModelReport{Format: 1, Dataset: dataset.Ref(), Table: "turbines", Split: "random", Network: "5 nets of 2×128", Parameters: 12345, Epochs: 30, Seconds: 12.5,
		Targets: []genesis.TargetReport{{Column: powerColumn, Task: "regression", Scores: map[string]map[string]map[string]float64{"test": {
			"net": {"rmse": 3.9, "r2": .95}, "trivial": {"rmse": 17.1, "r2": 0}, "ridge": {"rmse": 4.6, "r2": .93}}},
			Coverage: &genesis.Coverage{Nominal: .9, Actual: .904, Rows: 5053, Width: 12.3}}},
		OOD: genesis.OODReport{Untouched: new(.03), Scaled: new(.99)}}
)

func missing(op, ref string) error {
	return &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: ref, Msg: "is not here, or not for you to see", Hint: "genesis list"}
}

func known(op, ref string) error {
	name, _, _ := strings.Cut(ref, "@")
	if name == "turbines" || name == "turbine-power" {
		return nil
	}
	return missing(op, ref)
}

// read returns a file's bytes; "slow" ones take until the caller gives up.
func read(ctx context.Context, f *format.Raw, p genesis.Progress) ([]byte, error) {
	b, err := io.ReadAll(io.NewSectionReader(f.At, 0, f.Size))
	if err == nil && bytes.HasPrefix(b, []byte("slow")) {
		p.Send(genesis.Event{Log: "working"})
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b, err
}

func (fake) Inspect(ctx context.Context, _ genesis.Principal, files []*format.Raw, _ genesis.PrepareOptions, p genesis.Progress) (*genesis.Inspection, error) {
	in := &genesis.Inspection{Sampled: true}
	for _, f := range files {
		b, err := read(ctx, f, p)
		if err != nil {
			return nil, err
		}
		in.Sources = append(in.Sources, genesis.Source{Path: f.Name, Bytes: f.Size, Format: "csv", Encoding: "UTF-8"})
		var head [][]string
		for line := range strings.Lines(string(b)) {
			head = append(head, strings.Split(strings.TrimSpace(line), ","))
		}
		in.Tables = append(in.Tables, genesis.InspectionTable{Name: "turbines", Rows: int64(len(head)), Columns: columns, Head: head})
	}
	return in, nil
}

func (fake) Prepare(ctx context.Context, _ genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error) {
	for _, f := range append(files, splitFiles...) {
		b, err := read(ctx, f, p)
		if err != nil {
			return nil, err
		}
		if req.Options.Strict && bytes.Contains(b, []byte("x")) {
			return nil, &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Subject: f.Name, Msg: `row 2, column "power": is not a number`, Value: "x", Hint: "leave out --strict to set bad cells aside"}
		}
	}
	if req.Recipe == "" {
		req.Recipe = "# a recipe\n"
	}
	v := dataset
	v.Name, v.Bytes = req.Name, int64(len(splitFiles))
	return &genesis.Prepared{Version: v, Manifest: manifest, Findings: findings, Readiness: ready, Splits: splits, Recipe: req.Recipe}, nil
}

func (fake) Train(_ context.Context, _ genesis.Principal, req genesis.TrainRequest, _ genesis.Progress) (*genesis.Trained, error) {
	v := model
	v.Name = req.Name
	r := report
	r.Seed = req.Seed
	return &genesis.Trained{Version: v, Report: r}, known("train", req.Dataset)
}

func (fake) Predict(ctx context.Context, _ genesis.Principal, req genesis.PredictRequest, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	for _, f := range files {
		if _, err := read(ctx, f, p); err != nil {
			return nil, err
		}
	}
	return &genesis.Predicted{Model: model, Rows: 10, Flagged: 1, Columns: columns, Output: genesis.Blob{Digest: genesis.DigestOf(outputs), Size: int64(len(outputs))},
		Converted: []string{"wind_speed: km/h → m/s"}}, known("predict", req.Model)
}

func (fake) Verify(_ context.Context, _ genesis.Principal, ref string, _ genesis.Progress) (*genesis.Verification, error) {
	v := &genesis.Verification{Version: dataset, Blobs: 3, Bytes: 1 << 20, Columns: 3, Damage: []genesis.Damage{}}
	if strings.Contains(ref, "power") {
		v.Damage = append(v.Damage, genesis.Damage{Blob: genesis.DigestOf([]byte("b")), Offset: 1 << 20, Msg: "differs"})
	}
	return v, known("verify", ref)
}

func (fake) Diff(_ context.Context, _ genesis.Principal, from, to string, _ genesis.Progress) (*genesis.Diff, error) {
	return &genesis.Diff{From: dataset, To: model, Tables: []genesis.TableDiff{{Name: "turbines", By: "content", Added: 12, Removed: 3, Unchanged: 50518,
		Columns: []genesis.ColumnDiff{{Name: "power", Change: "schema", Details: []string{"unit: kW → MW"}, Shift: .25}}}}}, errors.Join(known("diff", from), known("diff", to))
}

func (fake) Export(_ context.Context, _ genesis.Principal, ref, table, as string, columns []string, w io.Writer, _ genesis.Progress) error {
	if err := known("export", ref); err != nil {
		return err
	}
	if _, err := io.WriteString(w, as+" "+table+" "+strings.Join(columns, "+")+"\n"); err != nil || table != "damaged" {
		return err
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		return err
	}
	return &genesis.Error{Op: "read blob", Kind: genesis.Internal, Subject: "sha256:1", Msg: "differs from what was stored at byte 1048576"}
}

func (fake) Describe(_ context.Context, _ genesis.Principal, ref string) (*genesis.Description, error) {
	if err := known("show", ref); err != nil {
		return nil, err
	}
	d := &genesis.Description{Version: dataset, Manifest: manifest, Card: genesis.Card{Title: "Wind turbines"}, Recipe: "# a recipe\nname: turbines\n",
		Readiness: &ready, Findings: findings, Splits: splits, UsedBy: []genesis.Ref{model.Ref()},
		Profile: &genesis.Profile{Tables: []genesis.TableProfile{{Name: "turbines", Columns: []genesis.ColumnProfile{{Name: "power", Count: 75, Nulls: 25, Min: new(0.), Max: new(3618.73),
			Histogram: []genesis.Bin{{Count: 1}, {Count: 0}, {Count: 9}}}}}}},
		Provenance: &genesis.Provenance{Sources: []genesis.Source{{Path: "turbines.csv", Format: "csv", Encoding: "GBK", Bytes: 4 << 20}}, Software: "genesis devel", By: "local"}}
	if strings.HasPrefix(ref, "turbine-power") {
		d = &genesis.Description{Version: model, Report: &report}
	}
	return d, nil
}

func (fake) List(_ context.Context, _ genesis.Principal, kind genesis.Kind, after string, _ int) ([]genesis.Asset, string, error) {
	all := []genesis.Asset{{Name: "turbine-power", Kind: genesis.Model, Latest: &model, Created: made}, {Name: "turbines", Kind: genesis.Dataset, Latest: &dataset, Title: "Wind turbines", Created: made}}
	for _, a := range all { // one a page
		if (kind == "" || a.Kind == kind) && string(a.Name) > after {
			return []genesis.Asset{a}, string(a.Name), nil
		}
	}
	return nil, "", nil
}

func (fake) Search(_ context.Context, _ genesis.Principal, q genesis.SearchQuery) (*genesis.SearchResult, error) {
	covered := []genesis.NodeCoverage{{Node: "local", Fresh: made, Asked: true, Answered: true}}
	if q.Text != "wind speed" {
		return &genesis.SearchResult{Hits: []genesis.Hit{}, Suggestions: []genesis.Suggestion{{For: "nothing", Word: "nothings", Distance: 1, Hits: 2}}, Coverage: covered}, nil
	}
	l := genesis.Listing{Format: genesis.ListingFormat, Node: "local", Name: "turbines", Version: dataset.Digest, Number: 3, Kind: genesis.Dataset, Title: "Wind turbines", Rows: 12_000}
	hit := genesis.Hit{Ref: "turbines@3", Listing: l, Score: 96, Snippet: "column: wind_speed", Marks: []genesis.Mark{{Start: 8, End: 12}, {Start: 13, End: 18}},
		Places: []genesis.AtPlace{{Node: "local", Name: "turbines", Number: 3}}}
	return &genesis.SearchResult{Hits: []genesis.Hit{hit}, Total: 1, Coverage: covered}, nil
}

func (fake) Suggest(context.Context, genesis.Principal, string, int) (*genesis.SuggestList, error) {
	return &genesis.SuggestList{}, nil
}

func (fake) Similar(_ context.Context, _ genesis.Principal, ref string, _ int) (*genesis.SimilarList, error) {
	return &genesis.SimilarList{Of: ref, Similar: []genesis.Similar{}}, known("find similar", ref)
}

func (fake) SetCard(_ context.Context, _ genesis.Principal, ref string, fields map[string]string) (*genesis.Card, error) {
	for name := range fields {
		if name != "title" && name != "license" && name != "export_control" {
			return nil, &genesis.Error{Op: "set card", Kind: genesis.Invalid, Subject: name, Msg: "is not a field of a card"}
		}
	}
	return &genesis.Card{Title: fields["title"], License: fields["license"], ExportControl: fields["export_control"]}, known("set card", ref)
}

func (fake) Answer(_ context.Context, _ genesis.Principal, ref, id, answer string) (*genesis.Finding, error) {
	f := findings[1]
	f.Answer, f.By = answer, "local"
	if id != f.ID {
		return nil, &genesis.Error{Op: "answer", Kind: genesis.NotFound, Subject: id, Msg: "is no finding of " + ref}
	}
	return &f, nil
}

func (fake) Output(_ context.Context, _ genesis.Principal, d genesis.Digest) (io.ReadCloser, int64, error) {
	if d != genesis.DigestOf(outputs) {
		return nil, 0, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(outputs)), int64(len(outputs)), nil
}

func (fake) Backup(context.Context, genesis.Principal, genesis.BackupRequest, genesis.Progress) (*genesis.Backup, error) {
	return &genesis.Backup{Path: "/backup", Digest: genesis.DigestOf(nil), Taken: made, Keys: true, Files: 7, Bytes: 1 << 20, NewFiles: 2, NewBytes: 4096}, nil
}
