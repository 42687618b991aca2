package catalog

import (
	"context"
	"fmt"
	"math"
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
	query, args, err := c.rank(ctx, terms)
	if err != nil || query == "" {
		return nil, err
	}
	args = append(args, min(q.Limit, 200))
	hits, err := c.hits(ctx, query+fmt.Sprintf(" ORDER BY score DESC, a.name LIMIT $%d", len(args)), args)
	if err != nil {
		return nil, store.Error("search", "", err)
	}
	for i := range hits {
		hits[i].Snippet = snippet(hits[i].Snippet, terms)
	}
	return hits, nil
}

// after returns a text that follows every text that begins with prefix and
// precedes all others that follow them. Terms are UTF-8, where 0xFF never occurs.
func after(prefix string) string { return prefix + "\U0010FFFF" }

// rank returns the query that scores assets, or "" when some word matches none.
// One word's score is its weight times its inverse document frequency,
// ln(1 + N/n) for n of N assets.
func (c *Catalog) rank(ctx context.Context, terms []string) (string, []any, error) {
	var total float64
	if err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM search_texts").Scan(&total); err != nil {
		return "", nil, store.Error("search", "", err)
	}
	var from strings.Builder
	var scores []string
	var args []any
	for i, term := range terms {
		var n float64
		err := c.db.Read().QueryRowContext(ctx, "SELECT count(DISTINCT asset_id) FROM search_terms WHERE term >= $1 AND term < $2",
			term, after(term)).Scan(&n)
		if err != nil {
			return "", nil, store.Error("search", term, err)
		}
		if n == 0 {
			return "", nil, nil
		}
		fmt.Fprintf(&from, ` JOIN (SELECT asset_id, max(CASE WHEN term = $%d THEN 2 * weight ELSE weight END) AS weight
			FROM search_terms WHERE term >= $%[1]d AND term < $%[2]d GROUP BY asset_id) t%[3]d ON t%[3]d.asset_id = a.id`,
			len(args)+1, len(args)+2, i)
		scores = append(scores, fmt.Sprintf("t%d.weight * $%d", i, len(args)+3))
		args = append(args, term, after(term), math.Log1p(total/n))
	}
	return "SELECT " + versionColumns + ", a.title, a.created_at, s.body, " + strings.Join(scores, " + ") + ` AS score
		FROM assets a JOIN versions v ON v.id = a.current_version JOIN search_texts s ON s.asset_id = a.id` + from.String(), args, nil
}

func (c *Catalog) hits(ctx context.Context, query string, args []any) ([]genesis.Hit, error) {
	rows, err := c.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var hits []genesis.Hit
	for rows.Next() {
		var h genesis.Hit
		var created int64
		r, err := scanVersion(rows.Scan, &h.Asset.Title, &created, &h.Snippet, &h.Score)
		if err != nil {
			return nil, err
		}
		h.Asset.Name, h.Asset.Kind, h.Asset.Latest, h.Asset.Created = r.Name, r.Kind, &r.Version, store.TimeAt(created)
		hits = append(hits, h)
	}
	return hits, rows.Err()
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
