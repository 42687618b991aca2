package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis/internal/testdata"
)

func main() {
	name := flag.String("set", "ccpp", "table: ccpp or concrete")
	splits := flag.String("splits", "", "split numbers, separated by commas; empty means all")
	tune := flag.String("tune", "", "changes to the plan: sigma=0.5,epochs=60,hidden=64-64")
	seed := flag.Uint64("seed", 0, "added to the seed of each split, which is its number")
	asJSON := flag.Bool("json", false, "print one JSON object a line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := table(ctx, *name, *splits, *tune, *seed, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "tune: error:", err)
		os.Exit(1)
	}
}

func table(ctx context.Context, name, splits, tune string, seed uint64, asJSON bool) error {
	s, ok := sets[name]
	if !ok {
		return fmt.Errorf("there is no set %q", name)
	}
	data, ok := testdata.Find()
	if !ok {
		return fmt.Errorf("the data folder was not found: set GENESIS_TEST_DATA")
	}
	change, err := parseTune(tune)
	if err != nil {
		return err
	}
	numbers, err := s.numbers(splits)
	if err != nil {
		return err
	}
	var rs []result
	for _, k := range numbers {
		r, err := s.run(ctx, data, k, seed, change)
		if err != nil {
			return err
		}
		rs = append(rs, r)
		show(r, asJSON)
	}
	if !asJSON {
		show(mean(rs), false)
	}
	return nil
}

func show(r result, asJSON bool) {
	if asJSON {
		b, _ := json.Marshal(r) // of finite numbers
		fmt.Println(string(b))
		return
	}
	fmt.Println(r)
}

// numbers parses a list of split numbers; empty means all.
func (s set) numbers(list string) ([]int, error) {
	var out []int
	if list == "" {
		for k := range s.splits {
			out = append(out, k)
		}
		return out, nil
	}
	for _, f := range strings.Split(list, ",") {
		k, err := strconv.Atoi(f)
		if err != nil || k < 0 || k >= s.splits {
			return nil, fmt.Errorf("%q is no split of this set", f)
		}
		out = append(out, k)
	}
	return out, nil
}
