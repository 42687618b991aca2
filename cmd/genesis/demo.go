package main

import (
	"encoding/csv"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/examples"
	"github.com/opengenesis/genesis/internal/node"
)

type demoCmd struct {
	Once bool `help:"Do the job and end. (Later releases go on to serve what was made.)"`
}

func (demoCmd) Help() string {
	return `Prepares the sample data that ships with Genesis, real measurements of four fields,
trains a model on each dataset and predicts rows no model has met. It works in a
home of its own (genesis-demo beside the default home), or in the one you name.

Examples:

    genesis demo --once
    genesis demo --once --home /tmp/try`
}

// demoSet is one of the sample datasets and what is done with it.
type demoSet struct {
	field, name, about string
	files, target      string // files is a pattern
	dedup              bool
	card               map[string]string
}

var demoSets = []demoSet{
	{
		field: "energy", name: "solar-greensboro", about: "how much sun reaches the ground, from clouds and weather",
		files: "energy/*.gz", target: "GHI (W/m^2)",
		card: map[string]string{
			"title": "Typical meteorological year, Greensboro NC", "description": "Hourly irradiance and weather of a typical year at Piedmont Triad airport (TMY3).",
			"creators": "S. Wilcox, W. Marion", "institution": "National Renewable Energy Laboratory", "license": "CC0-1.0",
			"citation": "Wilcox and Marion, Users Manual for TMY3 Data Sets, NREL/TP-581-43156, 2008", "keywords": "solar, irradiance, TMY3",
		},
	},
	{
		field: "materials", name: "concrete", about: "the strength of concrete, from its mixture and age",
		files: "materials/*.xlsx", target: "Compressive strength (MPa)", dedup: true,
		card: map[string]string{
			"title": "Compressive strength of concrete", "description": "Strength of 1,000 mixtures of high-performance concrete in the laboratory.",
			"creators": "I-Cheng Yeh", "license": "CC-BY-4.0", "citation": "Yeh, Cement and Concrete Research 28 (1998) 1797", "keywords": "concrete, strength, mixture design",
		},
	},
	{
		field: "biomedicine", name: "tumours", about: "whether a breast tumour is malignant, from its cell nuclei",
		files: "medicine/*.gz", target: "diagnosis",
		card: map[string]string{
			"title": "Cell nuclei of breast tumours", "description": "Ten features of cell nuclei in fine-needle aspirates, with mean, standard error and worst value.",
			"creators": "W. Wolberg, O. Mangasarian, N. Street, W. Street", "license": "CC-BY-4.0", "citation": "doi:10.24432/C5DW2B", "keywords": "breast cancer, cytology",
		},
	},
	{
		field: "environment", name: "seattle-weather", about: "the day's highest temperature, from the night, rain, wind and season",
		files: "environment/seattle-*.csv", target: "T max [°C]",
		card: map[string]string{
			"title": "Daily weather of Seattle, 2012–2015", "description": "Precipitation, temperature extremes and wind of four years.",
			"creators": "NOAA National Climatic Data Center", "license": "CC0-1.0", "keywords": "weather, temperature, precipitation",
		},
	},
}

// demoOutcome is what the demo did with one dataset, for --json.
type demoOutcome struct {
	Field     string              `json:"field"`
	Dataset   genesis.Version     `json:"dataset"`
	Readiness genesis.Readiness   `json:"readiness"`
	Findings  []genesis.Finding   `json:"findings"`
	Model     genesis.Version     `json:"model"`
	Report    genesis.ModelReport `json:"report"`
	New       demoNew             `json:"new"`
}

// demoNew is how the model did on rows that were kept apart.
type demoNew struct {
	Rows   int       `json:"rows"`
	Right  int       `json:"right"` // within the 90 % interval, or of the predicted class
	Sample []demoRow `json:"sample"`
}

// demoRow is one such row: what was predicted and what was measured.
type demoRow struct {
	Predicted string `json:"predicted"`
	Low       string `json:"low,omitempty"`
	High      string `json:"high,omitempty"`
	Measured  string `json:"measured"`
}

func (demoCmd) Run(a *app) error {
	if a.homePath == "" && os.Getenv("GENESIS_HOME") == "" {
		home, err := node.DefaultHome()
		if err != nil {
			return err
		}
		a.homePath = home + "-demo"
	}
	files, err := os.MkdirTemp("", "genesis-demo-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)
	if err := unpackExamples(files); err != nil {
		return err
	}
	started := time.Now()
	var outcomes []demoOutcome
	for _, set := range demoSets {
		o, err := set.run(a, files)
		if err != nil {
			return err
		}
		outcomes = append(outcomes, *o)
		if !a.json {
			if err := a.print(nil, o.print(set)); err != nil {
				return err
			}
		}
	}
	return a.print(outcomes, func(p *printer) { demoEnd(a, p, time.Since(started)) })
}

func demoEnd(a *app, p *printer, took time.Duration) {
	where := ""
	if a.homePath != "" {
		where = " --home " + a.homePath
	}
	p.line("\nDone in %s. Look around:", took.Round(time.Second))
	p.line("  genesis show concrete%s", where)
	p.line("  genesis list%s", where)
	p.line("and then: genesis inspect YOUR-FILE")
}

// unpackExamples writes the sample data that the binary carries into dir.
func unpackExamples(dir string) error {
	return fs.WalkDir(examples.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := examples.Files.ReadFile(name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
}

// run prepares, trains and predicts with one set.
func (s demoSet) run(a *app, dir string) (*demoOutcome, error) {
	c, err := a.connect()
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(s.files)))
	if err != nil {
		return nil, err
	}
	refs, err := a.handOver("prepare", paths)
	if err != nil {
		return nil, err
	}
	m, stop := a.progress()
	defer stop()
	opt := genesis.PrepareOptions{Target: []string{s.target}, Split: []string{"random"}, Seed: 1, Dedup: s.dedup}
	prepared, err := c.Prepare(a.ctx, genesis.PrepareRequest{Name: genesis.Name(s.name), Files: refs, Options: opt}, m.event)
	if err != nil {
		return nil, err
	}
	s.card["field"], s.card["sensitivity"], s.card["export_control"] = s.field, "Public", "No"
	if _, err := c.SetCard(a.ctx, s.name, s.card); err != nil {
		return nil, err
	}
	trained, err := c.Train(a.ctx, genesis.TrainRequest{Dataset: s.name, Name: genesis.Name(s.name + "-net"), Target: targetsIn(prepared.Manifest), Seed: 1}, m.event)
	if err != nil {
		return nil, err
	}
	described, err := c.Describe(a.ctx, s.name)
	if err != nil {
		return nil, err
	}
	o := &demoOutcome{Field: s.field, Dataset: prepared.Version, Readiness: *described.Readiness, Findings: prepared.Findings, Model: trained.Version, Report: trained.Report}
	return o, s.predict(a, filepath.Join(dir, path.Dir(s.files), "new.csv"), o)
}

func targetsIn(m genesis.Manifest) []string {
	for _, c := range m.Tables[0].Columns {
		if c.Role == genesis.Target {
			return []string{c.Name}
		}
	}
	return nil
}

// predict applies the model to the rows kept apart and compares.
func (s demoSet) predict(a *app, file string, o *demoOutcome) error {
	refs, err := a.handOver("predict", []string{file})
	if err != nil {
		return err
	}
	made, err := a.client.Predict(a.ctx, genesis.PredictRequest{Model: s.name + "-net", Files: refs, Format: "csv"}, nil)
	if err != nil {
		return err
	}
	out, err := os.Create(file + ".predicted.csv")
	if err != nil {
		return err
	}
	defer out.Close()
	if err := a.client.Output(a.ctx, made.Output, out, nil); err != nil {
		return err
	}
	if _, err := out.Seek(0, 0); err != nil {
		return err
	}
	rows, err := csv.NewReader(out).ReadAll()
	if err != nil {
		return err
	}
	o.New = compareNew(rows, o.Report.Targets[0])
	return nil
}

// compareNew counts how many measured values the predictions hold.
func compareNew(rows [][]string, t genesis.TargetReport) (n demoNew) {
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	name := t.Column.Name
	cell := func(row []string, col string) string {
		if i, ok := at[col]; ok {
			return row[i]
		}
		return ""
	}
	for _, row := range rows[1:] {
		r := demoRow{Predicted: cell(row, name+"_predicted"), Low: cell(row, name+"_low"), High: cell(row, name+"_high"), Measured: cell(row, name)}
		n.Rows++
		if r.holds() {
			n.Right++
		}
		if step := max(1, (len(rows)-1)/3); (n.Rows-1)%step == step/2 && len(n.Sample) < 3 {
			n.Sample = append(n.Sample, r)
		}
	}
	return n
}

func (r demoRow) holds() bool {
	if r.Low == "" {
		return r.Predicted == r.Measured
	}
	low, _ := strconv.ParseFloat(r.Low, 64)
	high, _ := strconv.ParseFloat(r.High, 64)
	x, err := strconv.ParseFloat(r.Measured, 64)
	return err == nil && low <= x && x <= high
}

func (o *demoOutcome) print(s demoSet) func(p *printer) {
	return func(p *printer) {
		p.heading(s.field + ": " + s.about)
		p.line("  dataset  %s, %s, %d of %d readiness checks pass, %s noticed", p.style.bold(s.name), plural(o.Dataset.Rows, "row"),
			o.Readiness.Passed, o.Readiness.Passed+o.Readiness.Failed, plural(int64(len(o.Findings)), "thing"))
		t := o.Report.Targets[0]
		p.line("  model    %s, %s", p.style.bold(s.name+"-net"), o.Report.Network)
		p.line("           %s", scoreLine(t))
		if t.Coverage != nil {
			p.line("           %s", coverageText(t))
		}
		held := "in the 90 % interval"
		if t.Task != "regression" {
			held = "predicted right"
		}
		p.line("  new rows %d of %d %s", o.New.Right, o.New.Rows, held)
		for _, r := range o.New.Sample {
			p.line("           %s", r.text(t.Column.Unit))
		}
	}
}

func (r demoRow) text(unit string) string {
	if r.Low == "" {
		return "predicted " + r.Predicted + ", found " + r.Measured
	}
	return "predicted " + short(r.Predicted) + " (" + short(r.Low) + " to " + short(r.High) + ") " + clean(unit) + ", measured " + short(r.Measured)
}

func short(s string) string {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return clean(s)
	}
	return strconv.FormatFloat(x, 'g', 4, 64)
}

// scoreLine compares the net with the others on the test part.
func scoreLine(t genesis.TargetReport) string {
	metric := "rmse"
	if t.Task != "regression" {
		metric = "accuracy"
	}
	text := "test " + metric
	for _, who := range []string{"net", "forest", "ridge", "trivial"} {
		if v, ok := t.Scores["test"][who][metric]; ok {
			text += ", " + who + " " + number(v)
		}
	}
	return text
}
