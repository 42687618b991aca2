package nn

import (
	"fmt"
	"math"
	"testing"
)

// TestMultiply compares the kernel with three loops, over shapes that leave
// every kind of edge.
func TestMultiply(t *testing.T) {
	for _, s := range [][3]int{{1, 1, 1}, {2, 4, 4}, {3, 5, 7}, {33, 9, 2}, {64, 64, 5}, {35, 1, 130}} {
		n, m, k := s[0], s[1], s[2]
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			r := NewRand(uint64(n))
			a, b, start := random(r, n, k), random(r, m, k), random(r, n, m)
			var mem packed
			mem.a, mem.b = make([]float32, 9), []float32{nan, nan, nan} // used memory
			got := NewMatrix(n, m)
			copy(got.Data, start.Data)
			mem.multiply(got, asRows(a), asRows(b), k, true)
			over := random(r, n, m)
			mem.multiply(over, asCols(transpose(a)), asCols(transpose(b)), k, false)
			for i := range n {
				for j := range m {
					sum := 0.0
					for p := range k {
						sum += float64(a.Row(i)[p]) * float64(b.Row(j)[p])
					}
					near(t, got.Row(i)[j], sum+float64(start.Row(i)[j]))
					near(t, over.Row(i)[j], sum)
				}
			}
		})
	}
}

// TestMultiplyRowsAlone requires a row's product not to depend on its company.
func TestMultiplyRowsAlone(t *testing.T) {
	r := NewRand(5)
	a, b := random(r, 7, 13), random(r, 6, 13)
	var mem packed
	all := NewMatrix(7, 6)
	mem.multiply(all, asRows(a), asRows(b), 13, false)
	for i := range 7 {
		one := NewMatrix(1, 6)
		mem.multiply(one, asRows(a.Slice(i, i+1)), asRows(b), 13, false)
		for j, v := range one.Data {
			if v != all.Row(i)[j] {
				t.Fatalf("row %d, column %d: %g alone, %g among others", i, j, v, all.Row(i)[j])
			}
		}
	}
}

func near(t *testing.T, got float32, want float64) {
	t.Helper()
	if math.Abs(float64(got)-want) > 1e-4*(1+math.Abs(want)) {
		t.Fatalf("got %g, want %g", got, want)
	}
}

func transpose(m Matrix) Matrix {
	out := NewMatrix(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			out.Row(j)[i] = v
		}
	}
	return out
}

func TestMath(t *testing.T) {
	r := NewRand(3)
	for range 10_000 {
		u := float32(10 * r.Normal())
		s, c := turn(u)
		ws, wc := math.Sincos(2 * math.Pi * float64(u))
		if math.Abs(float64(s)-ws) > 3e-6 || math.Abs(float64(c)-wc) > 3e-6 {
			t.Fatalf("turn(%g) = %g, %g; want %g, %g", u, s, c, ws, wc)
		}
		if e := math.Exp(float64(u)); math.Abs(float64(exp(u))/e-1) > 1e-5 {
			t.Fatalf("exp(%g) = %g, want %g", u, exp(u), e)
		}
	}
	if v := exp(1000); math.IsInf(float64(v), 0) || v < 1e37 {
		t.Errorf("exp(1000) = %g: must saturate", v)
	}
	for _, u := range []float32{1e9, -1e9, 1 << 24} {
		if s, _ := turn(u); s != s || s > 1 || s < -1 {
			t.Errorf("turn(%g) has sine %g", u, s)
		}
	}
}

func TestRand(t *testing.T) {
	r := NewRand(1, 2)
	const n = 20_000
	var sum, square float64
	for range n {
		v := r.Normal()
		sum += v
		square += v * v
	}
	if math.Abs(sum/n) > 0.03 || math.Abs(square/n-1) > 0.05 {
		t.Errorf("normal numbers have mean %g and variance %g", sum/n, square/n)
	}
	if NewRand(1, 2).Uint64() == NewRand(2, 1).Uint64() {
		t.Error("the order of a stream's words does not matter")
	}
}
