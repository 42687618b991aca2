package parquet

import (
	"io"
)

// checkLevels reads the levels of a column that is left out, so that a damaged
// file is refused even where the damage lies in what is not taken over.
func (c *columnReader) checkLevels() error {
	defer c.release()
	var rows int64
	for {
		err := c.pages.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			rows, err = c.checkPage(rows)
		}
		if err != nil {
			return c.wrap(err)
		}
	}
	if rows != c.rows {
		return c.wrap(damaged("holds %d rows, its row group %d", rows, c.rows))
	}
	return nil
}

// checkPage adds the rows that begin in the open page to rows.
func (c *columnReader) checkPage(rows int64) (int64, error) {
	reps, defs, err := c.splitLevels()
	if err != nil {
		return rows, err
	}
	if _, err := c.decoder(); err != nil {
		return rows, err
	}
	var rep, def [256]uint64
	for left := int(c.header.values); left > 0; {
		n := min(left, len(rep))
		if err := readLevels(&reps, rep[:n], c.leaf.maxRep); err != nil {
			return rows, err
		}
		if err := readLevels(&defs, def[:n], c.leaf.maxDef); err != nil {
			return rows, err
		}
		for _, r := range rep[:n] {
			if r == 0 {
				rows++
			} else if rows == 0 {
				return rows, damaged("begins in the middle of a row")
			}
		}
		left -= n
	}
	return rows, nil
}

// readLevels fills dst with levels of at most highest; all are 0 when that is.
func readLevels(h *hybrid, dst []uint64, highest int) error {
	if highest == 0 {
		return nil
	}
	if err := h.read(dst); err != nil {
		return err
	}
	for _, l := range dst {
		if l > uint64(highest) {
			return damaged("has a level of %d where %d is the highest", l, highest)
		}
	}
	return nil
}
