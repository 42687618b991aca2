package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/test/bench/listings"
)

// searchLarge measures our index alone with all listings.
func searchLarge(c config, v *listings.Vocabulary) (string, error) {
	corpus := &listings.Corpus{Vocabulary: v, Nodes: 20, Seed: 2}
	e, err := c.newFind(corpus, "large")
	if err != nil {
		return "", err
	}
	before, start := cpuTime(), time.Now()
	if err := e.load(corpus, c.listings); err != nil {
		return "", err
	}
	took, used := time.Since(start), cpuTime()-before
	making := timeToMake(corpus, c.listings)
	e.close()
	start = time.Now()
	if e, err = c.newFind(corpus, "large"); err != nil {
		return "", err
	}
	opened := time.Since(start)
	defer e.close()
	start = time.Now()
	if _, err := e.ask(corpus.Query(0, c.listings)); err != nil {
		return "", err
	}
	first := time.Since(start)
	var times []time.Duration
	queries := make([]listings.Query, 2000)
	for i := range queries {
		queries[i] = corpus.Query(i, c.listings)
	}
	for range 2 {
		times = times[:0]
		if _, err := round(e, queries, &times); err != nil {
			return "", err
		}
	}
	heap, mapped := memoryNow(filepath.Base(e.dir))
	other, err := e.others(corpus, c.listings)
	if err != nil {
		return "", err
	}
	log.Printf("search of %d: %s", c.listings, quantiles(times))
	return fmt.Sprintf(largeText, c.listings, took.Round(time.Second), used.Round(time.Second), making.Round(time.Second), float64(size(e.dir))/1e6, size(e.dir)/int64(c.listings),
		opened.Round(time.Millisecond/10), first.Round(time.Millisecond/10), quantiles(times), heap, mapped, other), nil
}

const largeText = `### As many as one node holds

%d listings of 20 nodes, in batches of 32,768.

| what | figure |
|---|---|
| from nothing to the last merge, which is also what a rebuild takes | %v; processor time %v, of which %v make the listings |
| files | %.0f MB, %d bytes a listing |
| opened | %v |
| the first query after that | %v |
| queries, p50 and p99 of 2,000 | %s |
| memory after these: the process's own heap, and mapped files in memory, which the system may take back | %d MB, %d MB |
%s
`

// others measures what is asked beside queries.
func (e *findEngine) others(c *listings.Corpus, n int) (string, error) {
	var out strings.Builder
	var times []time.Duration
	timed := func(name string, times []time.Duration) {
		fmt.Fprintf(&out, "| %s, p50 and p99 | %s |\n", name, quantiles(times))
	}
	ctx := context.Background()
	for i := range 200 {
		word := []rune(c.Query(i, n).Words[0])
		if len(word) > 4 {
			word[2] = 'x' // a typo
		}
		start := time.Now()
		if _, err := e.Suggest(ctx, e.asker, string(word), 10); err != nil {
			return "", err
		}
		times = append(times, time.Since(start))
	}
	timed("suggestions for a word with a typo", times)
	times = nil
	for _, also := range e.asker.Also {
		start := time.Now()
		if _, err := e.Similar(ctx, e.asker, also, 10); err != nil {
			return "", err
		}
		times = append(times, time.Since(start))
	}
	timed("what is similar", times)
	times = nil
	for range 50 {
		start := time.Now()
		if _, err := e.Search(ctx, find.Query{Asker: e.asker, Facets: find.Facets[:6]}); err != nil {
			return "", err
		}
		times = append(times, time.Since(start))
	}
	timed("everything, six facets", times)
	times = nil
	for i := range 50 {
		a := e.asker
		a.Also = append(a.Also[:len(a.Also):len(a.Also)], find.ID{Node: c.NodeID(0), Name: c.At(i).Name})
		start := time.Now()
		if _, err := e.Search(ctx, find.Query{Asker: a, Text: "wind"}); err != nil {
			return "", err
		}
		times = append(times, time.Since(start))
	}
	timed("the first query of an asker", times)
	return out.String(), nil
}

// searchGrowth measures queries as nodes are added, each with as many listings.
func searchGrowth(c config, v *listings.Vocabulary) (string, error) {
	var out strings.Builder
	each := c.listings / 100
	fmt.Fprintf(&out, growthHeading, each)
	for _, nodes := range []int{2, 5, 10, 20} {
		corpus := &listings.Corpus{Vocabulary: v, Nodes: nodes, Seed: 3}
		e, err := c.newFind(corpus, fmt.Sprint("growth-", nodes))
		if err != nil {
			return "", err
		}
		start := time.Now()
		if err := e.load(corpus, nodes*each); err != nil {
			return "", err
		}
		took := time.Since(start)
		queries := make([]listings.Query, 1000)
		for i := range queries {
			queries[i] = corpus.Query(i, nodes*each)
		}
		var times []time.Duration
		for range 2 {
			times = times[:0]
			if _, err := round(e, queries, &times); err != nil {
				return "", err
			}
		}
		fmt.Fprintf(&out, "| %d | %d | %s | %v | %.0f MB |\n", nodes, nodes*each, quantiles(times), took.Round(time.Second), float64(size(e.dir))/1e6)
		e.close()
		os.RemoveAll(e.dir)
	}
	return out.String() + "\n", nil
}

const growthHeading = `### As nodes are added

Each with %d listings.

| nodes | listings | p50, p99 | indexed in | files |
|---|---|---|---|---|
`

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// timeToMake returns the processor time that making so many listings takes.
func timeToMake(c *listings.Corpus, n int) time.Duration {
	before := cpuTime()
	const sample = 10_000
	for i := range min(sample, n) {
		c.At(i)
	}
	return (cpuTime() - before) * time.Duration(n) / time.Duration(min(sample, n))
}

// grown is how many megabytes the heap has grown by, with the mapped files of a folder.
func grown(folder string, before int) int {
	heap, mapped := memoryNow(folder)
	return heap - before + mapped
}

// memoryNow returns the megabytes of the heap, and of mapped files of a folder that are in memory.
func memoryNow(folder string) (int, int) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return int(m.HeapAlloc / 1e6), 0
	}
	kb, ours := 0, false
	for line := range strings.Lines(string(b)) {
		var n int
		if strings.Contains(line, "-") && strings.Contains(line, " r") && !strings.HasPrefix(line, "VmFlags") {
			ours = strings.Contains(line, folder)
		} else if _, err := fmt.Sscanf(line, "Rss: %d kB", &n); err == nil && ours {
			kb += n
		}
	}
	return int(m.HeapAlloc / 1e6), kb / 1000
}
