package stream

import (
	"context"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/stream/cache"
)

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
