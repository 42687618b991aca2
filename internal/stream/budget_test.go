package stream

import (
	"testing"

	"github.com/opengenesis/genesis"
)

func TestBudget(t *testing.T) {
	b := &Budget{Max: 4 << 20}
	one, two := share{of: b}, share{of: b}
	for _, n := range []int{1000, freeBody, 1 << 20, 1 << 20, 500} { // 2 · (1 MiB − 128 KiB) are held
		if err := one.grow(2, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := two.grow(2, 2<<20); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("there was room for more than there is: %v", err)
	}
	if err := two.grow(2, freeBody); err != nil {
		t.Errorf("small batches are not counted: %v", err)
	}
	if err := two.grow(3, 1<<20); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("there was room for a third body, of which there is none: %v", err)
	}
	one.end()
	if err := two.grow(2, 2<<20); err != nil {
		t.Errorf("what was given back is not there: %v", err)
	}
	two.end()
	if b.used.Load() != 0 {
		t.Errorf("%d bytes are held by nobody", b.used.Load())
	}
}
