package cache

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/bits"
	"os"
	"path/filepath"

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
	Rows    int64 // how many there will be; 0: not known
	Open    func(context.Context) (Rows, error)
	// Progress is told how many rows are done; it may be nil.
	Progress func(rows int64)
}

// Tables returns the Maker of a version's table.
func Tables(src func() Source) Maker {
	return Maker{
		Make: func(ctx context.Context, dir string, room *Room, progress func(int64)) error {
			s := src()
			s.Progress = progress
			return build(ctx, dir, s, room)
		},
		Open: func(dir string) (io.Closer, error) { return openTable(dir) },
	}
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
var (
	errWords   = errors.New("too many words") // of some categories: those are none
	errMissing = errors.New("some cells have no value")
)

// build writes a table's files into a folder. It goes by what is usual, that every cell
// has a value and categories have few words, and begins again where it is not so.
func build(ctx context.Context, dir string, src Source, room *Room) error {
	cols := make([]Column, len(src.Columns))
	for i, c := range src.Columns {
		cols[i] = Column{Column: c, Form: formOf(c.Type)}
	}
	nulls := false
	for {
		err := buildAs(ctx, dir, src, cols, nulls, room)
		switch err {
		case errWords: // the columns say by now that those are texts
		case errMissing:
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

func buildAs(ctx context.Context, dir string, src Source, cols []Column, nulls bool, room *Room) (err error) {
	b := newBuilder(cols, nulls, room)
	if err := room.Fits(src.Rows * int64(b.width)); err != nil {
		return err
	}
	rows, err := src.Open(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
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
			err = ctx.Err()
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
	room       *Room
	done       int64 // rows
	rows, text *sealedWriter
	codes      []map[string]uint32 // by column: its words
	wordBytes  []int               // by column
	allWords   int                 // bytes of all columns together
	texts      []int               // columns that turned out to have too many words
	missing    []bool              // by column: some cell has no value
	buf        []byte
}

func newBuilder(cols []Column, nulls bool, room *Room) *builder {
	return &builder{cols: cols, room: room, width: place(cols, nulls), codes: make([]map[string]uint32, len(cols)), wordBytes: make([]int, len(cols)), missing: make([]bool, len(cols))}
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
				return errMissing
			}
		}
		if len(b.texts) > 0 {
			continue // it is only counted which others are texts
		}
		if _, err := b.rows.Write(out); err != nil {
			return err
		}
		if err := b.room.Claim(b.rows.size + b.text.size); err != nil {
			return err
		}
	}
	b.done += int64(batch.Rows)
	return nil
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
			binary.LittleEndian.PutUint32(cell, b.code(i, v.Bytes(row)))
		case Heap:
			if len(b.texts) > 0 {
				continue
			}
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

// code returns the code of a word of a category. One that has too many words becomes
// a text.
func (b *builder) code(i int, word []byte) uint32 {
	if code, ok := b.codes[i][string(word)]; ok {
		return code
	}
	if b.codes[i] == nil {
		b.codes[i] = map[string]uint32{}
	}
	c := &b.cols[i]
	if len(c.Words) == maxWords || b.wordBytes[i]+len(word) > maxWordBytes || b.allWords+len(word)+perWord > maxAllWords {
		b.allWords -= b.wordBytes[i] + len(c.Words)*perWord
		b.texts, b.codes[i], c.Words = append(b.texts, i), nil, nil
		c.Form = Heap
		return 0
	}
	b.wordBytes[i] += len(word)
	b.allWords += len(word) + perWord
	code := uint32(len(c.Words))
	b.codes[i][string(word)] = code
	c.Words = append(c.Words, string(word))
	return code
}

func (b *builder) close(dir string) error {
	if len(b.texts) > 0 {
		return errWords
	}
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
