package cache

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Rows are the rows of a table, in order.
type Rows interface {
	Next() (*format.Batch, error)
	Close() error
}

// Source is what a table is made from.
type Source struct {
	Columns []genesis.Column
	Open    func(context.Context) (Rows, error)
	// Progress is told how many rows are done; it may be nil.
	Progress func(rows int64)
}

// meta is the file that describes the others. It is written last.
type meta struct {
	Format  int      `json:"format"`
	Rows    int64    `json:"rows"`
	Width   int      `json:"width"`
	Columns []Column `json:"columns"`
}

const (
	metaFormat = 1
	rowsFile   = "rows"
	textFile   = "text"
	metaFile   = "meta"

	blockBytes = 256 << 10 // of what is checked at once
)

// What turns out only while a table is written, and has it begun again.
type (
	tooManyWords struct{ column int } // a category is none
	someMissing  struct{}             // not every cell has a value
)

func (t tooManyWords) Error() string { return fmt.Sprintf("column %d has too many words", t.column) }
func (someMissing) Error() string    { return "some cells have no value" }

// build writes a table's files into a folder, taking at most limit bytes. It goes by
// what is usual, that every cell has a value and categories have few words, and begins
// again where it is not so.
func build(ctx context.Context, dir string, src Source, limit int64) error {
	cols := make([]Column, len(src.Columns))
	for i, c := range src.Columns {
		cols[i] = Column{Column: c, Form: formOf(c.Type)}
	}
	nulls := false
	for {
		err := buildAs(ctx, dir, src, cols, nulls, limit)
		var words tooManyWords
		switch {
		case errors.As(err, &words):
			cols[words.column].Form = Heap
		case errors.Is(err, someMissing{}):
			nulls = true
		default:
			return err
		}
		for i := range cols {
			cols[i].Words = nil
		}
		for _, name := range []string{rowsFile, textFile} {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
}

func buildAs(ctx context.Context, dir string, src Source, cols []Column, nulls bool, limit int64) (err error) {
	rows, err := src.Open(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	b := &builder{cols: cols, limit: limit, codes: make([]map[string]uint32, len(cols)), wordBytes: make([]int, len(cols)), missing: make([]bool, len(cols))}
	b.width = place(cols, nulls)
	if b.rows, err = createSealed(filepath.Join(dir, rowsFile), int64(b.width)<<shiftOf(b.width)); err != nil {
		return err
	}
	defer b.rows.file.Close()
	if b.text, err = createSealed(filepath.Join(dir, textFile), blockBytes); err != nil {
		return err
	}
	defer b.text.file.Close()
	for {
		batch, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = b.add(batch)
		}
		if err != nil {
			return err
		}
		if src.Progress != nil {
			src.Progress(b.done)
		}
	}
	return b.close(dir)
}

// shiftOf returns how many records of a width make a block, as a power of two.
func shiftOf(width int) int { return bits.Len(uint(max(1, blockBytes/width))) - 1 }

// builder writes records.
type builder struct {
	cols       []Column
	width      int
	limit      int64
	done       int64 // rows
	rows, text *sealedWriter
	codes      []map[string]uint32 // by column: its words
	wordBytes  []int
	missing    []bool // by column: some cell has no value
	buf        []byte
}

func (b *builder) add(batch *format.Batch) error {
	const piece = 4096 // rows, so that the records of wide tables stay few
	step := max(1, min(piece, 16<<20/b.width))
	for from := 0; from < batch.Rows; from += step {
		to := min(from+step, batch.Rows)
		size := (to - from) * b.width
		if cap(b.buf) < size {
			b.buf = make([]byte, size)
		}
		out := b.buf[:size]
		clear(out)
		for i := range b.cols {
			if err := b.column(out, i, batch, from, to); err != nil {
				return err
			}
			if b.missing[i] && b.cols[i].Null < 0 {
				return someMissing{}
			}
		}
		if _, err := b.rows.Write(out); err != nil {
			return err
		}
		if used := b.rows.size + b.text.size; used > b.limit {
			return tooLarge(b.limit)
		}
	}
	b.done += int64(batch.Rows)
	return nil
}

func tooLarge(limit int64) error {
	return &genesis.Error{Op: "cache table", Kind: genesis.Unsupported, Msg: "the table takes more than the " + humanize.IBytes(uint64(limit)) + " that the node keeps for streams",
		Hint: "stream it in the order it is stored in (mode sequential), choose a smaller version, or let the operator raise streams.cache"}
}

// column writes a column's cells from … to−1 of a batch into records.
func (b *builder) column(out []byte, i int, batch *format.Batch, from, to int) error {
	c := &b.cols[i]
	null := func(row int) {
		b.missing[i] = true
		if c.Null < 0 {
			return
		}
		at := (row-from)*b.width + c.Null/8
		out[at] |= 1 << (c.Null % 8)
	}
	if i >= len(batch.Cols) {
		for row := from; row < to; row++ {
			null(row)
		}
		return nil
	}
	v := &batch.Cols[i]
	for row := from; row < to; row++ {
		if v.Null(row) {
			null(row)
			continue
		}
		cell := out[(row-from)*b.width+c.Offset:]
		switch c.Form {
		case Wide:
			x := uint64(0)
			if v.Kind == format.Float {
				x = math.Float64bits(v.Floats[row])
			} else {
				x = uint64(v.Ints[row])
			}
			binary.LittleEndian.PutUint64(cell, x)
		case Day:
			binary.LittleEndian.PutUint32(cell, uint32(int32(v.Ints[row])))
		case Flag:
			cell[0] = byte(v.Ints[row])
		case Word:
			code, err := b.code(i, v.Bytes(row))
			if err != nil {
				return err
			}
			binary.LittleEndian.PutUint32(cell, code)
		case Heap:
			text := v.Bytes(row)
			binary.LittleEndian.PutUint64(cell, uint64(b.text.size))
			binary.LittleEndian.PutUint32(cell[8:], uint32(len(text)))
			if _, err := b.text.Write(text); err != nil {
				return err
			}
		}
	}
	return nil
}

// code returns the code of a word of a category.
func (b *builder) code(i int, word []byte) (uint32, error) {
	if code, ok := b.codes[i][string(word)]; ok {
		return code, nil
	}
	if b.codes[i] == nil {
		b.codes[i] = map[string]uint32{}
	}
	c := &b.cols[i]
	b.wordBytes[i] += len(word)
	if len(c.Words) == maxWords || b.wordBytes[i] > maxWordBytes {
		return 0, tooManyWords{i}
	}
	code := uint32(len(c.Words))
	b.codes[i][string(word)] = code
	c.Words = append(c.Words, string(word))
	return code, nil
}

func (b *builder) close(dir string) error {
	for i := range b.cols {
		if !b.missing[i] {
			b.cols[i].Null = -1
		}
	}
	text, err := json.Marshal(meta{metaFormat, b.done, b.width, b.cols})
	if err != nil {
		return err
	}
	m, err := createSealed(filepath.Join(dir, metaFile), blockBytes)
	if err != nil {
		return err
	}
	defer m.file.Close()
	if _, err := m.Write(text); err != nil {
		return err
	}
	for _, f := range []*sealedWriter{b.rows, b.text, m} {
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}
