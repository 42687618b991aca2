package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// nodes makes homes of these names, each a node of its own at a port of its own, and
// serves them until the script ends: nodes nrel mit.
func nodes(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		addr := l.Addr().String()
		ts.Check(l.Close())
		home := ts.MkAbs(name)
		ts.Check(os.MkdirAll(home, 0o700))
		config := fmt.Sprintf("node: %s\ninstitution: The %s\nsector: laboratory\nurl: http://%s\nserve:\n  listen: %s\nlog:\n  level: error\n", name, name, addr, addr)
		ts.Check(os.WriteFile(filepath.Join(home, "config.yaml"), []byte(config), 0o600))
		serveNode(ts, home)
	}
}

// served has what ends each node, by its home.
var served sync.Map

// away ends nodes, and back serves them again.
func away(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		end, _ := served.Load(ts.MkAbs(name))
		end.(func())()
	}
}

func back(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		serveNode(ts, ts.MkAbs(name))
	}
}

// serveNode serves a home until the script ends, and returns once it listens.
func serveNode(ts *testscript.TestScript, home string) {
	cmd := exec.Command("genesis", "serve", "--home", home, "--json")
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	cmd.Stderr = os.Stderr
	ts.Check(cmd.Start())
	end := sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait()
	})
	served.Store(home, end)
	ts.Defer(end)
	if !bufio.NewScanner(out).Scan() {
		ts.Fatalf("%s is not served", home)
	}
}

// capture puts what a pattern finds in stdout, or its first group, into a variable:
// capture ID '^([0-9a-f]{16}) waits'.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("stdout has no %s", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
}

// becomes runs a command until its stdout has a pattern, for half a minute at most:
// becomes 'public +1' genesis federation show --refresh.
func becomes(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + args[0])
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Since(began) > 30*time.Second {
			ts.Fatalf("stdout does not get %s", args[0])
		}
	}
}
