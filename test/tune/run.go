package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/learn"
)

// A result is what one training on one split gave.
type result struct {
	Split                    int
	Net, Ridge, Forest       float64 // test RMSE
	NLL                      float64
	Coverage, Width          float64
	Untouched, Scaled        share // flagged as out of distribution
	Epochs                   int
	Seconds, TrainLast, Held float64
}

// run trains on split k with seed k+seed.
func (s set) run(ctx context.Context, data string, k int, seed uint64, tune func(*learn.Plan)) (result, error) {
	d, err := s.load(data, k)
	if err != nil {
		return result{}, err
	}
	target := d.Columns[len(d.Columns)-1].Name
	_, r, err := learn.Train(ctx, d, learn.Options{Target: []string{target}, Seed: uint64(k) + seed, Tune: tune})
	if err != nil {
		return result{}, err
	}
	return newResult(k, r), nil
}

func newResult(k int, r *genesis.ModelReport) result {
	t := r.Targets[0]
	s := t.Scores["test"]
	last := r.Curve[len(r.Curve)-1]
	return result{Split: k, Net: s["net"]["rmse"], Ridge: s["ridge"]["rmse"], Forest: s["forest"]["rmse"],
		NLL: s["net"]["nll"], Coverage: t.Coverage.Actual, Width: t.Coverage.Width,
		Untouched: measured(r.OOD.Untouched), Scaled: measured(r.OOD.Scaled), Epochs: r.Epochs, Seconds: r.Seconds,
		TrainLast: last.Train, Held: last.Validation}
}

// share is NaN where there were too few rows to measure it.
type share float64

func measured(of *float64) share {
	if of == nil {
		return share(math.NaN())
	}
	return share(*of)
}

// MarshalJSON writes what was not measured as null: JSON has no NaN.
func (s share) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// mean averages results; Scaled is the least.
func mean(rs []result) result {
	m := result{Split: -1, Scaled: 1}
	n := float64(len(rs))
	for _, r := range rs {
		m.Net += r.Net / n
		m.Ridge += r.Ridge / n
		m.Forest += r.Forest / n
		m.NLL += r.NLL / n
		m.Coverage += r.Coverage / n
		m.Width += r.Width / n
		m.Untouched += r.Untouched / share(n)
		m.Seconds += r.Seconds / n
		m.Scaled = min(m.Scaled, r.Scaled)
		m.Epochs = r.Epochs
	}
	return m
}

func (r result) String() string {
	split := "mean"
	if r.Split >= 0 {
		split = strconv.Itoa(r.Split)
	}
	return fmt.Sprintf("%-5s net %.3f  ridge %.3f  forest %.3f  nll %.3f  coverage %.3f  width %.2f  flagged %.3f  flagged×10 %.3f  epochs %d  %.1f s",
		split, r.Net, r.Ridge, r.Forest, r.NLL, r.Coverage, r.Width, r.Untouched, r.Scaled, r.Epochs, r.Seconds)
}

// parseTune reads "sigma=0.5,hidden=64-64" as changes to a plan.
func parseTune(s string) (func(*learn.Plan), error) {
	if s == "" {
		return nil, nil
	}
	var changes []func(*learn.Plan)
	for _, kv := range strings.Split(s, ",") {
		key, value, _ := strings.Cut(kv, "=")
		f, err := change(key, value)
		if err != nil {
			return nil, err
		}
		changes = append(changes, f)
	}
	return func(p *learn.Plan) {
		for _, f := range changes {
			f(p)
		}
	}, nil
}

func change(key, value string) (func(*learn.Plan), error) {
	numbers := map[string]func(*learn.Plan, float64){
		"members":     func(p *learn.Plan, x float64) { p.Members = int(x) },
		"folds":       func(p *learn.Plan, x float64) { p.Folds = int(x) },
		"epochs":      func(p *learn.Plan, x float64) { p.Epochs = int(x) },
		"batch":       func(p *learn.Plan, x float64) { p.Batch = int(x) },
		"rate":        func(p *learn.Plan, x float64) { p.Rate = x },
		"decay":       func(p *learn.Plan, x float64) { p.Decay = x },
		"dropout":     func(p *learn.Plan, x float64) { p.Dropout = x },
		"beta":        func(p *learn.Plan, x float64) { p.Beta = x },
		"frequencies": func(p *learn.Plan, x float64) { p.Frequencies = int(x) },
		"width":       func(p *learn.Plan, x float64) { p.Width = int(x) },
		"sigma":       func(p *learn.Plan, x float64) { p.Sigma = x },
	}
	if key == "activation" {
		return func(p *learn.Plan) { p.Activation = value }, nil
	}
	if key == "hidden" {
		var widths []int
		for _, s := range strings.Split(value, "-") {
			n, err := strconv.Atoi(s)
			if err != nil {
				return nil, err
			}
			widths = append(widths, n)
		}
		return func(p *learn.Plan) { p.Hidden = widths }, nil
	}
	f, ok := numbers[key]
	if !ok {
		return nil, fmt.Errorf("a plan has no %q", key)
	}
	x, err := strconv.ParseFloat(value, 64)
	return func(p *learn.Plan) { f(p, x) }, err
}
