//go:build linux || darwin

package node

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 32 << 10

	// flushTimeout is for the last bytes of answers that are whole.
	flushTimeout = 2 * time.Second

	traceTimeout = 2 * time.Second
)

// Serve listens on the network, too, as the home's configuration says, until ctx
// ends. Then it takes nothing new, lets running requests end within serve.drain,
// cuts those that are left, and gives the home back. ready is told the URL where
// the node listens.
func (n *Node) Serve(ctx context.Context, ready func(url string)) error {
	failed := make(chan error, 2)
	url, err := n.listenNetwork(failed)
	if err == nil {
		err = n.home.announce(n.lock, serving{PID: os.Getpid(), Sockets: n.sockets, URL: url})
	}
	if err != nil {
		return errors.Join(err, n.close())
	}
	background, stop := context.WithCancel(ctx)
	defer stop()
	go n.sweep(background)
	ready(url)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	n.drain()
	return errors.Join(err, n.close())
}

// listenNetwork opens the listeners. Errors of serving go to failed.
func (n *Node) listenNetwork(failed chan<- error) (url string, err error) {
	c := n.home.Config
	n.network = n.newServer(n.handler)
	scheme := "http"
	if c.Serve.TLS.Cert != "" {
		scheme = "https"
		if n.certs, err = readCertificates(c.Serve.TLS.Cert, c.Serve.TLS.Key, n.log); err != nil {
			return "", err
		}
		n.network.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: n.certs.get}
	}
	n.reloadOnHangUp()
	l, err := listenTCP("serve.listen", c.Serve.Listen)
	if err != nil {
		return "", err
	}
	if n.figures, err = n.serveMetrics(failed); err != nil {
		l.Close()
		return "", err
	}
	go func() {
		if scheme == "https" {
			failed <- ended(n.network.ServeTLS(l, "", ""))
			return
		}
		failed <- ended(n.network.Serve(l))
	}()
	return scheme + "://" + l.Addr().String(), nil
}

// newServer is an HTTP server with bounds on everything that a handler cannot
// bound itself. Bodies and answers have deadlines of their own in the edge.
func (n *Node) newServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ConnContext:       keepConn,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		Protocols:         protocols(),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		ErrorLog:          slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
	}
}

// serveMetrics serves the metrics on an address of their own, if there is one.
func (n *Node) serveMetrics(failed chan<- error) (*http.Server, error) {
	addr := n.home.Config.Telemetry.Metrics.Listen
	if addr == "" {
		return nil, nil
	}
	l, err := listenTCP("telemetry.metrics.listen", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.edge.Metrics.Handler())
	srv := n.newServer(mux)
	go func() { failed <- ended(srv.Serve(l)) }()
	return srv, nil
}

func listenTCP(key, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err == nil {
		return l, nil
	}
	e := &genesis.Error{Op: "serve", Kind: genesis.Unavailable, Subject: addr, Err: err, Msg: "cannot be listened on: " + err.Error(),
		Hint: "choose another address in config.yaml: " + key}
	if key == "serve.listen" {
		e.Hint += ", or with --listen"
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		e.Msg = "is in use by another program"
	}
	return nil, e
}

// ended is the error of a server that was not closed.
func ended(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return &genesis.Error{Op: "serve", Kind: genesis.Internal, Msg: "stopped listening", Err: err}
}

// drain refuses what is new and waits for what runs, as long as serve.drain
// says. Answers that are whole by then arrive.
func (n *Node) drain() {
	n.draining.Store(true)
	n.edge.Drain()
	if s, ok := n.service.(withWatchers); ok {
		s.EndWatching()
	}
	if left := n.presence.count(); left > 0 {
		n.log.Info("stopping: waits for what is under way", "requests", left, "at_most", n.home.Config.Serve.Drain)
	}
	// From here on whoever starts the node again waits for this one to end.
	if err := n.home.announce(n.lock, serving{PID: os.Getpid(), Sockets: n.sockets}); err != nil {
		n.log.Warn("whoever starts the node again is not told that it stops", "error", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.home.Config.Serve.Drain)
	defer cancel()
	if err := n.presence.drain(ctx); err != nil {
		n.log.Warn("requests are cut: they did not end in time", "left", n.presence.count())
	}
	for _, s := range []*http.Server{n.network, n.http} {
		ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
		if n.presence.count() == 0 {
			_ = s.Shutdown(ctx) // close cuts what is left then
		}
		cancel()
	}
}

// sweep removes uploads whose time is over.
func (n *Node) sweep(ctx context.Context) {
	if n.uploads == nil {
		return
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		removed, err := n.uploads.Sweep(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			n.log.Error("expired uploads cannot be removed", "error", err)
		case removed > 0:
			n.log.Info("expired uploads removed", "uploads", removed)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reloadOnHangUp reads the certificate, if there is one, again on SIGHUP, until
// the node closes.
func (n *Node) reloadOnHangUp() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	done := make(chan struct{})
	n.stopSignals = sync.OnceFunc(func() { signal.Stop(signals); close(done) })
	go func() {
		for {
			select {
			case <-signals:
				if n.certs != nil {
					n.certs.reload()
				}
			case <-done:
				return
			}
		}
	}()
}
