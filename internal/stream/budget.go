package stream

import (
	"fmt"
	"sync/atomic"

	"github.com/dustin/go-humanize"

	"github.com/opengenesis/genesis"
)

// Budget bounds the memory that the bodies of all streams take together. A stream
// holds what its largest batches take, as many as its sink keeps, from when they were made
// until it ends. The zero value is without bound.
type Budget struct {
	Max  int64
	used atomic.Int64
}

// freeBody is what a stream takes that is not counted: small batches are many streams'.
const freeBody = 128 << 10

// share is one stream's part of a budget.
type share struct {
	of   *Budget
	held int64
}

// grow sees that there is room for so many bodies of n bytes. The error is of kind Unavailable:
// other streams have it.
func (s *share) grow(bodies, n int) error {
	need := max(0, int64(bodies)*(int64(n)-freeBody)) - s.held
	if s.of == nil || s.of.Max <= 0 || need <= 0 {
		return nil
	}
	if s.of.used.Add(need) > s.of.Max {
		s.of.used.Add(-need)
		return &genesis.Error{Op: "stream", Kind: genesis.Unavailable, Msg: fmt.Sprintf("a batch of %s is more than there is memory for beside the other streams", humanize.IBytes(uint64(n))),
			Hint: "ask for smaller batches, or again later"}
	}
	s.held += need
	return nil
}

// end gives everything back.
func (s *share) end() {
	if s.of != nil {
		s.of.used.Add(-s.held)
	}
	s.held = 0
}
