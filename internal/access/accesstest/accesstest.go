// Package accesstest is a small world for tests of who may do what: a federation
// of three institutions, people of all kinds at the node nrel, and short ways to
// publish and grant. Nothing of the product imports it.
package accesstest

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/store"
)

// Home is the node at which everything happens.
const Home genesis.NodeID = "nrel"

// Charter is a federation of three: a laboratory, a university and a company.
func Charter() access.Charter {
	return access.Chartered(
		genesis.Member{ID: Home, Institution: "National Renewable Energy Laboratory", Sector: genesis.Laboratory},
		genesis.Member{ID: "mit", Institution: "Massachusetts Institute of Technology", Sector: genesis.University},
		genesis.Member{ID: "acme", Institution: "Acme Turbines", Sector: genesis.Industry},
	)
}

// Person is somebody of a node, signed in with a password.
func Person(node genesis.NodeID, subject string, duties ...genesis.Duty) genesis.Principal {
	return genesis.Principal{Subject: subject, Node: node, Duties: duties, Assurance: genesis.AssurancePassword}
}

// World is a decider over a database of its own, and a clock to set.
type World struct {
	*access.Decider
	DB *store.DB
	t  testing.TB

	mu  sync.Mutex
	now time.Time
}

// Epoch is when a world begins.
var Epoch = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)

// Open returns a world at node Home with the charter of three. Edits change the
// configuration before the decider opens.
func Open(t testing.TB, edits ...func(*access.Config)) *World {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "policy.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	w := &World{DB: db, t: t, now: Epoch}
	c := access.Config{DB: db, Node: Home, Charter: Charter(), Now: w.Now}
	for _, edit := range edits {
		edit(&c)
	}
	if w.Decider, err = access.Open(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return w
}

// Now is the time of the world.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// Tx runs an act in a transaction, tells the decider, and returns the act's error.
func (w *World) Tx(act func(context.Context, *sql.Tx) error) error {
	err := w.DB.Tx(context.Background(), func(tx *sql.Tx) error { return act(context.Background(), tx) })
	w.Changed()
	return err
}

// Do is Tx for acts that must succeed.
func (w *World) Do(act func(context.Context, *sql.Tx) error) {
	w.t.Helper()
	if err := w.Tx(act); err != nil {
		w.t.Fatal(err)
	}
}

// Dataset is a published version of a name.
func Dataset(name genesis.Name) access.Resource {
	return access.Resource{Name: name, Version: genesis.DigestOf([]byte(name)), State: genesis.Published, Kind: genesis.Dataset}
}

// Model is a version of a name that somebody trained.
func Model(name genesis.Name, creator genesis.PersonID, state genesis.State) access.Resource {
	return access.Resource{Name: name, Version: genesis.DigestOf([]byte(name)), State: state, Kind: genesis.Model, Creator: creator}
}

// Publish gives a resource terms. Who sets them is nrel/ann, unless they say.
func (w *World) Publish(r access.Resource, t genesis.Terms) {
	w.t.Helper()
	if t.By == "" {
		t.By = "nrel/ann"
	}
	w.Do(func(ctx context.Context, tx *sql.Tx) error { return w.SetTerms(ctx, tx, r.Name, r.Version, t) })
}

// Give makes a grant on a name and returns its id.
func (w *World) Give(name genesis.Name, to genesis.Grantee, actions ...genesis.Action) string {
	w.t.Helper()
	return w.GiveThis(genesis.Grant{Name: name, To: to, Actions: actions})
}

// GiveThis makes a grant and returns its id.
func (w *World) GiveThis(g genesis.Grant) string {
	w.t.Helper()
	if g.By == "" {
		g.By = "nrel/ann"
	}
	w.Do(func(ctx context.Context, tx *sql.Tx) (err error) {
		g, err = w.Grant(ctx, tx, g)
		return err
	})
	return g.ID
}

// Take revokes a grant.
func (w *World) Take(id string) {
	w.t.Helper()
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.Revoke(ctx, tx, id, "nrel/ann", "")
		return err
	})
}

// May reports whether a principal may do something. Reading is from outside.
func (w *World) May(p genesis.Principal, a genesis.Action, r access.Resource) bool {
	w.t.Helper()
	return w.Answer(p, a, r).Allowed
}

// Answer asks and gives the decision. Reading is from outside.
func (w *World) Answer(p genesis.Principal, a genesis.Action, r access.Resource) access.Decision {
	w.t.Helper()
	d, err := w.Decide(context.Background(), access.Ask{Principal: p, Action: a, Resource: r, Outside: a == genesis.Read})
	switch k := genesis.KindOf(err); {
	case k == "" != d.Allowed, k == genesis.Permission && !d.Discoverable, k == genesis.Private && d.Discoverable:
		w.t.Errorf("%s %s %s: decision %+v does not fit error %v", p.Person(), a, r.Name, d, err)
	case k != "" && k != genesis.Permission && k != genesis.Private:
		w.t.Fatal(err)
	}
	return d
}
