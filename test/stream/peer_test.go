// Package stream compares what streams send with the reference implementations of
// Arrow's stream format, arrow-go and pyarrow.
package stream

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowipc "github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/ipc"
	"github.com/opengenesis/genesis/internal/testdata"
)

// sample writes a stream of every type, with missing values, a dictionary, lists, metadata
// and a batch of no rows, and returns it with what is in it, as JSON.
func sample(n int) (stream []byte, want [][]string) {
	fields := []ipc.Field{
		{Name: "i", Type: ipc.Int64, Nullable: true, Meta: []ipc.KeyValue{{Key: "genesis.unit", Value: "m/s"}, {Key: "ä", Value: ""}}},
		{Name: "f", Type: ipc.Float64, Nullable: true},
		{Name: "b", Type: ipc.Bool, Nullable: true},
		{Name: "s", Type: ipc.Timestamp, Nullable: true},
		{Name: "d", Type: ipc.Date, Nullable: true},
		{Name: "t", Type: ipc.Utf8, Nullable: true},
		{Name: "k", Type: ipc.Utf8, Nullable: true, Dictionary: true},
		{Name: "features", Type: ipc.Float32, List: 3},
		{Name: "missing", Type: ipc.Uint8, List: 2},
		{Name: "target", Type: ipc.Int64},
	}
	var out bytes.Buffer
	put := func(m ipc.Message) {
		out.Write(m.AppendPrefix(nil))
		out.Write(m.Body)
	}
	put(ipc.Schema(fields, []ipc.KeyValue{{Key: "genesis.stream", Value: `{"format":1}`}}))
	var l ipc.Layout
	words := []string{"north", "", "süd"}
	l.Reset(len(words))
	l.Node(len(words))
	l.Buffer(0)
	offsets, text := l.Buffer(4*(len(words)+1)), l.Buffer(len(strings.Join(words, "")))
	body := make([]byte, l.Size())
	into := text.In(body)[:0]
	for i, w := range words {
		into = append(into, w...)
		binary.LittleEndian.PutUint32(offsets.In(body)[4*(i+1):], uint32(len(into)))
	}
	put(l.Dictionary(6, body))
	for _, rows := range []int{n, 0, 1} {
		m, cells := batch(&l, rows, words)
		put(m)
		want = append(want, cells...)
	}
	out.Write(ipc.End)
	return out.Bytes(), want
}

// batch lays out some rows; every third cell of the first columns is missing.
func batch(l *ipc.Layout, n int, words []string) (ipc.Message, [][]string) {
	l.Reset(n)
	text := func(i int) string { return strings.Repeat("ü", i%4) }
	size := 0
	for i := range n {
		size += len(text(i))
	}
	type column struct{ valid, values, text ipc.Place }
	cols := make([]column, 10)
	for j, width := range []int{64, 64, 1, 64, 32, 0, 32} {
		node := l.Node(n)
		nulls := 0
		for i := range n {
			if (i+j)%3 == 0 {
				nulls++
			}
		}
		l.Nulls(node, nulls)
		cols[j].valid = l.Buffer((n + 7) / 8)
		if width == 0 {
			cols[j].values, cols[j].text = l.Buffer(4*(n+1)), l.Buffer(size)
			continue
		}
		cols[j].values = l.Buffer((n*width + 7) / 8)
	}
	for k, size := range []int{3 * 4, 2} {
		l.Node(n)
		l.Buffer(0)
		l.Node(n * (3 - k))
		l.Buffer(0)
		cols[7+k].values = l.Buffer(n * size)
	}
	l.Node(n)
	l.Buffer(0)
	cols[9].values = l.Buffer(8 * n)

	body := make([]byte, l.Size())
	le := binary.LittleEndian
	var cells [][]string
	into := cols[5].text.In(body)[:0]
	for i := range n {
		x := int64(i)*1e12 - 5
		f := []float64{1.5, math.Inf(-1), math.NaN(), math.Copysign(0, -1), math.MaxFloat64}[i%5]
		le.PutUint64(cols[0].values.In(body)[8*i:], uint64(x))
		le.PutUint64(cols[1].values.In(body)[8*i:], math.Float64bits(f))
		cols[2].values.In(body)[i/8] |= byte(i%2) << (i % 8)
		le.PutUint64(cols[3].values.In(body)[8*i:], uint64(x))
		le.PutUint32(cols[4].values.In(body)[4*i:], uint32(int32(i-700)))
		into = append(into, text(i)...)
		le.PutUint32(cols[5].values.In(body)[4*(i+1):], uint32(len(into)))
		le.PutUint32(cols[6].values.In(body)[4*i:], uint32(i%3))
		for k := range 3 {
			le.PutUint32(cols[7].values.In(body)[4*(3*i+k):], math.Float32bits(float32(i)/float32(k+1)))
		}
		cols[8].values.In(body)[2*i+1] = byte(i % 2)
		le.PutUint64(cols[9].values.In(body)[8*i:], uint64(i%7))
		row := []string{fmt.Sprint(x), bits(f), fmt.Sprint(i%2 == 1), fmt.Sprint(x), fmt.Sprint(i - 700), text(i), words[i%3],
			strings.Join([]string{bits(float64(float32(i))), bits(float64(float32(i) / 2)), bits(float64(float32(i) / 3))}, " "), fmt.Sprint(0, i%2), fmt.Sprint(i % 7)}
		for j := range 7 {
			if (i+j)%3 == 0 {
				row[j] = "∅"
			} else {
				cols[j].valid.In(body)[i/8] |= 1 << (i % 8)
			}
		}
		cells = append(cells, row)
	}
	return l.Batch(body, ipc.KeyValue{Key: genesis.StreamPositionKey, Value: "0"}, ipc.KeyValue{Key: genesis.StreamNextKey, Value: fmt.Sprint(n)}), cells
}

// bits is a number as its bits, so that all are comparable.
func bits(x float64) string {
	if math.IsNaN(x) {
		return "nan"
	}
	return fmt.Sprintf("%016x", math.Float64bits(x))
}

func TestArrowGoReads(t *testing.T) {
	for _, n := range []int{0, 1, 8, 1000} {
		stream, want := sample(n)
		r, err := arrowipc.NewReader(bytes.NewReader(stream))
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := r.Schema().Metadata().GetValue("genesis.stream"); v != `{"format":1}` {
			t.Errorf("the schema says %s", r.Schema())
		}
		if v, _ := r.Schema().Field(0).Metadata.GetValue("genesis.unit"); v != "m/s" {
			t.Errorf("the field says %s", r.Schema().Field(0))
		}
		for i, want := range []string{"int64", "float64", "bool", "timestamp[us, tz=UTC]", "date32", "utf8", "dictionary<values=utf8, indices=int32, ordered=false>", "", "", "int64"} {
			if got := r.Schema().Field(i).Type.String(); want != "" && got != want {
				t.Errorf("field %d is %s", i, got)
			}
		}
		var got [][]string
		for r.Next() {
			got = append(got, arrowRows(t, r.RecordBatch())...)
		}
		if r.Err() != nil {
			t.Fatal(r.Err())
		}
		r.Release()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d rows are read otherwise:\n%s", n, diff)
		}
	}
}

func arrowRows(t *testing.T, b arrow.RecordBatch) [][]string {
	t.Helper()
	out := make([][]string, b.NumRows())
	for _, col := range b.Columns() {
		for i := range out {
			out[i] = append(out[i], arrowCell(t, col, i))
		}
	}
	return out
}

func arrowCell(t *testing.T, col arrow.Array, i int) string {
	if col.IsNull(i) {
		return "∅"
	}
	switch col := col.(type) {
	case *array.Int64:
		return fmt.Sprint(col.Value(i))
	case *array.Float64:
		return bits(col.Value(i))
	case *array.Float32:
		return bits(float64(col.Value(i)))
	case *array.Uint8:
		return fmt.Sprint(col.Value(i))
	case *array.Boolean:
		return fmt.Sprint(col.Value(i))
	case *array.Timestamp:
		return fmt.Sprint(int64(col.Value(i)))
	case *array.Date32:
		return fmt.Sprint(int32(col.Value(i)))
	case *array.String:
		return col.Value(i)
	case *array.Dictionary:
		return col.Dictionary().(*array.String).Value(col.GetValueIndex(i))
	case *array.FixedSizeList:
		var all []string
		from, to := col.ValueOffsets(i)
		for k := from; k < to; k++ {
			all = append(all, arrowCell(t, col.ListValues(), int(k)))
		}
		return strings.Join(all, " ")
	}
	t.Fatalf("a column of type %T", col)
	return ""
}

// TestWideSchemas: of thousands of columns, whose metadata is longer than what stands before
// an ordinary batch.
func TestWideSchemas(t *testing.T) {
	const columns = 5000
	var fields []ipc.Field
	var l ipc.Layout
	l.Reset(3)
	for j := range columns {
		fields = append(fields, ipc.Field{Name: fmt.Sprint("c", j), Type: ipc.Int64, Nullable: true, Meta: []ipc.KeyValue{{Key: "genesis.description", Value: strings.Repeat("x", j%50)}}})
		l.Node(3)
		l.Buffer(0)
		l.Buffer(24)
	}
	body := make([]byte, l.Size())
	for i := range body {
		body[i] = byte(i)
	}
	var out bytes.Buffer
	for _, m := range []ipc.Message{ipc.Schema(fields, nil), l.Batch(body)} {
		prefix := m.AppendPrefix(nil)
		if len(prefix) < 64<<10 || len(prefix)%8 != 0 {
			t.Errorf("the metadata is of %d bytes", len(prefix))
		}
		out.Write(prefix)
		out.Write(m.Body)
	}
	out.Write(ipc.End)
	r, err := arrowipc.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if !r.Next() || r.RecordBatch().NumCols() != columns || r.RecordBatch().NumRows() != 3 {
		t.Fatal(r.Err())
	}
	for _, j := range []int{0, 1, columns - 1} {
		if got, want := uint64(r.RecordBatch().Column(j).(*array.Int64).Value(2)), binary.LittleEndian.Uint64(body[64*j+16:]); got != want {
			t.Errorf("column %d is %x, want %x", j, got, want)
		}
	}
	if r.Next() || r.Err() != nil {
		t.Error("there is another batch", r.Err())
	}
}

func TestPyarrowReads(t *testing.T) {
	interpreter := os.Getenv("PYTHON")
	if interpreter == "" {
		interpreter = "python3"
	}
	if exec.Command(interpreter, "-c", "import pyarrow.ipc").Run() != nil {
		testdata.Missing(t, "pyarrow", "pip install pyarrow, or set PYTHON to an interpreter that has it")
	}
	for _, n := range []int{0, 1, 8, 1000} {
		stream, want := sample(n)
		cmd := exec.Command(interpreter, "rows.py")
		cmd.Stdin, cmd.Stderr = bytes.NewReader(stream), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Rows      [][]string
			Positions []string
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Rows) == 0 {
			got.Rows = nil
		}
		if diff := cmp.Diff(want, got.Rows); diff != "" {
			t.Errorf("%d rows are read otherwise:\n%s", n, diff)
		}
		if diff := cmp.Diff([]string{fmt.Sprint(n), "0", "1"}, got.Positions); diff != "" {
			t.Errorf("batches say otherwise where the next one begins:\n%s", diff)
		}
	}
}
