package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/stream"
)

// raw is a file that holds text.
func raw(name, text string) *format.Raw {
	return &format.Raw{Name: name, Size: int64(len(text)), At: bytes.NewReader([]byte(text))}
}

func parse(t *testing.T, text string) *recipe.Recipe {
	t.Helper()
	r, err := recipe.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func prepare(t *testing.T, env Env, rec *recipe.Recipe, opt genesis.PrepareOptions, files ...*format.Raw) *Result {
	t.Helper()
	res, err := Prepare(context.Background(), env, files, rec, opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// rows reads a stored table back, cells as text, missing ones as "·".
func rows(t *testing.T, env Env, res *Result, table string, columns ...string) [][]string {
	t.Helper()
	r, err := stream.Open(context.Background(), env.Blobs, res.Manifest, res.Layout, table, columns)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := [][]string{}
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			var line []string
			for j := range b.Cols {
				if b.Cols[j].Null(i) {
					line = append(line, "·")
				} else {
					line = append(line, plainValue(&b.Cols[j], i))
				}
			}
			out = append(out, line)
		}
	}
}

func digest(t *testing.T, m genesis.Manifest) genesis.Digest {
	t.Helper()
	b, err := genesis.CanonicalJSON(m)
	if err != nil {
		t.Fatal(err)
	}
	return genesis.DigestOf(b)
}

// plant is a table with a sentinel, units, a repeated row and two stations.
func plant(n int) string {
	var b strings.Builder
	b.WriteString("station,time,power (kW),temp (°C)\n")
	for i := range n {
		power := fmt.Sprint(100 + i%97)
		if i%50 == 7 {
			power = "-9999"
		}
		fmt.Fprintf(&b, "S%d,2024-01-%02d %02d:00,%s,%.1f\n", i%3, 1+i/24%28, i%24, power, 10+5*math.Sin(float64(i)))
	}
	return b.String()
}

func TestReplayGivesTheSameVersion(t *testing.T) {
	env := testEnv(t)
	opt := genesis.PrepareOptions{Target: []string{"power"}, Split: []string{"group:station"}, Seed: 3}
	first := prepare(t, env, nil, opt, raw("plant.csv", plant(3000)))
	want := digest(t, first.Manifest)

	again := prepare(t, env, parse(t, first.Recipe), genesis.PrepareOptions{}, raw("other-name.csv", plant(3000)))
	if got := digest(t, again.Manifest); got != want {
		t.Errorf("a replay gives %s, not %s", got, want)
	}
	if d := cmp.Diff(first.Splits, again.Splits); d != "" {
		t.Errorf("a replay splits otherwise: %s", d)
	}

	env.Threads, env.Limits.Batch = 1, 4<<10
	small := prepare(t, env, nil, opt, raw("plant.csv", plant(3000)))
	if got := digest(t, small.Manifest); got != want {
		t.Errorf("small batches on one thread give %s, not %s", got, want)
	}
	if d := cmp.Diff(first.Recipe, small.Recipe); d != "" {
		t.Errorf("small batches decide otherwise: %s", d)
	}
}

func TestEditingALineChangesExactlyThat(t *testing.T) {
	env := testEnv(t)
	first := prepare(t, env, nil, genesis.PrepareOptions{}, raw("plant.csv", plant(200)))
	edited := strings.Replace(first.Recipe, "name: power", "convert: MW\n        name: power_mw", 1)
	if edited == first.Recipe {
		t.Fatalf("the recipe has no line for power:\n%s", first.Recipe)
	}
	second := prepare(t, env, parse(t, edited), genesis.PrepareOptions{}, raw("plant.csv", plant(200)))
	a, b := first.Manifest.Tables[0], second.Manifest.Tables[0]
	for i := range a.Columns {
		same := cmp.Equal(a.Columns[i], b.Columns[i])
		if changed := a.Columns[i].Name == "power"; same == changed {
			t.Errorf("column %s: changed is %v", a.Columns[i].Name, !same)
		}
	}
	c, _ := b.Column("power_mw")
	if c.Unit != "MW" || c.Type != genesis.Float {
		t.Errorf("power_mw is %s in %q", c.Type, c.Unit)
	}
	if got := rows(t, env, second, "data", "power_mw")[0][0]; got != "0.1" {
		t.Errorf("100 kW became %s MW", got)
	}
}

func TestSteps(t *testing.T) {
	env := testEnv(t)
	csv := "id,a,b,when\n1,10,x,2024-03-01\n2,20,y,2024-03-02\n3,abc,x,2024-03-03\n4,500,z,2024-03-04\n5,,x,2024-03-05\n2,20,y,2024-03-02\n6,30,x,2024-03-06\n"
	rec := `
format: 1
tables:
  - name: data
    columns:
      - {source: id, name: id, type: integer, role: id}
      - {source: a, name: amount, type: float, unit: g, convert: kg}
      - {source: b, name: b, type: categorical, role: group}
    derive:
      - {name: twice, expr: amount * 2.0, type: float, unit: kg}
      - {name: late, expr: "when > timestamp('2024-03-03T12:00:00Z')", type: boolean}
    filter: ["id != 1 || b == 'x'"]
    rules:
      - {column: amount, max: 0.025}
      - {column: b, in: [x, y]}
      - {column: amount, not_null: true}
    deduplicate: true
`
	res := prepare(t, env, parse(t, rec), genesis.PrepareOptions{}, raw("steps.csv", csv))
	want := [][]string{{"1", "0.01", "x", "0.02", "false"}, {"2", "0.02", "y", "0.04", "false"}}
	if d := cmp.Diff(want, rows(t, env, res, "data", "id", "amount", "b", "twice", "late")); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	wantRejects := [][]string{
		{"1", "4", "amount", "not a number", "abc"},
		{"1", "4", "amount", "not_null", `["3","abc","x","2024-03-03"]`},
		{"1", "5", "amount", "max 0.025", "500"},
		{"1", "5", "b", "in", "z"},
		{"1", "5", "amount", "not_null", `["4","500","z","2024-03-04"]`},
		{"1", "6", "amount", "not_null", `["5","","x","2024-03-05"]`},
		{"1", "8", "amount", "max 0.025", "30"},
		{"1", "8", "amount", "not_null", `["6","30","x","2024-03-06"]`},
	}
	if d := cmp.Diff(wantRejects, rows(t, env, res, "rejects/data")); d != "" {
		t.Errorf("rejects (-want +got):\n%s", d)
	}
	if got := res.Manifest.Tables[0].Rows; got != 2 {
		t.Errorf("%d rows", got)
	}
}

func TestStrictNamesTheFirstBadCell(t *testing.T) {
	rec := parse(t, "format: 1\nstrict: true\ntables:\n  - name: data\n    columns:\n      - {source: a, name: a, type: float}\n")
	_, err := Prepare(context.Background(), testEnv(t), []*format.Raw{raw("x.csv", "a,b\n1,2\n3,4\noops,5\n")}, rec, genesis.PrepareOptions{}, nil)
	e, _ := err.(*genesis.Error)
	if e == nil || e.Kind != genesis.Invalid || e.Value != "oops" || !strings.Contains(e.Error(), `"x.csv": row 4, column "a"`) {
		t.Errorf("got %v", err)
	}
}

func TestFilesOfOneSchema(t *testing.T) {
	env := testEnv(t)
	a, b := raw("a.csv", "x,y\n1,2\n3,4\n"), raw("b.csv", "y,x\n6,5\n")
	res := prepare(t, env, nil, genesis.PrepareOptions{}, a, b)
	if d := cmp.Diff([][]string{{"1", "2"}, {"3", "4"}, {"5", "6"}}, rows(t, env, res, "data")); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	_, err := Prepare(context.Background(), env, []*format.Raw{a, raw("c.csv", "x,z\n1,2\n")}, nil, genesis.PrepareOptions{}, nil)
	if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "c.csv") || !strings.Contains(err.Error(), `"z"`) {
		t.Errorf("a file of another schema: %v", err)
	}
}

func TestRecipeOfOtherFilesIsRefused(t *testing.T) {
	for _, text := range []string{
		"format: 1\ntables:\n  - {name: data, columns: [{source: nowhere, name: n, type: float}]}\n",
		"format: 1\ntables:\n  - {name: data, from: other, columns: []}\n",
		"format: 1\ntables:\n  - {name: data, columns: [], rules: [{column: nowhere, min: 0}]}\n",
		"format: 1\ntables:\n  - {name: data, columns: [], filter: ['nowhere > 1']}\n",
		"format: 1\ntables: []\nsplits: [{by: 'group:nowhere', seed: 1}]\n",
	} {
		_, err := Prepare(context.Background(), testEnv(t), []*format.Raw{raw("x.csv", "a,b\n1,2\n3,4\n")}, parse(t, text), genesis.PrepareOptions{}, nil)
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "nowhere") && !strings.Contains(err.Error(), "other") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Prepare(ctx, testEnv(t), []*format.Raw{raw("x.csv", plant(5000))}, nil, genesis.PrepareOptions{}, nil)
	if genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("got %v", err)
	}
}

func TestDuplicatesAreCountedBeyondMemory(t *testing.T) {
	env := testEnv(t)
	env.Memory = 1 << 10 // identities go to disk at once
	var b strings.Builder
	b.WriteString("a,b\n")
	for i := range 20_000 {
		fmt.Fprintf(&b, "%d,%d\n", i%15_000, 7)
	}
	res := prepare(t, env, nil, genesis.PrepareOptions{Dedup: true}, raw("x.csv", b.String()))
	if got := res.Manifest.Tables[0].Rows; got != 15_000 {
		t.Errorf("%d rows are left, want 15000", got)
	}
}

func TestConform(t *testing.T) {
	env := testEnv(t)
	want := []genesis.Column{{Name: "temp", Type: genesis.Float, Unit: "Cel"}, {Name: "wind_speed", Original: "Wind Speed (m/s)", Type: genesis.Float, Unit: "m/s"}}
	c, err := Conform(context.Background(), env, []*format.Raw{raw("new.csv", "site,Wind Speed (m/s),temp (°F)\nA,3,50\nB,4.5,212\n")}, want)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	temp := b.Cols[c.Index("temp")].Floats
	if math.Abs(temp[0]-10) > 1e-9 || math.Abs(temp[1]-100) > 1e-9 {
		t.Errorf("50 and 212 °F became %v °C", temp)
	}
	if len(c.Conversions) != 1 || !strings.Contains(c.Conversions[0], "temp") || c.Index("site") < 0 {
		t.Errorf("conversions %v, columns %v", c.Conversions, c.Columns)
	}
	for name, text := range map[string]string{
		"missing column": "temp (°C)\n1\n2\n",
		"wrong unit":     "wind_speed (kg),temp (°C)\n1,2\n3,4\n",
		"text":           "wind_speed,temp\nfast,2\nslow,4\n",
	} {
		_, err := Conform(context.Background(), env, []*format.Raw{raw("new.csv", text)}, want)
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "wind_speed") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestConformCodes: the codes of a model's data are codes in a file with another
// decimal mark.
func TestConformCodes(t *testing.T) {
	for _, tt := range []struct{ code, file string }{
		{"-99.9", "a;b\n1,5;x\n-99,90;y\n2,5;z\n"},
		{"-99,9", "a,b\n1.5,x\n-99.90,y\n2.5,z\n"},
		{"-9999", "a;b\n1,5;x\n-9999,0;y\n2,5;z\n"},
	} {
		c, err := Conform(t.Context(), testEnv(t), []*format.Raw{raw("new.csv", tt.file)}, []genesis.Column{{Name: "a", Type: genesis.Float, Missing: []string{tt.code}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		b, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if v := b.Cols[c.Index("a")]; !v.Null(1) || v.Floats[0] != 1.5 || v.Floats[2] != 2.5 {
			t.Errorf("code %s: %v of %q, missing %v", tt.code, v.Floats, tt.file, v.Nulls)
		}
	}
}

// TestMissingCodes: how a recipe may spell a code.
func TestMissingCodes(t *testing.T) {
	env := testEnv(t)
	text := "a;b\n1,5;x\n-99,90;y\n1.234,5;z\n<0,5;w\n"
	for missing, want := range map[string]string{"-99.9": "1.5 · 1234.5 0.5", "'-99,9'": "1.5 · 1234.5 0.5", "'1234,50'": "1.5 -99.9 · 0.5", "'<0,5'": "1.5 -99.9 1234.5 ·", "0.5": "1.5 -99.9 1234.5 0.5"} {
		rec := parse(t, "format: 1\ntables:\n  - name: data\n    columns:\n      - {source: a, type: float, decimal: ',', thousands: '.', qualified: true, missing: ["+missing+"]}\n")
		var got []string
		for _, row := range rows(t, env, prepare(t, env, rec, genesis.PrepareOptions{}, raw("a.csv", text)), "data", "a") {
			got = append(got, row[0])
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("missing %s: %s, want %s", missing, s, want)
		}
	}
}

// TestNamedZone: local times of a place become instants.
func TestNamedZone(t *testing.T) {
	rec := parse(t, "format: 1\ntables:\n  - name: data\n    columns:\n      - {source: when, type: timestamp, date_form: 'YYYY-MM-DD HH:mm', zone: Europe/Berlin}\n")
	env := testEnv(t)
	res := prepare(t, env, rec, genesis.PrepareOptions{}, raw("a.csv", "when,x\n2023-01-01 12:00,1\n2023-07-01 12:00,2\n2023-03-26 01:59,3\n2023-03-26 02:30,4\n2023-03-26 03:00,5\n2023-10-29 01:59,6\n2023-10-29 02:30,7\n2023-10-29 03:00,8\n1890-01-01 00:00,9\n"))
	var got []string
	for _, row := range rows(t, env, res, "data", "when") {
		got = append(got, row[0])
	}
	want := []string{"2023-01-01T11:00:00Z", "2023-07-01T10:00:00Z", "2023-03-26T00:59:00Z", "·", "2023-03-26T01:00:00Z", "2023-10-28T23:59:00Z", "2023-10-29T00:30:00Z", "2023-10-29T02:00:00Z", "1889-12-31T23:06:32Z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times are (-want +got):\n%s", diff)
	}
	counts := map[string]int64{}
	for _, f := range res.Findings {
		counts[f.ID] = f.Count
	}
	if counts["zone-ambiguous:when"] != 1 || counts["rejected:when:not a time of the zone: clocks went forward over it"] != 1 {
		t.Errorf("findings are %v", counts)
	}
	for _, zone := range []string{"Local", "Europe/Nowhere", "../etc/passwd", "CEST"} {
		rec := parse(t, "format: 1\ntables:\n  - name: data\n    columns:\n      - {source: when, type: timestamp, date_form: 'YYYY-MM-DD HH:mm', zone: "+zone+"}\n")
		if _, err := Prepare(t.Context(), env, []*format.Raw{raw("a.csv", "when,x\n2023-01-01 12:00,1\n")}, rec, genesis.PrepareOptions{}, nil); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("zone %s: %v", zone, err)
		}
	}
}

// TestConformDates: dates of a file that fit both orders of day and month are read
// as the model's data were; those that fit one are read so.
func TestConformDates(t *testing.T) {
	july, january := time.Date(2018, 7, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 1, 7, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		form, file string
		want       time.Time
		note       bool
	}{
		{"DD/MM/YYYY", "01/07/2018\n02/07/2018\n", july, true},
		{"MM/DD/YYYY", "01/07/2018\n02/07/2018\n", january, true},
		{"DD.MM.YYYY", "01/07/2018\n02/07/2018\n", july, true},
		{"MM/DD/YYYY", "01-07-2018\n02-07-2018\n", january, true},
		{"DD/MM/YYYY", "01/07/2018\n07/29/2018\n", january, false},
		{"YYYY-MM-DD", "01/07/2018\n02/07/2018\n", january, false},
	} {
		t.Run(tt.form+" "+tt.file[:10], func(t *testing.T) {
			c, err := Conform(t.Context(), testEnv(t), []*format.Raw{raw("new.csv", "when\n"+tt.file)}, []genesis.Column{{Name: "when", Type: genesis.Date, DateForm: tt.form}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			b, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			if got := time.Unix(b.Cols[0].Ints[0]*86400, 0).UTC(); !got.Equal(tt.want) {
				t.Errorf("read as %s", got.Format(time.DateOnly))
			}
			is := func(code string) bool {
				return slices.ContainsFunc(c.Findings, func(f genesis.Finding) bool { return f.Code == code })
			}
			if is("date-order-assumed") != tt.note || tt.note && is("ambiguous-date") {
				t.Errorf("findings %+v", c.Findings)
			}
		})
	}
}

func TestInspectStoresNothing(t *testing.T) {
	env := testEnv(t)
	got, err := Inspect(context.Background(), env, []*format.Raw{raw("plant.csv", plant(100_000))}, genesis.PrepareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Sampled || len(got.Tables) != 1 || len(got.Tables[0].Head) != headRows || len(got.Tables[0].Columns) != 4 {
		t.Errorf("got %+v", got)
	}
	if err := env.Blobs.List(context.Background(), func(d genesis.Digest, _ int64) error {
		t.Errorf("inspect stored %s", d)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSplitColumn names the column of a split as its header does, and wrongly.
func TestSplitColumn(t *testing.T) {
	env := testEnv(t)
	res := prepare(t, env, nil, genesis.PrepareOptions{Split: []string{"group:STATION"}}, raw("plant.csv", plant(200)))
	if got := res.Splits[0].Column; got != "station" {
		t.Errorf("the split is by %q", got)
	}
	_, err := Prepare(context.Background(), env, []*format.Raw{raw("plant.csv", plant(200))}, nil, genesis.PrepareOptions{Split: []string{"time:tim"}}, nil)
	var e *genesis.Error
	if !errors.As(err, &e) || e.Kind != genesis.Invalid || e.Subject != "tim" || e.Hint != "the columns are station, time, power, temp" {
		t.Errorf("a column that is not there: %v", err)
	}
}

// TestDocumentsInArchives has texts about the data beside the data.
func TestDocumentsInArchives(t *testing.T) {
	archive := func(members ...string) *format.Raw {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i := 0; i < len(members); i += 2 {
			m, err := w.Create(members[i])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(m, members[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return raw("data.zip", b.String())
	}
	about := "These are the data.\n\nThey are\nof wind turbines.\n"
	env := testEnv(t)
	res := prepare(t, env, nil, genesis.PrepareOptions{}, archive("README.txt", about, "plant.csv", plant(50), "docs/LICENSE", about))
	var noted []string
	for _, f := range res.Findings {
		if f.Code == "document" {
			noted = append(noted, f.ID)
		}
	}
	if d := cmp.Diff([]string{"document:README.txt", "document:docs/LICENSE"}, noted); d != "" || res.Rows != 50 {
		t.Errorf("%d rows; findings: %s", res.Rows, d)
	}
	res = prepare(t, env, nil, genesis.PrepareOptions{}, archive("README.csv", "a,b\n1,2\n"))
	if res.Rows != 1 {
		t.Errorf("an archive of a README alone has %d rows", res.Rows)
	}
}

// TestCommasBesideCommas: where one column has decimal commas beyond doubt, 1,234 in
// another is no thousand; where none has, it is a question.
func TestCommasBesideCommas(t *testing.T) {
	for _, tt := range []struct {
		text, want string
		asked      bool
	}{
		{"a;b\n9,3;11,573\n34,16;9,790\n", "11.573 9.79", false},
		{"a;b\n9;11,573\n34;9,790\n", "11573 9790", true},
		{"a;b\n9.3;11,573\n34.16;9,790\n", "11573 9790", true},
		{"a;b\n1,5;1.234,5\n2,25;2.000,5\n", "1234.5 2000.5", false},
	} {
		env := testEnv(t)
		res := prepare(t, env, nil, genesis.PrepareOptions{}, raw("a.csv", tt.text))
		var got []string
		for _, row := range rows(t, env, res, "data", "b") {
			got = append(got, row[0])
		}
		asked := slices.ContainsFunc(res.Findings, func(f genesis.Finding) bool { return f.Code == "ambiguous-number" })
		if s := strings.Join(got, " "); s != tt.want || asked != tt.asked {
			t.Errorf("%q: %s, want %s; a question: %v", tt.text, s, tt.want, asked)
		}
	}
}
