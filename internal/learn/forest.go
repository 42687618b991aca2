package learn

import (
	"context"
	"slices"
	"sort"

	"github.com/opengenesis/genesis/internal/nn"
)

// forest is a small random forest (Breiman 2001) over the encoded features, cut
// into bins; codes of categories count as ordered numbers. Splits minimise the
// squared error of all outputs together, which for classes is the Gini index.
type forest struct {
	t     *task
	k     int
	trees [][]node
	cuts  [][]float32 // per feature, ascending
}

type node struct {
	feature int // −1: a leaf
	bin     uint8
	left    int // right is left+1
	value   []float64
}

const (
	forestTrees = 40
	forestRows  = 20_000 // a tree sees
	forestBins  = 255
	leafRows    = 3
	treeDepth   = 18
)

// forest grows trees on the given rows. Each tree is a function of its number,
// so any number of goroutines grows the same forest.
func (t *task) forest(ctx context.Context, rows []int, k int, p pool) (*forest, error) {
	f := &forest{t: t, k: k}
	sample := rows
	if len(rows) > 4*forestRows {
		sample = slices.Clone(rows)
		nn.NewRand(t.seed, 9).Shuffle(sample)
		sample = sample[:4*forestRows]
	}
	bins := f.bin(sample)
	tries, grown := f.chooseTries(ctx, bins, sample, p)
	for _, g := range append(grown, f.grow(ctx, bins, sample, tries, len(grown), forestTrees, p)...) {
		f.trees = append(f.trees, g.nodes)
	}
	return f, canceled(ctx)
}

// grow grows the trees with numbers in from…to, each split of which looks among tries
// of the features.
func (f *forest) grow(ctx context.Context, bins [][]uint8, sample []int, tries, from, to int, p pool) []*grower {
	out := make([]*grower, to-from)
	p.each(to-from, func(i int) {
		out[i] = &grower{forest: f, bins: bins, sample: sample, tries: tries, rand: nn.NewRand(f.t.seed, 10, uint64(f.k), uint64(from+i))}
		if ctx.Err() == nil {
			out[i].grow()
		}
	})
	return out
}

// bin cuts every feature at up to 254 quantiles and returns the bins of the
// rows, feature by feature.
func (f *forest) bin(rows []int) [][]uint8 {
	d := f.t.x.Cols
	bins := make([][]uint8, d)
	column := make([]float32, len(rows))
	for j := range d {
		for i, r := range rows {
			column[i] = f.t.x.Row(r)[j]
		}
		sorted := slices.Clone(column)
		slices.Sort(sorted)
		var cuts []float32
		for b := 1; b < forestBins; b++ {
			c := sorted[b*(len(sorted)-1)/forestBins]
			if c < sorted[len(sorted)-1] && (len(cuts) == 0 || c > cuts[len(cuts)-1]) {
				cuts = append(cuts, c)
			}
		}
		f.cuts = append(f.cuts, cuts)
		bins[j] = make([]uint8, len(rows))
		for i, v := range column {
			bins[j][i] = binOf(cuts, v)
		}
	}
	return bins
}

// binOf returns the number of cuts below v.
func binOf(cuts []float32, v float32) uint8 {
	return uint8(sort.Search(len(cuts), func(i int) bool { return cuts[i] >= v }))
}

// grower grows one tree.
type grower struct {
	*forest
	bins   [][]uint8
	sample []int
	tries  int // features that a split looks among
	rand   *nn.Rand
	nodes  []node
	wants  [][]float64
	sums   []float64 // per bin and output
	counts []float64
}

func (g *grower) grow() {
	width := g.t.wantWidth(g.k)
	g.sums, g.counts = make([]float64, forestBins*width), make([]float64, forestBins)
	n := min(len(g.sample), forestRows)
	drawn := make([]int, n)
	for i := range drawn {
		drawn[i] = g.rand.Intn(len(g.sample))
	}
	g.wants = make([][]float64, len(g.sample))
	for _, i := range drawn {
		if g.wants[i] == nil {
			g.wants[i] = make([]float64, width)
			g.t.wants(g.k, g.sample[i], g.wants[i])
		}
	}
	g.nodes = []node{{}}
	g.split(0, drawn, 0)
}

// split turns node at into a leaf or gives it two children. rows are positions
// in the sample.
func (g *grower) split(at int, rows []int, depth int) {
	g.nodes[at] = node{feature: -1, value: g.mean(rows)}
	if depth >= treeDepth || len(rows) < 2*leafRows {
		return
	}
	feature, bin, ok := g.best(rows)
	if !ok {
		return
	}
	column := g.bins[feature]
	i := 0
	for j, r := range rows {
		if column[r] <= bin {
			rows[i], rows[j] = rows[j], rows[i]
			i++
		}
	}
	left := len(g.nodes)
	g.nodes[at] = node{feature: feature, bin: bin, left: left}
	g.nodes = append(g.nodes, node{}, node{})
	g.split(left, rows[:i], depth+1)
	g.split(left+1, rows[i:], depth+1)
}

func (g *grower) mean(rows []int) []float64 {
	m := make([]float64, g.t.wantWidth(g.k))
	for _, r := range rows {
		for j, v := range g.wants[r] {
			m[j] += v / float64(len(rows))
		}
	}
	return m
}

// best looks for the split with the greatest sum of squares among some of the features.
func (g *grower) best(rows []int) (feature int, bin uint8, ok bool) {
	d := len(g.bins)
	order := make([]int, d)
	for j := range order {
		order[j] = j
	}
	g.rand.Shuffle(order)
	gain := g.constantScore(rows) + 1e-9*float64(len(rows))
	for n, j := range order {
		if n >= g.tries && ok {
			break
		}
		if s, b := g.scan(rows, j); s > gain {
			gain, feature, bin, ok = s, j, b, true
		}
	}
	return feature, bin, ok
}

func (g *grower) constantScore(rows []int) float64 {
	s := 0.0
	for _, v := range g.mean(rows) {
		s += v * v * float64(len(rows))
	}
	return s
}

// scan returns the best score of a split by feature j.
func (g *grower) scan(rows []int, j int) (score float64, bin uint8) {
	width := g.t.wantWidth(g.k)
	top := len(g.cuts[j])
	sums, counts := g.sums[:(top+1)*width], g.counts[:top+1]
	clear(sums)
	clear(counts)
	total := make([]float64, width)
	column := g.bins[j]
	for _, r := range rows {
		b := int(column[r])
		counts[b]++
		for o, v := range g.wants[r] {
			sums[b*width+o] += v
			total[o] += v
		}
	}
	left := make([]float64, width)
	n, all := 0.0, float64(len(rows))
	for b := range top {
		n += counts[b]
		s := 0.0
		for o := range left {
			left[o] += sums[b*width+o]
			right := total[o] - left[o]
			s += left[o]*left[o]/max(n, 1) + right*right/max(all-n, 1)
		}
		if n >= leafRows && all-n >= leafRows && s > score {
			score, bin = s, uint8(b)
		}
	}
	return score, bin
}

func (f *forest) predict(r int) prediction {
	x := f.t.x.Row(r)
	out := make([]float64, f.t.wantWidth(f.k))
	for _, tree := range f.trees {
		at := 0
		for tree[at].feature >= 0 {
			n := tree[at]
			at = n.left
			// binOf(cuts, v) > bin, without the search.
			if x[n.feature] > f.cuts[n.feature][n.bin] {
				at++
			}
		}
		for o, v := range tree[at].value {
			out[o] += v / float64(len(f.trees))
		}
	}
	return f.t.targets[f.k].said(out)
}
