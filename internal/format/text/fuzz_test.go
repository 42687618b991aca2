package text

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis/internal/format"
)

// outcome is everything about reading an input that must not depend on threads
// or chunks.
func outcome(t testing.TB, in []byte, threads, batch int) string {
	g, err := readAll(t, memory(in), format.Options{Threads: threads,
		Limits: format.Limits{Batch: batch, RowBytes: 1 << 16, Columns: 1000}})
	if err != nil {
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%q %q %q %v %v %v %q %v", g.Names, g.Units, g.Rows, g.Lines, g.Bad, g.Codes, g.Preamble, g.about.Findings)
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "a;b\n1,5;2\n", "x\n1\n\n2\n", "# c\n1 2\n3 4\n", "a,b\r\n\"1\",\"x\"\"y\"\r\n", "a\tb\n\"\n\n,\n", "\"a,b\"\n\"1,2\"\n",
		"h,w\n1,2\n3,4\n5,6\n\nPlate,2\n\nh,w\n7,8\n9,10\n11,12\n", "1,2,3\n4,5\n6\n\xff\xfe\n\x00,\n", "a,\"b\n1,2\n3,4\n5,6\n7,8\n9\",1\n",
		"\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00", "a,\xb7\xe7\n1,2\n", "id,x\n1,\xe9\n2,\xc3\xa9\n", "t,v\ns,m\n1,2\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 1<<14 {
			return
		}
		want := outcome(t, in, 1, 1<<20)
		for _, v := range []struct{ threads, batch int }{{2, 1 << 20}, {1, 16}, {3, 100}} {
			if have := outcome(t, in, v.threads, v.batch); have != want {
				t.Fatalf("%d threads, chunks of %d bytes:\n%s\nwant\n%s", v.threads, v.batch, have, want)
			}
		}
	})
}

// TestEveryLine checks that each line of a file is a row, a bad row, a header,
// units, or kept as preamble or footer; blank lines excepted.
func TestEveryLine(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"1,2,3", "4,5", "# note", "", "t,x,y", "Station 7", "6,7,8,9", "8,9,10", "s,m,kg", "total 12", ",,", "1.5,2.5,3.5"}
	for range 2000 {
		var lines []string
		for range 1 + rng.IntN(14) {
			lines = append(lines, pieces[rng.IntN(len(pieces))])
		}
		in := strings.Join(lines, "\n") + "\n"
		g, err := readAll(t, memory([]byte(in)), format.Options{})
		if err != nil {
			continue
		}
		seen := len(g.Bad) + strings.Count(g.Preamble, "\n")
		for k := range g.Names {
			if k < len(g.Rows) {
				seen += len(g.Rows[k])
			}
		}
		filled, commas := 0, 0 // a line of commas alone is blank where commas separate
		for _, l := range lines {
			switch l {
			case "":
			case ",,":
				commas++
			default:
				filled++
			}
		}
		headers := filled - seen
		for _, f := range g.about.Findings {
			switch f.Code {
			case "repeated-header":
				headers -= int(f.Count)
			}
		}
		if headers < -commas || headers > 4*len(g.Names) {
			t.Fatalf("%q: %d of %d lines accounted for; %+v", in, seen, filled, g)
		}
	}
}

// TestAgainstEncodingCSV reads well-formed random tables with both readers.
func TestAgainstEncodingCSV(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	alphabet := []string{"a", "b", "\"", ",", "\n", " ", "é", "1", "2", ".", ";", "x\ty", "''"}
	for range 300 {
		width := 2 + rng.IntN(5)
		rows := [][]string{make([]string, width)}
		for j := range width {
			rows[0][j] = fmt.Sprintf("name%d", j)
		}
		for range 40 {
			row := make([]string, width)
			row[0] = fmt.Sprint(rng.IntN(1000)) // a column of numbers, so that the header is told apart
			for j := 1; j < width; j++ {
				for range rng.IntN(6) {
					row[j] += alphabet[rng.IntN(len(alphabet))]
				}
			}
			rows = append(rows, row)
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		if err := w.WriteAll(rows); err != nil {
			t.Fatal(err)
		}
		g, err := readAll(t, memory(b.Bytes()), format.Options{Delimiter: ",", Limits: format.Limits{Batch: 200}})
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		if diff := cmp.Diff(rows[1:], g.Rows[0]); diff != "" || len(g.Bad) > 0 {
			t.Fatalf("bad %v (−want +got):\n%s\n%s", g.Bad, diff, b.String())
		}
	}
}

// TestFastAgainstCareful holds the two ways of taking a chunk apart together.
func TestFastAgainstCareful(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	alphabet := []string{"a", "1", "\"", "\"\"", ",", ",", "\n", "\n", "\r\n", "\"x\"", "\"p,q\"", " ", "long cell of text", "\"a\"\"b\""}
	uniform := 0
	for range 60_000 {
		var b strings.Builder
		for range rng.IntN(30) {
			b.WriteString(alphabet[rng.IntN(len(alphabet))])
		}
		buf := []byte(b.String())
		d := dialect{delim: ',', nl: '\n', width: 2}
		want := d.careful(bytes.Clone(buf))
		for width := 1; width < 4; width++ {
			have := d.parse(bytes.Clone(buf), width, false)
			if !have.uniform {
				continue
			}
			uniform++
			compareParsed(t, buf, &want, &have)
		}
	}
	if uniform < 1000 {
		t.Errorf("only %d chunks went down the fast path", uniform)
	}
}

func compareParsed(t *testing.T, buf []byte, want, have *parsed) {
	t.Helper()
	if have.rows != want.rows || have.lines != want.lines && want.rows > 0 && buf[len(buf)-1] == '\n' {
		t.Fatalf("%q: %d rows and %d lines, want %d and %d", buf, have.rows, have.lines, want.rows, want.lines)
	}
	for i := range want.rows {
		if want.flags(i) != 0 || want.fields(i) != have.width || want.line(i) != have.line(i) {
			t.Fatalf("%q: row %d has flags %d, %d cells, line %d", buf, i, want.flags(i), want.fields(i), want.line(i))
		}
		for j := range have.width {
			if !bytes.Equal(want.cell(i, j), have.cell(i, j)) {
				t.Fatalf("%q: cell %d,%d is %q, want %q", buf, i, j, have.cell(i, j), want.cell(i, j))
			}
		}
	}
}
