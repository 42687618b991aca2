package main

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// generate writes a CSV of ten mixed columns, at least so many bytes: an id, a
// time, a station, four floats (one with empty cells, one with a sentinel), a
// count, a flag and a free text.
func generate(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	words := strings.Fields("valve pump rotor shaft seal stage inlet outlet blade bearing fan duct probe alarm normal trip reset")
	var line []byte
	n, _ := w.WriteString("id,time,station,speed (m/s),power (kW),temp (°C),pressure (hPa),count,ok,note\n")
	for i, written := 1, int64(n); written < size; i++ {
		line = strconv.AppendInt(line[:0], int64(i), 10)
		line = start.Add(time.Duration(i)*time.Second).AppendFormat(append(line, ','), "2006-01-02 15:04:05")
		line = fmt.Appendf(line, ",ST-%03d,", r.IntN(200))
		speed := math.Abs(r.NormFloat64()*4 + 8)
		line = strconv.AppendFloat(line, speed, 'f', 5, 64)
		line = strconv.AppendFloat(append(line, ','), speed*speed*speed*1.7+r.NormFloat64(), 'f', 4, 64)
		line = append(line, ',')
		if r.IntN(50) > 0 {
			line = strconv.AppendFloat(line, 15+10*math.Sin(float64(i)/86400)+r.NormFloat64(), 'f', 2, 64)
		}
		line = append(line, ',')
		if r.IntN(1000) > 0 {
			line = strconv.AppendFloat(line, 1013+r.NormFloat64()*8, 'f', 1, 64)
		} else {
			line = append(line, "-9999"...)
		}
		line = strconv.AppendInt(append(line, ','), int64(r.IntN(5000)), 10)
		line = strconv.AppendBool(append(line, ','), r.IntN(10) > 0)
		line = append(append(line, ','), words[r.IntN(len(words))]...)
		line = append(append(line, ' '), words[r.IntN(len(words))]...)
		line = strconv.AppendInt(append(line, ' '), int64(r.IntN(100000)), 10)
		line = append(line, '\n')
		written += int64(len(line))
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}

// prepare compares genesis prepare with what DuckDB and sha256sum need for the
// same: typed Parquet decided from every row, a summary of each column, and the
// file's digest.
func prepare(c config, genesis string) (string, error) {
	csv := filepath.Join(c.dir, "table.csv")
	if err := generate(csv, c.size); err != nil {
		return "", err
	}
	defer os.Remove(csv)
	version, err := exec.Command(c.duckdb, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w (pip install duckdb-cli)", c.duckdb, err)
	}
	cmp, err := c.compare("prepare", c.genesisPrepare(genesis, csv), c.duckPrepare(csv))
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## prepare\n\n`genesis prepare` of a generated CSV of %.2f GB and ten mixed columns (both passes, types from every\nrow, profile, digests, zstd Parquet in the store) beside DuckDB %s on the same file:\n`COPY (FROM read_csv(f, sample_size=-1)) TO … (FORMAT parquet, COMPRESSION zstd)`, `SUMMARIZE` and\n`sha256sum`, one after the other. %d pairs.\n\n", float64(c.size)/1e9, strings.Fields(string(version))[0], c.pairs)
	fmt.Fprintf(&b, "| | genesis / peer | genesis, median | peer, median |\n|---|---|---|---|\n")
	fmt.Fprintf(&b, "| wall time | %s | %.1f s | %.1f s |\n", cmp.ratio(wall), median(cmp.a, wall), median(cmp.b, wall))
	fmt.Fprintf(&b, "| CPU time | %s | %.1f s | %.1f s |\n", cmp.ratio(cpu), median(cmp.a, cpu), median(cmp.b, cpu))
	fmt.Fprintf(&b, "| peak memory | %s | %.0f MB | %.0f MB |\n\n", cmp.ratio(rss), median(cmp.a, rss), median(cmp.b, rss))
	return b.String(), nil
}

func (c config) genesisPrepare(genesis, csv string) func() (usage, error) {
	home := filepath.Join(c.dir, "home")
	return func() (usage, error) {
		defer removeAll(home)
		return c.once([]string{genesis, "prepare", csv, "--name", "table", "--home", home})
	}
}

func (c config) duckPrepare(csv string) func() (usage, error) {
	out := filepath.Join(c.dir, "table.parquet")
	return func() (usage, error) {
		defer removeAll(out)
		from := fmt.Sprintf("FROM read_csv('%s', sample_size=-1)", csv)
		return c.once(
			[]string{c.duckdb, "-c", fmt.Sprintf("COPY (%s) TO '%s' (FORMAT parquet, COMPRESSION zstd)", from, out)},
			[]string{c.duckdb, "-c", fmt.Sprintf("SUMMARIZE %s", from)},
			[]string{"sha256sum", csv})
	}
}

// memory measures the peak memory of prepare on the file and on one twice as
// large.
func memory(c config, genesis string) (string, error) {
	var b strings.Builder
	b.WriteString("## memory\n\nPeak resident memory of `genesis prepare` (default configuration; the bound is 512 MB).\n\n| CSV | peak |\n|---|---|\n")
	for _, size := range []int64{c.size, 2 * c.size} {
		csv := filepath.Join(c.dir, "table.csv")
		if err := generate(csv, size); err != nil {
			return "", err
		}
		u, err := c.genesisPrepare(genesis, csv)()
		os.Remove(csv)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %.1f GB | %.0f MB |\n", float64(size)/1e9, rss(u))
	}
	b.WriteString("\n")
	return b.String(), nil
}
