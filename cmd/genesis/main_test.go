package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/opengenesis/genesis/internal/node"
)

var update = flag.Bool("update", false, "rewrite the files that scripts compare with")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"genesis":       func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, node.Options{})) },
		"token-genesis": func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, tokenOptions())) },
		"fake-genesis":  func() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, fakeOptions())) },
	})
}

// raced says that the race detector looks on.
var raced bool

// scripts are the files of scripts. Under the race detector, which takes ten times as long,
// those alone in which nodes talk to each other: the others do one thing after the other.
func scripts(t *testing.T) (files []string) {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !raced || strings.Contains(string(text), "\nnodes ") {
			files = append(files, file)
		}
	}
	return files
}

// TestScripts runs the command line over a service with fixed answers.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Files:         scripts(t),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GENESIS_HOME", filepath.Join(env.WorkDir, "home"))
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "json": isJSON, "mkdata": mkdata, "mkwide": mkwide, "flip": flip, "nodes": nodes, "capture": capture, "becomes": becomes, "away": away, "back": back},
	})
}

// exits runs a command and checks its exit status: exits 3 genesis show x.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if status != want {
		ts.Fatalf("exit status is %d, want %d", status, want)
	}
}

// isJSON checks that stdout is one JSON object with the given members.
func isJSON(ts *testscript.TestScript, _ bool, args []string) {
	var got map[string]any
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	ts.Check(dec.Decode(&got))
	if dec.More() {
		ts.Fatalf("stdout holds more than one object")
	}
	for _, member := range args {
		if _, ok := got[member]; !ok {
			ts.Fatalf("stdout has no member %q: %v", member, got)
		}
	}
}

// mkdata writes a raw file with so many rows: mkdata plant.csv 400.
func mkdata(ts *testscript.TestScript, _ bool, args []string) {
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("sample,Temp (°C),Valve,Power (kW)\n")
	for i := range rows {
		temp := float64(i%37) + .25*float64(i%11)
		valve := []string{"open", "shut"}[i/5%2]
		fmt.Fprintf(&b, "S%04d,%.2f,%s,%.3f\n", i, temp, valve, 3*temp+40*float64(i/5%2)+float64(i*7919%13)/10)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// mkwide writes a raw file with so many columns: mkwide wide.csv 2000.
func mkwide(ts *testscript.TestScript, _ bool, args []string) {
	columns, err := strconv.Atoi(args[1])
	ts.Check(err)
	var names, values []string
	for i := range columns {
		names, values = append(names, fmt.Sprintf("sensor_%04d [m/s]", i)), append(values, fmt.Sprintf("%d.5", i%7))
	}
	row := strings.Join(values, ",") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(names, ",")+"\n"+strings.Repeat(row, 10)), 0o600))
}

// flip changes one bit in the middle of every stored blob of some size.
func flip(ts *testscript.TestScript, _ bool, _ []string) {
	flipped := 0
	err := filepath.WalkDir(ts.MkAbs("home/blobs"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) < 1000 {
			return err
		}
		flipped++
		b[len(b)/2] ^= 4
		_ = os.Chmod(path, 0o600)
		return os.WriteFile(path, b, 0o600)
	})
	ts.Check(err)
	if flipped == 0 {
		ts.Fatalf("no blob was found")
	}
}

// command is a genesis of its own process, over the fake service.
func command(t *testing.T, home string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd := exec.Command("fake-genesis", args...)
	cmd.Env = append(os.Environ(), "GENESIS_HOME="+home)
	var out bytes.Buffer
	cmd.Stdout = &out
	t.Cleanup(func() {
		if cmd.ProcessState == nil && cmd.Process != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, &out
}

// startSlow starts a command whose work takes until it is stopped, and waits
// until the work goes on.
func startSlow(t *testing.T, home string, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "slow.csv")
	if err := os.WriteFile(path, []byte("slow\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, _ := command(t, home, append(args, path)...)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	if !lines.Scan() || lines.Text() != "genesis: working" {
		t.Fatalf("the work did not start: %q", lines.Text())
	}
	return cmd, lines
}

func statusOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
		return cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.Fatal("the command does not end")
		return 0
	}
}

func TestCtrlC(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	out := filepath.Join(t.TempDir(), "out.csv")
	cmd, lines := startSlow(t, home, "predict", "turbine-power", "--out", out)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	said := ""
	for lines.Scan() {
		said += lines.Text() + "\n"
	}
	if status := statusOf(t, cmd); status != 130 || !strings.Contains(said, "stopped") {
		t.Errorf("status %d, said %q", status, said)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestServingForOthers: the first command serves the second; Ctrl-C ends its
// own work, and it stays for as long as the second needs it.
func TestServingForOthers(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	first, lines := startSlow(t, home, "prepare")
	second, _ := startSlow(t, home, "prepare")
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "stopped") {
		t.Fatalf("said %q", lines.Text())
	}
	third, out := command(t, home, "list", "--json")
	if err := third.Run(); err != nil || !strings.Contains(out.String(), "turbines") {
		t.Errorf("while the first stays: %v, %q", err, out)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "serving them") {
		t.Errorf("does not say why it stays: %q", lines.Text())
	}
	if err := second.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{second, first} {
		if status := statusOf(t, cmd); status != 130 {
			t.Errorf("status %d", status)
		}
	}
}

// TestKilledServer: a command whose server is killed says so; the home is free.
func TestKilledServer(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	first, _ := startSlow(t, home, "prepare")
	second, lines := startSlow(t, home, "prepare")
	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "broke off") {
		t.Errorf("said %q", lines.Text())
	}
	if status := statusOf(t, second); status != 7 {
		t.Errorf("status %d", status)
	}
	third, _ := command(t, home, "list")
	if err := third.Run(); err != nil {
		t.Errorf("after a crash: %v", err)
	}
}

// TestManyAtOnce starts commands on a home that is not there yet.
func TestManyAtOnce(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	var cmds []*exec.Cmd
	for range 8 {
		cmd, _ := command(t, home, "list")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		if status := statusOf(t, cmd); status != 0 {
			t.Errorf("status %d", status)
		}
	}
}
