package edge

import (
	"testing"

	"github.com/opengenesis/genesis"
)

func TestParseRange(t *testing.T) {
	whole, none := Range{}, Range{-1, -1}
	for header, want := range map[string]Range{
		"": whole, "bytes=0-": {0, 10}, "bytes=0-0": {0, 1}, "bytes=3-5": {3, 3}, "bytes=5-99": {5, 5}, "bytes=-4": {6, 4}, "bytes=-99": {0, 10},
		"bytes=9-": {9, 1}, "bytes=10-": none, "bytes=10-20": none, "bytes=-0": none, "bytes=9-3": whole, "bytes=-": whole, "bytes=a-b": whole,
		"bytes=1-2,4-5": whole, "rows=1-2": whole, "bytes=+1-2": whole, "bytes=1--2": whole, "bytes=99999999999999999999-": whole,
		"bytes=1-99999999999999999999": whole, "bytes= 1-2 ": {1, 2}, "bytes=0x1-2": whole,
	} {
		r, err := ParseRange(header, 10)
		switch {
		case want == none:
			if genesis.KindOf(err) != genesis.Invalid {
				t.Errorf("%q: %v, %v", header, r, err)
			}
		case err != nil || (r == nil) != (want == whole) || r != nil && *r != want:
			t.Errorf("%q: %v, %v", header, r, err)
		}
	}
	if _, err := ParseRange("bytes=0-", 0); err == nil {
		t.Error("nothing has a first byte")
	}
	if got := (Range{3, 4}).Content(10); got != "bytes 3-6/10" {
		t.Error(got)
	}
}

// FuzzRange: a part lies inside the whole and is not empty.
func FuzzRange(f *testing.F) {
	for _, header := range []string{"bytes=0-", "bytes=-5", "bytes=3-7", "bytes=7-3", "bytes=9223372036854775807-", "bytes=0-9223372036854775807", "x"} {
		f.Add(header, int64(10))
	}
	f.Add("bytes=-9223372036854775807", int64(9223372036854775807))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		r, err := ParseRange(header, size)
		if err == nil && r != nil && (r.Offset < 0 || r.Length < 1 || r.Length > size || r.Offset > size-r.Length) {
			t.Errorf("%q of %d gives %+v", header, size, *r)
		}
	})
}
