package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// SearchQuery says what to look for.
type SearchQuery struct {
	Text  string // words; each must match, at least as the beginning of a word
	Limit int    // 0: 20; at most 200
}

const maxWords = 32

// Search returns the assets whose name, card or columns match all words of the
// query, best first. A word counts the more, the fewer assets have it and the
// more it says where it stands: in the name, then in title, keywords, columns and
// their units, last in the description; a whole word counts double. A query
// without words finds nothing. Errors: Invalid (more than 32 words).
func (c *Catalog) Search(ctx context.Context, q SearchQuery) ([]genesis.Hit, error) {
	terms := queryTerms(q.Text)
	if len(terms) > maxWords {
		return nil, &genesis.Error{Op: "search", Kind: genesis.Invalid, Msg: fmt.Sprintf("the query has %d words, and at most %d are possible", len(terms), maxWords)}
	}
	if len(terms) == 0 {
		return nil, nil
	}
	if q.Limit <= 0 {
		q.Limit = 20
	}
	var hits []genesis.Hit
	err := c.db.Snapshot(ctx, func(tx *sql.Tx) error {
		best, err := rank(ctx, tx, terms)
		if err != nil {
			return err
		}
		hits = nil
		for _, r := range best[:min(len(best), q.Limit, 200)] {
			h, err := hit(ctx, tx, r, terms)
			if err != nil {
				return err
			}
			hits = append(hits, h)
		}
		return nil
	})
	return hits, store.Error("search", "", err)
}

// ranked is an asset that matches, by its key.
type ranked struct {
	asset int64
	score float64
}

// rank returns the assets that match all terms, best first; those of one score
// in the order in which they were added. A term adds to the score its weight times
// its inverse document frequency, ln(1 + N/n) for n of N assets.
func rank(ctx context.Context, tx *sql.Tx, terms []string) ([]ranked, error) {
	var total float64
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM search_texts").Scan(&total); err != nil {
		return nil, err
	}
	var scores map[int64]float64 // of the assets that match all terms so far
	for _, term := range terms {
		found, err := matches(ctx, tx, term)
		if err != nil {
			return nil, err
		}
		rarity := math.Log1p(total / float64(max(len(found), 1)))
		next := make(map[int64]float64, len(found))
		for _, r := range found {
			if before, ok := scores[r.asset]; ok || scores == nil {
				next[r.asset] = before + r.score*rarity
			}
		}
		if scores = next; len(scores) == 0 {
			return nil, nil
		}
	}
	best := make([]ranked, 0, len(scores))
	for asset, score := range scores {
		best = append(best, ranked{asset, score})
	}
	slices.SortFunc(best, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.asset, b.asset))
	})
	return best, nil
}

// matches returns the assets that have a term which begins with prefix, each with
// the highest weight of such a term; a whole word counts double. No term holds
// U+10FFFF, so that what begins with prefix lies before prefix and that.
func matches(ctx context.Context, tx *sql.Tx, prefix string) ([]ranked, error) {
	rows, err := tx.QueryContext(ctx, `SELECT asset_id, max(CASE WHEN term = $1 THEN 2 * weight ELSE weight END)
		FROM search_terms WHERE term >= $1 AND term < $2 GROUP BY asset_id`, prefix, prefix+"\U0010FFFF")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []ranked
	for rows.Next() {
		var r ranked
		if err := rows.Scan(&r.asset, &r.score); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// hit returns what is shown of an asset that matches.
func hit(ctx context.Context, tx *sql.Tx, r ranked, terms []string) (genesis.Hit, error) {
	h := genesis.Hit{Score: r.score}
	found, err := assets(ctx, tx, "WHERE a.id = $1", r.asset)
	if err != nil {
		return h, err
	}
	if len(found) == 0 {
		return h, sql.ErrNoRows
	}
	h.Asset = found[0]
	var text string
	err = tx.QueryRowContext(ctx, "SELECT body FROM search_texts WHERE asset_id = $1", r.asset).Scan(&text)
	h.Snippet = snippet(text, terms)
	return h, err
}

// snippet returns the line of an asset's text that matches most words.
func snippet(text string, terms []string) string {
	best, most := "", 0
	for line := range strings.Lines(text) {
		_, said, _ := strings.Cut(line, ": ") // without the label
		words := map[string]float64{}
		addTerms(words, said, 1)
		n := 0
		for _, term := range terms {
			for word := range words {
				if strings.HasPrefix(word, term) {
					n++
					break
				}
			}
		}
		if n > most {
			best, most = strings.TrimSpace(line), n
		}
	}
	return best
}
