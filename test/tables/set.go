package main

import (
	"context"
	"fmt"
	"log"
	"path/filepath"
	"strconv"

	"github.com/opengenesis/genesis"
)

// set is a table and how it is divided for several trainings.
type set struct {
	name      string
	title     string
	unit      string // of the target; "" for classes
	files     []string
	prepare   []string // flags
	splits    string   // folder of published splits; "": a random split for each seed
	runs      int
	reference string // what others report on these splits
}

// published are the sets with splits by Hernández-Lobato and Adams (2015), in
// the form of Gal and Ghahramani's repository.
func published(data string) []set {
	ccpp := filepath.Join(data, "energy/ccpp_power_plant/uci_splits")
	concrete := filepath.Join(data, "materials/concrete_strength/uci_splits")
	return []set{
		{name: "ccpp", title: "Combined-cycle power plant: hourly electrical output", unit: "MW", splits: ccpp, runs: 20,
			files: []string{filepath.Join(ccpp, "data.txt")}, prepare: []string{"--header", "none", "--target", "c5"}, reference: "4.01 ± 0.04"},
		{name: "concrete", title: "Compressive strength of concrete", unit: "MPa", splits: concrete, runs: 20,
			files: []string{filepath.Join(concrete, "data.txt")}, prepare: []string{"--header", "none", "--target", "c9"}, reference: "4.82 ± 0.16"},
	}
}

// samples are the sets that ship with Genesis.
func samples(dir string) []set {
	glob := func(pattern string) []string {
		paths, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are well formed
		return paths
	}
	return []set{
		{name: "solar-greensboro", title: "Sample data: sunshine in Greensboro", unit: "W/m2", runs: 10,
			files: glob("energy/*.gz"), prepare: []string{"--target", "GHI (W/m^2)"}},
		{name: "concrete-sample", title: "Sample data: concrete", unit: "MPa", runs: 10,
			files: glob("materials/*.xlsx"), prepare: []string{"--target", "Compressive strength (MPa)", "--dedup"}},
		{name: "tumours", title: "Sample data: breast tumours", runs: 10,
			files: glob("medicine/*.gz"), prepare: []string{"--target", "diagnosis"}},
		{name: "seattle-weather", title: "Sample data: weather of Seattle", unit: "Cel", runs: 10,
			files: glob("environment/seattle-*.csv"), prepare: []string{"--target", "T max [°C]"}},
	}
}

// outcome is what the stored runs of a set say.
type outcome struct {
	set
	datasets []genesis.Version
	models   []*genesis.Description
}

// run prepares the set and trains its first models, all when most is 0.
func (s set) run(ctx context.Context, p *product, most int) (outcome, error) {
	o := outcome{set: s}
	n := s.runs
	if most > 0 {
		n = min(n, most)
	}
	for k := range n {
		if k == 0 || s.splits == "" {
			v, err := s.dataset(ctx, p, k)
			if err != nil {
				return o, err
			}
			o.datasets = append(o.datasets, v)
		}
		m, err := s.train(ctx, p, o.datasets[len(o.datasets)-1], k)
		if err != nil {
			return o, err
		}
		o.models = append(o.models, m)
		log.Printf("%s %d: %s", s.name, k, line(m.Report))
	}
	return o, nil
}

// dataset prepares the table; with random splits, for run k.
func (s set) dataset(ctx context.Context, p *product, k int) (genesis.Version, error) {
	args := append([]string{"prepare", "--name", s.name, "--no-proof"}, s.prepare...)
	if s.splits != "" {
		args = append(args, "--split", "import:"+s.splits)
	} else {
		args = append(args, "--split", "random", "--seed", strconv.Itoa(k))
	}
	var prepared genesis.Prepared
	err := p.call(ctx, &prepared, append(args, s.files...)...)
	return prepared.Version, err
}

// train makes model k, with seed k.
func (s set) train(ctx context.Context, p *product, from genesis.Version, k int) (*genesis.Description, error) {
	split := "random"
	if s.splits != "" {
		split = fmt.Sprintf("import-%d", k)
	}
	var d genesis.Description
	if err := p.call(ctx, &d, "show", from.Ref().String()); err != nil {
		return nil, err
	}
	target, err := targetOf(d.Manifest)
	if err != nil {
		return nil, err
	}
	return p.train(ctx, fmt.Sprintf("%s-%d", s.name, k), from.Ref(), target, split, strconv.Itoa(k))
}

func targetOf(m genesis.Manifest) (string, error) {
	for _, t := range m.Tables {
		for _, c := range t.Columns {
			if c.Role == genesis.Target {
				return c.Name, nil
			}
		}
	}
	return "", fmt.Errorf("the dataset declares no target")
}
