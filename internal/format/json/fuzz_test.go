package json

import (
	"bytes"
	stdjson "encoding/json"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// FuzzJSON holds the reader against encoding/json: what that accepts is not
// refused as damaged, and reading does not depend on where buffers end.
func FuzzJSON(f *testing.F) {
	for _, c := range shapes {
		f.Add([]byte(c.in))
	}
	f.Add([]byte(`{"a":1`))
	f.Add([]byte("{\"id\":1}\n{\"id\":4 \"y\":2}\n"))
	f.Add([]byte("\xff\xfe{\x00}\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		opt := format.Options{Limits: format.Limits{Columns: 200, Depth: 100, RowBytes: 1 << 20}}
		got, err := readAll(streamOf(string(b), direct), opt)
		if err != nil && genesis.KindOf(err) == genesis.Internal {
			t.Fatalf("an error without a kind: %v", err)
		}
		if err != nil && genesis.KindOf(err) == genesis.Invalid && stdjson.Valid(b) && shallow(b, 100) {
			t.Fatalf("valid JSON refused: %v", err)
		}
		opt.Limits.Batch = 1
		again, err2 := readAll(streamOf(string(b), iotest.OneByteReader), opt)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("whole: %v; in pieces: %v", err, err2)
		}
		if d := cmp.Diff(got.String(), again.String()); err == nil && d != "" {
			t.Fatalf("whole and in pieces differ:\n%s", d)
		}
	})
}

func shallow(b []byte, depth int) bool {
	return bytes.Count(b, []byte("["))+bytes.Count(b, []byte("{")) < depth
}
