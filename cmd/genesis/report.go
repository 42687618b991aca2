package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

type reportCmd struct {
	Quarter genesis.Quarter `help:"Which one, in UTC; if missing, this one so far." placeholder:"2026Q4"`
	Format  string          `help:"md, json or html; if missing, what the name of --out ends in, or md." enum:"md,json,html," default:"" placeholder:"FORMAT"`
	Out     string          `help:"Where to write: a file ending in .md, .json or .html; if missing, to the standard output." default:"-" placeholder:"FILE"`
	Merge   []string        `help:"Put together reports of several nodes, which they made with --format json; no node is asked." placeholder:"FILE,..."`
}

func (reportCmd) Help() string {
	return `For whoever has a duty at the node: what was opened, how ready the data is, requests and how long they took,
whom the node served, models, compute, agreements. It is counted from the audit log alone and names no
person and no asset; each figure says from which entries. docs/report.md says what each figure is.

A node's report is of its own log. With --merge, reports of several nodes become one of all of them.

Examples:

    genesis report
    genesis report --quarter 2026Q4 --out 2026Q4.html
    genesis report --quarter 2026Q4 --json
    genesis report --merge nrel.json,mit.json,ornl.json`
}

func (cmd *reportCmd) Run(a *app) error {
	if err := cmd.settle(a.json); err != nil {
		return err
	}
	if len(cmd.Merge) > 0 {
		return cmd.merge(a)
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	r, err := c.Report(a.ctx, cmd.Quarter, m.event)
	stop()
	if err != nil {
		return err
	}
	a.result = r
	write := map[string]func(io.Writer, *genesis.Report) error{"md": reportMarkdown, "json": reportJSON[*genesis.Report], "html": reportHTML}[cmd.Format]
	return a.writeOut("report", cmd.Out, func(w io.Writer) error { return write(w, r) })
}

// settle works out the format: as it was said, as the name of the file says, or Markdown. A
// file whose name says another than was asked for would be taken for what it is not.
func (cmd *reportCmd) settle(json bool) error {
	asked, said := cmd.Format, "--format "+cmd.Format
	if json {
		asked, said = "json", "--json"
	}
	named := map[string]string{".md": "md", ".markdown": "md", ".json": "json", ".html": "html", ".htm": "html"}[strings.ToLower(filepath.Ext(cmd.Out))]
	if asked != "" && named != "" && asked != named {
		return &genesis.Error{Op: "report", Kind: genesis.Invalid, Subject: cmd.Out, Msg: "its name ends as " + named + " does, and " + said + " asks for " + asked, Hint: "leave one of the two out"}
	}
	cmd.Format = cmp.Or(asked, named, "md")
	return nil
}

func reportJSON[R any](w io.Writer, r R) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// periodText says of which time a report is.
func periodText(r *genesis.Report) string {
	text := r.From.Format(time.DateOnly) + " to " + r.Until.Add(-1).Format(time.DateOnly) + ", UTC"
	if !r.Complete {
		text += "; so far"
	}
	return text
}

// amountText writes a number with its unit.
func amountText(a genesis.Amount, unit string) string {
	switch {
	case a.Few:
		return "fewer than " + strconv.Itoa(genesis.LeastPeople)
	case a.Value == nil:
		return "none"
	}
	v := *a.Value
	if a.AtLeast {
		return amountText(genesis.Amount{Value: &v}, unit) + " or more"
	}
	switch unit {
	case "bytes":
		return bytesText(int64(v))
	case "percent":
		return strconv.FormatFloat(v, 'f', 1, 64) + " %"
	case "days":
		return daysText(v)
	case "seconds":
		return hoursText(v)
	}
	return count(int64(v))
}

// daysText writes how long something took, in the unit that suits it.
func daysText(days float64) string {
	if days < 1 {
		return hoursText(math.Round(days*24*60*60*10) / 10)
	}
	return strconv.FormatFloat(days, 'f', 1, 64) + " days"
}

// hoursText writes how long something took that may take long.
func hoursText(s float64) string {
	if s < 3600 {
		return seconds(s)
	}
	return strconv.FormatFloat(s/3600, 'f', 1, 64) + " h"
}

// changeText says how a figure moved.
func changeText(f genesis.Figure) string {
	if f.Now.Value == nil || f.Before.Value == nil || f.Now.AtLeast || f.Before.AtLeast {
		return ""
	}
	change := *f.Now.Value - *f.Before.Value
	switch {
	case change == 0:
		return "the same"
	case f.Unit == "percent":
		return fmt.Sprintf("%+.1f points", change)
	}
	sign := "+"
	if change < 0 {
		sign = "−"
	}
	return sign + amountText(genesis.Amount{Value: new(max(change, -change))}, f.Unit)
}

// together are things in the order that they have, those apart that follow each other and
// have something in common.
func together[T any](things []T, common func(T) string) (all [][]T) {
	for i, one := range things {
		if i == 0 || common(one) != common(things[i-1]) {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], one)
	}
	return all
}

// parts are the figures of a report by part, in order.
func parts(r *genesis.Report) [][]genesis.Figure {
	return together(r.Figures, func(f genesis.Figure) string { return f.Part })
}

// groupsBy are the groups of a figure, by what they are grouped.
func groupsBy(f genesis.Figure) [][]genesis.FigureGroup {
	return together(f.Groups, func(g genesis.FigureGroup) string { return g.By })
}

// numbers are the first entries of a figure, in words.
func numbers(e genesis.ReportEntries) string {
	var all []string
	for _, seq := range e.First {
		all = append(all, strconv.FormatInt(seq, 10))
	}
	text := strings.Join(all, ", ")
	if more := e.Count - int64(len(e.First)); more > 0 {
		text += fmt.Sprintf(", and %s more", count(more))
	}
	return text
}
