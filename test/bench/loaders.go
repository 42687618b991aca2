package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed loaders/*.py
var loaderScripts embed.FS

// How long the parts of loaders may take. What is not done by then is reported
// as that, so that the whole ends within half an hour on any machine.
const (
	speedTime  = 20 * time.Minute
	resumeTime = 4 * time.Minute
	memoryTime = 4 * time.Minute
	stepTime   = 2 * time.Minute // one process
)

const loaderRows = 1_000_000

// lab is where the loaders are measured: their scripts, their rows, and a node.
type lab struct {
	config
	genesis string
	scripts string
	home    string
	node    *node
	ctx     context.Context // ends when somebody interrupts the program
}

// loaders compares our Python loader with those that people use.
func loaders(c config, genesis string) (string, error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	l, err := newLab(ctx, c, genesis)
	if err != nil {
		return "", err
	}
	defer func() { l.node.stop() }()
	start := time.Now()
	speed, err := l.speed()
	if err != nil {
		return "", err
	}
	resume := l.resume()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	l.node.stop()
	memory, err := l.memory()
	if err != nil {
		return "", err
	}
	end := fmt.Sprintf("Measured in %s; load average at the end %s.\n\n", time.Since(start).Round(time.Second), load())
	return speed + resume + memory + end, nil
}

func newLab(ctx context.Context, c config, genesis string) (*lab, error) {
	client, err := filepath.Abs(c.client)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(client, "genesis")); err != nil {
		return nil, fmt.Errorf("the Python package: %w", err)
	}
	c.client = client
	l := &lab{ctx: ctx, config: c, genesis: genesis, scripts: filepath.Join(c.dir, "loaders"), home: filepath.Join(c.dir, "home")}
	if err := l.unpack(); err != nil {
		return nil, err
	}
	run := commands(genesis, l.home)
	for _, d := range []struct {
		name string
		rows int
		y    func(int) float64
	}{{"rows", loaderRows, nil}, {"numbered", numberedRows, func(i int) float64 { return float64(i) }}} {
		if err := writeTargetRows(l.csv(d.name), d.rows, d.y); err != nil {
			return nil, err
		}
		if err := publishRows(run, d.name, l.csv(d.name)); err != nil {
			return nil, err
		}
	}
	token, err := newToken(run)
	if err != nil {
		return nil, err
	}
	l.node, err = c.serve(genesis, l.home, token)
	return l, err
}

func (l *lab) csv(name string) string { return filepath.Join(l.dir, name+".csv") }

// unpack writes the scripts to where Python finds them.
func (l *lab) unpack() error {
	sub, err := fs.Sub(loaderScripts, "loaders")
	if err != nil {
		return err
	}
	return os.CopyFS(l.scripts, sub)
}

// publishRows makes a CSV of writeTargetRows a dataset to train on.
func publishRows(run func(...string) ([]byte, error), name, csv string) error {
	if _, err := run("prepare", csv, "--name", name, "--target", "y", "--split", "random", "--no-proof"); err != nil {
		return err
	}
	_, err := run("publish", name, "--tier", "registered")
	return err
}

// errSlow is the end of a process that took too long.
var errSlow = errors.New("took too long")

// python runs the script main.py of the loaders, with all that it starts, on
// the cores of the comparison, and reads what it says.
func (l *lab) python(into any, env []string, args ...string) error {
	ctx, cancel := context.WithTimeout(l.ctx, stepTime)
	defer cancel()
	args = append([]string{filepath.Join(l.peers, "bin", "python"), filepath.Join(l.scripts, "main.py")}, args...)
	if l.cores != "" {
		args = append([]string{"taskset", "-c", l.cores}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = l.dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+l.client, "PYTHONDONTWRITEBYTECODE=1", "HF_HUB_OFFLINE=1", "HF_HOME="+filepath.Join(l.dir, "hf"),
		"GENESIS_BENCH_NODE="+l.node.url, "GENESIS_BENCH_TOKEN="+l.node.token)
	cmd.Env = append(cmd.Env, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its workers end with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	switch {
	case l.ctx.Err() != nil:
		return l.ctx.Err()
	case ctx.Err() != nil:
		return errSlow
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return fmt.Errorf("%v: %w\n%s", args, err, errs.Bytes())
	}
	return json.Unmarshal(out.Bytes(), into)
}

// reason is the last line of what a process said when it failed, for a table.
func reason(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.ReplaceAll(lines[len(lines)-1], "|", "/")
}

// written is what writing a peer's rows says: what they add up to.
type written struct {
	Version string
	Rows    int
	X, Y    float64
}

// oneEpoch is what one epoch of a loader says.
type oneEpoch struct {
	Seconds, First float64
	Rows           int
	X, Y           float64
	Before, Peak   int64
}

func (e oneEpoch) rate() float64 { return float64(e.Rows) / e.Seconds }

// same reports that an epoch was over the rows that were written, once each.
func (w written) same(e oneEpoch) error {
	// Sums of float32 in other orders differ by some ten-thousandths.
	if e.Rows != w.Rows || math.Abs(e.X-w.X) > 0.1 || math.Abs(e.Y-w.Y) > 0.1 {
		return fmt.Errorf("an epoch of %d rows, sums %.2f and %.2f, over %d with %.2f and %.2f", e.Rows, e.X, e.Y, w.Rows, w.X, w.Y)
	}
	return nil
}

// epoch runs one epoch of a peer's loader over the rows in a folder.
func (l *lab) epoch(peer, folder string, workers int, env ...string) (oneEpoch, error) {
	var e oneEpoch
	err := l.python(&e, env, "epoch", peer, folder, strconv.Itoa(workers))
	return e, err
}

// write writes rows as a peer wants them.
func (l *lab) write(peer, folder, table string, rows int) (written, error) {
	var w written
	err := l.python(&w, nil, "make", peer, folder, table, strconv.Itoa(rows))
	return w, err
}

// peersVenv is where make bench-peers installs the peers.
func peersVenv() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "genesis", "bench-peers")
}
