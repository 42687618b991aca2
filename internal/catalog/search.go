package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// SearchQuery says what to look for.
type SearchQuery struct {
	Text    string // words; each must match, at least as the beginning of a word
	Limit   int    // 0: 20; at most 200
	Visible Visible
}

const maxWords = 32

// Search returns the assets whose name, card or columns match all words of the
// query, best first; those of one score in the order in which their versions were
// added. An asset is looked at as its current version, as [Catalog.List] shows it.
//
// A word counts the more, the more it says where it stands: in the name, then in
// title, keywords, columns and their units, last in the description; a whole word
// counts double, and words of one or two letters match whole words alone. How rare
// a word is does not count: that would tell of assets that are hidden. A query
// without words finds nothing. Errors: Invalid (more than 32 words), Internal (the
// index is damaged: [Catalog.Reindex]).
func (c *Catalog) Search(ctx context.Context, q SearchQuery) ([]genesis.Hit, error) {
	terms := queryTerms(q.Text)
	if len(terms) > maxWords {
		return nil, &genesis.Error{Op: "search", Kind: genesis.Invalid, Msg: fmt.Sprintf("the query has %d words, and at most %d are possible", len(terms), maxWords)}
	}
	if len(terms) == 0 {
		return nil, nil
	}
	if err := c.settle(ctx); err != nil {
		return nil, err
	}
	best, err := rank(ctx, c.db.Read(), terms)
	if err != nil {
		return nil, store.Error("search", "", err)
	}
	if q.Limit <= 0 {
		q.Limit = 20
	}
	p := picker{ctx: ctx, q: c.db.Read(), visible: q.Visible, limit: min(q.Limit, 200), terms: terms, assetOf: map[int64]*candidate{}}
	err = p.pick(best)
	return p.hits, store.Error("search", "", err)
}

// rank returns the versions that match all terms, best first.
func rank(ctx context.Context, q queryer, terms []string) ([]scored, error) {
	var all tally
	for _, term := range terms {
		found, err := matches(ctx, q, term)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = found
		} else {
			all.and(found)
		}
		if len(all) == 0 {
			return nil, nil
		}
	}
	return all.best(), nil
}

// picker finds, among versions that match, those by which their assets are shown.
// It reads candidates in batches and lets go of the database before it asks what is
// visible, and asks of no more assets than it takes to fill the page.
type picker struct {
	ctx     context.Context
	q       queryer
	visible Visible
	limit   int
	terms   []string
	hits    []genesis.Hit
	assetOf map[int64]*candidate // by version
}

// candidate is an asset one of whose versions matches.
type candidate struct {
	versions []row
	decided  bool
	current  row // once decided; zero when nothing is shown
}

func (p *picker) pick(best []scored) error {
	size := max(64, 2*p.limit)
	for _, s := range best {
		for rest := s.versions; len(rest) > 0; size = min(2*size, 1024) {
			batch := rest[:min(size, len(rest))]
			rest = rest[len(batch):]
			if err := p.read(batch); err != nil {
				return err
			}
			for _, version := range batch {
				if err := p.take(version, s.score); err != nil || len(p.hits) == p.limit {
					return err
				}
			}
		}
	}
	return nil
}

// read reads the assets of versions, with all their versions.
func (p *picker) read(batch []int64) error {
	missing := slices.DeleteFunc(slices.Clone(batch), func(v int64) bool { return p.assetOf[v] != nil })
	if len(missing) == 0 {
		return nil
	}
	found, err := versions(p.ctx, p.q, "WHERE v.asset_id IN (SELECT asset_id FROM versions WHERE id IN ("+list(missing)+"))")
	if err != nil {
		return err
	}
	assets := map[int64]*candidate{}
	for _, r := range found {
		c := assets[r.asset]
		if c == nil {
			c = &candidate{}
			assets[r.asset] = c
		}
		c.versions = append(c.versions, r)
		p.assetOf[r.id] = c
	}
	return nil
}

// take adds the asset of a version to the hits if it is shown by this version.
func (p *picker) take(version int64, score uint16) error {
	c := p.assetOf[version]
	if c == nil { // erased since the index was read
		return nil
	}
	if !c.decided {
		c.decided = true
		if current, ok := p.visible.current(c.versions); ok {
			c.current = current
		} else {
			c.versions = nil
		}
	}
	if c.current.id != version {
		return nil
	}
	text, err := textOf(p.ctx, p.q, version)
	if err != nil {
		return err
	}
	p.hits = append(p.hits, genesis.Hit{Asset: p.visible.asset(c.versions, c.current), Score: float64(score), Snippet: snippet(text, p.terms)})
	return nil
}

// snippet returns the line of a text that matches most words.
func snippet(text string, terms []string) string {
	best, most := "", 0
	for line := range strings.Lines(text) {
		_, said, _ := strings.Cut(line, ": ") // without the label
		folded := lower(said)
		if !slices.ContainsFunc(terms, func(t string) bool { return strings.Contains(folded, t) }) {
			continue
		}
		words := map[string]int{}
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
