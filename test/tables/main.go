// Command tables writes docs/results.md: how well models predict on published
// splits and on the sample data. Everything goes through the product: the
// genesis binary prepares the raw files with the published splits, trains one
// model a split in a home of its own, and the figures are read from the stored
// reports. A model that the home already has, from the same dataset version,
// split and seed, is not trained again; so a run that was stopped goes on, and
// `-fresh` is needed after a change to the learning.
//
//	go run ./tables -out ../docs/results.md
//	go run ./tables -only ccpp -runs 2
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/opengenesis/genesis/internal/testdata"
)

func main() {
	log.SetFlags(0)
	out := flag.String("out", "", "file to write; empty: standard output")
	home := flag.String("home", "tables/.home", "home that keeps datasets and models")
	only := flag.String("only", "", "one set: ccpp, concrete, or one of the sample data")
	runs := flag.Int("runs", 0, "trainings a set, the first of them; 0: all")
	fresh := flag.Bool("fresh", false, "empty the home before")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *fresh {
		if err := os.RemoveAll(*home); err != nil {
			log.Fatalf("tables: error: %v", err)
		}
	}
	text, err := tables(ctx, *home, *only, *runs)
	if err != nil {
		log.Fatalf("tables: error: %v", err)
	}
	if *out == "" {
		fmt.Print(text)
		return
	}
	if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
		log.Fatalf("tables: error: %v", err)
	}
}

// tables runs the sets and returns the document.
func tables(ctx context.Context, home, only string, runs int) (string, error) {
	data, ok := testdata.Find()
	if !ok {
		return "", fmt.Errorf("the data folder was not found: set GENESIS_TEST_DATA")
	}
	dir, err := os.MkdirTemp("", "genesis-tables-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	p, err := build(ctx, filepath.Join(dir, "genesis"), home)
	if err != nil {
		return "", err
	}
	var outcomes []outcome
	for _, s := range append(published(data), samples("../examples")...) {
		if only != "" && only != s.name {
			continue
		}
		o, err := s.run(ctx, p, runs)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		outcomes = append(outcomes, o)
	}
	return document(outcomes), nil
}
