package compare

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/spill"
)

// cells of a sketch: of twenty rows, nine times in ten no two are in one.
const sketchCells = 2048

// Sketch is what two tables are compared by without their rows: 2048 sums of keyed
// hashes of rows. Of two sketches by one key it can be told whether few rows differ, and
// without the key and all but a few of the rows nothing of any row.
type Sketch struct {
	Rows int64
	sums [sketchCells]uint32
}

// SketchOf makes the sketch of the named columns of a table, which are compared as they
// are named, in this order. Neither the order of rows counts nor other columns.
func SketchOf(ctx context.Context, env Env, s Side, table string, columns []string, key []byte) (*Sketch, error) {
	sorter := spill.New(env.Temp, sha256.Size, env.Memory)
	defer sorter.Close()
	buf := bytes.Clone(key)
	err := read(ctx, s, table, columns, func(b *format.Batch, cols []genesis.Column) error {
		for i := range b.Rows {
			buf = buf[:len(key)]
			for j := range cols {
				buf = appendCell(buf, &b.Cols[j], i)
			}
			sum := sha256.Sum256(buf)
			if err := sorter.Add(sum[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &Sketch{}
	var last [sha256.Size]byte
	var again uint64
	err = sorter.Each(func(rec []byte) error {
		if again++; out.Rows == 0 || !bytes.Equal(rec, last[:]) {
			again = 0
		}
		copy(last[:], rec)
		out.Rows++
		// The second row of the same content is another element than the first.
		h := sha256.Sum256(binary.LittleEndian.AppendUint64(append(append(buf[:0], key...), rec...), again))
		out.sums[binary.LittleEndian.Uint64(h[:])%sketchCells] += binary.LittleEndian.Uint32(h[8:])
		return nil
	})
	return out, err
}

// Few reports whether a and b differ, and in fewer than most rows: so many were
// changed, or added beyond those. Differences of more rows are taken for few when hashes
// of theirs meet, as in one of ten cases of just most; fewer are never taken for more.
func (a *Sketch) Few(b *Sketch, most int) bool {
	more := max(a.Rows-b.Rows, b.Rows-a.Rows)
	var cells int64 // at most as many as rows that only one of them has
	for i := range a.sums {
		if a.sums[i] != b.sums[i] {
			cells++
		}
	}
	return cells+more > 0 && cells+more < 2*int64(most)
}

// Text is the sketch in 11 kB of text.
func (a *Sketch) Text() string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(a.Rows))
	for _, sum := range a.sums {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// ParseSketch reads what Text wrote, and reports whether it was that.
func ParseSketch(text string) (*Sketch, bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 8+4*sketchCells {
		return nil, false
	}
	a := &Sketch{Rows: int64(binary.LittleEndian.Uint64(b))}
	for i := range a.sums {
		a.sums[i] = binary.LittleEndian.Uint32(b[8+4*i:])
	}
	return a, true
}

// Comparable names a column as the rows of two tables are compared by it: by what its
// values can be compared with, and by its name.
func Comparable(c genesis.Column) string { return string(classOf(c.Type)) + ":" + c.Name }
