package flight

import (
	"context"
	"sync"

	pb "github.com/apache/arrow-go/v18/arrow/flight/gen/flight"
	"google.golang.org/grpc"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// DoGet sends a stream.
func (h *handler) DoGet(t *pb.Ticket, out pb.FlightService_DoGetServer) error {
	req, err := parseRequest(t.GetTicket())
	if err != nil {
		return err
	}
	ctx := out.Context()
	who, err := h.caller(ctx)
	if err != nil {
		return err
	}
	sender, err := h.Service.Stream(ctx, who, req)
	if err != nil {
		return err
	}
	defer sender.Close()
	s := newSink(ctx, out)
	s.cut = func(always bool) { h.Edge.Cut(ctx, always) }
	return sender.Send(ctx, s)
}

// maxBodies is how many bodies a stream has: one that is filled, one that waits for the
// connection, and one that the connection is taking.
const maxBodies = 3

// leastBody is what a body holds at least: grpc does not give back smaller ones.
const leastBody = 4 << 10

// body is room for the body of a message, and what takes it back once it was sent.
type body struct {
	bytes []byte
	free  chan<- *body
}

// Get is not how a body is come by; it is there for mem.BufferPool.
func (b *body) Get(n int) *[]byte {
	fresh := make([]byte, n)
	return &fresh
}

// Put is called when the body was sent, or will not be.
func (b *body) Put(*[]byte) { b.free <- b } // has room for all

// sink puts messages on a call.
type sink struct {
	ctx     context.Context
	out     grpc.ServerStream
	cut     func(always bool)
	free    chan *body
	made    int
	filled  *body
	aborted chan struct{} // closed with refusal

	mu      sync.Mutex
	refusal error
}

func newSink(ctx context.Context, out grpc.ServerStream) *sink {
	return &sink{ctx: ctx, out: out, free: make(chan *body, maxBodies), aborted: make(chan struct{})}
}

// Body waits until the connection has taken enough of what was sent before. When the
// call ends meanwhile, what is put into the body is not sent.
func (s *sink) Body(n int) []byte {
	b := s.take()
	if cap(b.bytes) < n {
		b.bytes = make([]byte, max(leastBody, n+n/8)) // texts vary
	}
	b.bytes = b.bytes[:n]
	s.filled = b
	return b.bytes
}

func (s *sink) take() *body {
	if s.filled != nil { // was not sent
		return s.filled
	}
	select {
	case b := <-s.free:
		return b
	default:
	}
	if s.made < maxBodies {
		s.made++
		return &body{free: s.free}
	}
	select {
	case b := <-s.free:
		return b
	case <-s.ctx.Done():
	case <-s.aborted:
	}
	return &body{free: make(chan *body, 1)}
}

// Send sends a message. Its body belongs to the connection from then on.
func (s *sink) Send(m ipc.Message) error {
	if err := s.refused(); err != nil {
		return err
	}
	if err := s.ctx.Err(); err != nil {
		return gone(err)
	}
	d := &data{header: m.Meta, metadata: appMetadata(m)}
	if len(m.Body) > 0 {
		d.body, s.filled = s.filled, nil
	}
	if err := s.out.SendMsg(d); err != nil {
		return gone(err)
	}
	return nil
}

func gone(err error) error {
	return &genesis.Error{Op: "send", Kind: genesis.Canceled, Msg: "the client went away", Err: err}
}

// Abort ends the stream, because the right to it ended: no message goes out any more,
// and soon the call ends with the reason. A reader that is too slow for that is cut off.
func (s *sink) Abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		return
	}
	s.refusal = err
	close(s.aborted)
	if c := callOf(s.ctx); c != nil {
		c.abort(s.cut)
	}
}

func (s *sink) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refusal
}

// appMetadata is where a batch begins and where the one after it does, as JSON; nil of
// other messages.
func appMetadata(m ipc.Message) []byte {
	var from, next string
	for _, kv := range m.KeyValues {
		switch kv.Key {
		case genesis.StreamPositionKey:
			from = kv.Value
		case genesis.StreamNextKey:
			next = kv.Value
		}
	}
	if next == "" {
		return nil
	}
	b := make([]byte, 0, 64)
	b = append(b, `{"position":`...)
	b = append(b, from...)
	b = append(b, `,"next":`...)
	b = append(b, next...)
	return append(b, '}')
}
