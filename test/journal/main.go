// Command journal measures the audit log beside Tessera's POSIX driver: how many
// entries in a second are acknowledged once they are durable, with 512 writers
// that each wait for theirs. Figures are ratios from interleaved pairs (A B A B …)
// on the same disk.
//
//	go run ./journal                     # seven pairs of three seconds
//	go run ./journal -pairs 15 -seconds 10 -dir /mnt/disk
//
// Three things are counted. Genesis, acknowledged: the entry is synced in the
// write-ahead log. Genesis, in the log: the same entries over the time until the
// last of them was also in tiles, under a signed checkpoint, and in the index.
// Tessera, acknowledged: its future has resolved, by when the entry is synced in
// tiles; its checkpoint follows at an interval of its own. Tessera gets entries of
// the size that Genesis' have in the log, batches of as many as there are writers,
// and no deduplication; it keeps no index, salts or personal texts.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

type config struct {
	pairs   int
	writers int
	seconds float64
	dir     string
	batch   uint
	age     time.Duration
}

func main() {
	log.SetFlags(0)
	var c config
	flag.IntVar(&c.pairs, "pairs", 7, "pairs")
	flag.IntVar(&c.writers, "writers", 512, "writers at the same time")
	flag.Float64Var(&c.seconds, "seconds", 3, "length of each measurement")
	flag.StringVar(&c.dir, "dir", "", "where to write; empty: a temporary folder")
	flag.UintVar(&c.batch, "batch", 512, "entries in a batch of Tessera's")
	flag.DurationVar(&c.age, "age", 5*time.Millisecond, "after which Tessera closes a batch that is not full")
	flag.Parse()
	if err := compare(context.Background(), c); err != nil {
		log.Fatalf("journal: error: %v", err)
	}
}

// measurement is the outcome of one run.
type measurement struct {
	acknowledged float64 // entries in a second
	logged       float64
}

func compare(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp(c.dir, "genesis-journal-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var first, second []float64
	var ours, theirs []measurement
	for i := range c.pairs {
		a, err := measureGenesis(ctx, c, filepath.Join(dir, fmt.Sprintf("a%d", i)))
		if err != nil {
			return err
		}
		b, err := measureTessera(ctx, c, filepath.Join(dir, fmt.Sprintf("b%d", i)))
		if err != nil {
			return err
		}
		fmt.Printf("pair %d: genesis %.0f/s acknowledged, %.0f/s in the log; tessera %.0f/s; ratio %.1f, %.1f\n",
			i+1, a.acknowledged, a.logged, b.acknowledged, a.acknowledged/b.acknowledged, a.logged/b.acknowledged)
		ours, theirs = append(ours, a), append(theirs, b)
		first = append(first, a.acknowledged/b.acknowledged)
		second = append(second, a.logged/b.acknowledged)
	}
	report("genesis, acknowledged/s", rates(ours, func(m measurement) float64 { return m.acknowledged }))
	report("genesis, in the log/s", rates(ours, func(m measurement) float64 { return m.logged }))
	report("tessera, acknowledged/s", rates(theirs, func(m measurement) float64 { return m.acknowledged }))
	report("ratio acknowledged : tessera", first)
	report("ratio in the log : tessera", second)
	return nil
}

func rates(all []measurement, of func(measurement) float64) []float64 {
	var out []float64
	for _, m := range all {
		out = append(out, of(m))
	}
	return out
}

// report prints median and range.
func report(name string, values []float64) {
	slices.Sort(values)
	fmt.Printf("%-30s median %.1f (%.1f to %.1f), %d pairs\n", name, values[len(values)/2], values[0], values[len(values)-1], len(values))
}

// write has writers add entries, each waiting for its own, until the time is
// over, and returns how many were acknowledged, and the time that took.
func write(c config, add func() error) (int64, time.Duration, error) {
	var count atomic.Int64
	var failure atomic.Pointer[error]
	began := time.Now()
	until := began.Add(time.Duration(c.seconds * float64(time.Second)))
	var all sync.WaitGroup
	for range c.writers {
		all.Go(func() {
			for time.Now().Before(until) {
				if err := add(); err != nil {
					failure.Store(&err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	if err := failure.Load(); err != nil {
		return 0, 0, *err
	}
	return count.Load(), took, nil
}

// event is a read as a node records it.
var event = journal.Event{Actor: "nrel/ada", Act: "read", Outcome: genesis.Allowed, Subject: "turbines", Version: genesis.DigestOf(nil),
	Rule: "registered", Purpose: "wake losses in winter", Institution: "MIT", Sector: genesis.University, Detail: json.RawMessage(`{"rows":512}`)}

func measureGenesis(ctx context.Context, c config, dir string) (measurement, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return measurement{}, err
	}
	db, err := store.Open(ctx, filepath.Join(dir, "catalog.db"))
	if err != nil {
		return measurement{}, err
	}
	defer db.Close()
	j, err := journal.Open(ctx, journal.Config{Dir: filepath.Join(dir, "journal"), DB: db, Node: "nrel"})
	if err != nil {
		return measurement{}, err
	}
	defer j.Close()
	began := time.Now()
	n, took, err := write(c, func() error { return j.Append(ctx, event) })
	if err == nil {
		err = j.Settle(ctx)
	}
	return measurement{float64(n) / took.Seconds(), float64(n) / time.Since(began).Seconds()}, err
}

// entrySize is what the event above takes in the log.
const entrySize = 435

func measureTessera(ctx context.Context, c config, dir string) (measurement, error) {
	skey, _, err := note.GenerateKey(rand.Reader, "nrel/audit/1")
	if err != nil {
		return measurement{}, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return measurement{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return measurement{}, err
	}
	options := tessera.NewAppendOptions().WithCheckpointSigner(signer).WithBatching(c.batch, c.age).WithCheckpointInterval(time.Second)
	appender, stop, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return measurement{}, err
	}
	var serial atomic.Uint64
	n, took, err := write(c, func() error {
		entry := make([]byte, entrySize)
		copy(entry, fmt.Sprint(serial.Add(1)))
		_, err := appender.Add(ctx, tessera.NewEntry(entry))()
		return err
	})
	if err == nil {
		err = stop(ctx)
	}
	return measurement{acknowledged: float64(n) / took.Seconds()}, err
}
