package xlsx

import (
	"bytes"
	"context"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Driver reads the worksheets of Office Open XML workbooks (ECMA-376).
type Driver struct{}

// Name returns "xlsx".
func (Driver) Name() string { return "xlsx" }

// Match recognises a zip archive with the parts of a workbook.
func (Driver) Match(head []byte) int {
	const possible = 60
	switch {
	case !bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return 0
	case bytes.Contains(head, []byte("xl/")):
		return 100
	case bytes.Contains(head, []byte("word/")), bytes.Contains(head, []byte("ppt/")):
		return 0
	case bytes.Contains(head, []byte("[Content_Types].xml")):
		return possible
	}
	return 0
}

// mostSpooled bounds the temporary copy of a packed workbook.
const mostSpooled = 4 << 30

// surveyed is a sheet whose blocks are known.
type surveyed struct {
	sheet
	blocks     []*block
	tally      tally
	mergedRows int64
}

// Open surveys the chosen sheets, which reads each of them once, and starts
// reading their rows.
func (Driver) Open(ctx context.Context, in *format.Stream, opt format.Options) (format.Reader, error) {
	at, size, release, err := in.Spool("", mostSpooled)
	if err != nil {
		return nil, err
	}
	limits := opt.Limits.WithDefaults()
	r, err := func() (*reader, error) {
		a, err := openArchive(ctx, at, size, limits)
		if err != nil {
			return nil, err
		}
		b, err := openBook(a)
		if err != nil {
			return nil, err
		}
		if err := b.choose(opt.Sheets); err != nil {
			return nil, err
		}
		return plan(b, in, opt)
	}()
	if err != nil {
		release()
		return nil, subject(err, in.Name)
	}
	r.release = release
	r.start(ctx, opt.MaxRows)
	return r, nil
}

// plan surveys the sheets and numbers their tables.
func plan(b *book, in *format.Stream, opt format.Options) (*reader, error) {
	r := &reader{book: b, in: in}
	budget := sampleBytes
	tables := 0
	for _, sh := range b.sheets {
		s, err := b.survey(sh, &budget, headerOption(opt.Header))
		if err != nil {
			return nil, err
		}
		r.sheets = append(r.sheets, s)
		for _, bl := range s.blocks {
			if !bl.prose {
				tables++
			}
		}
	}
	if tables == 0 { // nothing but prose: then that is the content
		for _, s := range r.sheets {
			for _, bl := range s.blocks {
				bl.prose = false
				tables++
			}
		}
	}
	r.number(tables)
	return r, nil
}

// survey finds the blocks of a sheet.
func (b *book) survey(sh sheet, budget *int, header headerOption) (*surveyed, error) {
	rows, err := b.read(sh)
	if err != nil {
		return nil, err
	}
	defer rows.body.Close()
	s := survey{budget: budget}
	for {
		r, err := rows.next()
		if err != nil {
			return nil, err
		}
		if r == nil {
			break
		}
		if err := s.add(r); err != nil {
			return nil, err
		}
	}
	if err := s.finish(); err != nil {
		return nil, err
	}
	out := &surveyed{sheet: sh, blocks: s.blocks}
	out.tally = rows.tally
	for _, bl := range s.blocks {
		bl.decide(rows.merges, header)
		out.mergedRows += bl.mergedIn(rows.merges)
	}
	markProse(s.blocks)
	return out, nil
}

// mergedIn counts the merged areas among the rows of the block.
func (n *block) mergedIn(merges []area) int64 {
	var count int64
	for _, m := range merges {
		if m.row0 >= n.head.from && m.row0 <= n.row1 && m.col0 >= n.col0 && m.col0 <= n.col1 {
			count++
		}
	}
	return count
}

// number gives the tables their numbers and names: "" for the only one, else
// the sheet's name, with .2, .3 for the further ones of a sheet.
func (r *reader) number(tables int) {
	var text preamble
	for _, s := range r.sheets {
		in := 0
		for _, b := range s.blocks {
			if b.prose {
				text.add(b.sample)
				continue
			}
			text.add(b.head.preamble)
			in++
			name := s.name
			switch {
			case tables == 1:
				name = ""
			case in > 1:
				name = fmt.Sprintf("%s.%d", s.name, in)
			}
			r.add(b, name)
		}
		r.findings = append(r.findings, s.findings(r.in.Name)...)
	}
	r.preamble = text.String()
	if text.cut {
		r.findings = append(r.findings, finding(r.in.Name, "", "preamble-cut", genesis.Warn, 1,
			"text beside the tables was cut from the preamble, which holds 64 KiB", ""))
	}
}

// add makes the block a table.
func (r *reader) add(b *block, name string) {
	t := format.Table{Name: name, Columns: make([]format.RawColumn, b.width())}
	for i := range t.Columns {
		t.Columns[i].Name = b.head.names[i]
		if b.head.units != nil {
			t.Columns[i].Unit = b.head.units[i]
		}
	}
	b.table = len(r.tables)
	b.build = newBuilder(b.table, b.width(), r.book.limits.Batch)
	r.tables = append(r.tables, t)
}
