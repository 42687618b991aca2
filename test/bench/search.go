package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/testdata"
	"github.com/opengenesis/genesis/test/bench/listings"
)

// engine is something that finds listings.
type engine interface {
	// load takes the listings before a number, which it has none of yet.
	load(c *listings.Corpus, n int) error
	// ask answers a query with how many listings match, and the first 20 of them.
	ask(q listings.Query) (found, error)
	// folder is where its files are.
	folder() string
	// memory is how many megabytes it takes: heap, and pages of its files.
	memory() int
	close()
}

type found struct {
	total int
	ids   []string // node/name, as many as were asked for
}

// searched is who asks in the benchmarks: of three classes, and fifty things beside.
func searched(c *listings.Corpus) find.Asker {
	a := find.Asker{Classes: []genesis.Class{genesis.ClassPublic, genesis.ClassMembers, genesis.ClassOf(c.NodeID(1))}}
	for i := range 50 {
		d := c.At(i * 97)
		a.Also = append(a.Also, find.ID{Node: d.Node, Name: d.Name})
	}
	return a
}

func search(c config, _ string) (string, error) {
	v, err := vocabulary()
	if err != nil {
		return "", err
	}
	large, err := searchLarge(c, v)
	if err != nil {
		return "", err
	}
	growth, err := searchGrowth(c, v)
	return fmt.Sprintf(searchHeading, c.listings) + large + growth, err
}

// engines compares with other engines.
func engines(c config, _ string) (string, error) {
	v, err := vocabulary()
	if err != nil {
		return "", err
	}
	return searchPeers(c, v)
}

// vocabulary is that of real laboratory files.
func vocabulary() (*listings.Vocabulary, error) {
	data, ok := testdata.Find()
	if !ok {
		return nil, fmt.Errorf("the folder of laboratory files is missing: set GENESIS_TEST_DATA")
	}
	return listings.Read(data)
}

const searchHeading = `## search

The index of listings, %d of them and fewer: words, titles and names of variables from real laboratory
files, by Zipf's law, with a tail of words that occur a few times. Queries have one to three words that some
listing has, some as a beginning, a phrase, with a unit or a tier; each counts five facets, for an asker of three
classes who may know of fifty things beside.

`

// searchPeers compares with other engines on the same listings and queries.
func searchPeers(c config, v *listings.Vocabulary) (string, error) {
	n, ask := c.beside, 400
	if n == 0 {
		n = c.listings / 10
	}
	if n > 200_000 {
		ask = 100
	}
	corpus := &listings.Corpus{Vocabulary: v, Nodes: 20, Seed: 1}
	ours, err := c.newFind(corpus, "peers")
	if err != nil {
		return "", err
	}
	defer ours.close()
	if err := c.loaded("genesis", ours, corpus, n); err != nil {
		return "", err
	}
	if _, err := round(ours, asked(corpus, n, ask), new([]time.Duration)); err != nil {
		return "", err
	}
	held := ours.memory() // before a peer is there, whose heap is the same
	var out strings.Builder
	fmt.Fprintf(&out, peersHeading, n, ask, c.pairs)
	for _, p := range []struct {
		name    string
		open    func(config, *listings.Corpus) (engine, error)
		queries int
	}{{"bleve v2.6.3", openBleve, ask}, {"PostgreSQL", openPostgres, 100}} {
		peer, err := p.open(c, corpus)
		if err != nil {
			fmt.Fprintf(&out, "| %s | not measured: %v | | | | | | |\n", p.name, err)
			continue
		}
		line, err := c.pairUp(p.name, ours, peer, corpus, n, p.queries, held)
		peer.close()
		if err != nil {
			return "", err
		}
		out.WriteString(line)
	}
	return out.String() + "\n", nil
}

const peersHeading = `## engines

The index beside other engines, with listings and queries as in [search](#search): %d listings, %d queries a round (100 beside PostgreSQL), %d pairs of rounds, in one process and on the same cores; PostgreSQL is a server of its own. All
match words as beginnings and whole words, with AND, count the same five facets and all hits, and return the best 20. *Same
documents*: of all queries without phrases and units, how many find as many listings, and the same where they are at most 200. Below 1 means that Genesis takes less.
Memory is the heap and what of the files is mapped and in memory, after the queries; of PostgreSQL, what its processes hold, of which 2 GB of buffers are given to it.

| peer | genesis / peer, time | genesis p50, p99 | peer p50, p99 | same documents | listings a second, genesis and peer | bytes a listing | memory |
|---|---|---|---|---|---|---|---|
`

// loaded fills an engine and says how fast that was.
func (c config) loaded(name string, e engine, corpus *listings.Corpus, n int) error {
	start := time.Now()
	if err := e.load(corpus, n); err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	took := time.Since(start)
	rates[e] = float64(n) / took.Seconds()
	log.Printf("%s: %d listings in %v, %.0f a second", name, n, took.Round(time.Second), rates[e])
	return nil
}

// rates are how many listings a second engines took.
var rates = map[engine]float64{}

func (c config) pairUp(name string, ours, peer engine, corpus *listings.Corpus, n, ask, held int) (string, error) {
	if err := c.loaded(name, peer, corpus, n); err != nil {
		return "", err
	}
	queries := asked(corpus, n, ask)
	same, all, err := sameDocuments(ours, peer, queries)
	if err != nil {
		return "", err
	}
	var oursTook, peerTook []time.Duration
	cmp, err := c.compare("search beside "+name,
		func() (usage, error) { return round(ours, queries, &oursTook) },
		func() (usage, error) { return round(peer, queries, &peerTook) })
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %d of %d | %.0f, %.0f | %d, %d | %d MB, %d MB |\n", name, cmp.ratio(wall), quantiles(oursTook), quantiles(peerTook), same, all,
		rates[ours], rates[peer], size(ours.folder())/int64(n), size(peer.folder())/int64(n), held, peer.memory()), nil
}

// asked are the queries of a round.
func asked(corpus *listings.Corpus, n, ask int) []listings.Query {
	queries := make([]listings.Query, ask)
	for i := range queries {
		queries[i] = corpus.Query(i, n)
	}
	return queries
}

// round asks all queries.
func round(e engine, queries []listings.Query, took *[]time.Duration) (usage, error) {
	runtime.GC()
	begin := time.Now()
	for _, q := range queries {
		start := time.Now()
		if _, err := e.ask(q); err != nil {
			return usage{}, err
		}
		*took = append(*took, time.Since(start))
	}
	return usage{wall: time.Since(begin)}, nil
}

// quantiles returns p50 and p99 in words.
func quantiles(took []time.Duration) string {
	s := slices.Sorted(slices.Values(took))
	at := func(share float64) string {
		return fmt.Sprintf("%.1f ms", float64(s[int(share*float64(len(s)-1))].Microseconds())/1000)
	}
	return at(0.5) + ", " + at(0.99)
}

// sameDocuments counts the queries to which two engines have the same answer.
func sameDocuments(a, b engine, queries []listings.Query) (same, all int, err error) {
	for _, q := range queries {
		if q.Phrase || q.Unit != "" {
			continue
		}
		q.All = true
		x, err := a.ask(q)
		if err != nil {
			return 0, 0, err
		}
		y, err := b.ask(q)
		if err != nil {
			return 0, 0, err
		}
		all++
		slices.Sort(x.ids)
		slices.Sort(y.ids)
		if x.total == y.total && (x.total > 200 || slices.Equal(x.ids, y.ids)) {
			same++
		} else {
			log.Printf("%+v: %d beside %d", q, x.total, y.total)
		}
	}
	return same, all, nil
}

func size(dir string) int64 {
	var n int64
	filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// findEngine is our index.
type findEngine struct {
	*find.Index
	dir    string
	asker  find.Asker
	before int // megabytes of the heap without it
}

func (c config) newFind(corpus *listings.Corpus, name string) (*findEngine, error) {
	dir := filepath.Join(c.dir, "find-"+name)
	before, _ := memoryNow(dir)
	ix, err := find.Open(dir, find.Options{})
	return &findEngine{ix, dir, searched(corpus), before}, err
}

func (e *findEngine) memory() int { return grown(e.dir, e.before) }

func (e *findEngine) load(c *listings.Corpus, n int) error {
	for i := 0; i < n; {
		var b find.Batch
		for ; i < n && len(b.Put) < 1<<15; i++ {
			b.Put = append(b.Put, c.At(i))
		}
		if err := e.Apply(context.Background(), b); err != nil {
			return err
		}
	}
	e.Settle()
	return nil
}

func (e *findEngine) ask(q listings.Query) (found, error) {
	query := find.Query{Asker: e.asker, Text: q.Text(), Facets: []find.Facet{find.Institution, find.Field, find.Tier, find.Kind, find.Format}}
	query.Filter.Values = map[find.Facet][]string{}
	if q.Unit != "" {
		query.Filter.Values[find.Unit] = []string{q.Unit}
	}
	if q.Tier != "" {
		query.Filter.Values[find.Tier] = []string{string(q.Tier)}
	}
	if q.All {
		query.Limit = 200
	}
	r, err := e.Search(context.Background(), query)
	f := found{total: r.Total}
	for _, h := range r.Hits {
		f.ids = append(f.ids, string(h.Node)+"/"+string(h.Name))
	}
	return f, err
}

func (e *findEngine) folder() string { return e.dir }

func (e *findEngine) close() { e.Close() }
