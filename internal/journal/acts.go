package journal

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// ActQuery selects entries of some acts, in the order of the log.
type ActQuery struct {
	Acts         []string
	Subject      string    // one that is no person; "": any
	Since, Until time.Time // not before, and before
	After        int64     // behind this place; −1: from the first
	Limit        int
}

// Acts returns entries in the order of the log. Errors: Internal, naming the entry that is
// damaged.
func (j *Journal) Acts(ctx context.Context, q ActQuery) ([]genesis.AuditEntry, error) {
	first, err := j.firstSince(ctx, q.Since)
	if err != nil {
		return nil, err
	}
	var found []columns
	for _, act := range q.Acts { // each by itself: the index has them in this order
		some, err := j.index.read(ctx, `act = $1 AND seq > $2 AND +at >= $3 AND +at < $4 AND ($5 = '' OR owner = '' AND +subject = $5) ORDER BY seq LIMIT $6`,
			act, max(q.After, first-1), store.Time(q.Since), store.Time(q.Until), q.Subject, q.Limit)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b columns) int { return cmp.Compare(a.seq, b.seq) })
	return j.show(ctx, found[:min(len(found), q.Limit)])
}
