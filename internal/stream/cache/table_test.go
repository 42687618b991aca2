package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// fixed are batches in memory as a source.
type fixed struct {
	columns []genesis.Column
	batches []*format.Batch
	opened  int
	next    int
	hook    func(batch int) error // before each
}

func (f *fixed) Next() (*format.Batch, error) {
	if f.next == len(f.batches) {
		return nil, io.EOF
	}
	if f.hook != nil {
		if err := f.hook(f.next); err != nil {
			return nil, err
		}
	}
	f.next++
	return f.batches[f.next-1], nil
}

func (f *fixed) Close() error { return nil }

func (f *fixed) source() Source {
	rows := int64(0)
	for _, b := range f.batches {
		rows += int64(b.Rows)
	}
	return Source{Columns: f.columns, Rows: rows, Open: func(context.Context) (Rows, error) {
		f.opened++
		f.next = 0
		return f, nil
	}}
}

func (f *fixed) maker() Maker { return Tables(f.source) }

// built builds a table in a folder of its own.
func (f *fixed) built(t testing.TB) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := build(context.Background(), dir, f.source(), nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t testing.TB, dir string) *Table {
	t.Helper()
	table, err := openTable(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

func textVector(values ...string) format.Vector {
	v := format.Vector{Kind: format.Text}
	for _, s := range values {
		start := uint32(len(v.Buf))
		v.Buf = append(v.Buf, s...)
		v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
	}
	return v
}

var everyType = []genesis.Column{{Name: "b", Type: genesis.Boolean}, {Name: "i", Type: genesis.Integer}, {Name: "k", Type: genesis.Categorical}, {Name: "f", Type: genesis.Float},
	{Name: "t", Type: genesis.Text}, {Name: "d", Type: genesis.Date}, {Name: "s", Type: genesis.Timestamp}, {Name: "id", Type: genesis.Identifier}}

var (
	someInts   = []int64{0, 1, -1, math.MaxInt64, math.MinInt64}
	someFloats = []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64}
	someDays   = []int64{0, -719162, 2932896, math.MinInt32, math.MaxInt32}
	someTexts  = []string{"", "a", "ä\x00\n", strings.Repeat("long ", 300_000)} // the last one is wider than blocks
)

func pick[T any](from []T, i int) T { return from[i%len(from)] }

// everything makes rows first … first+n−1 of every type; some cells are missing.
func everything(first, n int) *format.Batch {
	b := &format.Batch{Rows: n, Cols: make([]format.Vector, len(everyType))}
	texts := make([][]string, len(everyType))
	for j, c := range everyType {
		v := &b.Cols[j]
		v.Kind = format.KindOf(c.Type)
		for i := first; i < first+n; i++ {
			switch c.Type {
			case genesis.Boolean:
				v.Ints = append(v.Ints, int64(i%2))
			case genesis.Float:
				v.Floats = append(v.Floats, pick(someFloats, i))
			case genesis.Date:
				v.Ints = append(v.Ints, pick(someDays, i))
			case genesis.Text:
				text := pick(someTexts[:3], i)
				if i%400 == 3 {
					text = someTexts[3]
				}
				texts[j] = append(texts[j], text)
			case genesis.Categorical, genesis.Identifier:
				texts[j] = append(texts[j], fmt.Sprint("w", i%7*i%13))
			default:
				v.Ints = append(v.Ints, pick(someInts, i))
			}
		}
		if texts[j] != nil {
			*v = textVector(texts[j]...)
		}
		v.Nulls = format.NewBitmap(n)
		for i := range n {
			if (first+i+j)%5 == 0 && c.Name != "id" {
				v.Nulls.Set(i)
			}
		}
	}
	return b
}

// same compares rows of a table with the batch that they came from, through all the ways
// in which cells can be looked at.
func same(table *Table, b *format.Batch, first int64) error {
	rows := make([]uint64, b.Rows)
	for i := range rows {
		rows[i] = uint64(first) + uint64(i)
	}
	return table.Guard(func() error {
		if err := table.Prepare(rows); err != nil {
			return err
		}
		for j := range b.Cols {
			if err := sameColumn(table, &b.Cols[j], j, rows); err != nil {
				return err
			}
		}
		return nil
	})
}

func sameColumn(table *Table, v *format.Vector, j int, rows []uint64) error {
	c := table.Columns()[j]
	valid, wide := make([]byte, (len(rows)+7)/8), make([]byte, 8*len(rows))
	for i := range valid {
		valid[i] = 0xff
	}
	nulls := table.Nulls(j, rows, valid)
	size := int64(0)
	switch c.Form {
	case Wide:
		table.Wide(j, rows, wide)
	case Day, Word:
		table.Narrow(j, rows, wide)
	case Flag:
		table.Flags(j, rows, wide)
	}
	if c.Form == Heap || c.Form == Word {
		n, err := table.TextSize(j, rows)
		if err != nil {
			return err
		}
		size = n
	}
	for i, r := range rows {
		null := v.Null(i)
		if null != table.Null(j, r) || null == (valid[i/8]>>(i%8)&1 != 0) {
			return fmt.Errorf("column %s, row %d: missing %v", c.Name, r, null)
		}
		if null {
			nulls--
			if len(table.AppendText(nil, j, r)) > 0 || table.Text(j, r) != nil {
				return fmt.Errorf("column %s, row %d: there is a text", c.Name, r)
			}
			continue
		}
		ok := true
		switch c.Form {
		case Wide:
			x := binary.LittleEndian.Uint64(wide[8*i:])
			if v.Kind == format.Float {
				ok = math.Float64bits(v.Floats[i]) == x && math.Float64bits(table.Float(j, r)) == x
			} else {
				ok = uint64(v.Ints[i]) == x && table.Int(j, r) == v.Ints[i]
			}
		case Day:
			ok = table.Int(j, r) == v.Ints[i] && int64(int32(binary.LittleEndian.Uint32(wide[4*i:]))) == v.Ints[i]
		case Flag:
			ok = table.Int(j, r) == v.Ints[i] && int64(wide[i/8]>>(i%8)&1) == v.Ints[i]
		case Word:
			ok = c.Words[binary.LittleEndian.Uint32(wide[4*i:])] == string(v.Bytes(i)) && c.Words[table.Int(j, r)] == string(v.Bytes(i))
			fallthrough
		case Heap:
			size -= int64(len(v.Bytes(i)))
			ok = ok && string(table.Text(j, r)) == string(v.Bytes(i)) && string(table.AppendText([]byte("x"), j, r)) == "x"+string(v.Bytes(i))
		}
		if !ok {
			return fmt.Errorf("column %s, row %d is another", c.Name, r)
		}
	}
	if nulls != 0 || size != 0 {
		return fmt.Errorf("column %s: %d missing values and %d bytes of text too many", c.Name, nulls, size)
	}
	return nil
}

func TestTableHasEveryCell(t *testing.T) {
	for _, sizes := range [][]int{{}, {1}, {401}, {3, 9000, 0, 4097}} {
		f := &fixed{columns: everyType}
		total := 0
		for _, n := range sizes {
			f.batches = append(f.batches, everything(total, n))
			total += n
		}
		table := open(t, f.built(t))
		if table.Rows() != int64(total) || len(table.Columns()) != len(everyType) {
			t.Fatalf("%d rows", table.Rows())
		}
		first := int64(0)
		for _, b := range f.batches {
			if err := same(table, b, first); err != nil {
				t.Errorf("%v: %v", sizes, err)
			}
			first += int64(b.Rows)
		}
		if null := table.Columns()[7].Null; null != -1 {
			t.Errorf("a column that misses nothing has the bit %d", null)
		}
	}
}

// TestWideTables: of 5,000 columns, and of so many that a row is wider than a block.
func TestWideTables(t *testing.T) {
	for _, n := range []int{5000, 30_000} {
		f := &fixed{}
		b := &format.Batch{Rows: 20}
		for j := range n {
			c := everyType[j%len(everyType)]
			c.Name = fmt.Sprint(c.Name, j)
			f.columns = append(f.columns, c)
			b.Cols = append(b.Cols, everything(j, 20).Cols[j%len(everyType)])
		}
		for j := range b.Cols {
			if f.columns[j].Type == genesis.Text { // short ones
				b.Cols[j] = textVector(strings.Split(strings.Repeat("text,", 19)+"t", ",")...)
			}
		}
		f.batches = []*format.Batch{b}
		table := open(t, f.built(t))
		if err := same(table, b, 0); err != nil {
			t.Errorf("%d columns: %v", n, err)
		}
	}
}

// wordy is columns of different words, and one of few.
func wordy(columns, first, n, length int) *format.Batch {
	b := &format.Batch{Rows: n}
	for j := range columns {
		var texts []string
		for i := range n {
			texts = append(texts, fmt.Sprintf("%0*d", length, (first+i)*10+j))
		}
		b.Cols = append(b.Cols, textVector(texts...))
	}
	few := make([]string, n)
	for i := range few {
		few[i] = fmt.Sprint((first + i) % 3)
	}
	b.Cols = append(b.Cols, textVector(few...))
	return b
}

// TestManyWords: categories of too many words, or of too long ones, are texts; however
// many there are, the table is read twice, and all words together are bounded.
func TestManyWords(t *testing.T) {
	for name, c := range map[string]struct {
		columns, rows, length int
		opened, texts         int
	}{
		"as many as may be": {1, maxWords, 7, 1, 0},
		"one too many":      {1, maxWords + 1, 7, 2, 1},
		"several":           {4, maxWords + 1, 7, 2, 4},
		"too long":          {1, 3000, 1500, 2, 1},
		"all together":      {17, 4400, 900, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fixed{}
			for j := range c.columns + 1 {
				f.columns = append(f.columns, genesis.Column{Name: fmt.Sprint("c", j), Type: genesis.Categorical})
			}
			for first := 0; first < c.rows; first += 10_000 {
				f.batches = append(f.batches, wordy(c.columns, first, min(10_000, c.rows-first), c.length))
			}
			table := open(t, f.built(t))
			texts := 0
			for _, col := range table.Columns() {
				if col.Form == Heap {
					texts++
				}
			}
			if f.opened != c.opened || texts != c.texts || table.Columns()[c.columns].Form != Word {
				t.Errorf("it was read %d times and has %d columns of text", f.opened, texts)
			}
			first := int64(0)
			for _, b := range f.batches {
				if err := same(table, b, first); err != nil {
					t.Fatal(err)
				}
				first += int64(b.Rows)
			}
		})
	}
}

// ascending are the first rows of a table.
func ascending(n uint64) func(context.Context) (func() (uint64, error), func() error, error) {
	return func(context.Context) (func() (uint64, error), func() error, error) {
		k := uint64(0)
		return func() (uint64, error) {
			if k++; k > n {
				return 0, io.EOF
			}
			return k - 1, nil
		}, func() error { return nil }, nil
	}
}

func TestPartsOfTables(t *testing.T) {
	for _, rows := range []int64{100_000, 1<<32 + 1} {
		dir := t.TempDir()
		m := Parts(rows, func(context.Context) (func() (uint64, error), func() error, error) {
			k := uint64(0)
			return func() (uint64, error) {
				if k += 3; k >= 100_000 {
					return 0, io.EOF
				}
				return uint64(rows) - 100_000 + k, nil
			}, func() error { return nil }, nil
		})
		if err := m.Make(t.Context(), dir, nil, func(int64) {}); err != nil {
			t.Fatal(err)
		}
		v, err := m.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		p := v.(*Part)
		if p.Len() != 33_333 {
			t.Errorf("%d rows", p.Len())
		}
		places := []uint64{0, 33_332, 17}
		if err := p.Map(places); err != nil || places[0] != uint64(rows)-99_997 || places[1] != uint64(rows)-1 || places[2] != uint64(rows)-100_000+54 {
			t.Errorf("%v, %v", places, err)
		}
		if err := p.Map([]uint64{33_333}); !Damaged(err) {
			t.Errorf("a place that is not there: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamage flips bits and cuts files: every table is refused, or says that it is
// damaged when it is looked at. None gives other rows.
func TestDamage(t *testing.T) {
	f := &fixed{columns: everyType, batches: []*format.Batch{everything(0, 900)}}
	for i := range f.batches[0].Cols[4].Spans { // without the huge ones
		f.batches[0].Cols[4].Spans[i].End = min(f.batches[0].Cols[4].Spans[i].End, f.batches[0].Cols[4].Spans[i].Start+40)
	}
	dir := f.built(t)
	noticed, sound := 0, 0
	check := func(what string) {
		t.Helper()
		table, err := openTable(dir)
		if err == nil {
			err = same(table, f.batches[0], 0)
			table.Close()
		}
		switch {
		case err == nil:
			sound++
			t.Log(what, "is sound")
		case Damaged(err), errors.Is(err, os.ErrNotExist):
			noticed++
		default:
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range []string{rowsFile, textFile, metaFile} {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write := func(b []byte) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/500 {
			b := append([]byte(nil), whole...)
			b[at] ^= 1 << (at % 8)
			write(b)
			check(fmt.Sprintf("%s with byte %d flipped", name, at))
		}
		for k := range trailer + 40 {
			b := append([]byte(nil), whole...)
			b[len(b)-1-k] ^= 0x40
			write(b)
			check(fmt.Sprintf("%s with byte −%d flipped", name, k))
		}
		for _, n := range []int{0, 1, trailer, len(whole) / 2, len(whole) - 8, len(whole) - 1} {
			write(whole[:n])
			check(fmt.Sprintf("%s cut after %d bytes", name, n))
		}
		write(append(append([]byte(nil), whole...), whole...))
		check(name + " twice")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		check("no " + name)
		write(whole)
	}
	check("nothing")
	if sound != 1 {
		t.Errorf("%d of %d kinds of damage were not noticed", sound-1, sound-1+noticed)
	}
}

// FuzzOpen opens files that anything may have happened to, also such whose sums hold:
// no table crashes who looks at it.
func FuzzOpen(f *testing.F) {
	small := &fixed{columns: everyType[:6], batches: []*format.Batch{everything(10, 3)}}
	small.batches[0].Cols = small.batches[0].Cols[:6]
	dir := small.built(f)
	var files [3][]byte
	for i, name := range []string{rowsFile, textFile, metaFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		n := binary.LittleEndian.Uint64(b[len(b)-24:])
		files[i] = b[:n]
	}
	f.Add(files[0], files[1], files[2], true)
	f.Add(files[0], []byte{}, files[2], true)
	f.Add([]byte("genesis cache 1\n"), []byte{}, []byte("{}"), false)
	f.Fuzz(func(t *testing.T, rows, text, meta []byte, sealed bool) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{rowsFile: rows, textFile: text, metaFile: meta} {
			path := filepath.Join(dir, name)
			if !sealed {
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			}
			block := int64(blockBytes)
			if name == rowsFile {
				block = 40 << shiftOf(40)
			}
			w, err := createSealed(path, block)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = w.Write(b)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		table, err := openTable(dir)
		if err != nil {
			return
		}
		defer table.Close()
		if table.Rows() <= 0 {
			return
		}
		_ = table.Guard(func() error {
			all := []uint64{0, uint64(table.Rows() - 1)}
			if err := table.Prepare(all); err != nil {
				return err
			}
			for j, c := range table.Columns() {
				if c.Form == Heap || c.Form == Word {
					if _, err := table.TextSize(j, all); err != nil {
						return err
					}
					_ = table.Text(j, all[1])
				}
				_, _ = table.Null(j, all[0]), table.Int(j, all[0])
			}
			return nil
		})
	})
}
