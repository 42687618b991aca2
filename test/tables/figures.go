package main

import (
	"fmt"
	"math"

	"github.com/opengenesis/genesis"
)

// figure takes one number from a report.
type figure func(*genesis.ModelReport) float64

// score is a predictor's headline metric on the test part: RMSE, or the share
// of wrong classes.
func score(predictor string) figure {
	return func(r *genesis.ModelReport) float64 {
		s := r.Targets[0].Scores["test"][predictor]
		if a, ok := s["accuracy"]; ok {
			return 1 - a
		}
		if e, ok := s["rmse"]; ok {
			return e
		}
		return math.NaN()
	}
}

func coverage(r *genesis.ModelReport) float64  { return r.Targets[0].Coverage.Actual }
func width(r *genesis.ModelReport) float64     { return r.Targets[0].Coverage.Width }
func untouched(r *genesis.ModelReport) float64 { return measured(r.OOD.Untouched) }
func scaled(r *genesis.ModelReport) float64    { return measured(r.OOD.Scaled) }

// measured is NaN where there were too few rows to measure a share.
func measured(share *float64) float64 {
	if share == nil {
		return math.NaN()
	}
	return *share
}

func (o outcome) values(f figure) []float64 {
	v := make([]float64, len(o.models))
	for i, m := range o.models {
		v[i] = f(m.Report)
	}
	return v
}

// mean returns the mean and its standard error.
func mean(v []float64) (m, e float64) {
	n := float64(len(v))
	for _, x := range v {
		m += x / n
	}
	for _, x := range v {
		e += (x - m) * (x - m)
	}
	if n < 2 {
		return m, math.NaN()
	}
	return m, math.Sqrt(e / (n - 1) / n)
}

// within is a mean with its standard error, in words.
func within(v []float64, format string) string {
	m, e := mean(v)
	if math.IsNaN(e) {
		return fmt.Sprintf(format, m)
	}
	return fmt.Sprintf(format+" ± "+format, m, e)
}

// line is a report in short, for the log.
func line(r *genesis.ModelReport) string {
	return fmt.Sprintf("net %.3f, ridge %.3f, forest %.3f, trivial %.3f; covers %.3f; flagged %.3f, ×10 %.3f; %.0f s",
		score("net")(r), score("ridge")(r), score("forest")(r), score("trivial")(r), coverage(r), untouched(r), scaled(r), r.Seconds)
}
