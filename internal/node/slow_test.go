//go:build linux || darwin

package node

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

const (
	slowRate   = 300_000 // bytes that a slow reader reads in a second
	slowBuffer = 64 << 10
)

// slow is a connection whose reader is slow, and which counts what came.
type slow struct {
	net.Conn
	read  atomic.Int64
	ended chan struct{} // closed by the first error
}

func (s *slow) Read(b []byte) (int, error) {
	const every = 20 * time.Millisecond
	time.Sleep(every)
	n, err := s.Conn.Read(b[:min(len(b), slowRate/int(time.Second/every))])
	s.read.Add(int64(n))
	if err != nil {
		select {
		case <-s.ended:
		default:
			close(s.ended)
		}
	}
	return n, err
}

// dialSlowly makes a connection that is read slowly, with a small buffer in the kernel.
func dialSlowly(ctx context.Context, addr string, conns chan<- *slow) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		controlErr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, slowBuffer)
		})
		if controlErr != nil {
			return controlErr
		}
		return err
	}}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &slow{Conn: conn, ended: make(chan struct{})}
	conns <- s
	return s, nil
}

// slowly is a client that reads slowly. conns get its connections.
func slowly(h2 bool) (c *http.Client, conns chan *slow) {
	conns = make(chan *slow, 10)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return dialSlowly(ctx, addr, conns) },
	}}, conns
}

// reach serves the town as Serve does, with a certificate or without one.
func (w *town) reach(secure bool) (url string) {
	w.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.Fatal(err)
	}
	srv := w.node.newServer(w.node.handler)
	w.Cleanup(func() { srv.Close() })
	if !secure {
		go func() { _ = srv.Serve(l) }()
		return "http://" + l.Addr().String()
	}
	cert, key := keyPair(w.T, w.TempDir(), 1)
	go func() { _ = srv.ServeTLS(l, cert, key) }()
	return "https://" + l.Addr().String()
}

// TestRevocationEndsSlowDownloads: what the node's kernel holds for a slow reader is
// not theirs any more either, and they learn why.
func TestRevocationEndsSlowDownloads(t *testing.T) {
	w := newTown(t)
	for name, c := range map[string]struct {
		secure bool
		rows   int
	}{"http": {false, 300_000}, "tls": {true, 300_000}, "short": {false, 60_000}} {
		t.Run(name, func(t *testing.T) {
			g := w.lend("slow-"+name, long(c.rows), genesis.Read)
			h, conns := slowly(c.secure)
			reader := client.New(w.reach(c.secure), h).WithToken(w.token["gil"])
			failed := make(chan error, 1)
			go func() {
				failed <- reader.Export(t.Context(), "slow-"+name, client.ExportOptions{Format: "csv"}, io.Discard, nil)
			}()
			conn := <-conns
			for conn.read.Load() < slowRate {
				time.Sleep(10 * time.Millisecond)
			}
			w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
			began, before := time.Now(), conn.read.Load()
			select {
			case <-conn.ended:
			case <-time.After(30 * time.Second):
			}
			after, took := conn.read.Load()-before, time.Since(began)
			t.Logf("%d bytes in %v after the revocation", after, took)
			if after > 3*slowBuffer { // Linux doubles it, and what was on its way
				t.Errorf("%d bytes came after the revocation", after)
			}
			if took > 2*time.Second {
				t.Errorf("it ended after %v", took)
			}
			if err := <-failed; genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), "takes a grant") {
				t.Errorf("the reason is %v", err)
			}
		})
	}
}
