package split

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/spill"
)

// timed places rows by their order in time.
type timed struct {
	spec   Spec
	shares shares
	rows   *spill.Sorter // sortable time, row
	kind   format.Kind
}

func newTimed(spec Spec, s shares, env Env) *timed {
	return &timed{spec: spec, shares: s, rows: spill.New(env.Temp, 16, env.Memory)}
}

func (p *timed) observe(r Rows, first int64, parts []genesis.Part) error {
	if r.Key.Kind == format.Text || r.Key.Kind == format.Bool {
		return invalid(p.spec.String(), "is not a column of times or numbers", "cast it in the recipe, or use group or stratify")
	}
	p.kind = r.Key.Kind
	var rec [16]byte
	for i := range parts {
		key, ok := sortable(r.Key, i)
		if !ok {
			continue
		}
		binary.BigEndian.PutUint64(rec[:], key)
		binary.BigEndian.PutUint64(rec[8:], uint64(first)+uint64(i))
		if err := p.rows.Add(rec[:]); err != nil {
			return err
		}
	}
	return nil
}

func (p *timed) finish(parts []genesis.Part) ([]string, error) {
	cuts, err := p.cuts()
	if err != nil {
		return nil, err
	}
	at := 0
	err = p.rows.Each(func(rec []byte) error {
		key, row := binary.BigEndian.Uint64(rec), binary.BigEndian.Uint64(rec[8:])
		for at < len(cuts) && key >= cuts[at] {
			at++
		}
		parts[row] = p.shares.parts[at]
		return nil
	})
	spelled := make([]string, len(cuts))
	for i, c := range cuts {
		spelled[i] = spellKey(c, p.kind)
	}
	return spelled, err
}

// cuts returns the first time of each part after the first.
func (p *timed) cuts() ([]uint64, error) {
	c := cutter{n: p.rows.Len(), upto: p.shares.upto[:len(p.shares.upto)-1]}
	err := p.rows.Each(func(rec []byte) error {
		c.see(binary.BigEndian.Uint64(rec))
		return nil
	})
	return c.end(), err
}

// cutter finds the cuts while it sees sorted keys: each at the first boundary
// between different keys at or after the place where its fraction falls, or at
// the last boundary there is.
type cutter struct {
	n    int64
	upto []float64
	cuts []uint64
	i    int64  // keys seen
	key  uint64 // the last of them
	last uint64 // the key after the last boundary
	any  bool   // there was a boundary
}

func (c *cutter) see(key uint64) {
	if c.i > 0 && key != c.key {
		c.last, c.any = key, true
		if len(c.cuts) < len(c.upto) && float64(c.i) >= c.upto[len(c.cuts)]*float64(c.n)-.5 {
			c.cuts = append(c.cuts, key)
		}
	}
	c.key = key
	c.i++
}

func (c *cutter) end() []uint64 {
	n := len(c.cuts)
	if n < len(c.upto) && c.any && (n == 0 || c.cuts[n-1] < c.last) {
		c.cuts = append(c.cuts, c.last)
	}
	return c.cuts
}

func (p *timed) close() error { return p.rows.Close() }

func spellValue(i int64, f float64, kind format.Kind) string {
	switch kind {
	case format.Timestamp:
		return spellTime(time.UnixMicro(i).UTC(), time.RFC3339Nano)
	case format.Date:
		if i > math.MinInt32 && i < math.MaxInt32 {
			return spellTime(time.Unix(i*86400, 0).UTC(), "2006-01-02")
		}
	case format.Float:
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strconv.FormatInt(i, 10)
}

func spellTime(t time.Time, layout string) string {
	if y := t.Year(); y < 0 || y > 9999 {
		return fmt.Sprintf("@%d", t.Unix())
	}
	return t.Format(layout)
}
