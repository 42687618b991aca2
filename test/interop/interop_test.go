//go:build linux || darwin

// Package interop runs the program of the last release against the present one: two nodes
// of one federation, which find, ask, train, copy and reconcile with each other.
package interop

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestReleasesSpeak: whichever of both is older. The last release is built from its tag;
// GENESIS_PREVIOUS names another program in its place. While there is no release, the
// present program stands in for it, so that the test is one from the first day.
func TestReleasesSpeak(t *testing.T) {
	now := build(t, "../..")
	before := previous(t, now)
	t.Run("the owner is older", func(t *testing.T) { speak(t, before, now) })
	t.Run("the asker is older", func(t *testing.T) { speak(t, now, before) })
}

// build builds the program of a source tree.
func build(t *testing.T, tree string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "genesis")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, "./cmd/genesis")
	cmd.Dir = tree
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// previous is the program of the last release, of those that are not the present commit.
func previous(t *testing.T, now string) string {
	t.Helper()
	if path := os.Getenv("GENESIS_PREVIOUS"); path != "" {
		return path
	}
	tag, err := exec.CommandContext(t.Context(), "git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^").Output()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("GENESIS_TEST_REQUIRE"), ","), "release") {
			t.Fatal("there is no earlier release")
		}
		t.Log("there is no earlier release: the program is held against itself")
		return now
	}
	tree := t.TempDir()
	archive := exec.CommandContext(t.Context(), "sh", "-c", "git -C ../.. archive "+strings.TrimSpace(string(tag))+" | tar -x -C "+tree)
	if text, err := archive.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return build(t, tree)
}

// node is a program over a home.
type node struct {
	*testing.T
	program, home, url string
}

func serve(t *testing.T, program, id, sector string) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{T: t, program: program, home: filepath.Join(t.TempDir(), id), url: "http://" + l.Addr().String()}
	config := fmt.Sprintf("node: %s\ninstitution: The %s\nsector: %s\nurl: %s\nserve:\n  listen: %s\nlog:\n  level: error\n", id, id, sector, n.url, l.Addr())
	l.Close()
	if err := os.MkdirAll(n.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(n.home, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", "--home", n.home, "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		_ = cmd.Wait()
	})
	if !bufio.NewScanner(out).Scan() {
		t.Fatalf("%s is not served", id)
	}
	return n
}

// types runs a command at the node and returns what it printed.
func (n *node) types(args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(n.Context(), n.program, append([]string{"--home", n.home}, args...)...)
	cmd.Env = append(os.Environ(), "GENESIS_NODE=", "GENESIS_TOKEN=")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("genesis %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

func (n *node) does(args ...string) string {
	n.Helper()
	out, err := n.types(args...)
	if err != nil {
		n.Fatal(err)
	}
	return out
}

// until types a command until what it prints has a text, and returns that.
func (n *node) until(text string, args ...string) string {
	n.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		out, err := n.types(args...)
		if err == nil && strings.Contains(out, text) {
			return out
		}
		if time.Now().After(end) {
			n.Fatalf("genesis %s does not show %q: %v\n%s", strings.Join(args, " "), text, err, out)
		}
	}
}

// speak has a laboratory and a university do with each other what nodes do.
func speak(t *testing.T, owner, asker string) {
	nrel, mit := serve(t, owner, "nrel", "laboratory"), serve(t, asker, "mit", "university")
	nrel.does("federation", "create", "energy")
	invited := nrel.does("federation", "invite", "The mit", "--sector", "university")
	at := strings.Index(invited, "genesis-invitation.")
	mit.does("federation", "join", strings.Fields(invited[at:])[0])

	nrel.does("prepare", table(t), "--name", "plants", "--target", "power", "--no-proof")
	nrel.does("publish", "plants", "--tier", "controlled")
	nrel.does("prepare", table(t), "--name", "winds", "--target", "power", "--no-proof")
	nrel.does("publish", "winds", "--tier", "public")
	for _, name := range []string{"plants", "winds"} {
		for end := time.Now().Add(time.Minute); ; {
			mit.does("federation", "show", "--refresh")
			if strings.Contains(mit.does("search", "--local", name), "nrel/"+name) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("mit does not find nrel/%s", name)
			}
		}
	}

	asked := mit.does("request", "nrel/plants", "--actions", "train,infer", "--purpose", "interoperation")
	id := strings.TrimSuffix(strings.Fields(asked)[1], ":")
	nrel.until(id, "requests")
	nrel.does("approve", id, "--until", "7d")
	mit.until("approved", "requests", id)

	trained := mit.does("train", "nrel/plants", "--members", "1", "--epochs", "1", "--seed", "1")
	if !strings.Contains(trained, "nrel/~local+mit/plants-power") {
		t.Fatalf("trained there: %s", trained)
	}
	mit.does("predict", "--at", "nrel", "~local+mit/plants-power", table(t), "--out", filepath.Join(t.TempDir(), "p.csv"))
	mit.does("pull", "nrel/winds")
	mit.does("verify", "winds")
	for _, n := range []*node{nrel, mit} {
		n.does("audit", "verify")
	}
	nrel.does("audit", "reconcile", "mit")
	mit.does("audit", "reconcile", "nrel")
}

// table is a file of 400 rows that no other has.
func table(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("temp (°C),speed (m/s),power (kW)\n")
	for range 400 {
		temp, speed := rand.Float64()*30, rand.Float64()*20
		fmt.Fprintf(&b, "%.2f,%.2f,%.2f\n", temp, speed, speed*speed*3-temp+rand.Float64())
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
