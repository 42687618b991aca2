package main

import (
	"github.com/opengenesis/genesis"
)

type inspectCmd struct {
	Files   []string `arg:"" help:"Raw files, plain or in gz, zstd or zip; - is the standard input." placeholder:"FILES"`
	reading `embed:""`
}

func (inspectCmd) Help() string {
	return `Reads a sample of each file, says what was recognised and stores nothing. prepare
decides from every row and may decide otherwise.

Examples:

    genesis inspect turbines.csv
    genesis inspect station-*.csv.gz --header 3
    curl -s https://example.org/data.csv | genesis inspect -`
}

func (cmd *inspectCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	refs, err := a.handOver("inspect", cmd.Files)
	if err != nil {
		return err
	}
	m, stop := a.progress()
	in, err := c.Inspect(a.ctx, genesis.InspectRequest{Files: refs, Options: cmd.options()}, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(in, func(p *printer) { printInspection(p, in) })
}

func printInspection(p *printer, in *genesis.Inspection) {
	printSources(p, in.Sources)
	for _, t := range in.Tables {
		title := t.Name
		if title == "" {
			title = "table"
		}
		about := plural(t.Rows, "row")
		if in.Sampled {
			about = "from a sample of " + about
		}
		p.heading(clean(title) + ": " + plural(int64(len(t.Columns)), "column") + ", " + about)
		printColumns(p, t.Columns, nil, fewColumns)
		printHead(p, t)
	}
	printFindings(p, in.Findings)
}

func printSources(p *printer, sources []genesis.Source) {
	if len(sources) == 0 {
		return
	}
	p.heading("Sources")
	t := newTable("file", "format", "packing", "encoding", ">size")
	for _, s := range sources {
		t.row(s.Path, s.Format, s.Packing, s.Encoding, bytesText(s.Bytes))
	}
	t.print(p)
}

// headColumns is how many columns the first rows are shown with; a wider table
// does not fit a screen.
const headColumns = 8

func printHead(p *printer, t genesis.InspectionTable) {
	if len(t.Head) == 0 {
		return
	}
	shown := filled(t)
	shown = shown[:min(len(shown), headColumns)]
	heads := make([]string, len(shown))
	for i, j := range shown {
		heads[i] = cut(clean(t.Columns[j].Name), 24)
		if t.Columns[j].Type.Numeric() {
			heads[i] = ">" + heads[i]
		}
	}
	p.line("")
	rows := newTable(heads...)
	for _, head := range t.Head {
		cells := make([]string, len(shown))
		for i, j := range shown {
			if j < len(head) {
				cells[i] = cut(clean(head[j]), 24)
			}
		}
		rows.row(cells...)
	}
	rows.print(p)
	if more := len(t.Columns) - len(shown); more > 0 {
		p.line("  %s", p.style.dim("and "+plural(int64(more), "column")+" more"))
	}
}

// filled returns the columns that have something in the first rows.
func filled(t genesis.InspectionTable) []int {
	var out []int
	for j := range t.Columns {
		for _, head := range t.Head {
			if j < len(head) && head[j] != "" {
				out = append(out, j)
				break
			}
		}
	}
	return out
}
