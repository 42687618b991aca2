package work

import (
	"context"
	"database/sql"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/work/abroad"
	"github.com/opengenesis/genesis/internal/work/run"
	"github.com/opengenesis/genesis/internal/work/search"
)

// Config is what a Service works with.
type Config struct {
	DB       *store.DB
	Catalog  *catalog.Catalog
	Blobs    *blob.Store
	Cache    *cache.Store   // of rows for streams
	Node     genesis.NodeID // whose service this is
	Charter  access.Charter
	Access   *access.Decider
	Identity *identity.Identity // who people are; nil: nobody but the owner of the home
	Journal  *journal.Journal   // evidence
	Drivers  []format.Driver
	Limits   format.Limits
	Uploads  string           // directory of the uploads; "": there are none
	Temp     string           // directory for spilled data and checkpoints
	Memory   int64            // bytes for what grows with the rows of a table; 0: 64 MiB
	Bodies   int64            // bytes for the batches of all streams; 0: without bound
	Threads  int              // 0: one per core
	Software string           // "genesis 0.1.0", for the provenance
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
	Quota    int64            // bytes that one person may be copying from other nodes; 0: without bound
	Secret   []byte           // keys what is kept of rows that were trained on without reading them

	SearchDir string        // folder of the search index; "": nothing is searched
	Mirror    search.Mirror // of other nodes' catalogues; nil: none

	// Post tells other nodes what has to arrive; nil where there are none.
	Post Post
	// Nodes asks other nodes in this one's own name; nil where there are none.
	Nodes Nodes

	// Peers asks other nodes for people of this one; nil where there are none.
	Peers Peers

	// BackUp copies the whole home; nil where there is none.
	BackUp func(context.Context, genesis.BackupRequest, genesis.Progress) (*genesis.Backup, error)
}

// Post keeps what another node has to be told, in the transaction of the act that it
// tells of, and sends it until it is taken. internal/federation/post does.
type Post interface {
	Put(ctx context.Context, tx *sql.Tx, to genesis.NodeID, kind, about string, body any) (genesis.PeerMessage, error)
	Wake()
	// Waits is since when a message about something waits; zero: none does.
	Waits(ctx context.Context, about string) (time.Time, error)
}

// Nodes asks other nodes in this one's own name. internal/federation does.
type Nodes interface {
	Get(ctx context.Context, node genesis.NodeID, path string) (io.ReadCloser, error)
}

// Service does a node's work over one catalogue and one blob store.
type Service struct {
	Config
	runs       *run.Manager
	inspecting inspections
	bodies     stream.Budget
	abroad     abroad.Store
	renewing   chan struct{}    // tokens of projects are asked for
	telling    sync.Mutex       // of knew
	knew       []genesis.NodeID // that were there when newcomers were told last
	searcher   *search.Searcher // nil: nothing is searched
	settled    settled
	remembered memory // of what versions consist of
	pulls      pulls
	clerk      *clerk
	heard      bell // of runs that other nodes carry out
	watching   context.Context
	endWatch   context.CancelCauseFunc
	stating    sync.Mutex // held while what is said of a model is joined with what was said before
}

// New returns a Service.
func New(c Config) *Service {
	s := &Service{Config: c}
	s.bodies.Max = c.Bodies
	s.watching, s.endWatch = context.WithCancelCause(context.Background())
	s.abroad, s.renewing = abroad.Store{DB: c.DB, Node: c.Node, Now: s.now}, make(chan struct{}, 1)
	if c.SearchDir != "" {
		s.searcher = search.New(search.Config{DB: c.DB, Catalog: c.Catalog, Access: c.Access, Node: c.Node, Dir: c.SearchDir, Mirror: c.Mirror, Peers: s.neighbours(),
			Settled: s.classesHold, Now: s.now, Log: c.Log})
	}
	return s
}

func (s *Service) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Service) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.New(slog.DiscardHandler)
}

func (s *Service) env(p genesis.Progress) ingest.Env {
	return ingest.Env{Blobs: s.Blobs, Drivers: s.Drivers, Temp: s.Temp, Limits: s.Limits, Memory: s.Memory, Threads: s.Threads, Progress: p}
}

// Describe returns everything the node says about a version to somebody: to who
// may read it all of it, to others what tells of no cell.
func (s *Service) Describe(ctx context.Context, who genesis.Principal, ref string) (*genesis.Description, error) {
	v, _, err := s.enter(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	seen := s.sight(ctx, who)
	d, err := s.Catalog.Describe(ctx, v, seen.visible)
	if err = seen.or(err); err != nil {
		return nil, err
	}
	if !s.preview(ctx, who, v) {
		redact(&d)
	}
	return &d, nil
}

// preview reports whether who may see what tells of cells, and has left the
// evidence of it. Whoever may not, or while there can be no evidence, sees less
// instead of an error: what is public about a version needs neither.
func (s *Service) preview(ctx context.Context, who genesis.Principal, v genesis.Version) bool {
	d, err := s.Access.Decide(ctx, s.ask(who, genesis.Read, resource(v)))
	if err != nil {
		return false
	}
	e := s.event(d)
	e.Act = "preview"
	_, err = s.Journal.Share(ctx, e)
	return err == nil
}

// List returns the assets that who may know of, in name order; kind "" means all.
// The second result is the cursor of the next page, "" after the last.
func (s *Service) List(ctx context.Context, who genesis.Principal, kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error) {
	seen := s.sight(ctx, who)
	all, next, err := s.Catalog.List(ctx, catalog.ListQuery{Kind: kind, After: after, Limit: limit, Visible: seen.visible})
	if err = seen.or(err); err != nil {
		return nil, "", err
	}
	return all, next, nil
}
