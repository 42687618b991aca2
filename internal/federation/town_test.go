package federation

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/nodekey"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
)

var (
	day0     = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	operator = genesis.Principal{Subject: "opal", Node: "nrel", Duties: []genesis.Duty{genesis.DutyOperator}}
)

const day = 24 * time.Hour

// clock is one that tests move.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) move(d time.Duration) { c.at.Add(int64(d)) }

// log is a journal that may fail.
type log struct {
	mu     sync.Mutex
	events []journal.Event
	broken error
}

func (l *log) Append(_ context.Context, e journal.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken == nil {
		l.events = append(l.events, e)
	}
	return l.broken
}

// party is a node of a federation in tests.
type party struct {
	*Federation
	t       testing.TB
	config  Config
	disk    *disk.Faulty
	log     *log
	changes atomic.Int64
	url     string
	down    atomic.Bool
	asks    sync.Mutex
	paths   []string                     // that were asked for
	formats []int                        // of messages that were taken
	door    atomic.Pointer[http.Handler] // in place of the node
}

// town is parties under one clock.
type town struct {
	testing.TB
	*clock
}

func newTown(t testing.TB) *town {
	w := &town{t, &clock{}}
	w.at.Store(day0.UnixNano())
	return w
}

func (w *town) party(id genesis.NodeID) *party {
	w.Helper()
	p := &party{t: w.TB, disk: &disk.Faulty{Disk: disk.OS, Lazy: true}, log: &log{}}
	srv := httptest.NewServer(http.HandlerFunc(p.serve))
	w.Cleanup(srv.Close)
	p.url = srv.URL
	dir := w.TempDir()
	db, err := store.Open(w.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = db.Close() })
	keys, err := nodekey.Open(filepath.Join(dir, "keys"), disk.OS, w.now)
	if err != nil {
		w.Fatal(err)
	}
	log, err := nodekey.Open(filepath.Join(dir, "log"), disk.OS, w.now)
	if err != nil {
		w.Fatal(err)
	}
	p.config = Config{Dir: filepath.Join(dir, "federation"), Keys: keys, LogKey: log.All(genesis.KeyToken)[0].Public(), DB: db, Journal: p.log, Disk: p.disk, Now: w.now,
		Self: genesis.Member{ID: id, Institution: "The " + string(id), Sector: genesis.University, URL: p.url},
		MayOperate: func(_ context.Context, who genesis.Principal) error {
			if who.Has(genesis.DutyOperator) {
				return nil
			}
			return &genesis.Error{Op: "operate node", Kind: genesis.Permission}
		}}
	p.open()
	return p
}

// open opens the federation of a home anew, as after a crash.
func (p *party) open() {
	p.t.Helper()
	f, err := Open(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	f.Tell(func() { p.changes.Add(1) })
	p.Federation = f
	p.t.Cleanup(func() { _ = f.Close() })
}

// serve is the routes that other nodes ask.
func (p *party) serve(w http.ResponseWriter, r *http.Request) {
	if door := p.door.Load(); door != nil {
		(*door).ServeHTTP(w, r)
		return
	}
	if p.down.Load() {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	f := p.Federation
	p.asks.Lock()
	p.paths = append(p.paths, r.URL.Path)
	p.asks.Unlock()
	var v any
	var err error
	path := r.URL.Path
	for _, api := range f.Speaks.APIs { // all versions are alike
		if below, ok := strings.CutPrefix(path, "/"+api+"/"); ok {
			path = "/v1/" + below
			break
		}
	}
	if path == "/v1"+messagesPath {
		p.takeMessage(w, r)
		return
	}
	if !slices.Contains(f.Speaks.APIs, "v1") && path == r.URL.Path && strings.HasPrefix(path, "/v1/") {
		path = "one that is spoken no more"
	}
	switch path := r.Method + " " + path; {
	case path == "POST /v1/exchange":
		v = genesis.PeerSession{Session: "gen_g_1", Expires: p.config.Now().Add(15 * time.Minute)}
	case path == "GET /v1/logs":
		v = genesis.LogList{}
	case path == "GET /.well-known/genesis":
		text, err := f.Descriptor(r.Context())
		if err == nil {
			_, _ = w.Write([]byte(text))
		}
		return
	case path == "GET /v1/federation/charter":
		v, err = f.CharterBundle(r.Context())
	case path == "POST /v1/federation/join":
		v, err = told1(f.Join, r)
	case path == "POST /v1/federation/requests":
		v, err = told1(f.Hear, r)
	case path == "GET /v1/federation/drafts":
		v, err = f.Drafts(r.Context(), nobody, r.Header.Get(proofHeader))
	case strings.HasSuffix(path, "/signatures"):
		id := strings.Split(path, "/")[4]
		v, err = told1(func(ctx context.Context, parts genesis.DraftParts) (*genesis.CharterChange, error) {
			return f.AddSignatures(ctx, id, parts)
		}, r)
	default:
		err = &genesis.Error{Op: "find", Kind: genesis.NotFound, Subject: path}
	}
	if err != nil {
		w.WriteHeader(genesis.KindOf(err).HTTPStatus())
		v = genesis.ProblemOf(err, false)
	}
	_ = json.NewEncoder(w).Encode(v)
}

// takeMessage has the party's post take a message.
func (p *party) takeMessage(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err == nil {
		text, err = p.TakeMessage(r.Context(), text)
	}
	if err != nil {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(genesis.KindOf(err).HTTPStatus())
		text, _ = json.Marshal(genesis.ProblemOf(err, false))
	}
	_, _ = w.Write(text)
}

// asked returns the paths that were asked for, and forgets them.
func (p *party) asked() []string {
	p.asks.Lock()
	defer p.asks.Unlock()
	asked := p.paths
	p.paths = nil
	return asked
}

func told1[B, T any](do func(context.Context, B) (*T, error), r *http.Request) (*T, error) {
	var body B
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	return do(r.Context(), body)
}

func (w *town) must(_ any, err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// found makes a federation of these, of which some hold the charter together.
func (w *town) found(holders int, ids ...genesis.NodeID) []*party {
	w.Helper()
	all := []*party{w.party(ids[0])}
	w.must(all[0].CreateFederation(w.Context(), operator, genesis.FederationRequest{Name: "energy"}))
	for _, id := range ids[1:] {
		p := w.party(id)
		w.must(p.JoinFederation(w.Context(), operator, genesis.MembershipRequest{Invitation: w.invite(all[0])}))
		all = append(all, p)
	}
	if holders > 1 {
		done, err := all[0].SetHolders(w.Context(), operator, genesis.HoldersRequest{Add: ids[1:holders]})
		w.must(done, err)
		for _, p := range all[1:holders] {
			w.must(p.RefreshFederation(w.Context(), operator))
			if !done.Done {
				id := done.Draft.ID
				done, err = p.SignDraft(w.Context(), operator, id)
				w.must(done, err)
			}
		}
	}
	w.hear(all...)
	return all
}

func (w *town) invite(p *party) string {
	w.Helper()
	inv, err := p.Invite(w.Context(), operator, genesis.InviteRequest{Institution: "Somebody", Sector: genesis.University})
	w.must(inv, err)
	return inv.Invitation
}

func (w *town) hear(all ...*party) {
	w.Helper()
	for range 2 {
		for _, p := range all {
			w.must(p.RefreshFederation(w.Context(), operator))
		}
	}
}

func (p *party) knows(id genesis.NodeID) bool {
	_, ok := p.Member(id)
	return ok
}

func (p *party) version() genesis.CharterVersion { return p.view.Load().charter.Versions() }
