package split

import (
	"encoding/binary"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/spill"
)

// Env is what splitting may use.
type Env struct {
	Temp   string // folder for temporary files
	Memory int64  // bytes to sort in; 0: a default
}

// Result is a split and where it puts each row. The caller stores Parts and
// sets Split.Assignment and Split.Table.
type Result struct {
	Parts []genesis.Part
	Split genesis.Split
}

// Assigner makes one random, group, time or stratified split of a table whose
// rows it sees once, in order.
type Assigner struct {
	spec    Spec
	shares  shares
	parts   []genesis.Part
	watcher *Watcher
	own     bool // watcher is not shared
	placer  placer
}

// placer gives rows their parts: at once where it can, else at the end.
type placer interface {
	observe(r Rows, first int64, parts []genesis.Part) error
	finish(parts []genesis.Part) (cut []string, err error)
	close() error
}

// New returns an assigner. watcher, when not nil, is shared by the splits of a
// table, and then the caller feeds it. Errors are of kind Invalid.
func New(spec Spec, env Env, watcher *Watcher) (*Assigner, error) {
	if err := spec.Check(); err != nil {
		return nil, err
	}
	a := &Assigner{spec: spec, shares: spec.shares(), watcher: watcher}
	if watcher == nil {
		a.watcher, a.own = NewWatcher(), true
	}
	switch spec.Kind {
	case Random:
		a.placer = &random{seed: spec.Seed, shares: a.shares, env: env}
	case Group:
		a.placer = &grouped{seed: spec.Seed, shares: a.shares}
	case Time:
		a.placer = newTimed(spec, a.shares, env)
	case Stratify:
		a.placer = newStratified(spec, a.shares, env)
	default:
		return nil, invalid(spec.String(), "is imported, not assigned", "")
	}
	return a, nil
}

// Observe takes the next rows. Errors are of kind Invalid (the column cannot
// be split by) or Internal (temporary files).
func (a *Assigner) Observe(r Rows) error {
	if a.spec.Kind != Random && r.Key == nil {
		return invalid(a.spec.String(), "has no such column", "")
	}
	first := int64(len(a.parts))
	a.parts = append(a.parts, make([]genesis.Part, len(r.IDs))...)
	if a.own {
		a.watcher.Observe(r)
	}
	return a.placer.observe(r, first, a.parts[first:])
}

// Assign returns the split of all rows observed.
func (a *Assigner) Assign() (*Result, error) {
	cut, err := a.placer.finish(a.parts)
	if err != nil {
		return nil, err
	}
	s := a.spec
	split := genesis.Split{
		Name: s.Name, Kind: s.Kind, Column: s.Column, Folds: s.Folds, Seed: s.Seed, Cut: cut,
		Counts: counts(a.parts, s.Folds), Leaks: a.watcher.Judge(a.parts, s),
	}
	if s.Folds == 0 {
		split.Fractions = s.Fractions
	}
	return &Result{Parts: a.parts, Split: split}, nil
}

// Close removes temporary files.
func (a *Assigner) Close() error { return a.placer.close() }

// random places rows by their identity.
type random struct {
	seed   uint64
	shares shares
	env    Env
	same   *spill.Sorter // content hash, row: only with a declared id
}

func (p *random) observe(r Rows, first int64, parts []genesis.Part) error {
	for i, id := range r.IDs {
		parts[i] = p.shares.at(id.u(p.seed))
	}
	if r.Contents == nil {
		return nil
	}
	if p.same == nil {
		p.same = spill.New(p.env.Temp, 16, p.env.Memory)
	}
	var rec [16]byte
	for i, id := range r.Contents {
		copy(rec[:], id[:8])
		binary.BigEndian.PutUint64(rec[8:], uint64(first)+uint64(i))
		if err := p.same.Add(rec[:]); err != nil {
			return err
		}
	}
	return nil
}

// finish lets each row follow the first of equal content.
func (p *random) finish(parts []genesis.Part) ([]string, error) {
	if p.same == nil {
		return nil, nil
	}
	var last uint64
	lead, any := genesis.Unassigned, false
	return nil, p.same.Each(func(rec []byte) error {
		hash, row := binary.BigEndian.Uint64(rec), binary.BigEndian.Uint64(rec[8:])
		if !any || hash != last {
			any, last, lead = true, hash, parts[row]
		}
		parts[row] = lead
		return nil
	})
}

func (p *random) close() error {
	if p.same == nil {
		return nil
	}
	return p.same.Close()
}

// grouped places rows by the value of their group.
type grouped struct {
	seed   uint64
	shares shares
}

func (p *grouped) observe(r Rows, _ int64, parts []genesis.Part) error {
	for i := range parts {
		if id, ok := KeyOf(r.Key, i); ok {
			parts[i] = p.shares.at(id.u(p.seed))
		}
	}
	return nil
}

func (p *grouped) finish([]genesis.Part) ([]string, error) { return nil, nil }
func (p *grouped) close() error                            { return nil }

// spellKey writes a sortable key as a split states its cuts.
func spellKey(key uint64, kind format.Kind) string {
	i, f := unsort(key, kind)
	return spellValue(i, f, kind)
}
