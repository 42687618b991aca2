package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format/expr"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
	"github.com/opengenesis/genesis/internal/stream/order"
)

// Streams makes training streams out of stored versions.
type Streams struct {
	Blobs *blob.Store
	Cache *cache.Store
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

// tableID names the table in the cache.
func (s *Stream) tableID() cache.ID {
	return cache.ID{Version: s.plan.Version, Kind: "table", Name: s.table.Name}
}

// cached reports whether everything that the stream needs is in the cache.
func (s *Stream) cached() bool {
	c := s.streams.Cache
	if !c.Ready(s.tableID()) || s.part.split != nil && !c.Ready(s.part.id(s.plan.Version)) {
		return false
	}
	return s.rows == nil || c.Ready(s.rows.id(s.plan.Version))
}

// tableMaker makes the table in the cache.
func (s *Stream) tableMaker() cache.Maker {
	return cache.Tables(func() cache.Source {
		return cache.Source{Columns: s.all, Open: func(ctx context.Context) (cache.Rows, error) {
			return Open(ctx, s.streams.Blobs, s.target.Manifest, s.target.Layout, s.table.Name, nil)
		}}
	})
}

// held is what a stream uses of the cache.
type held struct {
	table   *cache.Table
	part    *cache.Part
	fit     *fit
	all     []*cache.Held
	ofTable *cache.Held
}

// release gives everything back.
func (h *held) release() {
	for _, it := range h.all {
		it.Release()
	}
}

// hold has everything made that the stream needs, and takes it.
func (s *Stream) hold(ctx context.Context, progress genesis.Progress) (*held, error) {
	h := &held{}
	err := s.holdAll(ctx, h, progress)
	if err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

func (s *Stream) holdAll(ctx context.Context, h *held, progress genesis.Progress) error {
	if err := s.holdPart(ctx, h); err != nil {
		return err
	}
	it, err := s.streams.Cache.Get(ctx, s.tableID(), s.tableMaker(), s.told(progress, "caching"))
	if err != nil {
		return err
	}
	h.all, h.ofTable = append(h.all, it), it
	h.table = it.Value().(*cache.Table)
	if h.table.Rows() != s.table.Rows || len(h.table.Columns()) != len(s.all) {
		it.Drop()
		return broken(s.table.Name, "its cache is of another table")
	}
	if s.rows == nil {
		return nil
	}
	it, err = s.streams.Cache.Get(ctx, s.rows.id(s.plan.Version), s.rows.maker(s, h.table), s.told(progress, "measuring"))
	if err != nil {
		return err
	}
	h.all = append(h.all, it)
	h.fit = it.Value().(*fit)
	return s.rows.plan(s, h.fit, h.table)
}

func (s *Stream) holdPart(ctx context.Context, h *held) error {
	if s.part.split == nil {
		return nil
	}
	it, err := s.streams.Cache.Get(ctx, s.part.id(s.plan.Version), s.part.maker(s.streams.Blobs, s.table.Rows), nil)
	if err != nil {
		return err
	}
	h.all = append(h.all, it)
	h.part = it.Value().(*cache.Part)
	if h.part.Len() != s.plan.Rows {
		return broken(s.part.String(), fmt.Sprintf("has %d rows; its record says %d", h.part.Len(), s.plan.Rows))
	}
	return nil
}

// told turns a number of rows into progress.
func (s *Stream) told(p genesis.Progress, stage string) func(int64) {
	if p == nil {
		return nil
	}
	return func(rows int64) {
		p(genesis.Event{Stage: stage, Done: rows, Total: s.table.Rows, Unit: "rows"})
	}
}

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
	return s.rest(ctx, &warm{s, h}, enc, sink, 0)
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
		m.err = src.guard(func() error {
			in, rows, err := src.at(from, next)
			if err == nil && chosen != nil {
				rows, err = chosen.of(ctx, in, rows)
			}
			if err == nil {
				m.message, err = enc.batch(in, rows, sink.Body, batchMeta(from, next)...)
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

// errWarm says that the cache is there by now.
var errWarm = errors.New("the cache is there")

// goOn goes on from the cache with a stream that began without.
func (s *Stream) goOn(ctx context.Context, enc encoder, sink Sink, k int64) error {
	h, err := s.hold(ctx, nil)
	if err != nil {
		return err
	}
	defer h.release()
	return s.rest(ctx, &warm{s, h}, enc, sink, k)
}

// chosenRows are the rows for which a filter holds.
type chosenRows struct {
	filter *expr.Expr
	row    *expr.Row
	out    []uint64
}

func (c *chosenRows) of(ctx context.Context, in cells, rows []uint64) ([]uint64, error) {
	c.row.Cells, c.out = in, c.out[:0]
	for i, r := range rows {
		if i&1023 == 1023 && ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		c.row.At = r
		if c.filter.True(c.row) {
			c.out = append(c.out, r)
		}
	}
	return c.out, nil
}

// warm is the cache as a source.
type warm struct {
	s *Stream
	h *held
}

func (w *warm) at(from, next int64) (cells, []uint64, error) {
	s := w.s
	if int64(cap(s.scratch)) < next-from {
		s.scratch = make([]uint64, next-from)
	}
	rows := s.scratch[:next-from]
	s.order.Fill(rows, from)
	if w.h.part != nil {
		if err := w.h.part.Map(rows); err != nil {
			return nil, nil, err
		}
	}
	if err := w.h.table.Prepare(rows); err != nil {
		w.h.ofTable.Drop() // the next stream makes it anew
		return nil, nil, err
	}
	return w.h.table, rows, nil
}

func (w *warm) guard(f func() error) error { return w.h.table.Guard(f) }
