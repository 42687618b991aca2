//go:build linux || darwin

package node

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/api"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// Node serves a home.
type Node struct {
	home     *Home
	lock     *os.File
	service  Service
	presence *presence
	desk     *desk
	http     *http.Server
	hand     *net.UnixListener
	sockets  string // folder they lie in
	log      *slog.Logger

	handler  http.Handler // of requests from anywhere
	edge     *edge.Edge
	uploads  *upload.Store // nil: the service has no database
	draining atomic.Bool

	network     *http.Server // from here on: nil unless Serve runs
	figures     *http.Server // of the metrics
	certs       *certificates
	tracing     *sdktrace.TracerProvider
	stopSignals func()
	owner       uint32
	peer        func(net.Conn) (uint32, error) // uid of the process at the other end
}

// Start takes the home's lock and serves it, until Leave. It returns ErrBusy
// when another process holds the lock.
func Start(ctx context.Context, h *Home, opt Options) (*Node, error) {
	lock, err := h.takeLock()
	if err != nil {
		return nil, err
	}
	n := &Node{home: h, lock: lock, presence: newPresence(), log: opt.Log, owner: uint32(os.Geteuid()), peer: opt.peer}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.peer == nil {
		n.peer = peerUID
	}
	n.desk = newDesk()
	if err := n.open(ctx, opt); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context, opt Options) error {
	if opt.Open == nil {
		opt.Open = func(ctx context.Context, h *Home) (Service, error) { return openWork(ctx, h, opt, n.log) }
	}
	service, err := opt.Open(ctx, n.home)
	if err != nil {
		return err
	}
	n.service = service
	h, err := n.equip(ctx, opt)
	if err != nil {
		return err
	}
	n.handler = n.counted(h)
	dir, err := n.home.makeSockets()
	if err != nil {
		return err
	}
	n.sockets = dir
	requests, err := listen(filepath.Join(dir, apiSocket))
	if err != nil {
		return err
	}
	n.http = n.newServer(n.handler)
	n.http.ConnContext = n.identify
	go func() { _ = n.http.Serve(requests) }() // ends with ErrServerClosed
	if n.hand, err = listen(filepath.Join(dir, handSocket)); err != nil {
		return err
	}
	go n.takeSessions()
	return n.home.announce(n.lock, serving{PID: os.Getpid(), Sockets: dir})
}

// info is what the node says about itself.
func (n *Node) info() genesis.NodeInfo {
	return genesis.NodeInfo{Node: n.home.Config.Node, Home: n.home.Path, Software: genesis.Build(), Started: time.Now().UTC()}
}

// identify makes the owner of the home the principal of a connection over the
// socket. Others get none, which the API refuses.
func (n *Node) identify(ctx context.Context, c net.Conn) context.Context {
	ctx = edge.WithSocket(edge.WithConn(ctx, c))
	if n.checkPeer(c) != nil {
		return ctx
	}
	return api.WithPrincipal(ctx, access.Local(n.home.Config.Node))
}

// purposed has the owner of the home say what a request is for, as whoever signs in does.
func purposed(r *http.Request) *http.Request {
	who, ok := edge.PrincipalOf(r.Context())
	text := purpose(r)
	if !ok || text == "" {
		return r
	}
	who.Purpose = text
	return r.WithContext(api.WithPrincipal(r.Context(), who))
}

func (n *Node) checkPeer(c net.Conn) error {
	uid, err := n.peer(c)
	if err != nil || uid != n.owner {
		return &genesis.Error{Op: "reach node", Kind: genesis.Permission, Subject: n.home.Path, Err: err,
			Msg:  "belongs to another user",
			Hint: "run as the owner of the home, or use a home of your own with --home"}
	}
	return nil
}

// counted keeps the node from leaving while a request runs.
func (n *Node) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.presence.enter() {
			err := &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Msg: "the node is about to stop", Hint: "try again"}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(err.Kind.HTTPStatus())
			_ = json.NewEncoder(w).Encode(genesis.ProblemOf(err, false))
			return
		}
		defer n.presence.exit()
		next.ServeHTTP(w, purposed(r))
	})
}

// Others returns how many sessions and requests the node serves now.
func (n *Node) Others() int { return n.presence.count() }

// Leave waits until nobody needs the node, then stops serving and gives the
// home back. When ctx ends first, it cuts off those who are left.
func (n *Node) Leave(ctx context.Context) error {
	_ = n.presence.drain(ctx) // either way nobody enters from here on
	return n.close()
}

// close undoes what open did, in reverse, and is safe after a part of it.
// Sockets go before the lock, so that whoever gets the lock finds none.
func (n *Node) close() error {
	var errs []error
	if n.hand != nil {
		errs = append(errs, n.hand.Close())
	}
	n.desk.close()
	if n.http != nil {
		errs = append(errs, n.http.Close())
	}
	for _, s := range []*http.Server{n.network, n.figures} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if n.http != nil || n.network != nil {
		_ = n.presence.drain(context.Background()) // canceled requests end before the service does
	}
	if n.stopSignals != nil {
		n.stopSignals()
	}
	stopTracing(n.tracing, n.log)
	if n.service != nil {
		errs = append(errs, n.service.Close())
	}
	return errors.Join(append(errs, n.lock.Close())...)
}
