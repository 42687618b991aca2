// Command bench measures Genesis beside named peers and writes
// docs/benchmarks.md. A figure is a ratio from interleaved pairs (A B A B …) on
// the same file and the same cores, with median and range: the machines this
// runs on are shared, and an absolute time means little.
//
//	go run ./bench -out ../docs/benchmarks.md            # everything, about 45 minutes
//	go run ./bench -size 100000000 -pairs 3 -only prepare
//	go run ./bench -only loaders -out ../docs/benchmarks.md # that section alone, at most 25 minutes
//	go run ./bench -only search -out ../docs/benchmarks.md # that section alone, about 40 minutes
//	go run ./bench -only federation -entries 50000 -out ../docs/benchmarks.md # that section alone, about 3 minutes
//	go run ./bench -only there -out ../docs/benchmarks.md # that section alone, about 2 minutes
//
// Peers: the duckdb command line (pip install duckdb-cli), sha256sum,
// scikit-learn in $GENESIS_TEST_PYTHON, and the loaders that `make bench-peers`
// installs.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

type config struct {
	out    string
	size   int64
	pairs  int
	only   string
	dir    string
	duckdb string
	python string
	cores  string
	peers  string
	client string

	listings int
	beside   int
	entries  int
}

func main() {
	log.SetFlags(0)
	if table := os.Getenv(trainTask); table != "" {
		if err := trainOurs(table); err != nil {
			log.Fatalf("bench: error: %v", err)
		}
		return
	}
	if child, err := asChild(); child {
		if err != nil {
			log.Fatalf("bench: error: %v", err)
		}
		return
	}
	var c config
	flag.StringVar(&c.out, "out", "", "file to write; empty: standard output")
	flag.Int64Var(&c.size, "size", 1_000_000_000, "bytes of the generated CSV")
	flag.IntVar(&c.pairs, "pairs", 7, "pairs per comparison")
	flag.StringVar(&c.only, "only", "", "prepare, memory, training, streams, loaders, search, engines, there, pull or federation: the others stay in -out as they are")
	flag.StringVar(&c.dir, "dir", "", "working directory; empty: a temporary one")
	flag.StringVar(&c.duckdb, "duckdb", "duckdb", "the duckdb command line")
	flag.StringVar(&c.python, "python", os.Getenv("GENESIS_TEST_PYTHON"), "a Python with scikit-learn")
	flag.StringVar(&c.cores, "cores", "0,1", "cores both sides are pinned to; empty: not pinned")
	flag.StringVar(&c.peers, "peers", peersVenv(), "the virtual environment of make bench-peers")
	flag.StringVar(&c.client, "client", "../clients/python/src", "the Python package that loaders measures")
	flag.IntVar(&c.listings, "listings", 1_000_000, "listings that search is measured with")
	flag.IntVar(&c.beside, "beside", 0, "listings that engines measures other engines with; 0: a tenth of -listings")
	flag.IntVar(&c.entries, "entries", 1_000_000, "entries of the log that federation mirrors")
	flag.Parse()
	if err := run(c); err != nil {
		log.Fatalf("bench: error: %v", err)
	}
}

// parts are the sections of the report, in its order.
var parts = []struct {
	name string
	run  func(config, string) (string, error)
}{{"prepare", prepare}, {"memory", memory}, {"training", training}, {"streams", streams}, {"loaders", loaders}, {"search", search}, {"engines", engines}, {"there", there}, {"pull", pulls}, {"federation", federation}}

func run(c config) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.dir == "" {
		dir, err := os.MkdirTemp("", "genesis-bench-*")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.dir = dir
	}
	genesis := filepath.Join(c.dir, "genesis")
	build := exec.Command("go", "build", "-trimpath", "-o", genesis, "./cmd/genesis")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build genesis: %v\n%s", err, out)
	}
	var report strings.Builder
	for _, part := range parts {
		if c.only != "" && c.only != part.name {
			continue
		}
		text, err := part.run(c, genesis)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		report.WriteString(text)
	}
	return c.write(fmt.Sprintf(heading, runtime.Version(), runtime.NumCPU()), report.String())
}

const heading = `# Benchmarks

Written by ` + "`make bench`" + ` (test/bench). Each line is a ratio from interleaved pairs on
the same file, both sides pinned to the same cores: median, and the range over
the pairs. Below 1 means that Genesis takes less. %s, %d cores.

`
