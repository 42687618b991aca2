package json

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// reader runs the writer on a goroutine of its own, two batches ahead.
type reader struct {
	src     *source
	plan    *plan
	batches chan *format.Batch
	cancel  context.CancelFunc

	mu     sync.Mutex
	counts map[note]int64 // count is left 0 in the key
	tables []format.Table
	rows   map[note][]int64
	err    error
}

func newReader(ctx context.Context, src *source, p *plan, most int64) *reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{src: src, plan: p, batches: make(chan *format.Batch, 2), cancel: cancel,
		counts: make(map[note]int64), rows: make(map[note][]int64)}
	for _, n := range p.notes {
		r.counts[note{code: n.code}] += n.count
	}
	r.update()
	go r.run(ctx, most)
	return r
}

func (r *reader) run(ctx context.Context, most int64) {
	defer close(r.batches)
	again := *r.src
	again.ctx = ctx
	err := again.scan(func(s *scanner) error {
		s.note = func(code string) { r.count(note{code: code}, 1) }
		w := &writer{plan: r.plan, s: s, most: most}
		w.emit = func(b *format.Batch) error { return r.send(ctx, b) }
		w.odd = func(line int64) {
			r.count(note{code: codeMixed}, 1)
			r.where(note{code: codeMixed}, line)
		}
		return w.run()
	})
	r.finish()
	if err != nil {
		r.mu.Lock()
		r.err = r.src.wrap(err)
		r.mu.Unlock()
	}
}

func (r *reader) send(ctx context.Context, b *format.Batch) error {
	for _, bad := range b.Bad {
		n := note{code: codeBad}
		r.count(n, 1)
		r.where(n, bad.Line)
	}
	r.update()
	select {
	case r.batches <- b:
		return nil
	case <-ctx.Done():
		return &genesis.Error{Kind: genesis.Canceled, Msg: "canceled", Err: ctx.Err()}
	}
}

func (r *reader) count(n note, by int64) {
	r.mu.Lock()
	r.counts[n] += by
	r.mu.Unlock()
}

// where remembers the first lines of a finding.
func (r *reader) where(n note, line int64) {
	const most = 20
	r.mu.Lock()
	if len(r.rows[n]) < most {
		r.rows[n] = append(r.rows[n], line)
	}
	r.mu.Unlock()
}

// update publishes the tables as they are now.
func (r *reader) update() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tables == nil {
		r.tables = make([]format.Table, len(r.plan.tables))
	}
	for i, t := range r.plan.tables {
		cols := r.tables[i].Columns
		for j := len(cols); j < len(t.cols); j++ {
			cols = append(cols, format.RawColumn{Name: t.cols[j].name, Unit: t.cols[j].unit})
		}
		r.tables[i] = format.Table{Name: t.name, Columns: cols}
	}
}

// finish counts what the tables noticed.
func (r *reader) finish() {
	r.update()
	for _, t := range r.plan.tables {
		if t.dups > 0 {
			r.count(note{code: codeDuplicate, table: t.name}, t.dups)
		}
	}
	r.ragged(r.plan.root)
}

func (r *reader) ragged(n *node) {
	for _, g := range n.groups {
		if g.ragged {
			r.count(note{code: codeRagged, table: g.table.name}, 1)
		}
	}
	for _, m := range n.members {
		r.ragged(m)
	}
	for _, m := range []*node{n.any, n.elem} {
		if m != nil {
			r.ragged(m)
		}
	}
}

// Next returns the next batch.
func (r *reader) Next() (*format.Batch, error) {
	if b, ok := <-r.batches; ok {
		return b, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return nil, r.err
	}
	return nil, io.EOF
}

// Tables returns the tables found so far.
func (r *reader) Tables() []format.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tables)
}

// About returns what was recognised.
func (r *reader) About() format.About {
	name := "json"
	if r.plan.form == lines {
		name = "jsonl"
	}
	about := format.About{Source: genesis.Source{Path: r.src.in.Name, Format: name, Encoding: r.src.encoding,
		Packing: r.src.in.Packing, Preamble: r.plan.preamble}}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, count := range r.counts {
		f := note{n.code, count, n.table}.finding(r.src.in.Name)
		f.Rows = r.rows[n]
		about.Findings = append(about.Findings, f)
	}
	slices.SortFunc(about.Findings, func(a, b genesis.Finding) int { return cmp.Compare(a.ID, b.ID) })
	for _, t := range r.tables {
		about.Source.Tables = append(about.Source.Tables, t.Name)
	}
	return about
}

// Close ends reading.
func (r *reader) Close() error {
	r.cancel()
	for range r.batches {
	}
	return nil
}
