package parquet

import (
	"bytes"
	"encoding/base64"
	"maps"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// durations is the schema that pyarrow's writer keeps of n: int64, run: duration[s],
// gap: duration[ns], ms: duration[ms], us: duration[us].
const durations = "/////zABAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAUAAADMAAAAiAAAAFwAAAAwAAAABAAAAFj///8AAAESEAAAABQA" +
	"AAAEAAAAAAAAAAIAAAB1cwAAhv///wAAAgCA////AAABEhAAAAAYAAAABAAAAAAAAAACAAAAbXMAAAQABAAEAAAAqP///wAAARIQAAAAFAAAAAQAAAAAAAAA" +
	"AwAAAGdhcADW////AAADAND///8AAAESEAAAABwAAAAEAAAAAAAAAAMAAABydW4AAAAGAAgABgAGAAAAAAAAABAAFAAIAAYABwAMAAAAEAAQAAAAAAABAhAA" +
	"AAAcAAAABAAAAAAAAAABAAAAbgAAAAgADAAIAAcACAAAAAAAAAFAAAAA"

func TestDurationsHaveUnits(t *testing.T) {
	want := map[string]string{"run": "s", "gap": "ns", "ms": "ms", "us": "us"}
	if got := durationUnits(durations); !maps.Equal(got, want) {
		t.Errorf("units are %v, want %v", got, want)
	}
	var file bytes.Buffer
	cols := []genesis.Column{{Name: "n", Type: genesis.Integer}, {Name: "run", Type: genesis.Integer}, {Name: "gap", Type: genesis.Float}}
	w, err := NewWriter(&file, cols, WriterOptions{Metadata: map[string]string{metadataArrow: durations}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&format.Batch{Rows: 1, Cols: []format.Vector{{Kind: format.Int, Ints: []int64{1}}, {Kind: format.Int, Ints: []int64{2}}, {Kind: format.Float, Floats: []float64{3}}}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := readFooter(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := m.leaves()
	if err != nil {
		t.Fatal(err)
	}
	for i, unit := range []string{"", "s", ""} { // a column of another type is no duration
		if got := leaves[i].column().Unit; got != unit {
			t.Errorf("column %s is in %q, want %q", leaves[i].name, got, unit)
		}
	}
}

// FuzzDurations: a damaged schema has no units, and harms nobody.
func FuzzDurations(f *testing.F) {
	whole, err := base64.StdEncoding.DecodeString(durations)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	for i := range 40 { // offsets that point elsewhere
		bad := bytes.Clone(whole)
		bad[8+i] ^= 0x81
		f.Add(bad)
	}
	f.Fuzz(func(t *testing.T, b []byte) { durationUnits(base64.StdEncoding.EncodeToString(b)) })
}

// TestLeftOutHasARemedy: who has a column of lists is told what to do with it.
func TestLeftOutHasARemedy(t *testing.T) {
	d := &driverReader{name: "f"}
	f := &File{leaves: []leaf{{name: "n"}, {name: "spectrum.list.element", maxRep: 1, leftOut: "holds lists or maps"}}}
	if _, err := d.choose(f, nil); err != nil {
		t.Fatal(err)
	}
	if len(d.about.Findings) != 1 || !strings.Contains(d.about.Findings[0].Hint, "columns of single values") {
		t.Errorf("findings are %+v", d.about.Findings)
	}
}
