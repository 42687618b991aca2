package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Driver reads Parquet as raw input. Every column is read in full and every
// checksum a page carries is compared.
type Driver struct{}

// Name returns "parquet".
func (Driver) Name() string { return "parquet" }

// Match recognises the magic number.
func (Driver) Match(head []byte) int {
	if bytes.HasPrefix(head, []byte(magic)) || bytes.HasPrefix(head, []byte("PARE")) {
		return 100
	}
	return 0
}

// What a stranger's file may cost beyond its size: runs of equal values take no
// room in it, but time, and repeated text memory, once they are read.
const (
	freeCells = 1 << 28
	freeText  = 1 << 30
)

// Open reads the footer and, where opt.Tolerate says so, every column, to leave
// out the damaged ones.
func (Driver) Open(ctx context.Context, in *format.Stream, opt format.Options) (format.Reader, error) {
	at, size, done, err := in.Spool(os.TempDir(), 0)
	if err != nil {
		return nil, err
	}
	d := &driverReader{name: in.Name, done: done, max: opt.MaxRows}
	d.about.Source = genesis.Source{Path: in.Name, Bytes: size, Format: "parquet", Packing: in.Packing}
	if err := d.open(ctx, at, size, opt); err != nil {
		return nil, errors.Join(d.subject(err), done())
	}
	return d, nil
}

// driverReader is one open file.
type driverReader struct {
	name  string
	done  func() error
	rows  *Rows
	table format.Table
	about format.About
	max   int64 // rows to give out; 0: all
	given int64
	text  int64 // bytes of text that may still be given out
	ended bool
}

func (d *driverReader) open(ctx context.Context, at io.ReaderAt, size int64, opt format.Options) error {
	f, err := OpenFile(at, size)
	if err != nil {
		return err
	}
	if err := d.admit(f, opt.Limits.WithDefaults()); err != nil {
		return err
	}
	if opt.Columns == nil {
		if err := d.tolerate(f.checkLeftOut(), opt.Tolerate); err != nil {
			return err
		}
	}
	columns, err := d.choose(f, opt.Columns)
	if err != nil {
		return err
	}
	read := ReadOptions{Columns: columns, Threads: opt.Threads}
	if opt.Tolerate {
		if read.Columns, err = d.sound(ctx, f, read); err != nil {
			return err
		}
	}
	if d.rows, err = f.Read(ctx, read); err != nil {
		return err
	}
	for _, l := range d.rows.leaves {
		d.table.Columns = append(d.table.Columns, l.column())
	}
	return nil
}

// admit refuses a file that would cost out of proportion to its size.
func (d *driverReader) admit(f *File, lim format.Limits) error {
	if len(f.leaves) > lim.Columns {
		return damaged("has %d columns, more than the limit of %d", len(f.leaves), lim.Columns)
	}
	if len(f.leaves) > 0 && f.meta.rows/lim.Expansion > (freeCells/lim.Expansion+f.size)/int64(len(f.leaves)) {
		return damaged("claims %d rows of %d columns in %d bytes, beyond the limit of expansion", f.meta.rows, len(f.leaves), f.size)
	}
	d.text = freeText + lim.Expansion*f.size
	return nil
}

// choose returns the columns called names, or all that can be read, with a
// finding for each that cannot.
func (d *driverReader) choose(f *File, names []string) ([]int, error) {
	columns := []int{}
	outer := ""
	for i := range f.leaves {
		l := &f.leaves[i]
		if names != nil && !slices.Contains(names, l.name) {
			continue
		}
		if l.leftOut == "" {
			columns = append(columns, i)
			continue
		}
		if name, _, _ := strings.Cut(l.name, "."); name != outer {
			outer = name
			d.find(name, "nested-column", genesis.Warn, "column "+l.name+" "+l.leftOut+" and is left out").Hint = l.remedy()
		}
	}
	if len(columns) == 0 {
		return nil, unsupported("has no column of single values")
	}
	for _, name := range names {
		if !slices.ContainsFunc(f.leaves, func(l leaf) bool { return l.name == name }) {
			return nil, damaged("has no column %q", name)
		}
	}
	return columns, nil
}

func (d *driverReader) find(column, code string, s genesis.Severity, msg string) *genesis.Finding {
	d.about.Findings = append(d.about.Findings, genesis.Finding{ID: code + ":" + column, Code: code, Severity: s,
		Source: d.name, Column: column, Message: msg})
	return &d.about.Findings[len(d.about.Findings)-1]
}

// sound reads every column by itself and returns those that are not damaged.
func (d *driverReader) sound(ctx context.Context, f *File, opt ReadOptions) ([]int, error) {
	whole := []int{}
	for _, i := range opt.Columns {
		err := drain(ctx, f, ReadOptions{Columns: []int{i}, Threads: 1})
		switch genesis.KindOf(err) {
		case "":
			whole = append(whole, i)
		case genesis.Invalid, genesis.Unsupported:
			d.find(f.leaves[i].name, "damaged-column", genesis.Refusal, message(err))
		default:
			return nil, err
		}
	}
	if len(whole) == 0 {
		return nil, damaged("has no column that is not damaged")
	}
	return whole, nil
}

func message(err error) string {
	var e *genesis.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return err.Error()
}

func drain(ctx context.Context, f *File, opt ReadOptions) error {
	r, err := f.Read(ctx, opt)
	for err == nil {
		_, err = r.Next()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// tolerate turns damage in a column that is left out anyway into a finding,
// where asked to.
func (d *driverReader) tolerate(err error, yes bool) error {
	if !yes || genesis.KindOf(err) != genesis.Invalid {
		return err
	}
	d.find("", "damaged-column", genesis.Refusal, message(err))
	return nil
}

// subject names the file in an error of this package.
func (d *driverReader) subject(err error) error {
	var e *genesis.Error
	if errors.As(err, &e) && e.Subject == "" {
		e.Subject = d.name
	}
	return err
}

// Next returns the next rows.
func (d *driverReader) Next() (*format.Batch, error) {
	if d.ended || d.max > 0 && d.given >= d.max {
		return nil, d.end()
	}
	b, err := d.rows.Next()
	if err == io.EOF {
		return nil, d.end()
	}
	if err != nil {
		return nil, d.subject(err)
	}
	for i := range b.Cols {
		for _, s := range b.Cols[i].Spans {
			d.text -= int64(s.End - s.Start)
		}
	}
	if d.text < 0 {
		return nil, d.subject(damaged("repeats its texts beyond the limit of expansion"))
	}
	d.given += int64(b.Rows)
	return b, nil
}

// end adds the findings that are known only now.
func (d *driverReader) end() error {
	if d.ended {
		return io.EOF
	}
	d.ended = true
	for i, n := range d.rows.notes {
		name := d.rows.leaves[i].name
		d.count(name, "time-rounded", genesis.Warn, n.rounded, "times of column %s are finer than a microsecond and were cut to it")
		d.count(name, "not-utf8", genesis.Refusal, n.notText, "values of column %s are not UTF-8 text and were not taken over")
	}
	return io.EOF
}

func (d *driverReader) count(column, code string, s genesis.Severity, c counter, msg string) {
	if c.n > 0 {
		f := d.find(column, code, s, fmt.Sprintf("%d "+msg, c.n, column))
		f.Count, f.Rows = c.n, c.rows
	}
}

// Tables returns the file's one table.
func (d *driverReader) Tables() []format.Table { return []format.Table{d.table} }

// About returns what was recognised.
func (d *driverReader) About() format.About { return d.about }

// Close releases the file.
func (d *driverReader) Close() error {
	d.rows.Close()
	return d.done()
}
