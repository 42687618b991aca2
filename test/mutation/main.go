// Command mutation changes the policies and the code of internal/access, one small
// thing at a time, and sees whether the package's tests notice: a change that no
// test fails for is one that could be made by mistake. It prints the share killed
// and every survivor with its place.
//
//	go run ./mutation
//	go run ./mutation -only judge.go,limits.cedar -workers 4
//	go run ./mutation -sample 40
//	go run ./mutation -only '*.go' -sample 150 -seed 1
//
// Each change is put over the file with `go test -overlay`; no file of the tree is
// touched. A change that does not compile, or that makes a policy the schema refuses,
// is not counted, and neither is one that nobody could notice (equivalent.go says of
// each why).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	root := flag.String("root", "..", "root of the repository")
	pkg := flag.String("package", "internal/access", "package to change and test")
	only := flag.String("only", "", "names of files or patterns, separated by commas; empty: all")
	sample := flag.Int("sample", 0, "how many changes to try; 0: all")
	seed := flag.Uint64("seed", 0, "which sample: drawn by chance with this seed; 0: evenly spread")
	workers := flag.Int("workers", 2, "changes tried at once")
	again := flag.String("again", "", "output of an earlier run: try only what survived it")
	least := flag.Float64("least", 0.95, "share that must be killed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	all, err := mutants(*root, *pkg, *only)
	if err != nil {
		log.Fatalf("mutation: error: %v", err)
	}
	if *again != "" {
		if all, err = survivors(all, *again); err != nil {
			log.Fatalf("mutation: error: %v", err)
		}
	}
	r := Runner{Root: *root, Package: *pkg, Workers: *workers, Progress: os.Stderr}
	choose := spread
	if *seed != 0 {
		choose = drawn(*seed)
	}
	report, err := r.Run(ctx, choose(all, *sample))
	if report != nil {
		report.Print(os.Stdout)
	}
	if err != nil {
		log.Fatalf("mutation: error: %v", err)
	}
	if report.Share() < *least {
		os.Exit(1)
	}
}

// Mutant is one small change of one file.
type Mutant struct {
	File string // relative to the root
	Line int
	What string // "== becomes !="
	Text []byte // the whole file, changed

	Source string // the line that is changed, as it was
}

// mutants lists the changes of a package's policies and code, in order of file and
// place.
func mutants(root, pkg, only string) ([]Mutant, error) {
	var all []Mutant
	for _, pattern := range []string{"policy/*.cedar", "*.go"} {
		files, err := filepath.Glob(filepath.Join(root, pkg, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "doc.go" || !chosen(only, filepath.Base(file)) {
				continue
			}
			more, err := mutate(root, file)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	return all, nil
}

// chosen reports whether one of some patterns matches a name.
func chosen(only, name string) bool {
	return only == "" || slices.ContainsFunc(strings.Split(only, ","), func(pattern string) bool {
		ok, _ := filepath.Match(pattern, name)
		return ok
	})
}

func mutate(root, file string) ([]Mutant, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	name, err := filepath.Rel(root, file)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(file, ".cedar") {
		return cedar(name, text), nil
	}
	return golang(name, text)
}

// survivors are the mutants that a report names, whatever line they are on by now.
func survivors(all []Mutant, report string) ([]Mutant, error) {
	text, err := os.ReadFile(report)
	if err != nil {
		return nil, err
	}
	var some []Mutant
	for _, m := range all {
		place := regexp.MustCompile("(?m)^survived: " + regexp.QuoteMeta(filepath.ToSlash(m.File)) + `:\d+: ` + regexp.QuoteMeta(m.What) + "$")
		if place.Match(text) {
			some = append(some, m)
		}
	}
	return some, nil
}

// spread returns n mutants evenly spread over all, always the same ones; 0 means
// all.
func spread(all []Mutant, n int) []Mutant {
	if n <= 0 || n >= len(all) {
		return all
	}
	var some []Mutant
	for i := range n {
		some = append(some, all[(2*i+1)*len(all)/(2*n)])
	}
	return some
}

// drawn chooses n mutants by chance, the same ones in the same order for the same
// seed; 0 means all. So those tried before an interruption are a fair sample, too.
func drawn(seed uint64) func([]Mutant, int) []Mutant {
	return func(all []Mutant, n int) []Mutant {
		if n <= 0 || n >= len(all) {
			return all
		}
		var some []Mutant
		for _, place := range rand.New(rand.NewPCG(seed, seed)).Perm(len(all))[:n] {
			some = append(some, all[place])
		}
		return some
	}
}

// Outcome is what became of a mutant.
type Outcome string

const (
	Killed    Outcome = "killed"
	Survived  Outcome = "survived"
	Same      Outcome = "equivalent" // no test fails, and nobody could notice
	Stillborn Outcome = "stillborn"  // it does not compile, or is no policy
)

// Report counts outcomes and names survivors.
type Report struct {
	Count     map[Outcome]int
	Survivors []Mutant
	Same      []Mutant
	Took      time.Duration
}

// Share is the share of mutants that were killed of those that lived.
func (r *Report) Share() float64 {
	return float64(r.Count[Killed]) / float64(max(1, r.Count[Killed]+r.Count[Survived]))
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) {
	for _, m := range r.Survivors {
		fmt.Fprintf(w, "survived: %s:%d: %s\n", filepath.ToSlash(m.File), m.Line, m.What)
	}
	for _, m := range r.Same {
		fmt.Fprintf(w, "equivalent: %s:%d: %s: %s\n", filepath.ToSlash(m.File), m.Line, m.What, m.why())
	}
	tried := r.Count[Killed] + r.Count[Survived] + r.Count[Same] + r.Count[Stillborn]
	fmt.Fprintf(w, "%d changes: %d killed, %d survived, %d equivalent, %d that do not compile; of the killed and the survivors, %.1f %% were killed, in %v\n",
		tried, r.Count[Killed], r.Count[Survived], r.Count[Same], r.Count[Stillborn], 100*r.Share(), r.Took.Round(time.Second))
}

// Runner tries mutants.
type Runner struct {
	Root, Package string
	Workers       int
	Progress      io.Writer
}

// Run tries all mutants and reports, also when it is interrupted: then on those that
// were tried. The tests must pass without a change.
func (r Runner) Run(ctx context.Context, all []Mutant) (*Report, error) {
	start := time.Now()
	if out, err := r.test(ctx, nil); err != nil {
		return nil, fmt.Errorf("the tests fail without a change: %v\n%s", err, out)
	}
	report := &Report{Count: map[Outcome]int{}}
	outcomes := make([]Outcome, len(all))
	var mu sync.Mutex
	var wait sync.WaitGroup
	next := make(chan int)
	for range max(1, r.Workers) {
		wait.Go(func() {
			for i := range next {
				outcome := r.try(ctx, all[i])
				if ctx.Err() != nil {
					continue // it was stopped, not noticed
				}
				mu.Lock()
				outcomes[i] = outcome
				report.Count[outcome]++
				fmt.Fprintf(r.Progress, "%d/%d %s %s:%d: %s\n", i+1, len(all), outcome, filepath.ToSlash(all[i].File), all[i].Line, all[i].What)
				mu.Unlock()
			}
		})
	}
	for i := range all {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	wait.Wait()
	for i, outcome := range outcomes {
		switch outcome {
		case Survived:
			report.Survivors = append(report.Survivors, all[i])
		case Same:
			report.Same = append(report.Same, all[i])
		}
	}
	report.Took = time.Since(start)
	return report, ctx.Err()
}
