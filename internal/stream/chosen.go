package stream

import (
	"context"

	"github.com/opengenesis/genesis/internal/format/expr"
)

// chosenRows are the rows for which a filter holds.
type chosenRows struct {
	filter *expr.Expr
	row    *expr.Row
	out    []uint64
}

// of looks at each row, of which one may take long: so it asks often whether it is still
// wanted.
func (c *chosenRows) of(ctx context.Context, in cells, rows []uint64) ([]uint64, error) {
	c.row.Cells, c.out = in, c.out[:0]
	for i, r := range rows {
		if i&7 == 7 && ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		c.row.At = r
		ok, err := c.filter.Holds(c.row)
		if err != nil {
			return nil, err
		}
		if ok {
			c.out = append(c.out, r)
		}
	}
	return c.out, nil
}
