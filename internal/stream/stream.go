package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format/expr"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
	"github.com/opengenesis/genesis/internal/stream/order"
)

// Streams makes training streams out of stored versions.
type Streams struct {
	Blobs  *blob.Store
	Cache  *cache.Store
	Bodies *Budget // of the memory of batches; nil: without bound
	// Since is what the Cache's Now said before it was decided who may have the streams.
	Since uint64
}

// Stream is one stream that was asked for. It is sent once.
type Stream struct {
	streams *Streams
	target  Target
	table   genesis.ManifestTable
	all     []genesis.Column // of the table
	part    part
	plan    genesis.StreamPlan
	order   *order.Order
	batches order.Batches
	filter  *expr.Expr // nil: none
	share   share      // of the memory of batches
	rows    *rowForm   // of AsRows
	scratch []uint64
}

// Open makes the stream that was asked for, or says why there can be none. It reads
// nothing. Errors: Invalid, NotFound (a table, column or split), Conflict (the key
// is of another order).
func (s *Streams) Open(t Target, req genesis.StreamRequest) (*Stream, error) {
	st, err := resolve(t, req)
	if err != nil {
		return nil, err
	}
	st.streams = s
	st.plan.Cached = st.cached()
	return st, nil
}

// Plan returns what the stream will be. Features and targets are in it only once the
// rows were cached.
func (s *Stream) Plan() genesis.StreamPlan { return s.plan }

// Warm has everything made that the stream needs, so that it begins at once. Errors: as
// of Send.
func (s *Stream) Warm(ctx context.Context, progress genesis.Progress) error {
	h, err := s.hold(ctx, progress)
	if err != nil {
		return err
	}
	h.release()
	s.plan.Cached = true
	return nil
}

// Send sends the stream: its schema, its dictionaries and its batches. What is sent is
// whole if the error is nil. Errors: of the sink; Canceled; Invalid (a batch too
// large); Unsupported (the cache is too small for the table); Unavailable, Internal.
func (s *Stream) Send(ctx context.Context, sink Sink) error {
	s.share.of = s.streams.Bodies
	defer s.share.end()
	if s.mayBeCold() && !s.cached() {
		return s.sendCold(ctx, sink)
	}
	h, err := s.hold(ctx, nil)
	if err != nil {
		return err
	}
	defer h.release()
	enc := s.encoder(h)
	if err := s.begin(sink, enc); err != nil {
		return err
	}
	return s.rest(ctx, &warm{s: s, h: h}, enc, sink, 0)
}

// mayBeCold reports whether the stream can be read from the stored files as they are.
func (s *Stream) mayBeCold() bool {
	return s.plan.Mode == genesis.Sequential && s.plan.As == genesis.AsTable
}

func (s *Stream) encoder(h *held) encoder {
	if s.rows != nil {
		return &rowEncoder{rowForm: s.rows, stride: strideOf(h.table.Width)}
	}
	return newColumns(s, h.table)
}

// begin sends what stands before the batches.
func (s *Stream) begin(sink Sink, enc encoder) error {
	m, err := s.schema(enc)
	if err != nil {
		return err
	}
	if err := sink.Send(m); err != nil {
		return err
	}
	return enc.dictionaries(sink)
}

func (s *Stream) schema(enc encoder) (ipc.Message, error) {
	meta, err := schemaMeta(s.plan)
	if err != nil {
		return ipc.Message{}, err
	}
	return ipc.Schema(enc.fields(), meta), nil
}

// Schema returns the message that the stream begins with. Of forms other than
// [genesis.AsTable] it follows from what is in the cache: if that is not there, it is
// made, or without wait there is no message. Errors: as of Send.
func (s *Stream) Schema(ctx context.Context, wait bool) (ipc.Message, error) {
	if s.plan.As == genesis.AsTable {
		return s.schema(newColumns(s, nil))
	}
	if !wait && !s.cached() {
		return ipc.Message{}, nil
	}
	h, err := s.hold(ctx, nil)
	if err != nil {
		return ipc.Message{}, err
	}
	defer h.release()
	s.plan.Cached = true
	return s.schema(s.encoder(h))
}

// source gives the cells of the rows at positions.
type source interface {
	// at returns where the rows at positions from … next−1 are, and their numbers
	// there. Both are valid until the next call.
	at(from, next int64) (cells, []uint64, error)
	// guard runs what looks at the cells.
	guard(func() error) error
}

// rest sends the batches from the k-th on. While one is sent, the next is made.
func (s *Stream) rest(ctx context.Context, src source, enc encoder, sink Sink, k int64) error {
	making, stop := context.WithCancel(ctx)
	made := make(chan made)
	last := k
	go func() {
		defer close(made)
		last = s.make(making, src, enc, sink, k, made)
	}()
	var failed error
	for m := range made {
		if failed == nil {
			if failed = m.err; failed == nil {
				failed = sink.Send(m.message)
			}
			if failed != nil {
				stop()
			}
		}
	}
	stop()
	if errors.Is(failed, errWarm) {
		return s.goOn(ctx, enc, sink, last)
	}
	return failed
}

// room gives out bodies for which there is memory.
func (s *Stream) room(sink Sink) func(int) ([]byte, error) {
	return func(n int) ([]byte, error) {
		if err := s.share.grow(sink.Bodies(), n); err != nil {
			return nil, err
		}
		return sink.Body(n), nil
	}
}

// made is a batch, or why there are no more.
type made struct {
	message ipc.Message
	err     error
}

// make makes the batches from the k-th on and returns the number of the one at which it
// ended.
func (s *Stream) make(ctx context.Context, src source, enc encoder, sink Sink, k int64, out chan<- made) int64 {
	var chosen *chosenRows
	if s.filter != nil {
		chosen = &chosenRows{filter: s.filter, row: expr.NewRow(s.all, nil)}
	}
	for ; ; k++ {
		from, next := s.batches.At(k)
		if from == next {
			return k
		}
		var m made
		m.err = carefully(src, func() error {
			in, rows, err := src.at(from, next)
			if err == nil && chosen != nil {
				rows, err = chosen.of(ctx, in, rows)
			}
			if err == nil {
				m.message, err = enc.batch(in, rows, s.room(sink), batchMeta(from, next)...)
			}
			return err
		})
		if m.err == nil && ctx.Err() != nil {
			m.err = stopped(ctx)
		}
		out <- m
		if m.err != nil {
			return k
		}
	}
}

func stopped(ctx context.Context) error {
	return &genesis.Error{Op: "stream", Kind: genesis.Canceled, Msg: "was stopped", Err: ctx.Err()}
}

// carefully is the source's guard, for a goroutine whose panic would end the node.
func carefully(src source, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &genesis.Error{Op: "stream", Kind: genesis.Internal, Msg: "a batch cannot be made", Err: fmt.Errorf("panic: %v\n%s", v, debug.Stack())}
		}
	}()
	return src.guard(f)
}

// errWarm says that the cache is there by now.
var errWarm = errors.New("the cache is there")

// goOn goes on from the cache with a stream that began without.
func (s *Stream) goOn(ctx context.Context, enc encoder, sink Sink, k int64) error {
	h, err := s.hold(ctx, nil)
	if err != nil {
		return err
	}
	defer h.release()
	return s.rest(ctx, &warm{s: s, h: h}, enc, sink, k)
}
