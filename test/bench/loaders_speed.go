package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// loaderPeers are the loaders to compare with, and over how many rows: so many
// that an epoch takes seconds.
var loaderPeers = []struct {
	name, what string
	rows       int
	aim        string
}{
	{"hdf5", "shuffled HDF5, one row an item (h5py, map-style Dataset)", 200_000, "≥ 10"},
	{"hugging", "streaming local Parquet, shuffle(buffer_size=10_000), with_format(\"torch\"), batch(256)", 200_000, "≥ 2"},
	{"mosaic", "MDS shards, shuffle=True (py1e, the default)", 100_000, "≥ 2"},
	{"lit", "optimize, shuffle=True, one NumPy array a sample", 200_000, "≥ 2"},
	{"wds", "tar shards of one .npy a sample, shuffle(10_000)", 50_000, "≥ 2"},
}

// speed measures rows a second into a training loop.
func (l *lab) speed() (string, error) {
	start := time.Now()
	ours, err := l.write("ours", filepath.Join(l.dir, "sums"), l.csv("rows"), loaderRows)
	if err != nil {
		return "", err
	}
	if _, err := l.ours(ours, "full", 0); err != nil { // the cache is made here
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, speedHeading, ours.Version, loaderRows)
	left := speedTime
	for i, peer := range loaderPeers {
		// Each has its share of the time, and what those before it left.
		until := time.Now().Add(left / time.Duration(len(loaderPeers)+1-i))
		row, err := l.against(ours, peer.name, peer.rows, until)
		if l.ctx.Err() != nil {
			return "", l.ctx.Err()
		}
		if err != nil {
			log.Printf("loaders: %s: %v", peer.name, err)
			row = "| not measured: " + reason(err)
		}
		fmt.Fprintf(&b, "| %s %s | %s |\n", peer.what, row, peer.aim)
		left = speedTime - time.Since(start)
	}
	b.WriteString("\n" + ownHeading)
	text, err := l.own(ours, time.Now().Add(max(left, time.Minute)))
	return b.String() + text, err
}

const speedHeading = `## loaders

Rows a second into a PyTorch training loop on the CPU: batches of 256 rows of 8 features and a target, float32, shuffled, each
batch summed by the loop; the seconds are those of one epoch, from asking for the first batch, with the start of workers. Ours is
` + "`dataset.loader(ready=True, mode=\"full\")`" + ` of %s over %d rows from a node over HTTP with a token, governed and audited, its cache
warm. The peers read files on the local disk, over fewer rows where they are slow (rates compare), each as its documentation has it and
with 0 or 2 workers, ours too, whichever a trial found faster. Above 1 means that Genesis is faster.

| peer | version | workers, ours / its | rows of its epoch | genesis / peer | genesis, median | peer, median | pairs | aim |
|---|---|---|---|---|---|---|---|---|
`

// against compares one peer's loader with ours in interleaved pairs.
func (l *lab) against(ours written, peer string, rows int, until time.Time) (string, error) {
	folder := filepath.Join(l.dir, peer)
	defer os.RemoveAll(folder)
	rowsThere, err := l.write(peer, folder, l.csv("rows"), rows)
	if err != nil {
		return "", err
	}
	theirs := func(workers int) (oneEpoch, error) {
		e, err := l.epoch(peer, folder, workers)
		if err != nil {
			return e, err
		}
		return e, rowsThere.same(e)
	}
	mine := func(workers int) (oneEpoch, error) { return l.ours(ours, "full", workers) }
	w, err := faster(theirs)
	if err != nil {
		return "", err
	}
	m, err := faster(mine)
	if err != nil {
		return "", err
	}
	var a, b, ratio []float64
	for i := 0; i < l.pairs && (i == 0 || time.Now().Before(until)); i++ {
		ea, err := mine(m)
		if err != nil {
			return "", err
		}
		eb, err := theirs(w)
		if err != nil {
			return "", err
		}
		a, b, ratio = append(a, ea.rate()), append(b, eb.rate()), append(ratio, ea.rate()/eb.rate())
		log.Printf("loaders: %s: pair %d of %d: %.0f rows/s beside %.0f, ratio %.1f", peer, i+1, l.pairs, ea.rate(), eb.rate(), ratio[i])
	}
	return fmt.Sprintf("| %s | %d / %d | %d | %s | %s | %s | %d", rowsThere.Version, m, w, rows, span(ratio), thousands(mid(a)), thousands(mid(b)), len(a)), nil
}

// faster tries 0 and 2 workers, and returns which was faster.
func faster(epoch func(int) (oneEpoch, error)) (int, error) {
	none, err := epoch(0)
	if err != nil {
		return 0, err
	}
	two, err := epoch(2)
	if err != nil {
		return 0, err
	}
	if two.rate() > none.rate() {
		return 2, nil
	}
	return 0, nil
}

// ours runs one epoch of our loader.
func (l *lab) ours(rows written, mode string, workers int) (oneEpoch, error) {
	e, err := l.epoch("ours", "rows", workers, "GENESIS_BENCH_MODE="+mode)
	if err != nil {
		return e, err
	}
	return e, rows.same(e)
}

const ownHeading = `Ours by mode and workers, in turn in the same rounds; the ratio is to ` + "`full`" + ` without workers. Passing something from a worker to the
loop costs PyTorch about a millisecond, whatever it is: workers send some batches at a time.

| mode | workers | rows a second, median (range) | ratio | first batch, median | rounds |
|---|---|---|---|---|---|
`

// own measures our loader in its modes.
func (l *lab) own(rows written, until time.Time) (string, error) {
	kinds := []struct {
		mode    string
		workers int
	}{{"full", 0}, {"full", 2}, {"block", 0}, {"block", 2}, {"sequential", 0}}
	rate, first, ratio := make([][]float64, len(kinds)), make([][]float64, len(kinds)), make([][]float64, len(kinds))
	for _, mode := range []string{"block", "sequential"} {
		if _, err := l.ours(rows, mode, 0); err != nil {
			return "", err
		}
	}
	for round := 0; round < l.pairs && (round == 0 || time.Now().Before(until)); round++ {
		for i, k := range kinds {
			e, err := l.ours(rows, k.mode, k.workers)
			if err != nil {
				return "", err
			}
			rate[i], first[i] = append(rate[i], e.rate()), append(first[i], e.First)
			ratio[i] = append(ratio[i], e.rate()/rate[0][round])
			log.Printf("loaders: ours, %s, %d workers: round %d: %.0f rows/s", k.mode, k.workers, round+1, e.rate())
		}
	}
	var b strings.Builder
	for i, k := range kinds {
		fmt.Fprintf(&b, "| %s | %d | %s (%s–%s) | %s | %.0f ms | %d |\n", k.mode, k.workers, thousands(mid(rate[i])), thousands(slices.Min(rate[i])),
			thousands(slices.Max(rate[i])), span(ratio[i]), 1000*mid(first[i]), len(rate[i]))
	}
	return b.String() + "\n", nil
}

// span is median and range of ratios.
func span(v []float64) string {
	return fmt.Sprintf("**%.2f** (%.2f–%.2f)", mid(v), slices.Min(v), slices.Max(v))
}

func mid(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}

func thousands(v float64) string { return fmt.Sprintf("%.0f k", v/1000) }
