package search

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/ingest/unit"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
)

// Mirror is what is known of other nodes' catalogues. Package federation/mirror has it.
type Mirror interface {
	// Document returns what is mirrored of a version. Errors: NotFound.
	Document(ctx context.Context, id find.ID) (find.Document, error)
	// Documents yields what is mirrored of a node, "" of all, and stops at the first error.
	Documents(ctx context.Context, node genesis.NodeID) iter.Seq2[find.Document, error]
	// Standing says how each log is followed; how many listings hold is left out.
	Standing(ctx context.Context) ([]genesis.Followed, error)
}

// Config is what a Searcher works with.
type Config struct {
	DB      *store.DB
	Catalog *catalog.Catalog
	Access  *access.Decider
	Node    genesis.NodeID
	Dir     string // the index's folder
	Mirror  Mirror // nil: nothing is mirrored
	Peers   Peers  // nil: no other node is asked
	// Settled brings the classes of versions up to date, and reports whether they hold for
	// all of them now.
	Settled func(context.Context) (bool, error)
	Wait    time.Duration    // for other nodes; 0: 1.5 s
	Disk    disk.Disk        // nil: the machine's
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// Searcher searches. It is safe for concurrent use.
type Searcher struct {
	Config
	ended   context.Context // when it is closed
	end     func()
	running sync.WaitGroup
	opening sync.Mutex // of index
	index   *find.Index
	taking  sync.Mutex // held by who changes the index
	resting resting

	mu      sync.Mutex // of what follows
	built   chan struct{}
	follows bool // Run does
	changes int64
	people  map[string]known
}

// New returns a Searcher. The index is opened by who asks first.
func New(c Config) *Searcher {
	if c.Wait <= 0 {
		c.Wait = 1500 * time.Millisecond
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Node = cmp.Or(c.Node, "local") // a home that has no name yet
	s := &Searcher{Config: c, people: map[string]known{}}
	s.ended, s.end = context.WithCancel(context.Background())
	return s
}

// Close ends what is under way.
func (s *Searcher) Close() error {
	s.end()
	s.running.Wait()
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.index == nil {
		return nil
	}
	return s.index.Close()
}

// attempt is one try to answer.
type attempt struct {
	*Searcher
	index    *find.Index
	who      genesis.Principal
	outlook  access.Outlook
	known    known
	logs     []genesis.Followed // how what is mirrored stood before
	building bool
}

// errStale says that something may not be shown that was found: the index is behind.
var errStale = &genesis.Error{Op: "search", Kind: genesis.Unavailable, Msg: "what may be shown changes faster than it can be searched", Hint: "search again"}

// try answers once, and once more without going by classes where what was found turned out
// not to be for whoever asks. An index that is damaged is built again.
func (s *Searcher) try(ctx context.Context, who genesis.Principal, answer func(*attempt) error) error {
	exact := true
	var err error
	for range 3 {
		var a *attempt
		a, err = s.begin(ctx, who, exact)
		if err == nil {
			err = answer(a)
		}
		switch {
		case err == error(errStale):
			s.Log.Warn("the search index showed what was not to be shown: it is asked again")
			exact = false
		case err != nil && s.mend(err):
		default:
			return err
		}
	}
	return err
}

// begin brings the index up to date and works out what whoever asks may know of.
func (s *Searcher) begin(ctx context.Context, who genesis.Principal, exact bool) (*attempt, error) {
	ix, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	a := &attempt{Searcher: s, index: ix, who: who, outlook: s.Access.Outlook(who), building: s.building(ctx)}
	current, err := s.settle(ctx, a.building)
	if err != nil {
		return nil, err
	}
	if s.Mirror != nil { // before the index is asked, so that it has at least what this says
		if a.logs, err = s.Mirror.Standing(ctx); err != nil {
			return nil, err
		}
	}
	a.known, err = s.known(ctx, who, exact && current)
	return a, err
}

// settle brings the index up to date, and reports whether classes may be gone by.
func (s *Searcher) settle(ctx context.Context, building bool) (bool, error) {
	current := true
	var err error
	if s.Settled != nil {
		if current, err = s.Settled(ctx); err != nil {
			return false, err
		}
	}
	own, _, err := s.Catalog.Waiting(ctx, catalog.AtOnce, most+1)
	if err != nil || building || own > most && s.isFollowing() {
		return false, err
	}
	n, _, err := s.Catalog.Waiting(ctx, catalog.TakenBack, most+1)
	least := catalog.TakenBack
	switch {
	case err != nil:
		return false, err
	case !s.isFollowing():
		least = catalog.Soon
	case n == 0:
		return current, nil
	case n > most: // another node takes back more than a search waits for: that tells nothing of what is this node's
		least = catalog.AtOnce
	}
	return current, s.take(ctx, least)
}

func (s *Searcher) isFollowing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.follows
}

// Search returns what matches a query and whoever asks may know of. What is no query is
// refused before other nodes are asked it.
func (s *Searcher) Search(ctx context.Context, who genesis.Principal, q genesis.SearchQuery) (*genesis.SearchResult, error) {
	fq := query(q)
	if err := fq.Check(); err != nil {
		return nil, err
	}
	var asked *asked // by this node; they answer meanwhile
	if !q.Local && !q.Own {
		asked = s.ask(ctx, who, func(genesis.NodeID) []genesis.SearchQuery { return []genesis.SearchQuery{q} })
	}
	var out *genesis.SearchResult
	err := s.try(ctx, who, func(a *attempt) (err error) {
		out, err = a.search(ctx, q, asked)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *attempt) search(ctx context.Context, q genesis.SearchQuery, asked *asked) (*genesis.SearchResult, error) {
	fq := query(q)
	fq.Asker = a.known.Asker
	if q.Own {
		var err error
		if fq.Asker, err = a.alone(ctx, a.outlook, a.known); err != nil {
			return nil, err
		}
		found, err := a.index.Search(ctx, fq)
		if err != nil {
			return nil, err
		}
		return a.result(ctx, found, true)
	}
	found, err := a.index.SearchWith(ctx, fq, asked.documents())
	if err != nil {
		return nil, err
	}
	out, err := a.result(ctx, found, false)
	if err != nil {
		return nil, err
	}
	if out.Total == 0 {
		if out.Suggestions, err = a.meant(ctx, q, asked); err != nil {
			return nil, err
		}
	}
	out.Coverage, err = a.coverage(ctx, asked)
	return out, err
}

// query is a query as the index is asked it, by nobody yet.
func query(q genesis.SearchQuery) find.Query {
	return find.Query{Text: q.Text, Filter: filter(q.Filter), Facets: q.Facets, Values: q.Values, Limit: q.Limit, After: q.After}
}

func filter(f genesis.SearchFilter) find.Filter {
	out := find.Filter{Values: maps.Clone(f.Values), Place: f.Place, HasModel: f.HasModel}
	if units := f.Values[genesis.FacetUnit]; len(units) > 0 {
		var all []string
		for _, typed := range units {
			all = append(all, spellings(typed, "")...)
		}
		out.Values[genesis.FacetUnit] = all
	}
	for _, v := range f.Variables {
		want := find.VariableFilter{Name: v.Name}
		if v.Unit != "" {
			want.Units = spellings(v.Unit, v.Name)
		}
		out.Variables = append(out.Variables, want)
	}
	if f.MinRows > 0 || f.MaxRows > 0 {
		out.Rows = &find.Range{Min: f.MinRows, Max: f.MaxRows}
	}
	if !f.Time.Start.IsZero() || !f.Time.End.IsZero() {
		until := f.Time.End
		if !until.IsZero() && until.Equal(until.Truncate(24*time.Hour)) {
			until = until.Add(24*time.Hour - time.Second) // a day is all of it
		}
		out.Time = &find.Period{From: f.Time.Start, Until: until}
	}
	return out
}

// spellings are how a unit that was typed, maybe with the name of its column, may stand in a
// listing: as it was typed, and in UCUM as prepared data have it ("m s-1" is "m/s").
func spellings(typed, name string) []string {
	all := []string{typed}
	code, ok := unit.ParseFor(typed, name)
	if ok && code != typed && (!unit.Valid(typed) || unit.Commensurable(typed, code)) { // C is a coulomb where it may be one
		all = append(all, code)
	}
	return all
}

// result is a page of hits as whoever asks is told of them.
func (a *attempt) result(ctx context.Context, found find.Result, whole bool) (*genesis.SearchResult, error) {
	out := &genesis.SearchResult{Hits: []genesis.Hit{}, Total: found.Total, Facets: found.Facets, Next: found.Next, Coverage: []genesis.NodeCoverage{}}
	room := maxAnswer / 2
	for _, h := range found.Hits {
		l, err := a.told(ctx, h.Listing, whole)
		if err != nil {
			return nil, err
		}
		if whole {
			if l, err = fit(l); err != nil { // it is told as a listing
				return nil, err
			}
			if room -= size(l); room < 0 {
				break
			}
		}
		out.Hits = append(out.Hits, genesis.Hit{Ref: a.ref(l), Listing: l, Score: h.Score, Snippet: h.Snippet, Marks: h.Marks, Places: h.Places})
	}
	return out, nil
}

// shownVariables is how many variables of a listing are told in a hit.
const shownVariables = 24

// told is a listing as whoever asks is told it, after it was decided once more that they
// may be. What it was made from is told as far as they may know of that.
func (a *attempt) told(ctx context.Context, l genesis.Listing, whole bool) (genesis.Listing, error) {
	if l.Node == a.Node {
		if may, err := a.mayKnow(ctx, genesis.Ref{Name: l.Name, Digest: l.Version}); err != nil || !may {
			return l, cmp.Or(err, error(errStale))
		}
		var inputs []string
		for _, in := range l.Inputs {
			ref, err := genesis.ParseRef(in)
			if err != nil {
				continue
			}
			ref.Node = ""
			may, err := a.mayKnow(ctx, ref)
			if err != nil {
				return l, err
			}
			if may {
				inputs = append(inputs, in)
			}
		}
		l.Inputs = inputs
	}
	if n := len(l.Variables); n > shownVariables && !whole {
		l.Variables, l.More = l.Variables[:shownVariables], l.More+n-shownVariables
	}
	return l, nil
}

// mayKnow decides whether whoever asks may be shown a version of this node.
func (a *attempt) mayKnow(ctx context.Context, ref genesis.Ref) (bool, error) {
	v, err := a.Catalog.Resolve(ctx, ref, nil)
	if genesis.KindOf(err) == genesis.NotFound || err == nil && v.State != genesis.Draft && v.State != genesis.Published {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	may, _, err := a.may(ctx, a.who, v)
	return may, err
}

// ref is how a version is called at this node.
func (s *Searcher) ref(l genesis.Listing) string {
	r := genesis.Ref{Name: l.Name, Number: l.Number}
	if l.Node != s.Node {
		r.Node = l.Node
	}
	return r.String()
}
