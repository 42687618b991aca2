package access_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

// shown reports whether an outlook shows a version by its reach alone.
func shown(o access.Outlook, r access.Reach) bool {
	return o.Home && r.Home || o.Steward && r.Stewards || slices.ContainsFunc(o.Classes, r.Of)
}

// led reports whether somebody's own things, or their leads, lead to a version: it is one
// of these, or was made from one.
func (p *pair) led(t *testing.T, o access.Outlook, leads []genesis.Name, r access.Resource) bool {
	mine := func(name genesis.Name, creator genesis.PersonID) bool {
		return slices.Contains(leads, name) || o.Home && strings.HasPrefix(string(name), "~"+string(o.Person)+"/") ||
			o.Person != "" && (creator == o.Person || string(creator) == "nrel/"+string(o.Person))
	}
	yes := mine(r.Name, r.Creator)
	err := p.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		rows, err := tx.Query("SELECT name, creator FROM policy_sources WHERE child_name = $1 AND child_version = $2", string(r.Name), string(r.Version))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name genesis.Name
			var creator genesis.PersonID
			if err := rows.Scan(&name, &creator); err != nil {
				return err
			}
			yes = yes || mine(name, creator)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

// TestOutlook: what an outlook shows by reach, a decision allows; and what a decision
// allows it shows, or one's own things and leads lead there.
func TestOutlook(t *testing.T) {
	byReach, byLead, worlds := 0, 0, 40
	if testing.Short() {
		worlds = 15
	}
	for seed := range worlds {
		p := newPair(t, uint64(5000+seed))
		for range 25 {
			p.step()
		}
		for range 120 {
			who, _, r, _ := p.random()
			o := p.Outlook(who)
			if !o.Exact {
				if who.Vetting != genesis.VettingRefused {
					t.Fatalf("%+v is not exact without policies of the institution", o)
				}
				continue
			}
			leads, err := p.Leads(context.Background(), who)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Decide(context.Background(), access.Ask{Principal: who, Action: genesis.Discover, Resource: r})
			byClass, led := shown(o, reach(t, p.World, r)), p.led(t, o, leads, r)
			switch allowed := err == nil; {
			case o.Narrow != nil && allowed && !slices.Contains(o.Narrow, r.Name):
				t.Errorf("seed %d: %s is narrowed to %v and may know of %s", seed, describe(who), o.Narrow, r.Name)
			case o.Narrow != nil:
			case byClass && !allowed:
				t.Errorf("seed %d: %s is shown %+v, and may not know of it: %v", seed, describe(who), r, err)
			case allowed && !byClass && !led:
				t.Errorf("seed %d: nothing leads %s to %+v (%+v, leads %v)", seed, describe(who), r, o, leads)
			case allowed && byClass:
				byReach++
			case allowed:
				byLead++
			}
		}
	}
	if byReach < 100 || byLead < 50 {
		t.Errorf("%d were shown by reach, %d by leads: that shows little", byReach, byLead)
	}
}
