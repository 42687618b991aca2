package access_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// FuzzConditions compiles and evaluates arbitrary conditions.
func FuzzConditions(f *testing.F) {
	for c := range conditions {
		f.Add(c)
	}
	f.Add(`principal.projects.map(p, p + purpose).filter(p, p.size() > 3).all(p, p != "")`)
	f.Add(`purpose.matches("(a+)+$") && now - duration("24h") < now`)
	f.Add(`"%s".format([purpose]).replace("", "aaaaaaaaaaaaaaaa") == ""`)
	p := edit(mia, func(p *genesis.Principal) { p.Purpose, p.Projects = "to learn about wind", []string{"wind", "sun"} })
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := access.EvalCondition(text, p, accesstest.Epoch); err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	})
}

// FuzzGrantees grants to arbitrary grantees: one that is taken reaches whom it
// names, and the same when it is read back.
func FuzzGrantees(f *testing.F) {
	for _, to := range []string{"person:ada", "person:nrel/ada", "person:mit/mia", "person:/ada", "person:a/b/c", "institution:mit", "sector:university", "sector:", "project:wind", "person", ":", "person:~ada"} {
		f.Add(to)
	}
	w := accesstest.Open(f)
	f.Fuzz(func(t *testing.T, to string) {
		g := genesis.Grant{Name: "turbines", To: genesis.Grantee(to), Actions: []genesis.Action{genesis.Read}, By: "nrel/ann"}
		err := w.Tx(func(ctx context.Context, tx *sql.Tx) (err error) { g, err = w.Grant(ctx, tx, g); return err })
		if err != nil {
			if k := genesis.KindOf(err); k != genesis.Invalid && k != genesis.NotFound {
				t.Errorf("%q: %v", to, err)
			}
			return
		}
		if genesis.CheckGrantee(g.To) != nil {
			t.Errorf("%q becomes %q", to, g.To)
		}
		page, _, err := w.Grants(context.Background(), access.GrantQuery{To: g.To, Limit: 1})
		if err != nil || len(page) != 1 || page[0].ID != g.ID {
			t.Errorf("%q is not found by %q: %+v, %v", to, g.To, page, err)
		}
		if err := w.Tx(func(ctx context.Context, tx *sql.Tx) error {
			_, err := w.Revoke(ctx, tx, g.ID, "nrel/ann", "")
			return err
		}); err != nil {
			t.Error(err)
		}
	})
}

// FuzzCursors lists with arbitrary cursors.
func FuzzCursors(f *testing.F) {
	w := accesstest.Open(f)
	for _, c := range []string{"", "0", "-1", "' OR 1=1 --", w.Give("a", "person:bob", genesis.Read), w.Give("b", "person:bob", genesis.Read), "\x00"} {
		f.Add(c, 1)
	}
	f.Fuzz(func(t *testing.T, cursor string, limit int) {
		grants, next, err := w.Grants(context.Background(), access.GrantQuery{After: cursor, Limit: limit})
		if err != nil && genesis.KindOf(err) != genesis.Invalid || len(grants) > 2 || next != "" && len(grants) == 0 {
			t.Errorf("%q: %+v, %q, %v", cursor, grants, next, err)
		}
		if _, _, err := w.Requests(context.Background(), access.RequestQuery{After: cursor, Limit: limit}); err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q: %v", cursor, err)
		}
	})
}
