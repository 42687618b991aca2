package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/opengenesis/genesis"
)

type prepareCmd struct {
	Files []string `arg:"" help:"Raw files, plain or in gz, zstd or zip; - is the standard input." placeholder:"FILES"`

	Name      string    `help:"Name of the dataset; if missing, made from the first file's name." placeholder:"NAME"`
	Target    []string  `help:"The column to predict (repeatable)." placeholder:"COLUMN" sep:"none"`
	Recipe    string    `help:"Replay exactly this recipe." placeholder:"FILE" type:"path"`
	Split     []string  `help:"random, group:COLUMN, time:COLUMN, stratify:COLUMN or import:FOLDER (repeatable)." placeholder:"SPLIT" sep:"none"`
	Fractions []float64 `help:"Shares of train, validation and test rows." placeholder:".8,.1,.1"`
	Folds     int       `help:"Split into so many folds instead." placeholder:"K"`
	Seed      uint64    `help:"Seed of random splits." placeholder:"N"`
	Strict    bool      `help:"Refuse a file with a bad cell instead of setting the cell aside."`
	Dedup     bool      `help:"Remove exact duplicate rows."`
	NoProof   bool      `help:"Skip the baseline network of the readiness report."`
	Project   string    `help:"The project for which it is made: its people may use the draft as you may." placeholder:"ID"`
	Detach    bool      `help:"Hand the files over and return; genesis runs says how it goes."`
	reading   `embed:""`
}

func (prepareCmd) Help() string {
	return `Reads every row, decides types, units, missing values and roles, and writes a draft
version with its recipe and readiness report. Files are recognised by content;
several files with one schema become one table.

Examples:

    genesis prepare turbines.csv --name turbines --target power
    genesis prepare station-*.csv.gz --name stations --split time:time
    genesis show turbines --recipe > turbines.recipe.yaml
    genesis prepare turbines.csv --name turbines --recipe turbines.recipe.yaml
    genesis prepare cv/data.csv --name tc --split import:cv/folds`
}

func (cmd *prepareCmd) Run(a *app) error {
	req, err := cmd.request()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	if err := cmd.handFiles(a, &req); err != nil {
		return err
	}
	if cmd.Detach {
		return a.detach(genesis.RunPrepare, req)
	}
	m, stop := a.progress()
	made, err := c.Prepare(a.ctx, req, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(made, func(p *printer) { printPrepared(p, made) })
}

func (cmd *prepareCmd) request() (genesis.PrepareRequest, error) {
	opt := cmd.options()
	opt.Target, opt.Split, opt.Fractions, opt.Folds, opt.Seed = cmd.Target, cmd.Split, cmd.Fractions, cmd.Folds, cmd.Seed
	opt.Strict, opt.Dedup, opt.NoProof = cmd.Strict, cmd.Dedup, cmd.NoProof
	req := genesis.PrepareRequest{Name: genesis.Name(cmd.Name), Options: opt, Project: cmd.Project}
	if req.Name == "" {
		req.Name = nameFrom(cmd.Files[0])
	}
	if err := genesis.CheckName(req.Name); err != nil {
		return req, err
	}
	if cmd.Recipe == "" {
		return req, nil
	}
	var err error
	req.Recipe, err = readText("read recipe", cmd.Recipe)
	if err == nil && strings.TrimSpace(req.Recipe) == "" {
		// An empty one would ask the node to decide everything anew.
		err = &genesis.Error{Op: "read recipe", Kind: genesis.Invalid, Subject: cmd.Recipe, Msg: "is empty",
			Hint: "genesis show NAME --recipe > " + cmd.Recipe}
	}
	return req, err
}

func (cmd *prepareCmd) handFiles(a *app, req *genesis.PrepareRequest) error {
	splits, err := splitFiles(cmd.Split)
	if err != nil {
		return err
	}
	if req.Files, err = a.handOver("prepare", cmd.Files); err != nil {
		return err
	}
	req.Options.SplitFiles, err = a.handOver("import split", splits)
	return err
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

var spelled = strings.NewReplacer("ß", "ss", "æ", "ae", "Æ", "ae", "ø", "o", "Ø", "o", "ł", "l", "Ł", "l", "đ", "d", "'", "", "’", "")

// plain takes the accents off letters.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(spelled.Replace(s)))
}

// nameFrom makes a dataset's name of a file's: "Wind Turbines.csv.gz" becomes
// wind-turbines.
func nameFrom(path string) genesis.Name {
	base, _, _ := strings.Cut(strings.TrimLeft(filepath.Base(path), "."), ".")
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(plain(base)), "-"), "-")
	if len(name) > 64 {
		name = strings.Trim(name[:64], "-")
	}
	if name == "" {
		name = "data"
	}
	return genesis.Name(name)
}

func printPrepared(p *printer, made *genesis.Prepared) {
	word := "Prepared"
	if made.Unchanged {
		word = "Nothing new: the catalogue already has"
	}
	p.line("%s %s", word, p.style.bold(versionText(made.Version)))
	for _, t := range made.Manifest.Tables {
		p.heading(tableTitle(t))
		printColumns(p, t.Schema(), nil, fewColumns)
	}
	printRejects(p, made.Manifest.Rejects)
	printSplits(p, made.Splits, false)
	printFindings(p, made.Findings)
	printVerdicts(p, &made.Readiness)
	p.line("\nNext: genesis show %s", made.Version.Name.Arg())
}
