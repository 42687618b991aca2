package expr

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

var columns = []genesis.Column{{Name: "n", Type: genesis.Integer}, {Name: "x", Type: genesis.Float}, {Name: "s", Type: genesis.Categorical}, {Name: "ok", Type: genesis.Boolean}, {Name: "at", Type: genesis.Timestamp}}

// cells are 64 rows of values at which conditions turn, some of them missing.
func cells(rng *rand.Rand) Vectors {
	const n = 64
	v := make(Vectors, len(columns))
	floats := []float64{0, math.Copysign(0, -1), 1, -1, 2.5, math.NaN(), math.Inf(1), math.Inf(-1)}
	for j, c := range columns {
		v[j].Kind, v[j].Nulls = format.KindOf(c.Type), format.NewBitmap(n)
		for i := range n {
			if rng.IntN(4) == 0 {
				v[j].Nulls.Set(i)
			}
			v[j].Ints = append(v[j].Ints, int64(rng.IntN(2)))
			v[j].Floats = append(v[j].Floats, floats[rng.IntN(len(floats))])
			text := []string{"", "a", "b", "ä"}[rng.IntN(4)]
			start := uint32(len(v[j].Buf))
			v[j].Buf = append(v[j].Buf, text...)
			v[j].Spans = append(v[j].Spans, format.Span{Start: start, End: uint32(len(v[j].Buf))})
		}
	}
	return v
}

// condition writes a random condition.
func randomCondition(rng *rand.Rand, depth int) string {
	if depth > 0 && rng.IntN(3) > 0 {
		a, b := randomCondition(rng, depth-1), randomCondition(rng, depth-1)
		switch rng.IntN(3) {
		case 0:
			return fmt.Sprintf("(%s && %s)", a, b)
		case 1:
			return fmt.Sprintf("(%s || %s)", a, b)
		}
		return fmt.Sprintf("!(%s)", a)
	}
	op := []string{"==", "!=", "<", "<=", ">", ">="}[rng.IntN(6)]
	pair := [][2]string{{"n", "1"}, {"n", "0"}, {"x", "1.0"}, {"x", "-0.0"}, {"s", `"a"`}, {"s", `""`}}[rng.IntN(6)]
	if rng.IntN(5) == 0 {
		return "ok"
	}
	if rng.IntN(2) == 0 {
		pair[0], pair[1] = pair[1], pair[0]
	}
	return strings.Join([]string{pair[0], op, pair[1]}, " ")
}

// TestFastIsTrue holds compiled conditions to the interpreter.
func TestFastIsTrue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	compiled := 0
	for range 3000 {
		text := randomCondition(rng, 3)
		e, err := Compile(text, columns, genesis.Boolean)
		if err != nil {
			t.Fatal(err)
		}
		if e.fast == nil {
			t.Fatalf("%s is not compiled", text)
		}
		compiled++
		r := NewRow(columns, cells(rng))
		for r.At = range uint64(64) {
			v, _, ok := e.Eval(r)
			if want := ok && v == types.True; e.True(r) != want {
				t.Fatalf("%s in row %d is %v; the interpreter says %v (%v)", text, r.At, e.True(r), want, v)
			}
		}
	}
}

func TestWhatIsNotCompiled(t *testing.T) {
	for _, text := range []string{"n + 1 > 2", "s.startsWith('a')", "at > timestamp('2020-01-01T00:00:00Z')", "n in [1, 2]", "ok ? n > 1 : n < 1", "x == double(n)"} {
		e, err := Compile(text, columns, genesis.Boolean)
		if err != nil {
			t.Fatal(err)
		}
		if e.fast != nil {
			t.Errorf("%s is compiled", text)
		}
	}
}

func TestUses(t *testing.T) {
	e, err := Compile("n > 1 && [1, 2].exists(i, i == n) || s == 'x'", columns, genesis.Boolean)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Uses("n") || !e.Uses("s") || e.Uses("x") {
		t.Errorf("it uses %v", e.used)
	}
}

func BenchmarkTrue(b *testing.B) {
	e, err := Compile("x > 0.5 && s == 'a'", columns, genesis.Boolean)
	if err != nil {
		b.Fatal(err)
	}
	r := NewRow(columns, cells(rand.New(rand.NewPCG(1, 2))))
	for name, interpreted := range map[string]bool{"compiled": false, "interpreted": true} {
		b.Run(name, func(b *testing.B) {
			i := uint64(0)
			for b.Loop() {
				r.At = i % 64
				i++
				if interpreted {
					e.Eval(r)
				} else {
					e.True(r)
				}
			}
		})
	}
}

// TestHints: who writes another language is told what to write here.
func TestHints(t *testing.T) {
	for text, want := range map[string]string{"nope > 1": "columns", "n > 1 and x > 1.0": "&&", "n = 1": "==", "at > '2000-01-01'": "timestamp(", "x > 1": "1000.0"} {
		_, err := Compile(text, columns, genesis.Boolean)
		var e *genesis.Error
		if !errors.As(err, &e) || !strings.Contains(e.Hint, want) {
			t.Errorf("%s: %v, hint %q", text, err, e.Hint)
		}
	}
}
