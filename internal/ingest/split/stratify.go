package split

import (
	"encoding/binary"
	"math"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/spill"
)

// maxLevels is up to how many different numbers are strata of their own;
// beyond, every tenth of the values is one.
const (
	maxLevels = 20
	tenths    = 10
)

// stratified divides every stratum in the same proportions.
type stratified struct {
	spec   Spec
	shares shares
	env    Env
	number bool
	rows   *spill.Sorter // stratum or sortable number, hash, row
	strata *spill.Sorter // of numbers: stratum, hash, row
}

func newStratified(spec Spec, s shares, env Env) *stratified {
	env.Memory /= 2
	return &stratified{spec: spec, shares: s, env: env, rows: spill.New(env.Temp, 24, env.Memory)}
}

// missing is the stratum of rows without a value: past all numbers.
const missing = math.MaxUint64

func (p *stratified) observe(r Rows, first int64, parts []genesis.Part) error {
	p.number = r.Key.Kind != format.Text && r.Key.Kind != format.Bool
	ids := r.contents()
	for i := range parts {
		key := uint64(missing)
		if p.number {
			if k, ok := sortable(r.Key, i); ok {
				key = k
			}
		} else if id, ok := KeyOf(r.Key, i); ok {
			key = id.short()
		}
		if err := add(p.rows, key, ids[i].hash(p.spec.Seed), uint64(first)+uint64(i)); err != nil {
			return err
		}
	}
	return nil
}

// add adds a record of three numbers.
func add(s *spill.Sorter, a, b, c uint64) error {
	var rec [24]byte
	binary.BigEndian.PutUint64(rec[:], a)
	binary.BigEndian.PutUint64(rec[8:], b)
	binary.BigEndian.PutUint64(rec[16:], c)
	return s.Add(rec[:])
}

func (p *stratified) finish(parts []genesis.Part) ([]string, error) {
	strata := p.rows
	if p.number {
		var err error
		if strata, err = p.tenths(); err != nil {
			return nil, err
		}
	}
	d, err := sizes(strata)
	if err != nil {
		return nil, err
	}
	return nil, d.divide(strata, p.shares, p.spec.Folds > 0, parts)
}

// tenths replaces numbers by the tenth they fall in, when there are many.
func (p *stratified) tenths() (*spill.Sorter, error) {
	levels, valid, err := p.levels()
	if err != nil || levels <= maxLevels {
		return p.rows, err
	}
	p.strata = spill.New(p.env.Temp, 24, p.env.Memory)
	var i, start int64
	var last uint64
	return p.strata, p.rows.Each(func(rec []byte) error {
		key := binary.BigEndian.Uint64(rec)
		if i == 0 || key != last {
			start, last = i, key
		}
		i++
		stratum := uint64(tenths * start / max(1, valid))
		if key == missing {
			stratum = missing
		}
		return add(p.strata, stratum, binary.BigEndian.Uint64(rec[8:]), binary.BigEndian.Uint64(rec[16:]))
	})
}

// levels returns how many different numbers there are and how many rows have
// one.
func (p *stratified) levels() (levels int, valid int64, err error) {
	var last uint64
	err = p.rows.Each(func(rec []byte) error {
		key := binary.BigEndian.Uint64(rec)
		if key == missing {
			return nil
		}
		if valid == 0 || key != last {
			levels++
		}
		valid, last = valid+1, key
		return nil
	})
	return levels, valid, err
}

// division is the sizes of the strata, in order.
type division []int64

func sizes(s *spill.Sorter) (division, error) {
	var d division
	var last uint64
	err := s.Each(func(rec []byte) error {
		key := binary.BigEndian.Uint64(rec)
		if len(d) == 0 || key != last {
			d, last = append(d, 0), key
		}
		d[len(d)-1]++
		return nil
	})
	return d, err
}

// divide gives the rows of each stratum, which come in order of their hash,
// their parts. Rows of one hash stay together.
func (d division) divide(s *spill.Sorter, sh shares, folds bool, parts []genesis.Part) error {
	stratum := -1
	var key, hash uint64
	var j, start, off int64 // place in the stratum, of its current hash; rows in earlier strata
	return s.Each(func(rec []byte) error {
		k, h := binary.BigEndian.Uint64(rec), binary.BigEndian.Uint64(rec[8:])
		if stratum < 0 || k != key {
			if stratum >= 0 {
				off += d[stratum]
			}
			stratum, key, j, start = stratum+1, k, 0, 0
		} else if h != hash {
			start = j
		}
		hash = h
		parts[binary.BigEndian.Uint64(rec[16:])] = sh.place(start, off, d[stratum], folds)
		j++
		return nil
	})
}

// place returns the part of the row at place j of a stratum of n rows that
// begins at row off of all: rounding is carried from stratum to stratum, so that
// many small strata still add up to the fractions.
func (s shares) place(j, off, n int64, folds bool) genesis.Part {
	if folds {
		return s.parts[(off+j)%int64(len(s.parts))]
	}
	last := len(s.parts) - 1
	for i, f := range s.upto[:last] {
		if j < round(f*float64(off+n))-round(f*float64(off)) {
			return s.parts[i]
		}
	}
	return s.parts[last]
}

func round(x float64) int64 { return int64(math.Round(x)) }

func (p *stratified) close() error {
	if p.strata != nil {
		p.strata.Close()
	}
	return p.rows.Close()
}
