//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// between is a wire between two nodes that counts the bytes of blobs, and is as slow as
// is said.
type between struct {
	*httputil.ReverseProxy
	blobs atomic.Int64
	rate  atomic.Int64 // bytes a second; 0: as fast as it goes
}

func newBetween(to string) *between {
	w := &between{ReverseProxy: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})}
	w.ErrorLog = nil
	w.ModifyResponse = func(r *http.Response) error {
		if strings.Contains(r.Request.URL.Path, "/blobs/") && r.StatusCode < 300 {
			r.Body = &wire{r.Body, w}
		}
		return nil
	}
	return w
}

type wire struct {
	io.ReadCloser
	w *between
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	w.w.blobs.Add(int64(n))
	if rate := w.w.rate.Load(); rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
	return n, err
}

// freeAddr is an address that nothing listens at.
func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// pullNode makes a home and serves it.
func pullNode(t *testing.T, name, addr, at string) (*crasher, *exec.Cmd) {
	t.Helper()
	c := &crasher{T: t, home: filepath.Join(t.TempDir(), name), addr: addr}
	config := fmt.Sprintf("node: %s\nsector: laboratory\nurl: http://%s\nserve:\n  listen: %s\nlog:\n  level: error\n", name, at, addr)
	if err := os.MkdirAll(c.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.home, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := c.start()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return c, cmd
}

// run runs a command on the home and returns what it prints.
func (c *crasher) run(in string, args ...string) []byte {
	c.Helper()
	cmd := exec.Command("genesis", append([]string{"--home", c.home}, args...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		c.Fatalf("%v: %v: %s", args, err, errs.String())
	}
	return out.Bytes()
}

// pullPair is a laboratory, behind a wire that is as slow as a test says, and a university of
// its federation, with the process that serves that.
func pullPair(t *testing.T) (nrel, mit *crasher, slow *between, serving *exec.Cmd) {
	t.Helper()
	direct, door := freeAddr(t), freeAddr(t)
	slow = newBetween(direct)
	srv := &http.Server{Addr: door, Handler: slow}
	go func() { _ = srv.ListenAndServe() }()
	t.Cleanup(func() { _ = srv.Close() })
	nrel, _ = pullNode(t, "nrel", direct, door)
	at := freeAddr(t)
	mit, serving = pullNode(t, "mit", at, at)
	nrel.run("", "federation", "create", "energy")
	mit.run(string(nrel.run("", "federation", "invite", "MIT", "--sector", "university")), "federation", "join")
	return nrel, mit, slow, serving
}

// TestKilledPulling kills a node in the middle of a pull, twice: started again it goes on at
// the first block that is missing, and the copy is whole.
func TestKilledPulling(t *testing.T) {
	nrel, mit, slow, serving := pullPair(t)

	const size = 40<<20 + 12345
	var files []string
	for i := range 2 {
		b := make([]byte, size)
		r := rand.NewChaCha8([32]byte{byte(i)})
		_, _ = r.Read(b)
		path := filepath.Join(t.TempDir(), fmt.Sprintf("part%d.bin", i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	nrel.run("", append([]string{"model", "add", "big"}, files...)...)
	nrel.run("", "answer", "big", "inputs-not-stated", "of noise")
	nrel.run("", "publish", "big", "--tier", "registered")

	slow.rate.Store(8 << 20) // each of the transfers
	var r genesis.Run
	if err := json.Unmarshal(mit.run("", "pull", "nrel/big", "--detach", "--json"), &r); err != nil {
		t.Fatal(err)
	}
	for _, most := range []int64{15 << 20, 40 << 20} {
		for deadline := time.Now().Add(time.Minute); slow.blobs.Load() < most; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes after a minute: %s", slow.blobs.Load(), mit.run("", "runs", r.ID))
			}
		}
		if err := serving.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = serving.Wait()
		serving = mit.start()
	}
	slow.rate.Store(0)
	t.Cleanup(func() { _ = serving.Process.Kill(); _ = serving.Wait() })
	for deadline := time.Now().Add(2 * time.Minute); !r.State.Ended(); time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal(mit.run("", "runs", r.ID, "--json"), &r); err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r.State != genesis.RunDone || r.Tries != 3 {
		t.Fatalf("it is %s after %d tries: %+v", r.State, r.Tries, r.Error)
	}
	if out := mit.run("", "verify", "big"); !bytes.Contains(out, []byte("every byte is what it was")) {
		t.Errorf("%s", out)
	}
	var got genesis.Pulled
	if err := json.Unmarshal(r.Result, &got); err != nil {
		t.Fatal(err)
	}
	// For each kill, of each of the two transfers: a block, and what was on its way.
	total, lost := int64(2*size), int64(2*2*(1<<20+1<<19))
	if moved := slow.blobs.Load(); moved > total+lost || moved < total {
		t.Errorf("%d bytes moved for %d", moved, total)
	} else {
		t.Logf("%d bytes moved for %d: %d twice", moved, total, moved-total)
	}
}

// TestRevokedPulling takes a grant back in the middle of a pull: nothing comes any more
// within a second, and nothing of it is there.
func TestRevokedPulling(t *testing.T) {
	nrel, mit, slow, _ := pullPair(t)
	b := make([]byte, 64<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	path := filepath.Join(t.TempDir(), "part.bin")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	nrel.run("", "model", "add", "big", path)
	nrel.run("", "answer", "big", "inputs-not-stated", "of noise")
	nrel.run("", "publish", "big", "--tier", "controlled")
	var g genesis.Grant
	if err := json.Unmarshal(nrel.run("", "grant", "big", "--to", "person:mit/local", "--actions", "read", "--json"), &g); err != nil {
		t.Fatal(err)
	}
	slow.rate.Store(4 << 20)
	var r genesis.Run
	if err := json.Unmarshal(mit.run("", "pull", "nrel/big", "--detach", "--json"), &r); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); slow.blobs.Load() < 4<<20; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes after a minute: %s", slow.blobs.Load(), mit.run("", "runs", r.ID))
		}
	}
	nrel.run("", "revoke", g.ID, "--reason", "a mistake")
	time.Sleep(1500 * time.Millisecond) // a second, and what is in the wire
	came := slow.blobs.Load()
	for deadline := time.Now().Add(time.Minute); !r.State.Ended(); time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal(mit.run("", "runs", r.ID, "--json"), &r); err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if r.State != genesis.RunFailed || r.Error.Kind != genesis.Permission || slow.blobs.Load() > came || came > 32<<20 {
		t.Errorf("it is %s: %+v; %d bytes came, then %d", r.State, r.Error, came, slow.blobs.Load()-came)
	}
	if out := mit.run("", "list", "--json"); bytes.Contains(out, []byte("big")) {
		t.Errorf("%s", out)
	}
}
