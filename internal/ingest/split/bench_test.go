package split

import (
	"math/rand/v2"
	"testing"

	"github.com/opengenesis/genesis/internal/format"
)

// benchmarkSplit assigns b.N rows in batches of 8192.
func benchmarkSplit(b *testing.B, spec Spec, withID, features bool) {
	const batch = 8192
	r := rand.New(rand.NewPCG(1, 2))
	a, err := New(spec, Env{Temp: b.TempDir()}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	rows := Rows{IDs: make([]Identity, batch), Key: &format.Vector{Kind: format.Timestamp, Ints: make([]int64, batch)}}
	if withID {
		rows.Contents = make([]Identity, batch)
	}
	if features {
		rows.Features = make([]Identity, batch)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += batch {
		b.StopTimer()
		for _, ids := range [][]Identity{rows.IDs, rows.Contents, rows.Features} {
			for i := range ids {
				scatterInto(&ids[i], r)
			}
		}
		for i := range rows.Key.Ints {
			rows.Key.Ints[i] = r.Int64N(1 << 50)
		}
		b.StartTimer()
		if err := a.Observe(rows); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := a.Assign(); err != nil {
		b.Fatal(err)
	}
}

func scatterInto(id *Identity, r *rand.Rand) {
	for i := 0; i < 16; i += 8 {
		x := r.Uint64()
		for k := range 8 {
			id[i+k] = byte(x >> (8 * k))
		}
	}
}

func BenchmarkRandom(b *testing.B)         { benchmarkSplit(b, Spec{Kind: Random}, false, false) }
func BenchmarkRandomFeatures(b *testing.B) { benchmarkSplit(b, Spec{Kind: Random}, false, true) }
func BenchmarkRandomWithID(b *testing.B)   { benchmarkSplit(b, Spec{Kind: Random}, true, false) }
func BenchmarkTime(b *testing.B)           { benchmarkSplit(b, Spec{Kind: Time, Column: "t"}, false, false) }
func BenchmarkStratify(b *testing.B) {
	benchmarkSplit(b, Spec{Kind: Stratify, Column: "t"}, false, false)
}
