package format

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

func textVector(values ...string) *Vector {
	v := &Vector{Kind: Text}
	for _, s := range values {
		start := uint32(len(v.Buf))
		v.Buf = append(v.Buf, s...)
		v.Spans = append(v.Spans, Span{start, uint32(len(v.Buf))})
	}
	return v
}

func withNulls(v *Vector, rows ...int) *Vector {
	v.Nulls = NewBitmap(v.Len())
	for _, i := range rows {
		v.Nulls.Set(i)
	}
	return v
}

// The vectors of docs/formats.md. They were computed independently (see there)
// and must never change for format 1.
func TestColumnDigestVectors(t *testing.T) {
	documented, err := os.ReadFile("../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		typ  genesis.Type
		v    *Vector
		want genesis.Digest
	}{
		{"integer", genesis.Integer, withNulls(&Vector{Kind: Int, Ints: []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 7}}, 5), "sha256:2e0e790406aa367771554303331d061c4cdd10b3695e56f6e7c5c9be6d846be7"},
		{"float", genesis.Float, withNulls(&Vector{Kind: Float, Floats: []float64{0, math.Copysign(0, -1), 1.5, math.NaN(), math.Inf(1), math.Inf(-1), 0}}, 6), "sha256:58883f3f9728e46a9a57d25eb33e5eefc3ca827a61d4d9b4467367b8e327ed9d"},
		{"boolean", genesis.Boolean, withNulls(&Vector{Kind: Bool, Ints: []int64{1, 0, 0}}, 2), "sha256:4c3357380afaee2e2b33ab89bc1df279eb82c7374df35cac11b95702fda3ee70"},
		{"timestamp", genesis.Timestamp, &Vector{Kind: Timestamp, Ints: []int64{1514764800000000, -1}}, "sha256:560ff740b5a85deaf5753b77d115ffaf289b6f13b0880752fc24086d5e606027"},
		{"date", genesis.Date, &Vector{Kind: Date, Ints: []int64{17532, -1}}, "sha256:b1ea2794a3614400cf829c92359a9fe2fd38497b1edec3dff8f90fa09ad6d3b8"},
		{"text", genesis.Text, withNulls(textVector("", "Å", "a,b\n", "x"), 3), "sha256:7f2d4457c402bc9cf50ebbb76250492d76d902857ec07828febae13a4b160f16"},
		{"empty", genesis.Float, &Vector{Kind: Float}, "sha256:93488a0dc50d99084898918b09cefc3a079fee4cb182b3ca7cf36d1fb90e36d2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := NewColumnDigest(genesis.Column{Type: tt.typ})
			d.Add(tt.v, tt.v.Len())
			if got := d.Sum(); got != tt.want {
				t.Errorf("digest = %s, want %s", got, tt.want)
			}
			if !strings.Contains(string(documented), string(tt.want)) {
				t.Errorf("docs/formats.md does not state %s", tt.want)
			}
		})
	}
}

// reference is the definition of docs/formats.md written as plainly as possible.
func reference(t genesis.Type, vectors []*Vector) genesis.Digest {
	var b []byte
	b = append(b, "genesis column 1\n"+typeClass(t)+"\n"...)
	for _, v := range vectors {
		for i := range v.Len() {
			if v.Null(i) {
				b = append(b, 0)
				continue
			}
			b = append(b, 1)
			switch v.Kind {
			case Text:
				b = binary.LittleEndian.AppendUint32(b, uint32(len(v.Bytes(i))))
				b = append(b, v.Bytes(i)...)
			case Float:
				bits := math.Float64bits(v.Floats[i])
				if math.IsNaN(v.Floats[i]) {
					bits = canonicalNaN
				}
				b = binary.LittleEndian.AppendUint64(b, bits)
			default:
				b = binary.LittleEndian.AppendUint64(b, uint64(v.Ints[i]))
			}
		}
	}
	sum := sha256.Sum256(b)
	return genesis.DigestSum(sum[:])
}

func TestColumnDigestAgreesWithItsDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		typ := []genesis.Type{genesis.Integer, genesis.Float, genesis.Text, genesis.Identifier}[round%4]
		d := NewColumnDigest(genesis.Column{Type: typ})
		var vectors []*Vector
		for range 1 + rng.IntN(5) {
			v := randomVector(rng, KindOf(typ), rng.IntN(9000), rng.IntN(3))
			vectors = append(vectors, v)
			d.Add(v, v.Len())
		}
		if got, want := d.Sum(), reference(typ, vectors); got != want {
			t.Fatalf("round %d, %s: digest = %s, want %s", round, typ, got, want)
		}
	}
}

func randomVector(rng *rand.Rand, kind Kind, rows, nulls int) *Vector {
	v := &Vector{Kind: kind}
	for range rows {
		switch kind {
		case Text:
			n := rng.IntN(40)
			if rng.IntN(2000) == 0 {
				n = digestChunk/2 - 20 + rng.IntN(digestChunk)
			}
			start := uint32(len(v.Buf))
			v.Buf = append(v.Buf, strings.Repeat("x", n)...)
			v.Spans = append(v.Spans, Span{start, uint32(len(v.Buf))})
		case Float:
			v.Floats = append(v.Floats, []float64{rng.NormFloat64(), math.NaN(), -math.NaN(), 0}[rng.IntN(4)])
		default:
			v.Ints = append(v.Ints, rng.Int64()-rng.Int64())
		}
	}
	if nulls > 0 {
		v.Nulls = NewBitmap(rows)
		for i := range rows {
			if rng.IntN(nulls+1) == 0 {
				v.Nulls.Set(i)
			}
		}
	}
	return v
}

func TestColumnDigestOfAbsentVectorIsNulls(t *testing.T) {
	a, b := NewColumnDigest(genesis.Column{Type: genesis.Float}), NewColumnDigest(genesis.Column{Type: genesis.Float})
	v := &Vector{Kind: Float, Floats: make([]float64, 3)}
	a.Add(nil, 3)
	b.Add(withNulls(v, 0, 1, 2), 3)
	if a.Sum() != b.Sum() {
		t.Error("three absent cells and three nulls have different digests")
	}
}

func TestColumnDigestSumCanBeTakenInBetween(t *testing.T) {
	v := textVector("a", "b")
	a, b := NewColumnDigest(genesis.Column{Type: genesis.Text}), NewColumnDigest(genesis.Column{Type: genesis.Text})
	a.Add(v, 2)
	a.Sum()
	a.Add(v, 1)
	b.Add(textVector("a", "b", "a"), 3)
	if a.Sum() != b.Sum() {
		t.Error("asking for the digest in between changed it")
	}
}

func BenchmarkColumnDigest(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	const rows = 1 << 16
	for _, tt := range []struct {
		kind  Kind
		nulls int
	}{{Int, 0}, {Float, 0}, {Float, 9}, {Text, 0}, {Text, 9}} {
		v := randomVector(rng, tt.kind, rows, tt.nulls)
		b.Run(fmt.Sprintf("kind=%d/nulls=%d", tt.kind, tt.nulls), func(b *testing.B) {
			d := NewColumnDigest(genesis.Column{Type: genesis.Float})
			b.SetBytes(int64(len(v.Buf) + 9*rows))
			for b.Loop() {
				d.Add(v, rows)
			}
		})
	}
}
