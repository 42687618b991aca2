package ingest

import (
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/split"
)

// cells returns a batch of one row of text cells, nil for none.
func cells(list ...any) *format.Batch {
	b := &format.Batch{Rows: 1}
	for _, c := range list {
		v := nulls(1)
		if s, ok := c.(string); ok {
			v = format.Vector{Buf: []byte(s), Spans: []format.Span{{End: uint32(len(s))}}}
		}
		b.Cols = append(b.Cols, v)
	}
	return b
}

// TestIdentityVectors holds the identities of docs/formats.md, which were
// computed with another implementation of XXH3.
func TestIdentityVectors(t *testing.T) {
	doc, err := os.ReadFile(filepath.FromSlash("../../docs/formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	for want, b := range map[string]*format.Batch{
		"fe00dbac157e8b86f84775a3d1f822c8": cells("2018-01-01", "12.5", "Å"),
		"717e8bbb5c2a86d50fbd1941ea96ac5b": cells("2018-01-01", nil, "7"),
		"d6812d7b7732012559bfe0618c631e36": cells("2018-01-01", nil, ""),
		"99aa06d3014798d86001c324468d497f": cells(nil, nil),
		"f90b56c3428b6d624b6c974bf1a8d25d": {Rows: 1, Cols: []format.Vector{{Kind: format.Int, Ints: []int64{7}}, {Kind: format.Float, Floats: []float64{1.5}}}},
	} {
		var h rowHasher
		id := h.hash(b, 0)
		if got := hex.EncodeToString(id[:]); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/formats.md does not state %s", want)
		}
	}
}

// TestRepeats compares the passes over identities, in memory and on disk, with
// a map.
func TestRepeats(t *testing.T) {
	for _, budget := range []int64{1 << 30, 1 << 12} {
		s := &identities{budget: budget, temp: t.TempDir()}
		r := rand.New(rand.NewPCG(1, uint64(budget)))
		seen := map[split.Identity]bool{}
		var want []int
		for i := range 400_000 {
			var id split.Identity
			id[0], id[8], id[15] = byte(r.IntN(256)), byte(r.IntN(200)), byte(r.IntN(3)) // the identity of zeros occurs too
			if seen[id] {
				want = append(want, i)
			}
			seen[id] = true
			if err := s.add(id); err != nil {
				t.Fatal(err)
			}
		}
		n, set, err := s.repeats(true)
		if err != nil {
			t.Fatal(err)
		}
		if n != int64(len(want)) || set.Count() != len(want) {
			t.Errorf("budget %d: %d repeats, %d in the set, want %d", budget, n, set.Count(), len(want))
		}
		for _, row := range want {
			if !set.Get(row) {
				t.Fatalf("budget %d: row %d repeats and is not in the set", budget, row)
			}
		}
		s.close()
	}
}

// TestSearchInPasses holds shares that are too large for one set against a map.
func TestSearchInPasses(t *testing.T) {
	d := deal{shares: make([]share, 2)}
	defer d.close()
	if err := d.open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	f := finder{key: 12345679, set: format.NewBitmap(20_000)}
	r := rand.New(rand.NewPCG(1, 2))
	seen, want := map[split.Identity]bool{}, 0
	for row := range int64(20_000) {
		var id split.Identity
		id[3], id[7], id[12] = byte(r.IntN(99)), byte(r.IntN(3)), byte(r.IntN(50))
		if seen[id] {
			want++
		}
		seen[id] = true
		d.add(f.part(id, 2), row, id)
	}
	for i := range d.shares {
		if err := f.search(&d.shares[i], 3); err != nil {
			t.Fatal(err)
		}
	}
	if f.count != int64(want) || f.set.Count() != want {
		t.Errorf("%d repeats, %d in the set, want %d", f.count, f.set.Count(), want)
	}
}
