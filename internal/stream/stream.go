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

// tableID names the table in the cache.
func (s *Stream) tableID() cache.ID {
	return cache.ID{Version: s.plan.Version, Kind: "table", Name: s.table.Name, Since: s.streams.Since}
}

// idOf names a part in the cache.
func (s *Stream) idOf(p part) cache.ID {
	return cache.ID{Version: s.plan.Version, Kind: "part", Name: string(p.assignment()) + " " + p.name, Since: s.streams.Since}
}

// fitID names the fit of the training part in the cache.
func (s *Stream) fitID() cache.ID {
	id := s.idOf(s.rows.training)
	id.Kind = "fit"
	return id
}

// cached reports whether everything that the stream needs is in the cache.
func (s *Stream) cached() bool {
	c := s.streams.Cache
	if !c.Ready(s.tableID()) || s.part.split != nil && !c.Ready(s.idOf(s.part)) {
		return false
	}
	return s.rows == nil || s.rows.training.split == nil || c.Ready(s.idOf(s.rows.training)) && c.Ready(s.fitID())
}

// tableMaker makes the table in the cache.
func (s *Stream) tableMaker() cache.Maker {
	return cache.Tables(func() cache.Source {
		return cache.Source{Columns: s.all, Rows: s.table.Rows, Open: func(ctx context.Context) (cache.Rows, error) {
			return Open(ctx, s.streams.Blobs, s.target.Manifest, s.target.Layout, s.table.Name, nil)
		}}
	})
}

// held is what a stream uses of the cache.
type held struct {
	table *cache.Table
	part  *cache.Part
	fit   *fit
	all   []*cache.Held
}

// take takes an item of the cache.
func (h *held) take(ctx context.Context, s *Stream, id cache.ID, m cache.Maker, progress func(int64)) (*cache.Held, error) {
	it, err := s.streams.Cache.Get(ctx, id, m, progress)
	if err != nil {
		return nil, err
	}
	h.all = append(h.all, it)
	return it, nil
}

// heed has everything made anew, for the next stream, if an error says that some of it
// is damaged.
func (h *held) heed(err error) error {
	if cache.Damaged(err) {
		for _, it := range h.all {
			it.Drop()
		}
	}
	return err
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
	err := h.heed(s.holdAll(ctx, h, progress))
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
	table, err := h.take(ctx, s, s.tableID(), s.tableMaker(), s.told(progress, "caching"))
	if err != nil {
		return err
	}
	h.table = table.Value().(*cache.Table)
	if h.table.Rows() != s.table.Rows || len(h.table.Columns()) != len(s.all) {
		table.Drop()
		return broken(s.table.Name, "its cache is of another table")
	}
	if s.rows == nil {
		return nil
	}
	if s.rows.training.split == nil {
		return s.rows.plan(s, &fit{Columns: make([]columnStats, len(s.all))}, h.table)
	}
	training, err := s.takePart(ctx, h, s.rows.training)
	if err != nil {
		return err
	}
	it, err := h.take(ctx, s, s.fitID(), fitMaker(s.rows.training, table, training), s.told(progress, "measuring"))
	if err != nil {
		return err
	}
	h.fit = it.Value().(*fit)
	return s.rows.plan(s, h.fit, h.table)
}

func (s *Stream) holdPart(ctx context.Context, h *held) error {
	if s.part.split == nil {
		return nil
	}
	it, err := s.takePart(ctx, h, s.part)
	if err != nil {
		return err
	}
	h.part = it.Value().(*cache.Part)
	return nil
}

func (s *Stream) takePart(ctx context.Context, h *held, p part) (*cache.Held, error) {
	it, err := h.take(ctx, s, s.idOf(p), p.maker(s.streams.Blobs, s.table.Rows), nil)
	if err != nil {
		return nil, err
	}
	if n, want := it.Value().(*cache.Part).Len(), p.rows(s.table.Rows); n != want {
		return nil, broken(p.String(), fmt.Sprintf("has %d rows; its record says %d", n, want))
	}
	return it, nil
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
		if err := s.share.grow(n); err != nil {
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

// chosenRows are the rows for which a filter holds.
type chosenRows struct {
	filter *expr.Expr
	row    *expr.Row
	out    []uint64
}

// of looks at each row, of which one may take long: so it asks often whether it is still
// wanted.
func (c *chosenRows) of(ctx context.Context, in cells, rows []uint64) ([]uint64, error) {
	c.row.Cells, c.out = in, c.out[:0]
	for i, r := range rows {
		if i&7 == 7 && ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		c.row.At = r
		ok, err := c.filter.Holds(c.row)
		if err != nil {
			return nil, err
		}
		if ok {
			c.out = append(c.out, r)
		}
	}
	return c.out, nil
}

// warm is the cache as a source.
type warm struct {
	s     *Stream
	h     *held
	ahead int64 // up to which position the rows were asked for from the disk
}

func (w *warm) at(from, next int64) (cells, []uint64, error) {
	s := w.s
	if int64(cap(s.scratch)) < next-from {
		s.scratch = make([]uint64, next-from)
	}
	rows := s.scratch[:next-from]
	if from >= w.ahead {
		if err := w.fetch(from); err != nil {
			return nil, nil, err
		}
	}
	s.order.Fill(rows, from)
	if w.h.part != nil {
		if err := w.h.part.Map(rows); err != nil {
			return nil, nil, err
		}
	}
	return w.h.table, rows, w.h.table.Prepare(rows)
}

// fetch asks the operating system for the blocks that the window at a position mixes,
// so that a table which is larger than the memory is read in pieces of some length.
func (w *warm) fetch(from int64) error {
	spans, end := w.s.order.Ahead(from)
	for _, span := range spans {
		ends := []uint64{span.First, span.First + span.Rows - 1}
		if w.h.part != nil {
			if err := w.h.part.Map(ends); err != nil {
				return err
			}
		}
		w.h.table.Fetch(ends[0], ends[1]+1)
	}
	w.ahead = end
	return nil
}

func (w *warm) guard(f func() error) error { return w.h.heed(w.h.table.Guard(f)) }
