// Package parquet compares this module's Parquet reader and writer with the
// reference implementation, Apache Arrow's, through pyarrow.
package parquet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/testdata"
)

// python runs digests.py, or ends the test where there is no pyarrow.
func python(t *testing.T, args ...string) []byte {
	t.Helper()
	interpreter := os.Getenv("PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if exec.Command(interpreter, "-c", "import pyarrow.parquet").Run() != nil {
		testdata.Missing(t, "pyarrow", "pip install pyarrow, or set PYTHON to an interpreter that has it")
	}
	cmd := exec.Command(interpreter, append([]string{"digests.py"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("digests.py %v: %v", args, err)
	}
	return out
}

// described is what digests.py says about a file.
type described struct {
	Rows    int64                     `json:"rows"`
	Columns map[string]genesis.Digest `json:"columns"`
}

// class is a type whose vectors are of a kind.
func class(k format.Kind) genesis.Type {
	return map[format.Kind]genesis.Type{format.Text: genesis.Text, format.Int: genesis.Integer, format.Float: genesis.Float,
		format.Bool: genesis.Boolean, format.Timestamp: genesis.Timestamp, format.Date: genesis.Date}[k]
}

// ours reads a file as raw input and digests its columns.
func ours(t *testing.T, path string) described {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := parquet.Driver{}.Open(context.Background(), &format.Stream{Name: path, Size: info.Size(), At: f}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cols := r.Tables()[0].Columns
	digests := make([]*format.ColumnDigest, len(cols))
	for i, c := range cols {
		digests[i] = format.NewColumnDigest(genesis.Column{Type: class(c.Kind)})
	}
	d := described{Columns: map[string]genesis.Digest{}}
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range digests {
			digests[i].Add(&b.Cols[i], b.Rows)
		}
		d.Rows += int64(b.Rows)
	}
	for i, c := range cols {
		d.Columns[c.Name] = digests[i].Sum()
	}
	return d
}

func compare(t *testing.T, paths []string) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(python(t, paths...)), []byte("\n"))
	for i, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var want described
			if err := json.Unmarshal(lines[i], &want); err != nil {
				t.Fatal(err)
			}
			got := ours(t, path)
			if got.Rows != want.Rows {
				t.Errorf("rows = %d, pyarrow reads %d", got.Rows, want.Rows)
			}
			for name, d := range want.Columns {
				if got.Columns[name] != d {
					t.Errorf("column %s: digest = %s, pyarrow's values have %s", name, got.Columns[name], d)
				}
			}
			if len(want.Columns) == 0 || len(got.Columns) != len(want.Columns) {
				t.Errorf("%d columns, pyarrow reads %d", len(got.Columns), len(want.Columns))
			}
		})
	}
}

func TestReadsWhatPyarrowWrites(t *testing.T) {
	dir := t.TempDir()
	python(t, "--make", dir)
	paths, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("made %d files, %v", len(paths), err)
	}
	compare(t, paths)
}

func TestReadsLaboratoryFilesAsPyarrowDoes(t *testing.T) {
	var paths []string
	err := filepath.WalkDir(testdata.Dir(t), func(path string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".parquet") && !strings.Contains(path, "corrupt") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d files, %v", len(paths), err)
	}
	compare(t, paths)
}

var columns = []genesis.Column{
	{Name: "n", Type: genesis.Integer}, {Name: "x", Type: genesis.Float}, {Name: "ok", Type: genesis.Boolean},
	{Name: "at", Type: genesis.Timestamp}, {Name: "day", Type: genesis.Date}, {Name: "kind", Type: genesis.Categorical},
	{Name: "note", Type: genesis.Text}, {Name: "id", Type: genesis.Identifier},
}

func TestPyarrowReadsWhatIsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var paths []string
	for i, rows := range []int{0, 1, 7, 1000, 40_000, 300_000} {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.parquet", rows))
		write(t, path, rng, rows, i%3)
		paths = append(paths, path)
	}
	compare(t, paths)
}

func write(t *testing.T, path string, rng *rand.Rand, rows, nulls int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := parquet.NewWriter(f, columns, parquet.WriterOptions{RowGroup: 50_000})
	if err != nil {
		t.Fatal(err)
	}
	for left := rows; left > 0; {
		n := min(left, 1+rng.IntN(20_000))
		if err := w.Write(batch(rng, n, nulls)); err != nil {
			t.Fatal(err)
		}
		left -= n
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func batch(rng *rand.Rand, rows, nulls int) *format.Batch {
	b := &format.Batch{Rows: rows}
	for _, c := range columns {
		v := format.Vector{Kind: format.KindOf(c.Type)}
		for range rows {
			value(rng, &v, c.Type)
		}
		if nulls > 0 {
			v.Nulls = format.NewBitmap(rows)
			for i := range rows {
				if rng.IntN(nulls*4) == 0 {
					v.Nulls.Set(i)
				}
			}
		}
		b.Cols = append(b.Cols, v)
	}
	return b
}

func value(rng *rand.Rand, v *format.Vector, t genesis.Type) {
	switch t {
	case genesis.Float:
		special := []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), rng.NormFloat64(), math.MaxFloat64, 5e-324}
		v.Floats = append(v.Floats, special[rng.IntN(len(special))])
	case genesis.Boolean:
		v.Ints = append(v.Ints, rng.Int64N(2))
	case genesis.Date:
		v.Ints = append(v.Ints, []int64{math.MinInt32, math.MaxInt32, 0, rng.Int64N(30000)}[rng.IntN(4)])
	case genesis.Integer, genesis.Timestamp:
		v.Ints = append(v.Ints, []int64{math.MinInt64, math.MaxInt64, 0, rng.Int64() - rng.Int64(), rng.Int64N(100)}[rng.IntN(5)])
	case genesis.Categorical:
		text(v, []string{"", "north", "süd"}[rng.IntN(3)])
	case genesis.Identifier:
		text(v, fmt.Sprintf("s-%08x", rng.Uint32()))
	default:
		text(v, strings.Repeat("漢字,\n", rng.IntN(1+rng.IntN(200))))
	}
}

func text(v *format.Vector, s string) {
	start := uint32(len(v.Buf))
	v.Buf = append(v.Buf, s...)
	v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
}
