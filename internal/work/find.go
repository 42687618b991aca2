package work

import (
	"context"
	"database/sql"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/search"
)

// Search returns what matches a query and who may know of, best first, with the nodes that
// the answer covers.
func (s *Service) Search(ctx context.Context, who genesis.Principal, q genesis.SearchQuery) (*genesis.SearchResult, error) {
	ix, err := s.finder()
	if err != nil {
		return nil, err
	}
	return ix.Search(ctx, who, q)
}

// Suggest returns words for the last one of a text, of what who may know of.
func (s *Service) Suggest(ctx context.Context, who genesis.Principal, text string, limit int) (*genesis.SuggestList, error) {
	ix, err := s.finder()
	if err != nil {
		return nil, err
	}
	return ix.Suggest(ctx, who, text, limit)
}

// Similar returns versions like one, of what who may know of.
func (s *Service) Similar(ctx context.Context, who genesis.Principal, ref string, limit int) (*genesis.SimilarList, error) {
	ix, err := s.finder()
	if err != nil {
		return nil, err
	}
	r, err := genesis.ParseRef(ref)
	if err != nil {
		return nil, err
	}
	if r.Node == "" || r.Node == s.Node {
		v, err := s.find(ctx, who, ref)
		if err != nil {
			return nil, err
		}
		r = genesis.Ref{Name: v.Name} // by the version that they would get
	}
	return ix.Similar(ctx, who, r, limit)
}

// neighbours are the other members, and the way to them.
type neighbours struct {
	Peers
	access.Charter
}

func (s *Service) neighbours() search.Peers {
	if s.Peers == nil || s.Charter == nil {
		return nil
	}
	return neighbours{s.Peers, s.Charter}
}

// finder is what searches.
func (s *Service) finder() (*search.Searcher, error) {
	if s.searcher == nil {
		return nil, &genesis.Error{Op: "search", Kind: genesis.Unsupported, Msg: "this node has no search index"}
	}
	return s.searcher, nil
}

// FollowChanges brings what other nodes have to say into the search index until ctx ends.
func (s *Service) FollowChanges(ctx context.Context) {
	if s.searcher != nil {
		s.searcher.Run(ctx)
	}
}

// CloseSearch closes the search index.
func (s *Service) CloseSearch() error {
	if s.searcher == nil {
		return nil
	}
	return s.searcher.Close()
}

// unfind leaves nothing in the search index of what was erased.
func (s *Service) unfind(ctx context.Context) error {
	if s.searcher == nil {
		return nil
	}
	return s.searcher.Scrub(ctx)
}

// settled remembers for which generation of decisions the basis of all classes was looked at.
type settled struct {
	mu         sync.Mutex
	looked     bool
	generation uint64
}

// classesHold brings classes up to date that changed by themselves, as far as that is soon
// done, and reports whether those of all versions hold now.
func (s *Service) classesHold(ctx context.Context) (bool, error) {
	if err := s.follow(ctx); err != nil {
		return false, err
	}
	n, err := s.restateSome(ctx, s.now())
	return n < restateAtOnce, err
}

// follow has everything due where what all classes follow from is another.
func (s *Service) follow(ctx context.Context) error {
	s.settled.mu.Lock()
	defer s.settled.mu.Unlock()
	now := s.Access.Generation()
	if s.settled.looked && s.settled.generation == now {
		return nil
	}
	if err := s.rebase(ctx); err != nil { // everything is due: until it is done each version is decided
		return err
	}
	s.settled.looked, s.settled.generation = true, now
	return nil
}

// anyDue reports whether the classes of some version are due.
func (s *Service) anyDue(ctx context.Context, at int64) (yes bool, err error) {
	var one sql.NullBool
	err = s.DB.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM classed WHERE due IS NOT NULL AND due <= $1)", at).Scan(&one)
	return one.Bool, store.Error("state versions", "", err)
}
