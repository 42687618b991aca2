package ingest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/infer"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// source is one stream of a raw file and the driver that reads it.
type source struct {
	raw    *format.Raw
	stream *format.Stream
	driver format.Driver
	about  format.About
	tables []*table // by the reader's table index
	maps   [][]int  // for each of those: reader column → table column
	bytes  int64
	beside []genesis.Finding // what the archive holds beside the data
}

// openSources recognises every stream of every file.
func openSources(ctx context.Context, env Env, files []*format.Raw) ([]*source, error) {
	var out []*source
	for _, raw := range files {
		streams, err := format.Streams(ctx, raw, env.Limits)
		if err != nil {
			return nil, err
		}
		streams, beside := withoutDocuments(streams)
		for _, s := range streams {
			driver, err := format.Recognise(s, env.Drivers)
			if err != nil {
				return nil, err
			}
			out = append(out, &source{raw: raw, stream: s, driver: driver, beside: beside})
			beside = nil
		}
	}
	if len(out) == 0 {
		return nil, &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Msg: "no file was given"}
	}
	return out, nil
}

// documentName matches the names that texts about data have in archives.
var documentName = regexp.MustCompile(`(?i)^(readme|licen[cs]e|copying|citation|changelog|notice)([._-].*)?$|\.(md|rst|pdf|html?|docx?)$`)

// withoutDocuments leaves out the members of an archive that are texts about
// its data, by their names, and says so; one that holds only such is left whole.
func withoutDocuments(streams []*format.Stream) (data []*format.Stream, beside []genesis.Finding) {
	for _, s := range streams {
		_, member, inside := strings.Cut(s.Name, "!")
		if base := path.Base(member); inside && documentName.MatchString(base) {
			beside = append(beside, genesis.Finding{ID: "document:" + member, Code: "document", Severity: genesis.Note, Source: s.Name,
				Message: member + " was passed over: its name says that it is a text about the data", Hint: "unpack the archive and name the file if it holds data"})
			continue
		}
		data = append(data, s)
	}
	if len(data) == 0 {
		return streams, nil
	}
	return data, beside
}

func (s *source) open(ctx context.Context, env Env, read recipe.Read, opt format.Options) (format.Reader, error) {
	opt.Limits, opt.Threads = env.Limits, env.threads()
	opt.Sheets, opt.Header, opt.Delimiter, opt.Encoding = read.Sheets, read.Header, read.Delimiter, read.Encoding
	return s.driver.Open(ctx, s.stream, opt)
}

// table is one table of the sources: what the first pass knows of it.
type table struct {
	from     string // its name in the source
	first    *source
	given    recipe.Entries // what the given recipe says of its columns
	raws     []format.RawColumn
	deciders []*infer.Decider // nil where the recipe has decided already
	rows     int64
	ids      *identities
	head     []*format.Batch // inspect: the first rows
	decided  bool            // some of its columns were decided here
	tails    map[*source][]labelled
	counts   map[*source]int64 // rows, by source
}

// scan is the first pass: it shows every cell to its column's decider.
type scan struct {
	env     Env
	sources []*source
	tables  []*table
	given   *recipe.Recipe // may be nil
	bad     []genesis.Finding
	keep    int64 // inspect: keep so many rows of each table
	share   int   // bytes each decider may keep
	sampled bool
}

// newScan reads all sources once, or about maxRows rows of each.
func newScan(ctx context.Context, env Env, sources []*source, given *recipe.Recipe, opt format.Options) (*scan, error) {
	s := &scan{env: env, sources: sources, given: given}
	if opt.MaxRows > 0 {
		s.keep = 10
	}
	total, done := s.total(), int64(0)
	for _, src := range sources {
		err := s.read(ctx, src, opt, func(n int64) {
			env.Progress.Send(genesis.Event{Stage: "reading", Done: done + n, Total: total, Unit: "bytes"})
		})
		if err != nil {
			s.close()
			return nil, err
		}
		done += src.raw.Size
	}
	s.order()
	return s, nil
}

// order puts the tables in the order in which the sources declare them. They
// were found in the order of the batches, which depends on how large those are.
func (s *scan) order() {
	tables := s.tables[:0:0]
	for _, src := range s.sources {
		for _, t := range src.tables {
			if t != nil && !slices.Contains(tables, t) {
				tables = append(tables, t)
			}
		}
	}
	s.tables = tables
}

func (s *scan) total() (n int64) {
	for _, src := range s.sources {
		n += src.raw.Size
	}
	return n
}

func (s *scan) close() {
	for _, t := range s.tables {
		t.ids.close()
	}
}

func (s *scan) readOptions() recipe.Read {
	if s.given == nil {
		return recipe.Read{}
	}
	return s.given.Read
}

func (s *scan) read(ctx context.Context, src *source, opt format.Options, progress func(int64)) error {
	r, err := src.open(ctx, s.env, s.readOptions(), opt)
	if err != nil {
		return err
	}
	defer r.Close()
	var rows int64
	badRows := badTally{source: src.stream.Name}
	for {
		if err := canceled(ctx, "prepare"); err != nil {
			return err
		}
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		t, err := s.attach(src, r.Tables(), b.Table)
		if err != nil {
			return err
		}
		if err := s.observe(src, t, b); err != nil {
			return err
		}
		badRows.add(b.Bad)
		rows += int64(b.Rows)
		progress(estimate(src, b))
		if opt.MaxRows > 0 && rows >= opt.MaxRows {
			s.sampled = true
			break
		}
	}
	for i := range r.Tables() { // tables without rows are tables too
		if _, err := s.attach(src, r.Tables(), i); err != nil {
			return err
		}
	}
	src.about = r.About()
	src.explain()
	s.bad = append(s.bad, badRows.findings(src.about.Findings)...)
	return nil
}

// explain tells the deciders what the lines around the tables say about their
// columns.
func (s *source) explain() {
	legend := infer.Legend(s.about.Source.Preamble)
	if len(legend) == 0 {
		return
	}
	for _, t := range s.tables {
		for i := range t.raws {
			if e, ok := legend[t.raws[i].Name]; ok && t.deciders[i] != nil {
				t.deciders[i].Explain(e)
			}
		}
	}
}

// estimate says how much of a source has been read: exactly for text whose
// batches share one buffer, nothing for others.
func estimate(src *source, b *format.Batch) int64 {
	for i := range b.Cols {
		if b.Cols[i].Kind == format.Text && len(b.Cols[i].Buf) > 0 {
			src.bytes += int64(len(b.Cols[i].Buf))
			break
		}
	}
	return min(src.bytes, src.raw.Size)
}

// attach finds or makes the table that the reader's table i belongs to, and
// maps its columns by name, so that files may order them differently.
func (s *scan) attach(src *source, found []format.Table, i int) (*table, error) {
	for len(src.tables) <= i {
		src.tables = append(src.tables, nil)
		src.maps = append(src.maps, nil)
	}
	t := src.tables[i]
	if t == nil {
		t = s.tableFrom(src, found[i].Name)
		src.tables[i] = t
	}
	cols := found[i].Columns
	if len(src.maps[i]) == len(cols) {
		return t, nil
	}
	m, err := t.merge(src, cols, s)
	src.maps[i] = m
	return t, err
}

func (s *scan) tableFrom(src *source, name string) *table {
	for _, t := range s.tables {
		if t.from == name {
			return t
		}
	}
	t := &table{from: name, first: src, given: given(s.given, name).Entries(), ids: &identities{budget: s.env.memory(), temp: s.env.Temp}}
	s.tables = append(s.tables, t)
	return t
}

// key tells the columns of a table apart: header cell and which of that name.
type key struct {
	name string
	nth  int
}

func keys(cols []format.RawColumn) []key {
	seen := map[string]int{}
	out := make([]key, len(cols))
	for i, c := range cols {
		seen[c.Name]++
		out[i] = key{c.Name, seen[c.Name]}
	}
	return out
}

// merge adds a source's columns to the table and returns where each one is. A
// second source must have the same columns, except where a format itself lets
// rows differ in theirs (JSON).
func (t *table) merge(src *source, cols []format.RawColumn, s *scan) ([]int, error) {
	have := map[key]int{}
	for i, k := range keys(t.raws) {
		have[k] = i
	}
	s.share = max(4<<10, min(1<<20, int(s.env.memory())/max(1, len(t.raws)+len(cols))))
	m := make([]int, len(cols))
	names := infer.Names(append(t.raws[:len(t.raws):len(t.raws)], cols...))[len(t.raws):]
	for i, k := range keys(cols) {
		j, ok := have[k]
		switch {
		case !ok && t.first != src && !open(src):
			return nil, t.mismatch(src, fmt.Sprintf("has a column %q that %s lacks", k.name, t.first.stream.Name))
		case !ok:
			j = len(t.raws)
			t.raws = append(t.raws, cols[i])
			t.deciders = append(t.deciders, s.decider(t, cols[i], names[i], k))
		}
		m[i] = j
	}
	if t.first != src && len(cols) < len(t.raws) && !open(src) {
		return nil, t.mismatch(src, fmt.Sprintf("has %d columns where %s has %d", len(cols), t.first.stream.Name, len(t.raws)))
	}
	return m, nil
}

// open reports whether rows of a source's format may lack columns.
func open(src *source) bool { return src.driver.Name() == "json" }

func (t *table) mismatch(src *source, msg string) error {
	return &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Subject: src.stream.Name, Msg: msg,
		Hint: "files of one dataset must have one schema; prepare this file under a name of its own"}
}

// decider returns what decides a column, or nil when the recipe has done so.
func (s *scan) decider(t *table, c format.RawColumn, name string, k key) *infer.Decider {
	if rc := t.given.Column(k.name, k.nth); rc != nil && rc.Decided() {
		return nil
	}
	d := infer.NewDecider(c, name)
	d.Bound(s.share)
	return d
}

func (s *scan) observe(src *source, t *table, b *format.Batch) error {
	cols := arrange(b, src.maps[b.Table], len(t.raws))
	t.watchTail(src, cols, b)
	if s.keep > 0 && t.rows < s.keep {
		t.head = append(t.head, &format.Batch{Rows: b.Rows, First: b.First, Cols: cols})
	}
	t.rows += int64(b.Rows)
	return parallel(s.env.threads(), len(cols)+1, func(i int) error {
		if i == 0 {
			return t.identify(cols, b.Rows)
		}
		if d := t.deciders[i-1]; d != nil {
			d.ObserveLines(&cols[i-1], b.Lines)
		}
		return nil
	})
}

// identify adds the identities of a batch's rows.
func (t *table) identify(cols []format.Vector, rows int) error {
	var h rowHasher
	b := format.Batch{Cols: cols}
	for i := range rows {
		if err := t.ids.add(h.hash(&b, i)); err != nil {
			return &genesis.Error{Op: "prepare", Kind: genesis.Internal, Msg: "the temporary file for row identities could not be written", Hint: "free some disk space", Err: err}
		}
	}
	return nil
}

// arrange puts a batch's columns in the table's order; columns the batch lacks
// are all null.
func arrange(b *format.Batch, m []int, n int) []format.Vector {
	straight := len(b.Cols) == n
	for i := range b.Cols {
		straight = straight && m[i] == i
	}
	if straight {
		return b.Cols
	}
	cols := make([]format.Vector, n)
	filled := make([]bool, n)
	for i := range b.Cols {
		cols[m[i]], filled[m[i]] = b.Cols[i], true
	}
	var empty format.Vector
	for j := range cols {
		if !filled[j] {
			if empty.Spans == nil {
				empty = nulls(b.Rows)
			}
			cols[j] = empty
		}
	}
	return cols
}

// nulls returns a text vector of n missing cells.
func nulls(n int) format.Vector {
	v := format.Vector{Spans: make([]format.Span, n), Nulls: format.NewBitmap(n)}
	for i := range v.Nulls {
		v.Nulls[i] = ^uint64(0)
	}
	return v
}

// digestSource returns the SHA-256 of a raw file.
func digestSource(ctx context.Context, raw *format.Raw) (genesis.Digest, error) {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for off := int64(0); off < raw.Size; {
		if err := canceled(ctx, "prepare"); err != nil {
			return "", err
		}
		n, err := raw.At.ReadAt(buf[:min(int64(len(buf)), raw.Size-off)], off)
		h.Write(buf[:n])
		off += int64(n)
		if err != nil && (err != io.EOF || off < raw.Size) {
			return "", &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Subject: raw.Name, Msg: fmt.Sprintf("could not be read at byte %d; it may have changed meanwhile", off), Err: err}
		}
	}
	return genesis.DigestSum(h.Sum(nil)), nil
}
