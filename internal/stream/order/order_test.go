package order

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/opengenesis/genesis"
)

func spec(mode genesis.StreamMode, seed uint64, block int) Spec {
	return Spec{Version: "sha256:63a7d5383b3337a1d2c2091122343a7f4e28c25c5384538618ea81c6cedc0626", Table: "turbines", Mode: mode, Seed: seed, Block: block}
}

func all(t testing.TB, s Spec, n int64) []uint64 {
	t.Helper()
	o, err := New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]uint64, n)
	o.Fill(rows, 0)
	return rows
}

// TestEachRowOnce holds every order to being one, whatever the number of rows.
func TestEachRowOnce(t *testing.T) {
	for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Block, genesis.Full} {
		for _, block := range []int{1, 2, 3, 7, 64} {
			for n := range int64(400) {
				rows := all(t, spec(mode, uint64(n), block), n)
				slices.Sort(rows)
				for i, r := range rows {
					if r != uint64(i) {
						t.Fatalf("%s, block %d: %d rows are not a permutation", mode, block, n)
					}
				}
			}
		}
	}
}

// TestFillAnywhere holds a part of an order to what the whole has there.
func TestFillAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		mode := []genesis.StreamMode{genesis.Sequential, genesis.Block, genesis.Full}[rng.IntN(3)]
		s, n := spec(mode, rng.Uint64(), 1+rng.IntN(30)), 1+rng.Int64N(3000)
		whole := all(t, s, n)
		o, _ := New(s, n)
		from := rng.Int64N(n)
		part := make([]uint64, rng.Int64N(n-from+1))
		o.Fill(part, from)
		if !slices.Equal(part, whole[from:from+int64(len(part))]) {
			t.Fatalf("%s, block %d, %d rows: other rows from %d", mode, s.Block, n, from)
		}
	}
}

// plain is block mode as docs/streams.md words it, with everything in memory.
func plain(o *Order, s Spec, n uint64) []uint64 {
	size := uint64(s.Block)
	count := (n + size - 1) / size
	blocks := newPermutation(o.key, "blocks", 0, count)
	var q, out []uint64
	for i := range count {
		b := blocks.at(i)
		for r := b * size; r < min(n, (b+1)*size); r++ {
			q = append(q, r)
		}
	}
	for w := uint64(0); w*Window*size < n; w++ {
		window := q[w*Window*size : min(n, (w+1)*Window*size)]
		p := newPermutation(o.key, "window", w, uint64(len(window)))
		for i := range window {
			out = append(out, window[p.at(uint64(i))])
		}
	}
	return out
}

func TestBlocksAreAsSpecified(t *testing.T) {
	for _, block := range []int{1, 3, 10, 100} {
		for n := int64(1); n < 3000; n = n*5/4 + 1 {
			s := spec(genesis.Block, uint64(n), block)
			o, _ := New(s, n)
			if got := all(t, s, n); !slices.Equal(got, plain(o, s, uint64(n))) {
				t.Fatalf("block %d, %d rows: not as specified", block, n)
			}
		}
	}
}

func TestInverse(t *testing.T) {
	for n := uint64(1); n < 1<<40; n = n*3 + 1 {
		p := newPermutation(Key{byte(n)}, "test", n, n)
		for i := range min(n, 300) {
			x := i * 0x9e3779b97f4a7c15 % n
			if y := p.at(x); y >= n || p.from(y) != x {
				t.Fatalf("of %d: %d goes to %d, which comes from %d", n, x, y, p.from(y))
			}
		}
	}
}

// TestUniform counts where rows come over many seeds: each as often at each
// position. The statistic is chi-squared with (n−1)² degrees of freedom.
func TestUniform(t *testing.T) {
	for _, n := range []int{2, 3, 4, 5, 7, 10, 16, 17, 50, 101} {
		const seeds = 20_000
		counts := make([]int, n*n)
		for seed := range uint64(seeds) {
			for i, r := range all(t, spec(genesis.Full, seed, 0), int64(n)) {
				counts[i*n+int(r)]++
			}
		}
		want, chi := float64(seeds)/float64(n), 0.0
		for _, c := range counts {
			chi += (float64(c) - want) * (float64(c) - want) / want
		}
		df := float64((n - 1) * (n - 1))
		if z := (chi - df) / math.Sqrt(2*df); math.Abs(z) > 5 {
			t.Errorf("%d rows: chi-squared %.1f with %.0f degrees of freedom: %.1f standard deviations away", n, chi, df, z)
		}
	}
}

// TestPairs looks at what comes some places after what: in a random permutation, the
// difference is as good as uniform, in its upper bits and in its lower, and positions do not
// correlate with rows.
func TestPairs(t *testing.T) {
	for _, n := range []int{1 << 20, 65_536, 65_535, 999_983, 200_000} {
		for seed := range uint64(3) {
			rows := all(t, spec(genesis.Full, seed, 0), int64(n))
			for _, lag := range []int{1, 2, 3, 256, int(rootUp(uint64(n)))} {
				var high, low [64]int
				for i := range n - lag {
					d := int(rows[i+lag]) - int(rows[i])
					if d < 0 {
						d += n
					}
					high[d*64/n]++
					low[d%64]++
				}
				for name, bins := range map[string][64]int{"upper": high, "lower": low} {
					if z := deviation(bins[:], n-lag); z > 6 {
						t.Errorf("%d rows, seed %d: differences to the %d-th after, %s bits: %.1f standard deviations from uniform", n, seed, lag, name, z)
					}
				}
			}
			var xy float64
			for i, r := range rows {
				xy += (float64(i)/float64(n) - 0.5) * (float64(r)/float64(n) - 0.5)
			}
			if r := xy * 12 / math.Sqrt(float64(n)); math.Abs(r) > 5 {
				t.Errorf("%d rows, seed %d: position and row correlate, %.1f standard deviations", n, seed, r)
			}
		}
	}
}

// deviation is by how many standard deviations a chi-squared statistic is above what
// uniform bins have.
func deviation(bins []int, n int) float64 {
	want, chi := float64(n)/float64(len(bins)), 0.0
	for _, c := range bins {
		chi += (float64(c) - want) * (float64(c) - want) / want
	}
	df := float64(len(bins) - 1)
	return (chi - df) / math.Sqrt(2*df)
}

// TestShards deals any order among any number of workers, stops anywhere in
// round-robin order and goes on with another number.
func TestShards(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		rows, at := rng.Int64N(5000), int64(0)
		for at < rows {
			b := Batches{Rows: rows, Position: at, Size: 1 + rng.Int64N(300), Shards: 1 + rng.Int64N(9)}
			taken := rng.Int64N(30)
			for k := int64(0); k < taken || taken == 0 && at < rows; k++ {
				b.Shard = k % b.Shards
				from, next := b.At(k / b.Shards)
				if from != at || next < from || next > rows {
					t.Fatalf("%+v: batch %d is %d to %d, but %d is next", b, k, from, next, at)
				}
				at = next
			}
		}
	}
}

func TestBatchesEnd(t *testing.T) {
	b := Batches{Rows: 10, Position: 4, Size: 3, Shards: 3, Shard: 2}
	if from, next := b.At(0); from != 10 || next != 10 {
		t.Errorf("a shard without batches has %d to %d", from, next)
	}
	if from, next := (Batches{Size: 3, Shards: 1}).At(0); from != 0 || next != 0 {
		t.Errorf("no rows have a batch %d to %d", from, next)
	}
}

func TestKeyHasWhatMatters(t *testing.T) {
	base := Spec{Version: "sha256:aa", Table: "t", Split: "s/train", Assignment: "sha256:bb", Mode: genesis.Block, Seed: 1, Epoch: 2, Block: 3}
	keys := map[Key]string{}
	for name, change := range map[string]func(*Spec){
		"base": func(*Spec) {}, "version": func(s *Spec) { s.Version = "sha256:ab" }, "table": func(s *Spec) { s.Table = "u" },
		"split": func(s *Spec) { s.Split = "s/test" }, "assignment": func(s *Spec) { s.Assignment = "" }, "seed": func(s *Spec) { s.Seed = 2 },
		"epoch": func(s *Spec) { s.Epoch = 1 }, "block": func(s *Spec) { s.Block = 4 }, "full": func(s *Spec) { s.Mode = genesis.Full },
		"sequential": func(s *Spec) { s.Mode = genesis.Sequential },
	} {
		s := base
		change(&s)
		k, err := s.Key()
		if err != nil {
			t.Fatal(err)
		}
		if keys[k] != "" {
			t.Errorf("%s and %s have one key", name, keys[k])
		}
		keys[k] = name
	}
	a, b := base, base
	a.Mode, b.Mode, b.Seed, b.Epoch, b.Block = genesis.Sequential, genesis.Sequential, 9, 9, 9
	ka, _ := a.Key()
	if kb, _ := b.Key(); ka != kb {
		t.Error("rows as stored have another key for another seed")
	}
}

func BenchmarkFill(b *testing.B) {
	for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Block, genesis.Full} {
		b.Run(string(mode), func(b *testing.B) {
			const n = 10_000_000
			o, _ := New(spec(mode, 7, 16384), n)
			rows := make([]uint64, 1024)
			at := int64(0)
			for b.Loop() {
				if at+1024 > n {
					at = 0
				}
				o.Fill(rows, at)
				at += 1024
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/row")
		})
	}
}

// TestAhead holds what a window is said to have to what comes.
func TestAhead(t *testing.T) {
	for _, n := range []int64{1, 100, 1000, 12345} {
		o, _ := New(spec(genesis.Block, uint64(n), 7), n)
		for at := int64(0); at < n; {
			spans, end := o.Ahead(at)
			var want []uint64
			for _, s := range spans {
				for r := s.First; r < s.First+s.Rows; r++ {
					want = append(want, r)
				}
			}
			got := make([]uint64, end-at)
			o.Fill(got, at)
			slices.Sort(got)
			slices.Sort(want)
			if end <= at || !slices.Equal(got, want) {
				t.Fatalf("%d rows: the window at %d has other rows than it says", n, at)
			}
			at = end
		}
	}
}

// TestMixing measures what docs/streams.md says of each mode: how much more the means of
// batches vary than those of random ones, of a column that rises with the rows.
func TestMixing(t *testing.T) {
	const n, batch = 1 << 20, 256
	for mode, most := range map[genesis.StreamMode]float64{genesis.Full: 1.1, genesis.Block: 2.6, genesis.Sequential: 17} {
		rows := all(t, spec(mode, 1, 1024), n)
		var sum, squares float64
		for at := 0; at < n; at += batch {
			mean := 0.0
			for _, r := range rows[at : at+batch] {
				mean += float64(r) / n / batch
			}
			sum += mean
			squares += mean * mean
		}
		k := float64(n / batch)
		got := math.Sqrt(squares/k-sum/k*sum/k) / math.Sqrt(1.0/12/batch)
		t.Logf("%s: means of batches vary %.2f times as much as those of random batches", mode, got)
		if got > most || got < 0.8 {
			t.Errorf("%s: means of batches vary %.2f times as much as those of random batches", mode, got)
		}
	}
}
