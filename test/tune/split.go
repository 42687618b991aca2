// Command tune trains on published splits with internal/learn alone, without a
// home, and prints one line a split and the mean. It is how the choices in
// internal/learn/plan.go were made; what the product itself reaches is told by
// ./tables.
//
//	go run ./tune -set ccpp
//	go run ./tune -set concrete -splits 0,1,2 -tune sigma=0.5,epochs=60
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/learn"
)

// A set is a table with published train/test splits as index lists.
type set struct {
	folder string // within the data folder
	splits int
}

var sets = map[string]set{
	"ccpp":     {"energy/ccpp_power_plant/uci_splits", 20},
	"concrete": {"materials/concrete_strength/uci_splits", 20},
}

// load reads split k of the set: data.txt, whose last column is the target, and
// the row numbers of index_train_K.txt and index_test_K.txt.
func (s set) load(data string, k int) (learn.Data, error) {
	dir := filepath.Join(data, s.folder)
	columns, err := readMatrix(filepath.Join(dir, "data.txt"))
	if err != nil {
		return learn.Data{}, err
	}
	d := learn.Data{Batch: &format.Batch{Rows: len(columns[0])}, Parts: make([]genesis.Part, len(columns[0]))}
	for j, c := range columns {
		role := genesis.Feature
		if j == len(columns)-1 {
			role = genesis.Target
		}
		d.Columns = append(d.Columns, genesis.Column{Name: fmt.Sprintf("c%d", j+1), Type: genesis.Float, Role: role})
		d.Batch.Cols = append(d.Batch.Cols, format.Vector{Kind: format.Float, Floats: c})
	}
	for part, name := range map[genesis.Part]string{genesis.Train: "train", genesis.Test: "test"} {
		rows, err := readMatrix(filepath.Join(dir, fmt.Sprintf("index_%s_%d.txt", name, k)))
		if err != nil {
			return learn.Data{}, err
		}
		for _, i := range rows[0] {
			if int(i) < 0 || int(i) >= len(d.Parts) {
				return learn.Data{}, fmt.Errorf("split %d names row %g of %d", k, i, len(d.Parts))
			}
			d.Parts[int(i)] = part
		}
	}
	return d, nil
}

// readMatrix reads numbers separated by blanks, column by column.
func readMatrix(path string) ([][]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var columns [][]float64
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if columns == nil {
			columns = make([][]float64, len(fields))
		}
		if len(fields) != len(columns) {
			return nil, fmt.Errorf("%s:%d: %d numbers instead of %d", path, n, len(fields), len(columns))
		}
		for j, s := range fields {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n, err)
			}
			columns[j] = append(columns[j], x)
		}
	}
	if columns == nil {
		return nil, fmt.Errorf("%s is empty", path)
	}
	return columns, lines.Err()
}
