//go:build linux || darwin

package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/api"
	"github.com/opengenesis/genesis/internal/format"
)

// stub is a service that reads files and works until it is canceled.
type stub struct {
	api.Service
	working, stopped chan struct{}
}

func newStub() *stub {
	return &stub{working: make(chan struct{}, 10), stopped: make(chan struct{}, 10)}
}

func (s *stub) Close() error { return nil }

// Inspect answers with the files' bytes.
func (s *stub) Inspect(_ context.Context, _ genesis.Principal, files []*format.Raw, _ genesis.PrepareOptions, _ genesis.Progress) (*genesis.Inspection, error) {
	out := &genesis.Inspection{}
	for _, f := range files {
		b, err := io.ReadAll(io.NewSectionReader(f.At, 0, f.Size))
		if err != nil {
			return nil, err
		}
		out.Sources = append(out.Sources, genesis.Source{Path: f.Name, Preamble: string(b)})
	}
	return out, nil
}

// Train works until it is canceled.
func (s *stub) Train(ctx context.Context, _ genesis.Principal, _ genesis.TrainRequest, _ genesis.Progress) (*genesis.Trained, error) {
	s.working <- struct{}{}
	<-ctx.Done()
	s.stopped <- struct{}{}
	return nil, ctx.Err()
}

func start(t *testing.T, h *Home, s *stub) *Node {
	t.Helper()
	n, err := Start(t.Context(), h, Options{Open: func(context.Context, *Home) (Service, error) { return s, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = n.Leave(ctx)
	})
	return n
}

func dial(t *testing.T, h *Home) *client.Client {
	t.Helper()
	dir, err := h.Sockets()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// soon waits for something that another goroutine is about to do.
func soon(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not happen", what)
	}
}

func TestOneServesAHome(t *testing.T) {
	h := mustHome(t, t.TempDir())
	if _, err := h.Sockets(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("sockets of a home nobody served: %v", err)
	}
	n := start(t, h, newStub())
	if _, err := Start(t.Context(), h, Options{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second node: %v", err)
	}
	if info, err := dial(t, h).Node(t.Context()); err != nil || info.Home != h.Path || info.Node != "local" {
		t.Errorf("%+v, %v", info, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Leave(ctx); err != nil {
		t.Error(err)
	}
	start(t, h, newStub())
}

func TestFailedStartGivesTheHomeBack(t *testing.T) {
	h := mustHome(t, t.TempDir())
	broken := errors.New("catalogue is damaged")
	if _, err := Start(t.Context(), h, Options{Open: func(context.Context, *Home) (Service, error) { return nil, broken }}); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	start(t, h, newStub())
}

func TestLeaveWaits(t *testing.T) {
	h := mustHome(t, t.TempDir())
	s := newStub()
	n := start(t, h, s)
	one, two := dial(t, h), dial(t, h)
	left := make(chan struct{})
	go func() {
		if err := n.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		close(left)
	}()
	one.Close()
	if _, err := two.Node(t.Context()); err != nil {
		t.Errorf("the node does not serve the client that is left: %v", err)
	}
	select {
	case <-left:
		t.Fatal("the node left a client behind")
	case <-time.After(50 * time.Millisecond):
	}
	dir, _ := h.Sockets()
	two.Close()
	soon(t, "leaving", left)
	if _, err := client.Dial(t.Context(), dir); !errors.Is(err, client.ErrNoNode) {
		t.Errorf("after leaving: %v", err)
	}
}

// TestKilledClient: when the kernel closes a killed client's sockets, its work
// stops and the node may leave.
func TestKilledClient(t *testing.T) {
	h := mustHome(t, t.TempDir())
	s := newStub()
	n := start(t, h, s)
	dir, _ := h.Sockets()
	session, err := net.Dial("unix", filepath.Join(dir, handSocket))
	if err != nil {
		t.Fatal(err)
	}
	request, err := net.Dial("unix", filepath.Join(dir, apiSocket))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"dataset":"x","name":"y","target":["z"]}`
	io.WriteString(request, "POST /v1/train HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 41\r\n\r\n"+body)
	soon(t, "the work's start", s.working)
	request.Close()
	session.Close()
	soon(t, "the work's end", s.stopped)
	if err := n.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLeaveCutsOff(t *testing.T) {
	h := mustHome(t, t.TempDir())
	s := newStub()
	n := start(t, h, s)
	c := dial(t, h)
	failed := make(chan error, 1)
	go func() {
		_, err := c.Train(context.Background(), genesis.TrainRequest{Dataset: "x", Name: "y", Target: []string{"z"}}, nil)
		failed <- err
	}()
	soon(t, "the work's start", s.working)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Leave(ctx); err != nil {
		t.Error(err)
	}
	if err := <-failed; genesis.KindOf(err) != genesis.Unavailable && genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("a client that was cut off: %v", err)
	}
	soon(t, "the work's end", s.stopped)
}

func handOver(t *testing.T, c *client.Client, text string) genesis.FileRef {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.csv")
	write(t, path, text)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ref, err := c.HandOver(t.Context(), f, "raw/x.csv")
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(path) // the descriptor is enough
	return ref
}

func TestHandOver(t *testing.T) {
	h := mustHome(t, t.TempDir())
	n := start(t, h, newStub())
	mine, other := dial(t, h), dial(t, h)
	a, b := handOver(t, mine, "one"), handOver(t, mine, "two")

	_, err := other.Inspect(t.Context(), genesis.InspectRequest{Files: []genesis.FileRef{a}}, nil)
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("another session's file: %v", err)
	}
	got, err := mine.Inspect(t.Context(), genesis.InspectRequest{Files: []genesis.FileRef{b, a}}, nil)
	if err != nil || len(got.Sources) != 2 || got.Sources[0].Preamble != "two" || got.Sources[1].Preamble != "one" || got.Sources[1].Path != "raw/x.csv" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := mine.Inspect(t.Context(), genesis.InspectRequest{Files: []genesis.FileRef{a}}, nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a token used twice: %v", err)
	}

	handOver(t, other, "left behind")
	other.Close()
	for range 1000 {
		if n.presence.count() == 1 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the session does not end with its connection")
}

func TestDesk(t *testing.T) {
	file := func() *os.File {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	closed := func(f *os.File) bool { return errors.Is(f.Close(), os.ErrClosed) }
	conn, _ := net.Pipe()

	d := newDesk()
	one := d.join(conn)
	f := file()
	if _, err := d.put(one, f); err != nil {
		t.Fatal(err)
	}
	d.part(one)
	if !closed(f) {
		t.Error("a file outlives its session")
	}
	f = file()
	if _, err := d.put(one, f); err == nil || !closed(f) {
		t.Errorf("a file for a session that is over: %v", err)
	}

	d.keep = time.Millisecond
	two := d.join(conn)
	f = file()
	token, err := d.put(two, f)
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		d.mu.Lock()
		_, there := d.sessions[two].files[token]
		d.mu.Unlock()
		if !there {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if _, err := d.Take(two, token); err == nil {
		t.Error("a file never expires")
	}
}

// TestWrongMessages: what is not one byte with one descriptor is answered, and
// the session goes on.
func TestWrongMessages(t *testing.T) {
	h := mustHome(t, t.TempDir())
	start(t, h, newStub())
	dir, _ := h.Sockets()
	conn, err := net.Dial("unix", filepath.Join(dir, handSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	u, r := conn.(*net.UnixConn), bufio.NewReader(conn)
	reply := func() (r2 handReply) {
		line, err := r.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(line, &r2); err != nil {
			t.Fatal(err)
		}
		return r2
	}
	if reply().Session == "" {
		t.Fatal("no greeting")
	}
	fd := int(os.Stdin.Fd())
	for name, fds := range map[string][]int{"none": nil, "two": {fd, fd}} {
		var rights []byte
		if fds != nil {
			rights = syscall.UnixRights(fds...)
		}
		if _, _, err := u.WriteMsgUnix([]byte{'f'}, rights, nil); err != nil {
			t.Fatal(err)
		}
		if got := reply(); got.Error == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, _, err := u.WriteMsgUnix([]byte{'f'}, syscall.UnixRights(fd), nil); err != nil {
		t.Fatal(err)
	}
	if got := reply(); got.Token == "" {
		t.Errorf("after wrong messages: %+v", got)
	}
}

// TestOthersAreRefused puts another user at the other end.
func TestOthersAreRefused(t *testing.T) {
	h := mustHome(t, t.TempDir())
	var other atomic.Bool
	opt := Options{Open: func(context.Context, *Home) (Service, error) { return newStub(), nil }, peer: func(c net.Conn) (uint32, error) {
		uid, err := peerUID(c)
		if other.Load() {
			uid++
		}
		return uid, err
	}}
	n, err := Start(t.Context(), h, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Leave(t.Context())
	c := dial(t, h) // has a session from before
	defer c.Close()
	other.Store(true)
	if _, err := c.Node(t.Context()); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("over HTTP: %v", err)
	}
	dir, _ := h.Sockets()
	if _, err := client.Dial(t.Context(), dir); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a session: %v", err)
	}
}

func TestPeerUID(t *testing.T) {
	h := mustHome(t, t.TempDir())
	start(t, h, newStub())
	dir, _ := h.Sockets()
	conn, err := net.Dial("unix", filepath.Join(dir, apiSocket))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if uid, err := peerUID(conn); err != nil || uid != uint32(os.Geteuid()) {
		t.Errorf("%d, %v", uid, err)
	}
	left, _ := net.Pipe()
	if _, err := peerUID(left); err == nil {
		t.Error("a pipe has a uid")
	}
}

// TestLongPath: a home too deep for a socket's address has its sockets elsewhere.
func TestLongPath(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	path := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	h := mustHome(t, path)
	n := start(t, h, newStub())
	dir, err := h.Sockets()
	if err != nil || filepath.Dir(dir) != runtime && filepath.Dir(dir) != os.TempDir() && filepath.Dir(dir) != "/tmp" {
		t.Fatalf("sockets lie in %q, %v", dir, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	c := dial(t, h)
	if _, err := c.Node(t.Context()); err != nil {
		t.Error(err)
	}
	c.Close()
	if err := n.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	// Somebody else's folder in its place is not trusted.
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Sockets(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder open to all was taken: %v", err)
	}
	if _, err := Start(t.Context(), h, Options{Open: func(context.Context, *Home) (Service, error) { return newStub(), nil }}); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("serving in a folder open to all: %v", err)
	}
	os.Chmod(dir, 0o700)
	os.RemoveAll(dir)
}

// TestAfterCrash: sockets and lock file of a killed process are in nobody's way.
func TestAfterCrash(t *testing.T) {
	h := mustHome(t, t.TempDir())
	for _, name := range []string{apiSocket, handSocket} {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(h.Path, name), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	b, _ := json.Marshal(serving{PID: 1, Sockets: h.Path})
	write(t, h.lockFile(), string(b))
	if _, err := client.Dial(t.Context(), h.Path); !errors.Is(err, client.ErrNoNode) {
		t.Errorf("dead sockets: %v", err)
	}
	start(t, h, newStub())
	if _, err := dial(t, h).Node(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPresence(t *testing.T) {
	p := newPresence()
	if !p.enter() {
		t.Fatal("nobody gets in")
	}
	drained := make(chan struct{})
	go func() { _ = p.drain(t.Context()); close(drained) }()
	if !p.enter() {
		t.Error("the door is shut while someone is in")
	}
	p.exit()
	p.exit()
	soon(t, "draining", drained)
	if p.enter() {
		t.Error("someone entered after draining")
	}
}
