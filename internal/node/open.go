package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/api"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/federation"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/federation/post"
	"github.com/opengenesis/genesis/internal/federation/witness"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/web"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/run"
)

// works is internal/work over the stores of a home. Its parts are closed in the
// reverse of the order in which they were opened.
type works struct {
	*work.Service
	api.Federator // the same as fed
	api.Witness   // the same as witness
	fed           *federation.Federation
	witness       *witness.Witness // of other nodes' audit logs
	post          *post.Post
	mirror        *mirror.Mirror // of other nodes' catalogues
	background    sync.WaitGroup
	db            *store.DB
	log           *slog.Logger
	closers       []func() error
	cookies       web.Cookies
}

// cookies are secure where the URL says that others come over TLS, whoever ends it.
func cookies(c Config) web.Cookies { return web.Cookies{Secure: strings.HasPrefix(c.URL, "https:")} }

// openWork puts the service of a home together. It is the one place that knows
// how.
func openWork(ctx context.Context, h *Home, opt Options, log *slog.Logger) (_ Service, err error) {
	w := &works{log: log, cookies: cookies(h.Config)}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	driver, err := file.Open(h.Blobs())
	if err != nil {
		return nil, err
	}
	blobs := blob.Open(driver)
	w.closeLast(blobs.Close)
	if w.db, err = store.Open(ctx, h.Catalog()); err != nil {
		return nil, err
	}
	w.closeLast(w.db.Close)
	runs := filepath.Join(h.Temp(), "runs")
	if err := os.MkdirAll(runs, 0o700); err != nil {
		return nil, homeError(runs, genesis.Internal, "cannot be made", "", err)
	}
	bound(h.Config.Memory)
	c := work.Config{DB: w.db, Catalog: catalog.New(w.db, blobs), Blobs: blobs, Node: h.Config.Node, Now: opt.now,
		Drivers: Formats(), Limits: h.Config.Limits, Temp: runs, Uploads: h.Uploads(),
		Memory: h.Config.Memory / 8, Bodies: h.Config.Memory / 2, Threads: h.Config.Threads, Software: "genesis " + genesis.Build().Version, Log: log}
	if err := w.openDoors(ctx, h, &c, opt); err != nil {
		return nil, err
	}
	if c.Secret, err = h.secret("rows.key"); err != nil { // after the journal, which misses keys that were lost
		return nil, err
	}
	if c.Cache, err = cache.Open(h.Cache(), h.Config.Streams.Cache, h.Config.Streams.Memory); err != nil {
		return nil, err
	}
	w.closeLast(c.Cache.Close)
	c.BackUp = backUpOf(h, &c)
	c.SearchDir, c.Quota = h.Search(), h.Config.Uploads.Quota
	w.openPeers(h, &c, opt)
	w.Service = work.New(c)
	w.closeLast(w.Service.CloseSearch)
	limits := run.Limits{Concurrent: h.Config.Runs.Concurrent, Queue: h.Config.Runs.Queue, Memory: h.Config.Runs.Memory, Time: h.Config.Runs.Time,
		Keep: h.Config.Runs.Keep, KeepLast: h.Config.Runs.KeepLast}
	err = w.Service.OpenRuns(ctx, run.Config{Dir: h.Runs(), Limits: limits, Worker: worker(h.Path),
		Uploads: h.Uploads(), Quota: h.Config.Uploads.Quota, ResumeAttached: opt.Network, Log: w.log})
	if err != nil {
		return nil, err
	}
	w.closeLast(w.Service.CloseRuns)
	w.meetPeers(h, &c)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.closeLast(func() error { stop(); w.background.Wait(); return nil })
	go w.openOnTime(background)
	if opt.Network { // others cannot reach a node that serves one command
		if err := w.startPeers(background, &c); err != nil {
			return nil, err
		}
	}
	go w.keepHouse(background)
	go w.forgetSent(background)
	return w, nil
}

// openDoors opens what decides, what knows people and what keeps the evidence.
func (w *works) openDoors(ctx context.Context, h *Home, c *work.Config, opt Options) error {
	var err error
	c.Journal, err = journal.Open(ctx, journal.Config{Dir: h.Journal(), Keys: h.Keys(), DB: w.db, Node: h.Config.Node, Log: w.log, Window: max(h.Config.Journal.Window, 1), Disk: opt.disk})
	if err != nil {
		return err
	}
	w.closeLast(c.Journal.Close)
	if err := h.DeclareRestored(ctx, c.Journal.NewEpoch); err != nil {
		return err
	}
	if err := w.openFederation(h, c, &opt); err != nil {
		return err
	}
	ours := func(ask func(context.Context, genesis.Principal) (genesis.Principal, error)) func(context.Context, genesis.Principal) (genesis.Principal, error) {
		return func(ctx context.Context, p genesis.Principal) (genesis.Principal, error) {
			if !p.SignedIn() {
				return p, nil // nobody has nothing to lose
			}
			return ask(ctx, p)
		}
	}
	live := func(ctx context.Context, p genesis.Principal) (genesis.Principal, error) {
		return c.Identity.Current(ctx, p)
	}
	lasting := func(ctx context.Context, p genesis.Principal) (genesis.Principal, error) {
		return c.Identity.Lasting(ctx, p)
	}
	state := func(ctx context.Context, r access.Resource) (genesis.State, error) {
		return c.Catalog.State(ctx, genesis.Version{Name: r.Name, Digest: r.Version})
	}
	c.Access, err = access.Open(ctx, access.Config{DB: w.db, Node: h.Config.Node, Charter: c.Charter, PolicyDir: h.Config.Policy.Dir, Live: ours(live), Lasting: ours(lasting), State: state, Now: opt.now})
	if err != nil {
		return err
	}
	w.fed.Tell(c.Access.Changed)
	key, err := h.secret("identity.key")
	if err != nil {
		return err
	}
	c.Identity, err = identity.Open(ctx, identity.Config{DB: w.db, Node: h.Config.Node, Charter: c.Charter, Providers: h.Config.Identity.Providers,
		External: h.external(), Limits: identity.Limits{Session: h.Config.Identity.Session.Absolute, Idle: h.Config.Identity.Session.Idle},
		Key: key, Passwords: h.Config.Identity.Passwords, Cost: opt.cost, Log: w.log, Record: work.RecordIdentity, Changed: c.Access.Changed,
		Token: opt.token, Projects: c.Access.ProjectsOf, Told: w.tokensOf, Now: opt.now})
	if err != nil {
		return err
	}
	w.closeLast(c.Identity.Close)
	return nil
}

// tokensOf are the tokens of projects elsewhere that somebody of this node is in.
func (w *works) tokensOf(ctx context.Context, person genesis.PersonID) ([]string, error) {
	if w.Service == nil { // it is being opened, and nobody asks yet
		return nil, nil
	}
	return w.TokensOf(ctx, person)
}

// external is the node's URL as people reach it: without one that is configured,
// that of its own machine.
func (h *Home) external() string {
	switch c := h.Config; {
	case c.URL != "":
		return c.URL
	case c.Serve.TLS.Cert != "":
		return "https://" + c.Serve.Listen
	default:
		return "http://" + c.Serve.Listen
	}
}

// secret reads a key of 32 bytes that is kept beside the database, and makes it
// where there is none.
func (h *Home) secret(name string) ([]byte, error) {
	const size = 32
	path := filepath.Join(h.Keys(), name)
	fresh := make([]byte, size)
	_, _ = rand.Read(fresh) // never fails
	if err := writeOnce(path, fresh); err != nil {
		return nil, homeError(path, genesis.Internal, "cannot be made", "", err)
	}
	key, err := os.ReadFile(path)
	if err != nil || len(key) != size {
		return nil, homeError(path, genesis.Internal, "is not a key of 32 bytes", "restore it from a backup", err)
	}
	return key, nil
}

// bound tells the garbage collector the memory that may be held, leaving room
// for what it does not manage. It is a request: work bounds itself by counting.
func bound(memory int64) {
	if os.Getenv("GOMEMLIMIT") == "" && memory > 0 {
		debug.SetMemoryLimit(memory * 7 / 8)
	}
}

// DB returns the node's database, for what stands in front of the service.
func (w *works) DB() *store.DB { return w.db }

func (w *works) Clock() func() time.Time { return w.Now }

// Authenticate says who makes a request that came over the network. A browser
// whose session is over is nobody, so that it gets to the page on which one signs
// in; a token that does not hold is an error.
func (w *works) Authenticate(r *http.Request) (genesis.Principal, error) {
	session := w.cookies.Session(r)
	p, err := w.Service.Authenticate(r, session)
	if err != nil && session != "" && r.Header.Get("Authorization") == "" && genesis.KindOf(err) == genesis.Permission {
		return genesis.Principal{}, nil
	}
	p.Purpose = purpose(r)
	return p, err
}

// purpose is what a request is for. One that is too long is none.
func purpose(r *http.Request) string {
	text := r.Header.Get(api.PurposeHeader)
	if len(text) > api.MaxPurpose {
		return ""
	}
	return text
}

// Checks are what /readyz asks.
func (w *works) Checks() []edge.Check {
	return []edge.Check{{Name: "journal", Do: func(context.Context) error { return w.Journal.Healthy() }}}
}

// openEvery is how often the node looks for openings that are due. Decisions do
// not wait for it: it is the record that they happened.
const openEvery = 30 * time.Second

// openOnTime records openings that became due, and has stated what changed by itself for
// those who follow the logs of the catalogue.
func (w *works) openOnTime(ctx context.Context) {
	tick := time.NewTicker(openEvery)
	defer tick.Stop()
	for {
		if err := w.RecordOpenings(ctx); err != nil && ctx.Err() == nil {
			w.log.Error("openings that are due cannot be recorded", "error", err)
		}
		if err := w.RestateDue(ctx); err != nil && ctx.Err() == nil {
			w.log.Error("what the logs of the catalogue say is behind", "error", err)
		}
		if err := errors.Join(w.TellOver(ctx), w.TellNewcomers(ctx)); err != nil && ctx.Err() == nil {
			w.log.Error("other nodes cannot be told what concerns them", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// pruneEvery is how often the node looks for runs that are kept no longer.
const pruneEvery = time.Hour

// keepHouse removes runs that are kept no longer, and their logs.
func (w *works) keepHouse(ctx context.Context) {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		pruned, err := w.PruneRuns(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			w.log.Error("old runs cannot be removed", "error", err)
		case pruned > 0:
			w.log.Info("old runs removed", "runs", pruned)
		}
		if err := w.PruneParts(ctx); err != nil && ctx.Err() == nil {
			w.log.Error("what came of pulls that did not end cannot be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweepEvery is how often what is over is removed: uploads, and what was predicted for others.
const sweepEvery = time.Minute

// forgetSent removes what was predicted for people of other nodes when its time is over.
func (w *works) forgetSent(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := w.PruneSent(ctx); err != nil && ctx.Err() == nil {
			w.log.Error("what was predicted for people of other nodes cannot be removed", "error", err)
		}
	}
}

func (w *works) closeLast(f func() error) { w.closers = append(w.closers, f) }

// Close closes the stores.
func (w *works) Close() error {
	var errs []error
	for i := len(w.closers) - 1; i >= 0; i-- {
		errs = append(errs, w.closers[i]())
	}
	w.closers = nil
	return errors.Join(errs...)
}
