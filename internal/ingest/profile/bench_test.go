package profile

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

func benchmarkColumn(b *testing.B, col genesis.Column, v *format.Vector, target *genesis.Column, y *format.Vector) {
	cols := []genesis.Column{col}
	name := ""
	if target != nil {
		cols, name = append(cols, *target), target.Name
	}
	c := NewTable("t", cols, name).Column(0)
	b.ResetTimer()
	for done := 0; done < b.N; done += v.Len() {
		c.Add(v, y)
	}
}

func BenchmarkFloatUnique(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := make([]float64, 1<<20)
	for i := range xs {
		xs[i] = r.NormFloat64()
	}
	v := &format.Vector{Kind: format.Float, Floats: xs}
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Float}, v, nil, nil)
}

func BenchmarkFloatUniqueWithTarget(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := make([]float64, 1<<20)
	for i := range xs {
		xs[i] = r.NormFloat64()
	}
	v := &format.Vector{Kind: format.Float, Floats: xs}
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Float}, v, &genesis.Column{Name: "y", Type: genesis.Float}, v)
}

func BenchmarkFloatRounded(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := make([]float64, 1<<20)
	for i := range xs {
		xs[i] = float64(r.IntN(2000)) / 100
	}
	v := &format.Vector{Kind: format.Float, Floats: xs}
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Float}, v, nil, nil)
}

func BenchmarkInteger(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	xs := make([]int64, 1<<20)
	for i := range xs {
		xs[i] = r.Int64N(1 << 40)
	}
	v := &format.Vector{Kind: format.Int, Ints: xs}
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Integer}, v, nil, nil)
}

func BenchmarkTimestamp(b *testing.B) {
	xs := make([]int64, 1<<20)
	for i := range xs {
		xs[i] = int64(i) * 600e6
	}
	v := &format.Vector{Kind: format.Timestamp, Ints: xs}
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Timestamp}, v, nil, nil)
}

func textVector(n int, value func(i int) string) *format.Vector {
	v := &format.Vector{Kind: format.Text}
	for i := range n {
		s := value(i)
		v.Spans = append(v.Spans, format.Span{Start: uint32(len(v.Buf)), End: uint32(len(v.Buf) + len(s))})
		v.Buf = append(v.Buf, s...)
	}
	return v
}

func BenchmarkCategory(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	v := textVector(1<<18, func(int) string { return fmt.Sprintf("station-%02d", r.IntN(40)) })
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Categorical}, v, nil, nil)
}

func BenchmarkTextUnique(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	v := textVector(1<<20, func(int) string { return fmt.Sprintf("sample-%016x", r.Uint64()) })
	benchmarkColumn(b, genesis.Column{Name: "x", Type: genesis.Text}, v, nil, nil)
}
