package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
)

const loaderFeatures = 8

// writeTargetRows writes a CSV of standard normal features and a target: y of
// the row's number, or one more normal number.
func writeTargetRows(path string, rows int, y func(int) float64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	for k := range loaderFeatures {
		fmt.Fprintf(w, "x%d,", k)
	}
	fmt.Fprintln(w, "y")
	rng := rand.New(rand.NewPCG(1, 2))
	var line []byte
	for i := range rows {
		line = line[:0]
		for range loaderFeatures {
			line = append(strconv.AppendFloat(line, rng.NormFloat64(), 'f', 4, 64), ',')
		}
		target := 0.0
		if y == nil {
			target = rng.NormFloat64()
		} else {
			target = y(i)
		}
		line = append(strconv.AppendFloat(line, target, 'f', 4, 64), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}
