package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// The net of the comparison has the power plant's shape, 4→64→64→1 with ReLU,
// trained with Adam on minibatches of 200 over as many rows as it has.
const (
	trainRows   = 9568
	trainInputs = 4
	trainHidden = 64
	trainBatch  = 200
	trainEpochs = 40
)

//go:embed training.py
var trainingPeer string

// outcome is what one training says on standard output.
type outcome struct {
	Seconds  float64 `json:"seconds"`
	RMSE     float64 `json:"rmse"`
	Versions string  `json:"versions"`
}

// training compares samples/s of internal/nn with scikit-learn's MLPRegressor
// in several variants.
func training(c config, _ string) (string, error) {
	if c.python == "" {
		return "", fmt.Errorf("GENESIS_TEST_PYTHON does not name a Python with scikit-learn")
	}
	table, script := filepath.Join(c.dir, "training.txt"), filepath.Join(c.dir, "training.py")
	if err := os.WriteFile(script, []byte(trainingPeer), 0o600); err != nil {
		return "", err
	}
	if err := writeTrainingTable(table); err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	var ours, peer outcome
	var rows strings.Builder
	for _, v := range []variant{{"float32", "1"}, {"float32", ""}, {"float64", "1"}, {"float64", ""}} {
		cmp, err := c.compare("training beside "+v.String(),
			func() (usage, error) { return c.timed(&ours, trainTask+"="+table, self) },
			func() (usage, error) {
				return c.timed(&peer, v.environment(), c.python, script, table, strconv.Itoa(trainEpochs), v.precision)
			})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s |\n", v, cmp.ratio(wall), perSecond(cmp.a), perSecond(cmp.b))
	}
	return fmt.Sprintf(trainingText, trainInputs, trainHidden, trainHidden, trainBatch, trainEpochs, trainRows, peer.Versions,
		c.pairs, load(), ours.RMSE, peer.RMSE, trainNoise, rows.String()), nil
}

const trainingText = `## training

Training %d→%d→%d→1 (ReLU, Adam, minibatches of %d, %d epochs over %d generated rows, no early stopping)
with internal/nn in pure Go, float32, each minibatch on both cores, beside MLPRegressor of
%s.
The seconds are those of training alone, without start and reading. %d pairs a line; load average at the end %s.
At the end the RMSE on the training rows is %.3f with ours and %.3f with the peer's, whose initial weights
are smaller (noise %.1f).

| the peer computes in | seconds, genesis / peer | genesis, median | peer, median |
|---|---|---|---|
%s
`

// variant is how the peer computes: its precision, and how many threads its
// BLAS may use, "" for its own choice. Spinning threads hurt it where others
// use the cores too, so its best is among the variants.
type variant struct{ precision, threads string }

func (v variant) String() string {
	if v.threads == "" {
		return v.precision + ", BLAS threads as it likes"
	}
	return v.precision + ", " + v.threads + " BLAS thread"
}

func (v variant) environment() string {
	if v.threads == "" {
		return trainTask + "=" // nothing to say
	}
	return "OPENBLAS_NUM_THREADS=" + v.threads
}

// load returns the load average of the last minutes, where there is one.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(b)); len(f) > 1 {
		return f[1]
	}
	return "unknown"
}

func perSecond(list []usage) string {
	return fmt.Sprintf("%.0f samples/s", trainRows*trainEpochs/median(list, wall))
}

// timed runs a command with one more variable of the environment and takes its
// word for the time.
func (c config) timed(into *outcome, env string, args ...string) (usage, error) {
	if c.cores != "" {
		args = append([]string{"taskset", "-c", c.cores}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return usage{}, fmt.Errorf("%v: %w", args, err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return usage{}, fmt.Errorf("%v: %w", args, err)
	}
	return usage{wall: time.Duration(into.Seconds * float64(time.Second)),
		cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

const trainNoise = 0.2

// writeTrainingTable writes rows of standard normal inputs and a target that
// bends and has noise.
func writeTrainingTable(path string) error {
	r := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	for range trainRows {
		var x [trainInputs]float64
		for j := range x {
			x[j] = r.NormFloat64()
			fmt.Fprintf(&b, "%.6f ", x[j])
		}
		y := math.Sin(2*x[0]) + x[1]*x[2] - x[3] + trainNoise*r.NormFloat64()
		fmt.Fprintf(&b, "%.6f\n", y)
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}

// trainTask is the variable by which the program asks itself to train: its
// value is the table.
const trainTask = "GENESIS_BENCH_TRAIN"

// trainOurs is this side of the comparison, in a process of its own.
func trainOurs(path string) error {
	x, y, err := readTrainingTable(path)
	if err != nil {
		return err
	}
	t := newTrainer(x, y, runtime.GOMAXPROCS(0))
	start := time.Now()
	t.run(trainEpochs)
	out := outcome{Seconds: time.Since(start).Seconds(), Versions: runtime.Version()}
	out.RMSE = t.rmse()
	return json.NewEncoder(os.Stdout).Encode(out)
}
