package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/testdata"
)

// smallDisk is where the test that runs in a namespace of its own mounts its disk.
const smallDisk = "GENESIS_TEST_DISK"

// TestFullDisk serves a home on a disk that fills up. What writes is refused with the
// reason, what reads is answered rightly or refused, and when there is room again all
// goes on: nothing that was acknowledged is lost, and nothing half-done is there.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		onFullDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || bytes.Contains(out, []byte("cannot mount")) {
		testdata.Missing(t, "namespaces", "the kernel gives this user no namespace with a disk of its own: "+err.Error())
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestFullDisk")) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Log(string(out))
}

func onFullDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatalf("cannot mount a disk: %v", err)
	}
	home := filepath.Join(dir, "home")
	genesisCommand := func(args ...string) (stdout, stderr string, err error) {
		cmd := exec.Command("genesis", args...)
		cmd.Env = append(os.Environ(), "GENESIS_HOME="+home)
		var o, e bytes.Buffer
		cmd.Stdout, cmd.Stderr = &o, &e
		err = cmd.Run()
		return o.String(), e.String(), err
	}
	must := func(args ...string) string {
		t.Helper()
		stdout, stderr, err := genesisCommand(args...)
		if err != nil {
			t.Fatalf("genesis %s: %v\n%s", strings.Join(args, " "), err, stderr)
		}
		return stdout
	}
	csv := func(n int) string {
		path := filepath.Join(t.TempDir(), "rows.csv") // not on the disk that fills
		text := "a,b\n"
		for i := range 2000 {
			text += fmt.Sprintf("%d,%d\n", n*i, i*i%977)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must("init")
	serve := exec.Command("genesis", "serve", "--listen", "127.0.0.1:0")
	serve.Env = append(os.Environ(), "GENESIS_HOME="+home)
	var said bytes.Buffer
	serve.Stderr = &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		if serve.ProcessState == nil {
			_ = serve.Process.Signal(syscall.SIGTERM)
			_ = serve.Wait()
		}
	}
	defer stop()
	must("prepare", csv(1), "--name", "before", "--no-proof")
	must("publish", "before", "--tier", "public")
	want := must("export", "before", "--out", "-", "--format", "csv")

	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	acknowledged := []string{"before"}
	refused := 0
	full := func(what, stderr string, err error) {
		t.Helper()
		refused++
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != genesis.Unavailable.ExitStatus() || !strings.Contains(stderr, "room") && !strings.Contains(stderr, "space") {
			t.Errorf("on the full disk %s ends with %v: %s", what, err, stderr)
		}
	}
	granted := 0
	for n := range 5 {
		name := fmt.Sprint("full-", n)
		if _, stderr, err := genesisCommand("prepare", csv(n+2), "--name", name, "--no-proof"); err == nil {
			acknowledged = append(acknowledged, name)
		} else {
			full("prepare", stderr, err)
		}
		if _, stderr, err := genesisCommand("grant", "before", "--to", fmt.Sprint("mit/p", n), "--actions", "train"); err == nil {
			granted++
		} else {
			full("grant", stderr, err)
		}
		must("show", "before")
		must("list")
		if got, stderr, err := genesisCommand("export", "before", "--out", "-", "--format", "csv"); err == nil && got != want {
			t.Error("on the full disk wrong rows are read")
		} else if err != nil {
			full("export", stderr, err)
		}
		fill(t, filler) // what a failed write gave back
	}
	if refused == 0 {
		t.Error("nothing was refused: the disk was not full")
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second) // the journal tries again by itself
	must("prepare", csv(9), "--name", "after", "--no-proof")
	check := func() {
		t.Helper()
		for _, name := range append(acknowledged, "after") {
			must("verify", name)
		}
		if got := must("export", "before", "--out", "-", "--format", "csv"); got != want {
			t.Error("afterwards other rows are read")
		}
		if got := strings.Count(must("grants", "before"), "person:mit/p"); got != granted {
			t.Errorf("%d grants, of which %d were acknowledged", got, granted)
		}
		if out := must("audit", "verify"); !strings.Contains(out, "sound") {
			t.Error(out)
		}
	}
	check()
	stop()
	if serve.ProcessState.ExitCode() != 0 {
		t.Errorf("the node ends with %v: %s", serve.ProcessState, said.String())
	}
	check() // each command opens the home anew
	t.Logf("%d acts refused; %d datasets and %d grants were made all the same", refused, len(acknowledged)-1, granted)
}

// fill writes to a file until the disk has no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for range 10_000 {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the disk does not fill up")
}
