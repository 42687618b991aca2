package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// rowsOf is a table of one column whose records take 8 bytes each.
func rowsOf(first, n int) *fixed {
	v := format.Vector{Kind: format.Int}
	for i := range n {
		v.Ints = append(v.Ints, int64(first+i))
	}
	return &fixed{columns: []genesis.Column{{Name: "n", Type: genesis.Integer}}, batches: []*format.Batch{{Rows: n, Cols: []format.Vector{v}}}}
}

// isCopied reports whether a table is read from its copy.
func isCopied(s *Store, t *Table) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return t.copied != nil && t.copied.finished() && len(*t.records.Load()) > 0 && &(*t.records.Load())[0] != &t.rows.data[0]
}

// TestCopiesInMemory: tables in use are copied as far as there is room, the copies hold
// the same rows, idle ones make way, and all memory is given back.
func TestCopiesInMemory(t *testing.T) {
	const rows = 50_000 // 400 kB
	s, err := Open(t.TempDir(), 1<<30, 2*8*rows+100)
	if err != nil {
		t.Fatal(err)
	}
	get := func(k int) (*Held, *Table) {
		t.Helper()
		h, err := s.Get(t.Context(), id(fmt.Sprint(k)), rowsOf(k, rows).maker(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return h, h.Value().(*Table)
	}
	check := func(k int, table *Table) {
		t.Helper()
		if err := same(table, rowsOf(k, rows).batches[0], 0); err != nil {
			t.Errorf("table %d: %v", k, err)
		}
	}
	h1, one := get(1)
	h2, two := get(2)
	eventually(t, "two copies", func() bool { return isCopied(s, one) && isCopied(s, two) })
	check(1, one)
	check(2, two)
	h3, three := get(3) // for which there is no room
	check(3, three)
	if three.copied != nil || s.hot.used != 2*8*rows {
		t.Errorf("%d bytes are used for copies", s.hot.used)
	}
	h1.Release()
	h3.Release()
	h3, three = get(3) // the idle one makes way
	eventually(t, "a copy in place of an idle one", func() bool { return isCopied(s, three) })
	if isCopied(s, one) || !isCopied(s, two) || s.hot.used != 2*8*rows {
		t.Errorf("what is in use has to stay, what is idle to go; %d bytes are used", s.hot.used)
	}
	check(2, two)
	check(3, three)
	h1, one = get(1) // and is read where it is mapped
	check(1, one)
	for _, h := range []*Held{h1, h2, h3} {
		h.Release()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s.hot.used != 0 {
		t.Errorf("%d bytes of copies are not given back", s.hot.used)
	}
}

// TestDamageIsNotCopied: a table with a block that does not hold is not read from a copy,
// and says so when that block is looked at.
func TestDamageIsNotCopied(t *testing.T) {
	dir := rowsOf(0, 100_000).built(t)
	path := filepath.Join(dir, rowsFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[700_000] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	table := open(t, dir)
	s, err := Open(t.TempDir(), 1<<30, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.heatLocked(table)
	s.mu.Unlock()
	<-table.copied.done
	if isCopied(s, table) {
		t.Error("damage was copied")
	}
	if err := table.Prepare([]uint64{3}); err != nil {
		t.Error(err)
	}
	if err := table.Prepare([]uint64{700_000 / 8}); !Damaged(err) {
		t.Errorf("the damaged block: %v", err)
	}
	s.mu.Lock()
	s.coolLocked(table)
	s.mu.Unlock()
	if s.hot.used != 0 {
		t.Errorf("%d bytes are used", s.hot.used)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
