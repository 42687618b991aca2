package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node"
	"github.com/opengenesis/genesis/internal/store"
)

// token is the fake service with a database and one person who has a token.
type token struct {
	fake
	db *store.DB
}

func tokenOptions() node.Options {
	return node.Options{Open: func(ctx context.Context, h *node.Home) (node.Service, error) {
		db, err := store.Open(ctx, h.Catalog())
		return token{db: db}, err
	}}
}

func (t token) DB() *store.DB { return t.db }
func (t token) Close() error  { return t.db.Close() }

func (t token) Authenticate(r *http.Request) (genesis.Principal, error) {
	if r.Header.Get("Authorization") == "Bearer swordfish" {
		return genesis.Principal{Subject: "ada", Node: "local"}, nil
	}
	return genesis.Principal{}, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "the token does not hold"}
}

// beginServe starts `genesis serve`; the channel has its URL once it listens, or
// what it said instead.
func beginServe(t *testing.T, home string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := exec.Command("token-genesis", "serve", "--listen", "127.0.0.1:0", "--json")
	cmd.Env = append(os.Environ(), "GENESIS_HOME="+home)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	url := make(chan string, 1)
	go func() {
		var said struct{ URL string }
		if err := json.NewDecoder(out).Decode(&said); err != nil {
			said.URL = err.Error()
		}
		url <- said.URL
	}()
	return cmd, url
}

// startServe starts `genesis serve` and waits until it listens.
func startServe(t *testing.T, home string) (*exec.Cmd, string) {
	t.Helper()
	cmd, url := beginServe(t, home)
	said := <-url
	if !strings.HasPrefix(said, "http://127.0.0.1:") {
		t.Fatal(said)
	}
	return cmd, said
}

// genesisAt runs a command against a node elsewhere, and returns what it says.
func genesisAt(t *testing.T, url, token string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command("token-genesis", args...)
	cmd.Env = append(os.Environ(), "GENESIS_NODE="+url, "GENESIS_TOKEN="+token, "GENESIS_HOME="+filepath.Join(t.TempDir(), "none"))
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func TestServe(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	serve, url := startServe(t, home)
	raw := filepath.Join(t.TempDir(), "raw.csv")
	if err := os.WriteFile(raw, []byte("time,power\n1,swordfish-cell\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	// From elsewhere, with a token: files are uploaded, and removed afterwards.
	if out, status := genesisAt(t, url, "swordfish", "inspect", raw); status != 0 || !strings.Contains(out, "swordfish-cell") {
		t.Errorf("%d: %s", status, out)
	}
	if left, _ := os.ReadDir(filepath.Join(home, "uploads")); len(left) != 0 {
		t.Errorf("%v are left at the node", left)
	}
	if out, status := genesisAt(t, url, "wrong", "list"); status != 6 || !strings.Contains(out, "the token does not hold") {
		t.Errorf("%d: %s", status, out)
	}
	if out, status := genesisAt(t, "example.org", "", "list"); status != 3 {
		t.Errorf("%d: %s", status, out)
	}
	if out, status := genesisAt(t, url, "swordfish", "serve"); status != 3 {
		t.Errorf("%d: %s", status, out)
	}

	// On this machine, commands use the socket, and a second server is refused.
	local, out := command(t, home, "list")
	if err := local.Run(); err != nil || !strings.Contains(out.String(), "turbines") {
		t.Errorf("%v: %s", err, out)
	}
	second, _ := command(t, home, "serve")
	said, _ := second.StderrPipe()
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(said); !lines.Scan() || !strings.Contains(lines.Text(), "is served already, at "+url) {
		t.Errorf("said %q", lines.Text())
	}
	if status := statusOf(t, second); status != 5 {
		t.Errorf("status %d", status)
	}

	if err := serve.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := statusOf(t, serve); status != 0 {
		t.Errorf("status %d", status)
	}
	if out, status := genesisAt(t, url, "swordfish", "list"); status != 7 {
		t.Errorf("%d: %s", status, out)
	}
}

// TestServeWaits: a command that uses the home is not disturbed.
func TestServeWaits(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	first, _ := startSlow(t, home, "prepare")
	_, began := beginServe(t, home)
	select {
	case url := <-began:
		t.Fatalf("it serves at %s while another process does", url)
	case <-time.After(300 * time.Millisecond):
	}
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status := statusOf(t, first); status != 130 {
		t.Errorf("status %d", status)
	}
	select {
	case said := <-began:
		if !strings.HasPrefix(said, "http://") {
			t.Error(said)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not take over")
	}
}
