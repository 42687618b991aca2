package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func TestFigures(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{number(9568), "9568"},
		{number(0.123456789), "0.12346"},
		{number(1e12), "1e+12"},
		{number(math.NaN()), "NaN"},
		{score(-0.00012284), "-0.0001228"},
		{score(6.809e-05), "6.809e-05"},
		{score(math.Copysign(0, -1)), "0"},
		{score(16.70123), "16.7"},
		{seconds(12.54), "12.5 s"},
		{seconds(200.7), "3m20s"},
		{percent(.0351), "3.5 %"},
		{plural(1, "row"), "1 row"},
		{plural(9568, "row"), "9,568 rows"},
		{bytesText(-1), "0 B"},
		{when(time.Time{}), ""},
		{histogram(nil), ""},
		{histogram([]genesis.Bin{{Count: 0}}), ""},
		{histogram([]genesis.Bin{{Count: 1}, {Count: 0}, {Count: 100}}), "▁ █"},
		{histogram(make([]genesis.Bin, 100)), ""},
		{histogram([]genesis.Bin{{Count: -100}, {Count: 1}}), " █"},
		{cut("工业风机数据", 7), "工业风…"},
		{cut("short", 7), "short"},
		{pad("风", 4), "风  "},
		{clean("a\x1b[31mb\nc\u202ed"), "a\ufffd[31mb c\ufffdd"},
		{string(nameFrom("/data/Wind Turbines (2018).csv.gz")), "wind-turbines-2018"},
		{string(nameFrom(".hidden")), "hidden"},
		{string(nameFrom("数据.csv")), "data"},
		{string(nameFrom("Européische Größen.csv")), "europeische-grossen"},
		{string(nameFrom("-")), "data"},
		{string(nameFrom(strings.Repeat("a", 100))), strings.Repeat("a", 64)},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if got := histogram(slices100()); width(got) != histogramWidth {
		t.Errorf("100 bins give %q", got)
	}
}

func slices100() []genesis.Bin {
	bins := make([]genesis.Bin, 100)
	for i := range bins {
		bins[i].Count = int64(i)
	}
	return bins
}

func printed(width int, colour bool, f func(*printer)) string {
	var b bytes.Buffer
	p := &printer{w: bufio.NewWriter(&b), style: style{on: colour}, width: width}
	f(p)
	p.w.Flush()
	return b.String()
}

func TestTable(t *testing.T) {
	fill := func(p *printer) {
		t := newTable("name", ">n", "unused", "about")
		t.row("风速", "5", "", "a long description of what it is")
		t.add(cell{"b", codeRed}, cell{"1234", ""}, cell{}, cell{"short", ""})
		t.print(p)
	}
	want := "  name     n  about\n  风速     5  a long description of what it is\n  b     1234  short\n"
	if got := printed(0, false, fill); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	want = "  name     n  about\n  风速     5  a lo…\n  b     1234  short\n"
	if got := printed(19, false, fill); got != want {
		t.Errorf("on a terminal of 19 columns: got\n%swant\n%s", got, want)
	}
	if got := printed(0, true, fill); !strings.Contains(got, "\x1b[31mb\x1b[0m") {
		t.Errorf("no colour in %q", got)
	}
}

func TestNoColor(t *testing.T) {
	if styleFor(&bytes.Buffer{}).on {
		t.Error("colour without a terminal")
	}
}

func TestMeterSaysNothingWithoutTerminal(t *testing.T) {
	var b bytes.Buffer
	m := newMeter(&b)
	m.start = time.Now().Add(-time.Hour)
	m.event(genesis.Event{Stage: "reading", Done: 1, Total: 2, Unit: "rows"})
	if b.Len() != 0 {
		t.Errorf("%q", b.String())
	}
	m.event(genesis.Event{Log: "a line\x1b[2J"})
	if got := b.String(); got != "genesis: a line\ufffd[2J\n" {
		t.Errorf("%q", got)
	}
}

func TestMeterOnTerminal(t *testing.T) {
	var b bytes.Buffer
	m := newMeter(&b)
	m.bars = true
	m.event(genesis.Event{Stage: "reading", Done: 1 << 20, Total: 2 << 20, Unit: "bytes"})
	if b.Len() != 0 {
		t.Errorf("a bar in the first second: %q", b.String())
	}
	m.start = time.Now().Add(-time.Hour)
	m.event(genesis.Event{Stage: "reading", Done: 1 << 20, Total: 4 << 20, Unit: "bytes"})
	time.Sleep(120 * time.Millisecond) // the bar is drawn ten times a second at most
	m.event(genesis.Event{Stage: "reading", Done: 2 << 20, Total: 4 << 20, Unit: "bytes"})
	m.event(genesis.Event{Stage: "training", Done: 1, Unit: "epochs", Note: "loss 0.1"})
	m.stop()
	got := b.String()
	for _, want := range []string{"reading", "50%", "MiB/s", "training", "loss 0.1"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	after := b.Len()
	m.event(genesis.Event{Stage: "training", Done: 2, Unit: "epochs"})
	if b.Len() != after {
		t.Error("a bar after the end")
	}
}

// TestWideTables prints the first of many columns, and those with content.
func TestWideTables(t *testing.T) {
	cols := make([]genesis.Column, 3000)
	for i := range cols {
		cols[i] = genesis.Column{Name: fmt.Sprintf("v%d", i), Type: genesis.Float, Role: genesis.Feature}
	}
	got := printed(0, false, func(p *printer) { printColumns(p, cols, nil, fewColumns) })
	if strings.Count(got, "\n") != fewColumns+2 || !strings.Contains(got, "and 2,900 columns more") {
		t.Errorf("%d lines:\n%s", strings.Count(got, "\n"), got)
	}
	got = printed(0, false, func(p *printer) {
		printHead(p, genesis.InspectionTable{Columns: cols[:4], Head: [][]string{{"1", "", "3", ""}, {"", "", "7", ""}}})
	})
	if !strings.Contains(got, "v0  v2\n") || !strings.Contains(got, "and 2 columns more") {
		t.Errorf("the first rows:\n%s", got)
	}
}

// TestUnmeasuredShare: what was not measured is no share of 0 %.
func TestUnmeasuredShare(t *testing.T) {
	if got := shareText(nil, " of rows", "too few rows"); got != "not measured (too few rows)" {
		t.Errorf("says %q", got)
	}
	if got := shareText(new(0.0), " of rows", "too few rows"); got != "0.0 % of rows" {
		t.Errorf("says %q", got)
	}
}

// TestNothingSteersTheTerminal: what another node says of a run or a copy is text, with
// colours and without.
func TestNothingSteersTheTerminal(t *testing.T) {
	const evil = "\x1b]0;owned\x07\x1b[2J\x9b1m\u202e"
	report := &genesis.ModelReport{Network: evil, Notes: []string{evil}, Targets: []genesis.TargetReport{{Column: genesis.Column{Name: evil, Unit: evil}, Task: evil,
		Scores: map[string]map[string]map[string]float64{evil: {evil: {evil: 1}}}}}}
	v := genesis.Version{Name: "x", Kind: genesis.Model, State: evil, Number: 1}
	finding := []genesis.Finding{{ID: evil, Severity: evil, Message: evil, Hint: evil}}
	for _, colour := range []bool{false, true} {
		var b bytes.Buffer
		p := &printer{w: bufio.NewWriter(&b), style: style{on: colour}, width: 80}
		p.line("Trained %s", p.style.bold(madeText(genesis.Run{At: evil}, v)))
		p.line("request %s %d %v", genesis.Name(evil), 7, genesis.Ref{Name: evil})
		printReport(p, report)
		printFindings(p, finding)
		printFacet(p, evil, []genesis.FacetCount{{Value: evil}})
		printPulled(p, &genesis.Pulled{Version: v, Owes: []genesis.Owed{{Name: evil, Terms: genesis.Terms{Tier: evil}, Leaves: []genesis.Leave{{Actions: []genesis.Action{evil}}}}}})
		_ = p.w.Flush()
		text := strings.NewReplacer("\x1b[0m", "", "\x1b[1m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[33m", "").Replace(b.String())
		if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && clean(string(r)) != string(r) }); i >= 0 || !strings.Contains(text, "7") {
			t.Errorf("colours %v: %q", colour, text)
		}
		if colour != strings.Contains(b.String(), "\x1b[1m") {
			t.Errorf("colours %v: %q", colour, b.String())
		}
	}
}
