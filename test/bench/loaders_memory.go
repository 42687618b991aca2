package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const memoryHeading = `### Memory and the first batch as the dataset grows

One epoch of our loader without workers, each from a node that was just started. *Cold*: the node's cache is empty, and the first batch waits until it
is made. The node's memory is what it holds itself and, mapped from files of the cache, what the kernel may take back. The client's is that of
the process and, of it, what came after PyTorch was loaded.

| rows | mode | cache | first batch | rows a second | node, itself | node, mapped | client | of it the loader's |
|---|---|---|---|---|---|---|---|---|
`

// memory measures the memory of node and client over datasets of three sizes.
func (l *lab) memory() (string, error) {
	until := time.Now().Add(memoryTime)
	var b strings.Builder
	b.WriteString(memoryHeading)
	for _, rows := range []int{100_000, 1_000_000, 10_000_000} {
		if time.Now().After(until) {
			fmt.Fprintf(&b, "| %d | not measured: no time was left | | | | | | | |\n", rows)
			continue
		}
		text, err := l.memoryOf(rows, until)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return b.String() + "\n", nil
}

func (l *lab) memoryOf(rows int, until time.Time) (string, error) {
	sized := *l
	sized.home = filepath.Join(l.dir, "sized")
	defer os.RemoveAll(sized.home)
	csv := l.csv("sized")
	if err := writeTargetRows(csv, rows, nil); err != nil {
		return "", err
	}
	run := commands(l.genesis, sized.home)
	err := publishRows(run, "rows", csv)
	os.Remove(csv)
	if err != nil {
		return "", err
	}
	token, err := newToken(run)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, k := range []struct{ mode, cache string }{{"sequential", "cold"}, {"sequential", "warm"}, {"block", "cold"}, {"block", "warm"}, {"full", "cold"}, {"full", "warm"}} {
		if time.Now().After(until) {
			fmt.Fprintf(&b, "| %d | %s | %s | not measured: no time was left | | | | | |\n", rows, k.mode, k.cache)
			continue
		}
		if k.cache == "cold" {
			if err := os.RemoveAll(filepath.Join(sized.home, "cache")); err != nil {
				return "", err
			}
		}
		e, own, mapped, err := sized.fresh(token, k.mode)
		if err != nil {
			return "", err
		}
		if e.Rows != rows {
			return "", fmt.Errorf("%s: %d rows came of %d", k.mode, e.Rows, rows)
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %.2f s | %s | %d MB | %d MB | %d MB | %d MB |\n", rows, k.mode, k.cache, e.First, thousands(e.rate()),
			own>>20, mapped>>20, e.Peak>>20, (e.Peak-e.Before)>>20)
		log.Printf("loaders: %d rows, %s, %s: first batch after %.2f s", rows, k.mode, k.cache, e.First)
	}
	return b.String(), nil
}

// fresh runs one epoch against a node of its own, and returns the most memory
// that it had.
func (l *lab) fresh(token, mode string) (e oneEpoch, own, mapped int64, err error) {
	l.node, err = l.serve(l.genesis, l.home, token)
	if err != nil {
		return e, 0, 0, err
	}
	defer l.node.stop()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { own, mapped = watchMemory(l.node.cmd.Process.Pid, done) })
	e, err = l.epoch("ours", "rows", 0, "GENESIS_BENCH_MODE="+mode)
	close(done)
	wg.Wait()
	return e, own, mapped, err
}

// watchMemory looks at a process a hundred times a second, and returns the most
// that it had of its own and mapped from files.
func watchMemory(pid int, done <-chan struct{}) (own, mapped int64) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
			own, mapped = max(own, statusBytes(string(text), "RssAnon:")), max(mapped, statusBytes(string(text), "RssFile:"))
		}
		select {
		case <-done:
			return own, mapped
		case <-tick.C:
		}
	}
}

// statusBytes reads a line of /proc/PID/status like "RssAnon:	  1234 kB".
func statusBytes(text, name string) int64 {
	_, after, _ := strings.Cut(text, name)
	if f := strings.Fields(after); len(f) > 0 {
		kb, _ := strconv.ParseInt(f[0], 10, 64)
		return kb << 10
	}
	return 0
}
