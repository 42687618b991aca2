package main

import (
	"io"
	"os"

	"github.com/opengenesis/genesis/client"
)

type exportCmd struct {
	Ref string `arg:"" help:"The version." placeholder:"REF"`

	Out     string   `help:"Where to write: a file ending in .parquet or .csv, or - with --format." placeholder:"FILE" required:""`
	Format  string   `help:"parquet or csv, if the file's name does not say." enum:"parquet,csv," default:"" placeholder:"FORMAT"`
	Table   string   `help:"The table; if missing, the first." placeholder:"NAME"`
	Columns []string `help:"These columns only." placeholder:"COLUMN,…"`
}

func (exportCmd) Help() string {
	return `Writes one table of a version. In CSV, text that a spreadsheet would take for a
formula gets a leading apostrophe; numbers are written so that they read back
exactly.

Examples:

    genesis export turbines --out turbines.parquet
    genesis export turbines@2 --out power.csv --columns time,power
    genesis export turbines --format csv --out - | head`
}

// exported is what --json prints for export.
type exported struct {
	Ref    string `json:"ref"`
	Table  string `json:"table,omitempty"`
	Format string `json:"format"`
	Out    string `json:"out"`
	Bytes  int64  `json:"bytes"`
}

func (cmd *exportCmd) Run(a *app) error {
	format, err := formatOf("export", cmd.Format, cmd.Out)
	if err != nil {
		return err
	}
	c, ref, err := a.of(cmd.Ref)
	if err != nil {
		return err
	}
	m, stop := a.progress()
	defer stop()
	opt := client.ExportOptions{Table: cmd.Table, Format: format, Columns: cmd.Columns}
	err = a.writeOut("export", cmd.Out, func(w io.Writer) error { return c.Export(a.ctx, ref, opt, w, m.event) })
	if err != nil || cmd.Out == "-" {
		return err
	}
	stop()
	info, err := os.Stat(cmd.Out)
	if err != nil {
		return outputError("export", cmd.Out, err)
	}
	done := exported{Ref: cmd.Ref, Table: cmd.Table, Format: format, Out: cmd.Out, Bytes: info.Size()}
	return a.print(done, func(p *printer) {
		p.line("Exported %s to %s (%s)", p.style.bold(clean(done.Ref)), p.style.bold(clean(done.Out)), bytesText(done.Bytes))
	})
}
