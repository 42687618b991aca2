package main

import (
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

type modelCmd struct {
	Add modelAddCmd `cmd:"" help:"Take in a model that was trained elsewhere."`
	Get modelGetCmd `cmd:"" help:"Download the files of a model."`
}

type modelAddCmd struct {
	Name  string   `arg:"" help:"Name of the model." placeholder:"NAME"`
	Files []string `arg:"" help:"Its files; each becomes a part of its name." placeholder:"FILES"`

	Framework        string   `help:"pytorch, tensorflow, jax, sklearn, xgboost, onnx or other." default:"other" placeholder:"NAME"`
	FrameworkVersion string   `help:"Its version." placeholder:"TEXT"`
	Input            []string `help:"A version it was trained on, and which part (repeatable): turbines@3:train." placeholder:"REF[:SPLIT]" sep:"none"`
	Metric           []string `help:"What was measured, and on which part (repeatable): rmse:test=3.9." placeholder:"NAME[:SPLIT]=VALUE" sep:"none"`
	Target           []string `help:"What it predicts (repeatable)." placeholder:"COLUMN" sep:"none"`
	Parameter        []string `help:"A setting of the training (repeatable): lr=0.001." placeholder:"NAME=VALUE" sep:"none"`
	Description      string   `help:"What it is, for its card." placeholder:"TEXT"`
}

func (modelAddCmd) Help() string {
	return `Keeps the files of a model that was trained elsewhere, with what it was trained on:
like a model trained here it is open to those alone who may use all of that. You must
be able to read the inputs. What you say of it is kept as said; nothing is loaded or run.

Examples:

    genesis model add power-net model.safetensors config.json --framework pytorch --input turbines@3:train --metric rmse:test=3.9 --target power
    genesis model add power-forest forest.onnx --framework onnx --input turbines@3`
}

func (cmd *modelAddCmd) Run(a *app) error {
	req, err := cmd.request()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	for _, text := range cmd.Input {
		in, err := a.input(text)
		if err != nil {
			return err
		}
		req.Inputs = append(req.Inputs, in)
	}
	refs, err := a.handOver("log model", cmd.Files)
	if err != nil {
		return err
	}
	for i, ref := range refs {
		req.Parts[filepath.Base(cmd.Files[i])] = ref
	}
	m, stop := a.progress()
	made, err := c.LogModel(a.ctx, req, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(made, func(p *printer) { printLoggedModel(p, made) })
}

func (cmd *modelAddCmd) request() (genesis.LogModelRequest, error) {
	req := genesis.LogModelRequest{Name: genesis.Name(cmd.Name), Framework: cmd.Framework, FrameworkVersion: cmd.FrameworkVersion,
		Targets: cmd.Target, Description: cmd.Description, Parts: map[string]genesis.FileRef{}, Parameters: map[string]json.RawMessage{}}
	if err := genesis.CheckName(req.Name); err != nil {
		return req, err
	}
	var names []string
	for _, path := range cmd.Files {
		names = append(names, filepath.Base(path))
	}
	if err := genesis.CheckParts(names); err != nil {
		return req, err
	}
	for _, text := range cmd.Metric {
		m, err := metric(text)
		if err != nil {
			return req, err
		}
		req.Metrics = append(req.Metrics, m)
	}
	for _, text := range cmd.Parameter {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return req, misspelt(text, "is not a parameter", "write lr=0.001")
		}
		if req.Parameters[name] = json.RawMessage(value); !json.Valid([]byte(value)) {
			req.Parameters[name], _ = json.Marshal(value) // text: cannot fail
		}
	}
	return req, nil
}

func misspelt(text, msg, hint string) error {
	return &genesis.Error{Op: "log model", Kind: genesis.Invalid, Subject: text, Msg: msg, Hint: hint}
}

// metric reads rmse:test=3.9.
func metric(text string) (genesis.LoggedMetric, error) {
	var m genesis.LoggedMetric
	what, value, ok := strings.Cut(text, "=")
	m.Name, m.Split, _ = strings.Cut(what, ":")
	var err error
	if m.Value, err = strconv.ParseFloat(value, 64); !ok || err != nil || m.Value-m.Value != 0 {
		return m, misspelt(text, "is not a metric with a finite value", "write rmse=3.9, or rmse:test=3.9")
	}
	return m, nil
}

var inputDigest = regexp.MustCompile(`^[^@]*@sha256:[0-9a-f]{64}`)

// refAndSplit reads turbines@3:train.
func refAndSplit(text string) (ref, split string, err error) {
	exact := inputDigest.FindString(text) // "" unless the version is a digest, which has a colon of its own
	rest, split, ok := strings.Cut(text[len(exact):], ":")
	if ok && split == "" || exact != "" && rest != "" {
		return "", "", misspelt(text, "is not an input", "write turbines@3, or turbines@3:train")
	}
	return exact + rest, split, nil
}

// input says which version an input is now.
func (a *app) input(text string) (genesis.LoggedInput, error) {
	ref, split, err := refAndSplit(text)
	if err != nil {
		return genesis.LoggedInput{}, err
	}
	d, err := a.client.Describe(a.ctx, ref)
	if err != nil {
		return genesis.LoggedInput{}, err
	}
	return genesis.LoggedInput{Ref: d.Version.Ref(), Split: split}, nil
}

func printLoggedModel(p *printer, made *genesis.LoggedModel) {
	word := "Took in"
	if made.Unchanged {
		word = "Nothing new but what is said of it: the catalogue already has"
	}
	p.line("%s %s", word, p.style.bold(versionText(made.Version)))
	printReport(p, &made.Report)
	printFindings(p, made.Findings)
	p.line("\nNext: genesis show %s", made.Version.Name.Arg())
}

type modelGetCmd struct {
	Ref string `arg:"" help:"The model version." placeholder:"REF"`
	Out string `help:"The folder to write to; made if missing." placeholder:"DIR" required:"" type:"path"`
}

func (modelGetCmd) Help() string {
	return `Downloads every part of a model and checks it against the digest by which the version
is known. Pickles and the like run what is in them when they are loaded: load them only
if you trust who made them.

Examples:

    genesis model get power-net --out power-net
    genesis model get power-net@2 --out old`
}

// gotModel is what --json prints for model get.
type gotModel struct {
	Version genesis.Version `json:"version"`
	Out     string          `json:"out"`
	Parts   []string        `json:"parts"`
	Code    []string        `json:"code"` // parts that run what is in them when they are loaded
}

func (cmd *modelGetCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	d, err := c.Describe(a.ctx, cmd.Ref)
	if err != nil {
		return err
	}
	got := gotModel{Version: d.Version, Out: cmd.Out, Parts: slices.Sorted(maps.Keys(d.Manifest.Parts)), Code: codeOf(d.Report)}
	if err := checkModel(d); err != nil {
		return err
	}
	if err := os.MkdirAll(cmd.Out, 0o777); err != nil {
		return outputError("get model", cmd.Out, err)
	}
	m, stop := a.progress()
	defer stop()
	for _, part := range got.Parts {
		err := a.writeOut("get model", filepath.Join(cmd.Out, part), func(w io.Writer) error {
			return c.ModelPart(a.ctx, d.Version.Ref().String(), part, d.Manifest.Parts[part], w, m.event)
		})
		if err != nil {
			return err
		}
	}
	stop()
	return a.print(got, func(p *printer) {
		p.line("Wrote %s of %s to %s", plural(int64(len(got.Parts)), "part"), p.style.bold(versionText(got.Version)), p.style.bold(clean(got.Out)))
		for _, part := range got.Code {
			p.line("  %s", p.style.paint(codeYellow, clean(part)+" is code: loading it runs what is in it; load it only if you trust who made it"))
		}
	})
}

// checkModel checks what a node says a model consists of, before any of it becomes a
// file here: the parts are those the version is named by, and nothing leaves the folder.
func checkModel(d *genesis.Description) error {
	if d.Version.Kind != genesis.Model {
		return &genesis.Error{Op: "get model", Kind: genesis.Invalid, Subject: string(d.Version.Name), Msg: "is a dataset, not a model", Hint: "genesis export writes its tables"}
	}
	text, err := genesis.CanonicalJSON(d.Manifest)
	if err != nil {
		return err
	}
	if genesis.DigestOf(text) != d.Version.Digest {
		return &genesis.Error{Op: "get model", Kind: genesis.Internal, Subject: string(d.Version.Name), Msg: "the node names other parts than the version's digest does"}
	}
	return genesis.CheckParts(slices.Sorted(maps.Keys(d.Manifest.Parts)))
}

// codeOf names the parts that run what is in them when they are loaded.
func codeOf(r *genesis.ModelReport) []string {
	code := []string{}
	if r != nil && r.Logged != nil {
		for _, part := range r.Logged.Parts {
			if part.Code {
				code = append(code, part.Name)
			}
		}
	}
	return code
}
