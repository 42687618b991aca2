package main

import (
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const numberedRows = 20_000

const resumeHeading = `### Resuming

One shuffled epoch of %d numbered rows with 2 workers is stopped after a random number of batches, its state saved as the library has
it, and gone on with in a new process: the rows before and after are compared with an epoch that was not stopped. *Exact*: the same rows in the same
order. The numbers of batches come from seed %d.

| loader | state | not stopped | one stop | two stops | one stop, then 3 workers |
|---|---|---|---|---|---|
`

// resumers are the loaders and how their state is saved; "" where there is no
// such thing.
var resumers = []struct{ name, state string }{
	{"ours", "`loader.state_dict()`"},
	{"hdf5", ""},
	{"stateful", "`StatefulDataLoader.state_dict()`, the HDF5 dataset"},
	{"hugging", "`StatefulDataLoader.state_dict()` over the `IterableDataset`, max_buffer_input_shards=1: by default two workers' state of 8 files cannot be loaded"},
	{"mosaic", "`StreamingDataLoader.state_dict()`"},
	{"lit", "`StreamingDataLoader.state_dict()`"},
	{"wds", ""},
}

// resume stops loaders and lets them go on.
func (l *lab) resume() string {
	until := time.Now().Add(resumeTime)
	seed := uint64(time.Now().UnixNano() % 1e6)
	rows := make([]string, len(resumers))
	two := make(chan struct{}, 2) // nothing is timed here
	var wg sync.WaitGroup
	for i, r := range resumers {
		wg.Go(func() {
			two <- struct{}{}
			defer func() { <-two }()
			rows[i] = l.resumer(r.name, r.state, rand.New(rand.NewPCG(seed, uint64(i))), until)
			log.Printf("loaders: resume: %s", strings.TrimSpace(rows[i]))
		})
	}
	wg.Wait()
	return fmt.Sprintf(resumeHeading, numberedRows, seed) + strings.Join(rows, "") + "\n"
}

// resumer returns the row of one loader.
func (l *lab) resumer(peer, state string, rng *rand.Rand, until time.Time) string {
	folder := filepath.Join(l.dir, "numbered-"+peer)
	defer os.RemoveAll(folder)
	made, err := l.write(peer, folder, l.csv("numbered"), numberedRows)
	if err != nil {
		return fmt.Sprintf("| %s | | not measured: %s | | | |\n", peer, reason(err))
	}
	if peer == "ours" {
		folder = "numbered"
	}
	if state == "" {
		return fmt.Sprintf("| %s | none | | not offered | not offered | not offered |\n", made.Version)
	}
	runs := &resumed{lab: l, peer: peer, folder: folder, seen: map[string][]int{}}
	whole, err := runs.epoch(stretch{2, 0})
	if err != nil {
		return fmt.Sprintf("| %s | %s | not measured: %s | | | |\n", made.Version, state, reason(err))
	}
	all := make([]int, numberedRows)
	for i := range all {
		all[i] = i
	}
	cells := []string{made.Version, state, strings.Replace(verdict(all, whole), "order differs", "each row once", 1)}
	first, second := stretch{2, 5 + rng.IntN(30)}, stretch{2, 5 + rng.IntN(30)} // of some 78 batches
	for _, plan := range [][]stretch{{first, {2, 0}}, {first, second, {2, 0}}, {first, {3, 0}}} {
		if time.Now().After(until) {
			cells = append(cells, "not measured: no time was left")
			continue
		}
		got, err := runs.epoch(plan...)
		if err != nil {
			log.Printf("loaders: resume: %s: %v", peer, err)
			cells = append(cells, "fails: "+reason(err))
			continue
		}
		cells = append(cells, verdict(whole, got))
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// stretch is a part of an epoch: with how many workers, and how many batches; 0:
// to the end.
type stretch struct{ workers, batches int }

// resumed runs epochs of one loader with stops. A stretch that several epochs
// begin with is run once.
type resumed struct {
	*lab
	peer, folder string
	seen         map[string][]int // by the file of the state after it
}

// epoch runs an epoch, each part in a new process, and returns the numbers of the
// rows as they came.
func (r *resumed) epoch(plan ...stretch) ([]int, error) {
	var numbers []int
	from := "-"
	for _, s := range plan {
		to := "-"
		if s.batches > 0 {
			to = filepath.Join(r.dir, fmt.Sprintf("state-%s-%s-%d-%d", r.peer, filepath.Base(from), s.workers, s.batches))
		}
		part, done := r.seen[to]
		if !done {
			var got struct{ Numbers []int }
			err := r.python(&got, nil, "stretch", r.peer, r.folder, strconv.Itoa(s.workers), from, to, strconv.Itoa(s.batches))
			if err != nil {
				return nil, err
			}
			part = got.Numbers
			if to != "-" {
				r.seen[to] = part
			}
		}
		numbers = append(numbers, part...)
		from = to
	}
	return numbers, nil
}

// verdict compares the rows that came with those that should have.
func verdict(want, got []int) string {
	count := map[int]int{}
	for _, n := range want {
		count[n]++
	}
	for _, n := range got {
		count[n]--
	}
	lost, repeated := 0, 0
	for _, n := range count {
		lost += max(n, 0)
		repeated -= min(n, 0)
	}
	var said []string
	if lost > 0 {
		said = append(said, fmt.Sprintf("%d rows lost", lost))
	}
	if repeated > 0 {
		said = append(said, fmt.Sprintf("%d rows repeated", repeated))
	}
	switch {
	case len(said) > 0:
		return strings.Join(said, ", ")
	case !slices.Equal(want, got):
		return "order differs"
	}
	return "**exact**"
}
