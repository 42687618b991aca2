package flight

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// Path is what all methods' paths begin with.
const Path = "/arrow.flight.protocol.FlightService/"

// maxMessage bounds what a client may send: a request and the names of many columns.
const maxMessage = 1 << 20

// Service is what is offered: internal/work, or a stand-in.
type Service interface {
	List(ctx context.Context, who genesis.Principal, kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error)
	Search(ctx context.Context, who genesis.Principal, q genesis.SearchQuery) (*genesis.SearchResult, error)
	Stream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest) (stream.Sender, error)
	StreamSchema(ctx context.Context, who genesis.Principal, req genesis.StreamRequest, wait bool) (*genesis.StreamPlan, ipc.Message, error)
	WarmStream(ctx context.Context, who genesis.Principal, req genesis.StreamRequest, p genesis.Progress) (*genesis.StreamPlan, error)
}

// Edge is what the edge knows of a request, and does to it.
type Edge struct {
	Caller    func(context.Context) (genesis.Principal, bool) // who asks; false where nobody found out
	RequestID func(context.Context) string
	Told      func(context.Context, int) // the HTTP status that the answer amounts to
	// Cut ends the connection unless all that was written is on its way, as it is
	// where the reader is not slow.
	Cut func(ctx context.Context, always bool)
}

// Config is what a Server is made of.
type Config struct {
	Service Service
	Edge    Edge
	Log     *slog.Logger // nil: nothing is logged
}

// Server answers calls.
type Server struct {
	grpc *grpc.Server
}

// New returns a Server.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{Config: cfg}
	s := grpc.NewServer(grpc.ForceServerCodecV2(codec{}), grpc.MaxRecvMsgSize(maxMessage),
		grpc.UnaryInterceptor(h.unary), grpc.StreamInterceptor(h.streaming))
	pb.RegisterFlightServiceServer(s, h)
	return &Server{grpc: s}
}

// ServeHTTP answers a call, which has passed the edge. It returns when the method has.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind := r.Header.Get("Content-Type")
	if r.ProtoMajor != 2 || kind != "application/grpc" && !strings.HasPrefix(kind, "application/grpc+") {
		notGRPC(w)
		return
	}
	c := &call{done: make(chan struct{})}
	defer c.leave()
	s.grpc.ServeHTTP(flushing{w, http.NewResponseController(w)}, r.WithContext(context.WithValue(r.Context(), callKey{}, c)))
}

// notGRPC answers whoever comes here with a browser.
func notGRPC(w http.ResponseWriter) {
	p := genesis.ProblemOf(&genesis.Error{Op: "call", Kind: genesis.Invalid, Subject: "Content-Type", Msg: "is not application/grpc over HTTP/2",
		Hint: "this is Arrow Flight, for its clients; docs/streams.md says how to ask over HTTP"}, false)
	p.Status, p.Title = http.StatusUnsupportedMediaType, http.StatusText(http.StatusUnsupportedMediaType)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // a client that is gone needs no answer
}

// flushing is a ResponseWriter of which grpc sees that it can flush, though it is
// wrapped.
type flushing struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func (f flushing) Flush() { _ = f.rc.Flush() } // fails with the connection, as the next write does

// handler has the methods of the service.
type handler struct {
	pb.UnimplementedFlightServiceServer
	Config
}

func (h *handler) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	err = h.guard(ctx, info.FullMethod, func() error {
		out, err = next(ctx, req)
		return err
	})
	return out, err
}

func (h *handler) streaming(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return h.guard(ss.Context(), info.FullMethod, func() error { return next(srv, ss) })
}

// guard runs a method. It runs on a goroutine that nobody else watches.
func (h *handler) guard(ctx context.Context, method string, do func() error) (err error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if ok && !c.enter() {
		return &genesis.Error{Op: "call", Kind: genesis.Canceled, Msg: "the client went away"}
	}
	defer func() {
		if v := recover(); v != nil {
			h.Log.ErrorContext(ctx, "a method panicked", "request_id", h.Edge.RequestID(ctx), "method", method, "panic", v, "stack", string(debug.Stack()))
			err = &genesis.Error{Op: "call", Kind: genesis.Internal}
		}
		err = h.fail(ctx, method, err)
		if ok {
			c.exit()
		}
	}()
	return do()
}

// caller returns who asks.
func (h *handler) caller(ctx context.Context) (genesis.Principal, error) {
	who, ok := h.Edge.Caller(ctx)
	if !ok {
		return who, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "this connection does not belong to the person who owns the home",
			Hint: "call as the owner of the home, or over the network with a token"}
	}
	return who, nil
}
