package work

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// Config is what a Service works with.
type Config struct {
	DB        *store.DB
	Catalog   *catalog.Catalog
	Blobs     *blob.Store
	Access    *access.Decider
	Drivers   []format.Driver
	Limits    format.Limits
	Temp      string // directory for spilled data and checkpoints
	Memory    int64  // bytes for what grows with the rows of a table; 0: 64 MiB
	Threads   int    // 0: one per core
	Software  string // "genesis 0.1.0", for the provenance
	Execution Execution
}

// Service does a node's work over one catalogue and one blob store.
type Service struct {
	Config
	runs managing
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c} }

func (s *Service) env(p genesis.Progress) ingest.Env {
	return ingest.Env{Blobs: s.Blobs, Drivers: s.Drivers, Temp: s.Temp, Limits: s.Limits, Memory: s.Memory, Threads: s.Threads, Progress: p}
}

// may asks access and records the answer, so that there is evidence before the
// first byte; discovering leaves none. It gives the error of a refusal.
func (s *Service) may(ctx context.Context, who genesis.Principal, a genesis.Action, name genesis.Name) error {
	d, refusal := s.Access.Decide(ctx, access.Ask{Principal: who, Action: a, Resource: access.Resource{Name: name}})
	if a == genesis.Discover || name == "" {
		return refusal
	}
	detail, err := json.Marshal(struct {
		Action  genesis.Action `json:"action"`
		Allowed bool           `json:"allowed"`
		Rule    string         `json:"rule"`
	}{a, d.Allowed, d.Rule})
	if err != nil {
		return err
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		return journal.Record(ctx, tx, journal.Event{Actor: who.Subject, Action: "decide", Subject: string(name), Detail: detail})
	})
	if refusal != nil {
		return refusal
	}
	return err
}

// resolve parses and resolves a reference and asks whether the caller may do a
// to it.
func (s *Service) resolve(ctx context.Context, who genesis.Principal, a genesis.Action, ref string) (genesis.Version, error) {
	r, err := genesis.ParseRef(ref)
	if err != nil {
		return genesis.Version{}, err
	}
	if err := s.may(ctx, who, a, r.Name); err != nil {
		return genesis.Version{}, err
	}
	return s.Catalog.Resolve(ctx, r)
}

// Inspect says what files are and hold, from a sample; it stores nothing.
func (s *Service) Inspect(ctx context.Context, who genesis.Principal, files []*format.Raw, opt genesis.PrepareOptions, p genesis.Progress) (*genesis.Inspection, error) {
	if err := s.may(ctx, who, genesis.Operate, ""); err != nil {
		return nil, err
	}
	return ingest.Inspect(ctx, s.env(p), files, opt)
}

// Describe returns everything the node says about a version.
func (s *Service) Describe(ctx context.Context, who genesis.Principal, ref string) (*genesis.Description, error) {
	v, err := s.resolve(ctx, who, genesis.Discover, ref)
	if err != nil {
		return nil, err
	}
	d, err := s.Catalog.Describe(ctx, v)
	return &d, err
}

// List returns assets in name order; kind "" means all. The second result is
// the cursor of the next page, "" after the last.
func (s *Service) List(ctx context.Context, who genesis.Principal, kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error) {
	if err := s.may(ctx, who, genesis.Discover, ""); err != nil {
		return nil, "", err
	}
	return s.Catalog.List(ctx, catalog.ListQuery{Kind: kind, After: after, Limit: limit})
}

// Search returns the assets that match text, best first.
func (s *Service) Search(ctx context.Context, who genesis.Principal, text string, limit int) ([]genesis.Hit, error) {
	if err := s.may(ctx, who, genesis.Discover, ""); err != nil {
		return nil, err
	}
	return s.Catalog.Search(ctx, catalog.SearchQuery{Text: text, Limit: limit})
}
