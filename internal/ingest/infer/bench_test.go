package infer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// samples are columns of 10,000 cells of the kinds that big files are made of.
func samples() map[string]*format.Vector {
	r := rand.New(rand.NewPCG(1, 2))
	make := func(cell func(i int) string) *format.Vector {
		cells := make([]string, 10_000)
		for i := range cells {
			cells[i] = cell(i)
		}
		return vector(cells...)
	}
	return map[string]*format.Vector{
		"integer":     make(func(int) string { return fmt.Sprint(r.IntN(100_000)) }),
		"small":       make(func(int) string { return fmt.Sprint(r.IntN(5)) }),
		"float":       make(func(int) string { return fmt.Sprintf("%.4f", r.Float64()*100) }),
		"float17":     make(func(int) string { return fmt.Sprint(r.Float64() * 10) }),
		"timestamp":   make(func(i int) string { return fmt.Sprintf("2018-%02d-%02d %02d:%02d:00", i/1000%12+1, i%28+1, i%24, i%60) }),
		"categorical": make(func(int) string { return []string{"red", "green", "blue", "yellow"}[r.IntN(4)] }),
		"text":        make(func(i int) string { return fmt.Sprintf("some text number %d of a column", i) }),
		"smiles":      make(func(i int) string { return fmt.Sprintf("CC(C)C%dCCCC%dN%d", i%9+1, i%9+1, i) }),
		"missing":     make(func(i int) string { return []string{"NA", "1.5", "2.25", "-9999"}[r.IntN(4)] }),
	}
}

func BenchmarkObserve(b *testing.B) {
	for name, v := range samples() {
		b.Run(name, func(b *testing.B) {
			d := NewDecider(format.RawColumn{Name: name}, name)
			for range b.N/v.Len() + 1 {
				d.Observe(v)
			}
		})
	}
}

func BenchmarkConvert(b *testing.B) {
	for name, v := range samples() {
		b.Run(name, func(b *testing.B) {
			d := NewDecider(format.RawColumn{Name: name}, name)
			d.Observe(v)
			c, err := NewConverter(d.Decide(int64(v.Len())).Reading, format.RawColumn{Name: name})
			if err != nil {
				b.Fatal(err)
			}
			var out format.Vector
			b.ResetTimer()
			for range b.N/v.Len() + 1 {
				c.Convert(v, &out, nil, func(int, string) {})
			}
		})
	}
	_ = genesis.Float
}
