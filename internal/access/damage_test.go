package access_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// archive is a world in which something of everything is stored.
type archive struct {
	*accesstest.World
	ctx            context.Context
	data, made     access.Resource
	grant, request string
}

func newArchive(t *testing.T) *archive {
	w := &archive{World: accesstest.Open(t), ctx: t.Context(), data: accesstest.Dataset("turbines"), made: accesstest.Dataset("made")}
	w.Publish(w.data, genesis.Terms{Tier: genesis.TierControlled, Agreement: &genesis.Agreement{Kind: "DUA", Digest: w.data.Version}})
	derive(t, w.World, w.made, w.data)
	w.Do(func(_ context.Context, tx *sql.Tx) error { return w.put(tx) })
	w.grant = w.GiveThis(genesis.Grant{Name: w.data.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(9)})
	w.Do(func(_ context.Context, tx *sql.Tx) error {
		r, err := w.ask(tx, genesis.AccessRequest{})
		w.request = r.ID
		return err
	})
	if err := w.decide(w.made); err != nil { // it has followed
		t.Fatal(err)
	}
	return w
}

func (w *archive) open() error {
	_, err := access.Open(w.ctx, access.Config{DB: w.DB, Node: "nrel", Charter: accesstest.Charter(), Now: w.Now})
	return err
}

func (w *archive) ask(tx *sql.Tx, r genesis.AccessRequest) (genesis.AccessRequest, error) {
	r.Name, r.By, r.Purpose, r.Agreement = w.data.Name, mia, "to learn", w.data.Version
	return w.Ask(w.ctx, tx, r)
}

func (w *archive) give(tx *sql.Tx, to genesis.Grantee) error {
	_, err := w.Grant(w.ctx, tx, genesis.Grant{Name: w.data.Name, To: to, Actions: []genesis.Action{genesis.Read}, By: "nrel/ann"})
	return err
}

func (w *archive) put(tx *sql.Tx) error {
	return w.PutProject(w.ctx, tx, genesis.Project{ID: "wind", Lead: "mit/mia", By: "nrel/ann"})
}

func (w *archive) decide(r access.Resource) error {
	access.ForgetAssets(w.Decider)
	_, err := w.Explain(w.ctx, access.Ask{Principal: ann, Action: genesis.Read, Resource: r})
	return err
}

func (w *archive) publish(tx *sql.Tx) error {
	return w.SetTerms(w.ctx, tx, w.data.Name, w.data.Version, genesis.Terms{Tier: genesis.TierRestricted, By: "nrel/ann", At: w.Now(), Openings: []genesis.Opening{opening(9, genesis.TierPublic)}})
}

func (w *archive) derive(tx *sql.Tx) error {
	return w.Derive(w.ctx, tx, accesstest.Dataset("more"), []access.Resource{w.made})
}

func (w *archive) lower(tx *sql.Tx) error {
	_, err := w.Lower(w.ctx, tx, ann, access.Lowering{Child: w.made, Source: genesis.Ref{Name: w.data.Name, Digest: w.data.Version}, Tier: genesis.TierPublic, Reason: "test"})
	return err
}

// acts are what needs each table.
func (w *archive) acts(tx *sql.Tx) map[string]map[string]func() error {
	ask := func(r genesis.AccessRequest) func() error {
		return func() error { _, err := w.ask(tx, r); return err }
	}
	in := func(act func(*sql.Tx) error) func() error { return func() error { return act(tx) } }
	decideMade := func() error { return w.decide(w.made) }
	constraints := func() error { _, err := w.Constraints(w.ctx, w.made.Name, w.made.Version); return err }
	revoke := func() error { _, err := w.Revoke(w.ctx, tx, w.grant, "nrel/ann", ""); return err }
	end := func() error { _, err := w.EndProject(w.ctx, tx, "wind"); return err }
	read := func() error {
		access.ForgetAssets(w.Decider)
		w.Changed()
		_, err := w.RequestByID(w.ctx, mia, w.request)
		return err
	}
	return map[string]map[string]func() error{
		"policy_terms": {
			"decide": func() error { return w.decide(w.data) }, "decide about what was made": decideMade, "constraints": constraints, "lower": in(w.lower),
			"grant": func() error { return w.give(tx, "person:bob") }, "read a request": read,
			"ask": ask(genesis.AccessRequest{Version: w.data.Version}), "ask for all versions": ask(genesis.AccessRequest{}),
			"terms":      func() error { _, err := w.Terms(w.ctx, w.data.Name, w.data.Version); return err },
			"latest":     func() error { _, err := w.Latest(w.ctx, w.data.Name); return err },
			"agreements": func() error { return w.Agreements(w.ctx, func(genesis.Digest) error { return nil }) },
		},
		"policy_sources": {"decide about what was made": decideMade, "constraints": constraints, "lower": in(w.lower), "derive": in(w.derive)},
		"policy_grants": {
			"open": w.open, "revoke": revoke, "renew": ask(genesis.AccessRequest{Renews: w.grant}),
			"grant by id": func() error { _, err := w.GrantByID(w.ctx, w.grant); return err },
			"grants":      func() error { _, _, err := w.Grants(w.ctx, access.GrantQuery{}); return err },
			"expiring":    func() error { _, err := w.Expiring(w.ctx, 100*24*time.Hour); return err },
		},
		"policy_projects": {
			"open": w.open, "put": in(w.put), "end": end, "ask": ask(genesis.AccessRequest{Project: "wind"}),
			"grant":    func() error { return w.give(tx, "project:wind") },
			"project":  func() error { _, err := w.Project(w.ctx, "wind"); return err },
			"projects": func() error { _, err := w.Projects(w.ctx); return err },
		},
		"policy_requests": {
			"ask": ask(genesis.AccessRequest{}), "read": read,
			"requests": func() error { _, _, err := w.Requests(w.ctx, access.RequestQuery{}); return err },
			"withdraw": func() error { _, err := w.Withdraw(w.ctx, tx, mia, w.request); return err },
		},
		"policy_changes": {
			"open": w.open, "publish": in(w.publish), "revoke": revoke, "put": in(w.put), "end": end, "lower": in(w.lower), "derive": in(w.derive),
			"grant":                 func() error { return w.give(tx, "person:bob") },
			"decide after a change": func() error { w.Changed(); return w.decide(w.data) },
		},
		"policy_openings": {
			"publish": in(w.publish),
			"due":     func() error { _, err := w.DueOpenings(w.ctx, tx, w.Now()); return err },
		},
	}
}

// TestDamage damages what is stored in a table, and then removes the table:
// whatever needs it fails as the database does. Nothing goes on as if there were no
// such row.
func TestDamage(t *testing.T) {
	for table, damages := range map[string][]string{
		"policy_terms":    {`UPDATE policy_terms SET body = '{"agreement"'`},
		"policy_sources":  {"UPDATE policy_sources SET lowered = '{'"},
		"policy_grants":   {"UPDATE policy_grants SET body = '{'"},
		"policy_projects": {"UPDATE policy_projects SET body = '{'"},
		"policy_requests": {"UPDATE policy_requests SET body = '{'"},
		"policy_changes":  nil,
		"policy_openings": nil,
	} {
		w := newArchive(t)
		for _, damage := range append(damages, "ALTER TABLE "+table+" RENAME TO elsewhere") {
			w.Do(func(_ context.Context, tx *sql.Tx) error { _, err := tx.Exec(damage); return err })
			for what := range w.acts(nil)[table] {
				err := w.DB.Tx(w.ctx, func(tx *sql.Tx) error { return w.acts(tx)[table][what]() })
				if genesis.KindOf(err) != genesis.Internal {
					t.Errorf("%s: %s: %v", damage, what, err)
				}
			}
		}
	}
}
