package access_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// reach asks for the classes of a version in a transaction of its own.
func reach(t *testing.T, w *accesstest.World, r access.Resource) (out access.Reach) {
	t.Helper()
	err := w.DB.Tx(t.Context(), func(tx *sql.Tx) (err error) {
		out, err = w.Reach(t.Context(), tx, r, w.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// asked is what Decide says of the same: the classes by the people themselves.
func asked(t *testing.T, w *accesstest.World, r access.Resource, at time.Time) []genesis.Class {
	t.Helper()
	may := func(node genesis.NodeID, subject string) bool {
		_, err := w.Decide(t.Context(), access.Ask{Principal: genesis.Principal{Node: node, Subject: subject}, Action: genesis.Discover, Resource: r, At: at})
		return err == nil
	}
	var single []genesis.Class
	for _, id := range []genesis.NodeID{"acme", "mit"} {
		if may(id, "nemo") {
			single = append(single, genesis.ClassOf(id))
		}
	}
	switch {
	case may("", ""):
		return []genesis.Class{genesis.ClassPublic}
	case may("nrel", "nemo") && len(single) == 2 && !reachedByName(w, r):
		return []genesis.Class{genesis.ClassMembers}
	}
	return single
}

// reachedByName reports whether what all members may know of is so for each by name:
// a member who joins tomorrow may not.
func reachedByName(w *accesstest.World, r access.Resource) bool {
	var yes bool
	_ = w.DB.Tx(context.Background(), func(tx *sql.Tx) error {
		got, err := w.Reach(context.Background(), tx, r, w.Now())
		yes = !slices.Contains(got.Classes, genesis.ClassMembers)
		return err
	})
	return yes
}

func TestReachByTier(t *testing.T) {
	w := accesstest.Open(t)
	hidden := genesis.Terms{Tier: genesis.TierControlled, Hidden: true}
	for name, c := range map[genesis.Name]struct {
		terms genesis.Terms
		grant genesis.Grantee
		want  []genesis.Class
	}{
		"open":      {genesis.Terms{Tier: genesis.TierPublic}, "", []genesis.Class{"public"}},
		"known":     {genesis.Terms{Tier: genesis.TierRegistered}, "", []genesis.Class{"members"}},
		"asked-for": {genesis.Terms{Tier: genesis.TierControlled}, "", []genesis.Class{"members"}},
		"academic":  {genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"university"}}, "", []genesis.Class{"to-mit"}},
		"named":     {genesis.Terms{Tier: genesis.TierPartner, Partners: []string{"mit", "acme", "nrel"}}, "", []genesis.Class{"to-acme", "to-mit"}},
		"hidden":    {hidden, "", nil},
		"granted":   {hidden, "institution:acme", []genesis.Class{"to-acme"}},
		"sectoral":  {hidden, "sector:university", []genesis.Class{"to-mit"}},
		"personal":  {hidden, "person:mit/nemo", nil},
		"secret":    {genesis.Terms{Tier: genesis.TierRestricted}, "institution:mit", []genesis.Class{"to-mit"}},
	} {
		r := accesstest.Dataset(name)
		w.Publish(r, c.terms)
		if c.grant != "" {
			w.Give(name, c.grant, genesis.Infer)
		}
		if diff := cmp.Diff(c.want, reach(t, w, r).Classes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		r.State = genesis.Draft
		if got := reach(t, w, r).Classes; got != nil {
			t.Errorf("the draft %s is known to %v", name, got)
		}
	}
}

// TestReachIsOfTheTransaction: what is not committed yet counts, and nobody else sees it.
func TestReachIsOfTheTransaction(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierPublic})
	err := w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		if err := w.SetTerms(ctx, tx, r.Name, r.Version, genesis.Terms{Tier: genesis.TierControlled, Hidden: true, By: "nrel/ann"}); err != nil {
			return err
		}
		got, err := w.Reach(ctx, tx, r, w.Now())
		if err != nil || len(got.Classes) != 0 {
			t.Errorf("before the commit it is known to %v, %v", got, err)
		}
		_, err = w.Grant(ctx, tx, genesis.Grant{Name: r.Name, To: "institution:mit", Actions: []genesis.Action{genesis.Read}, By: "nrel/ann", Until: w.Now().Add(time.Hour)})
		if err != nil {
			return err
		}
		got, err = w.Reach(ctx, tx, r, w.Now())
		if err != nil || !slices.Equal(got.Classes, []genesis.Class{"to-mit"}) || !got.Until.Equal(w.Now().Add(time.Hour)) {
			t.Errorf("with the grant it is known to %v, %v", got, err)
		}
		if _, err := w.Decide(ctx, access.Ask{Action: genesis.Discover, Resource: r}); err != nil {
			t.Errorf("others see it before the commit: %v", err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestReachIsWhatDecideSays compares the two in random worlds, now and when it may change
// by itself.
func TestReachIsWhatDecideSays(t *testing.T) {
	seen := map[genesis.Class]int{}
	for seed := range 15 {
		p := newPair(t, uint64(7000+seed))
		for range 20 {
			p.step()
		}
		for range 20 {
			_, _, r, _ := p.random()
			got := reach(t, p.World, r)
			for _, c := range got.Classes {
				seen[c]++
			}
			if diff := cmp.Diff(asked(t, p.World, r, time.Time{}), got.Classes); diff != "" {
				t.Fatalf("seed %d: %s@%s (-asked +reach):\n%s", seed, r.Name, r.State, diff)
			}
			if until := got.Until; !until.IsZero() {
				if diff := cmp.Diff(got.Classes, asked(t, p.World, r, until.Add(-time.Nanosecond))); diff != "" {
					t.Fatalf("seed %d: %s@%s changed before %v:\n%s", seed, r.Name, r.State, until, diff)
				}
			}
		}
	}
	for _, c := range []genesis.Class{"public", "members", "to-mit", "to-acme"} {
		if seen[c] < 3 {
			t.Errorf("the class %s came up %d times: that shows little", c, seen[c])
		}
	}
}

// TestReachHeedsPoliciesOfTheInstitution: a policy that keeps something from one member
// keeps it from the class of all.
func TestReachHeedsPoliciesOfTheInstitution(t *testing.T) {
	dir := t.TempDir()
	policy := `@id("not-acme") @says("not for acme") forbid (principal, action, resource is Asset) when { principal.member == "acme" };`
	if err := os.WriteFile(filepath.Join(dir, "ours.cedar"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	w := accesstest.Open(t)
	before := w.Basis()
	w = accesstest.Open(t, func(c *access.Config) { c.PolicyDir = dir })
	if w.Basis() == before {
		t.Error("another policy is no other basis")
	}
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	if diff := cmp.Diff([]genesis.Class{"to-mit"}, reach(t, w, r).Classes); diff != "" {
		t.Error(diff)
	}
}

func TestFollows(t *testing.T) {
	w := accesstest.Open(t)
	person := func(node genesis.NodeID, subject string) genesis.Principal { return accesstest.Person(node, subject) }
	refused, narrow := person("mit", "eve"), person("mit", "sue")
	refused.Vetting = genesis.VettingRefused
	narrow.Scopes = []genesis.Scope{"read:turbines"}
	for _, c := range []struct {
		who  genesis.Principal
		want string
	}{
		{genesis.Principal{}, "public"},
		{person("elsewhere", "ada"), "public"},
		{refused, "public"},
		{narrow, "public"},
		{person("mit", "zoe"), "public members to-mit"},
		{person("mit", "node"), "public members to-mit"},
		{person("acme", "bob"), "public members to-acme"},
	} {
		got := ""
		for _, class := range []genesis.Class{"public", "members", "to-acme", "to-mit", "to-", "", "none"} {
			if w.Follows(c.who, class) {
				got += " " + string(class)
			}
		}
		if got != " "+c.want {
			t.Errorf("%s may follow%s, want %s", c.who.Person(), got, c.want)
		}
	}
}
