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
	ctx   context.Context
	out   grpc.ServerStream
	cut   func(always bool)
	free  chan *body
	ended chan struct{} // closed with reason

	mu     sync.Mutex
	made   int
	filled []*body // and not sent, in their order
	reason error   // why nothing goes out any more
}

func newSink(ctx context.Context, out grpc.ServerStream) *sink {
	return &sink{ctx: ctx, out: out, free: make(chan *body, maxBodies), ended: make(chan struct{})}
}

// Body waits until the connection has taken enough of what was sent before. When the
// stream ends meanwhile, what is put into the body is not sent.
func (s *sink) Body(n int) []byte {
	b := s.take()
	if b.bytes == nil || cap(b.bytes) < n { // one of no bytes is none the less one
		b.bytes = make([]byte, max(leastBody, n+n/8)) // texts vary
	}
	b.bytes = b.bytes[:n]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.filled = append(s.filled, b)
	return b.bytes
}

func (s *sink) take() *body {
	if b := s.another(); b != nil {
		return b
	}
	select {
	case b := <-s.free:
		return b
	case <-s.ctx.Done():
	case <-s.ended:
	}
	return &body{free: make(chan *body, 1)} // for nobody
}

// another returns a body that is free, or a new one if there may be more; else nil.
func (s *sink) another() *body {
	select {
	case b := <-s.free:
		return b
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made == maxBodies {
		return nil
	}
	s.made++
	return &body{free: s.free}
}

// Bodies counts what they have in reserve, too, an eighth each.
func (s *sink) Bodies() int { return maxBodies + 1 }

// Send sends a message. Its body belongs to the connection from then on.
func (s *sink) Send(m ipc.Message) error {
	d := &data{header: m.Meta, metadata: appMetadata(m)}
	if m.Body != nil {
		d.body = s.earliest()
	}
	if err := s.over(); err != nil {
		return err
	}
	if err := s.out.SendMsg(d); err != nil {
		return s.end(&genesis.Error{Op: "send", Kind: genesis.Canceled, Msg: "the client went away", Err: err})
	}
	return nil
}

// earliest is the body that was filled first.
func (s *sink) earliest() *body {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.filled[0]
	s.filled = append(s.filled[:0], s.filled[1:]...)
	return b
}

// over is why nothing goes out any more; nil while something does.
func (s *sink) over() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// end ends the stream, and returns why it ended first.
func (s *sink) end(reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == nil {
		s.reason = reason
		close(s.ended)
	}
	return s.reason
}

// Abort ends the stream, because the right to it ended: no message goes out any more,
// and soon the call ends with the reason. A reader that is too slow for that is cut off.
func (s *sink) Abort(reason error) {
	_ = s.end(reason)
	if c := callOf(s.ctx); c != nil {
		c.abort(s.cut)
	}
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
