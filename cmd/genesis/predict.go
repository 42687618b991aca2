package main

import (
	"io"

	"github.com/opengenesis/genesis"
)

type predictCmd struct {
	Model string   `arg:"" help:"The model version." placeholder:"REF"`
	Files []string `arg:"" help:"Raw files with the rows to predict; - is the standard input." placeholder:"FILES"`

	Out    string  `help:"Where to write: a file ending in .parquet or .csv, or - with --format." placeholder:"FILE" required:""`
	Format string  `help:"parquet or csv, if the file's name does not say." enum:"parquet,csv," default:"" placeholder:"FORMAT"`
	Level  float64 `help:"Share of true values the interval is to hold." default:"0.9" placeholder:"LEVEL"`
	Send   bool    `help:"Send the rows to the model's node where it may not be copied; it deletes them."`

	Project string `help:"The project for which it is done." placeholder:"ID"`
}

func (predictCmd) Help() string {
	return `Checks the file against the model's inputs, converts units where it can, and writes
for each row the prediction, its interval and whether the row lies outside what
the model learned from, beside the row's identifiers.

Examples:

    genesis predict turbine-power new.csv --out predictions.parquet
    genesis predict turbine-power@2 new.csv --out predictions.csv --level .8
    genesis predict nrel/turbine-power new.csv --out predictions.csv --send

The last is for another node's model. It is copied and applied here, where it may be. Else
the rows have to go there, and the command says how many: that node deletes them and what
came of them once that was fetched, and an hour later at most.`
}

func (cmd *predictCmd) Run(a *app) error {
	format, err := formatOf("predict", cmd.Format, cmd.Out)
	if err != nil {
		return err
	}
	if _, err := a.connect(); err != nil {
		return err
	}
	model, err := cmd.place(a)
	if err != nil {
		return err
	}
	c := a.client
	refs, err := a.handOver("predict", cmd.Files)
	if err != nil {
		return err
	}
	m, stop := a.progress()
	defer stop()
	made, err := c.Predict(a.ctx, genesis.PredictRequest{Model: model, Files: refs, Level: cmd.Level, Format: format, Project: cmd.Project}, m.event)
	if err != nil {
		return err
	}
	err = a.writeOut("predict", cmd.Out, func(w io.Writer) error { return c.Output(a.ctx, made.Output, w, m.event) })
	if err != nil {
		return err
	}
	stop()
	if cmd.Out == "-" { // the standard output holds the rows: what to know of them goes beside it
		return a.aside(func(p *printer) { printFindings(p, made.Findings) })
	}
	return a.print(made, func(p *printer) { printPredicted(p, made, cmd.Out) })
}

func printPredicted(p *printer, made *genesis.Predicted, path string) {
	p.line("Predicted %s with %s into %s", plural(made.Rows, "row"), p.style.bold(versionText(made.Model)), p.style.bold(clean(path)))
	if made.Rows > 0 {
		p.field("outside", count(made.Flagged)+" ("+percent(float64(made.Flagged)/float64(made.Rows))+") lie outside what the model learned from")
	}
	for _, c := range made.Converted {
		p.field("converted", c)
	}
	p.heading("Columns")
	printColumns(p, made.Columns, nil, fewColumns)
	printFindings(p, made.Findings)
}
