package work

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
)

// BenchmarkGoverned reads a small table with and without policy and journal, in
// pairs, and reports the medians. Reads of one version by one person share their
// entries; "alone" is the first of them, which waits for the disk.
func BenchmarkGoverned(b *testing.B) {
	s, _ := OpenTest(b)
	me, csv := access.Local("here"), "a,b\n1,2\n3,4\n"
	made, err := s.Prepare(b.Context(), me, genesis.PrepareRequest{Name: "small", Options: genesis.PrepareOptions{NoProof: true}},
		[]*format.Raw{{Name: "small.csv", Size: int64(len(csv)), At: strings.NewReader(csv)}}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	v := made.Version
	var open, free, alone []time.Duration
	timed := func(into *[]time.Duration, do func() error) {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		*into = append(*into, time.Since(began))
	}
	export := func(who genesis.Principal) func() error {
		return func() error { return s.Export(b.Context(), who, "small", "", "csv", nil, io.Discard, nil) }
	}
	for i := 0; b.Loop(); i++ {
		timed(&free, func() error { return s.export(b.Context(), v, "", "csv", nil, io.Discard, nil) })
		timed(&open, export(me))
		if i%10 == 0 {
			other := me
			other.Purpose = time.Now().String() // for another purpose: entries of its own
			timed(&alone, export(other))
		}
	}
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Microseconds())
	}
	b.ReportMetric(median(free), "free-µs")
	b.ReportMetric(median(open), "governed-µs")
	b.ReportMetric(median(alone), "alone-µs")
	b.ReportMetric(0, "ns/op")
}
