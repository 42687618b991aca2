package access_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// TestGrantsOnlyAdd makes a random grant in a random world: nobody may do less than
// before, and once it is revoked or over, everybody may do just what they could.
func TestGrantsOnlyAdd(t *testing.T) {
	worlds := 30
	if testing.Short() {
		worlds = 4
	}
	added := 0
	for seed := range worlds {
		p := newPair(t, uint64(2000+seed))
		for range 15 {
			p.step()
		}
		var asks []access.Ask
		var before []access.Decision
		for range 400 {
			who, a, r, _ := p.random()
			r.State = genesis.Published // where a grant counts
			ask := access.Ask{Principal: who, Action: a, Resource: r}
			d, _ := p.Decide(context.Background(), ask)
			asks, before = append(asks, ask), append(before, d)
		}
		g := p.d.grant(p.Now())
		g.Until = time.Time{}
		err := p.Tx(func(ctx context.Context, tx *sql.Tx) (err error) { g, err = p.Grant(ctx, tx, g); return err })
		if err != nil {
			continue
		}
		for i, ask := range asks {
			d, _ := p.Decide(context.Background(), ask)
			if before[i].Allowed && !d.Allowed || before[i].Discoverable && !d.Discoverable || before[i].Allowed && before[i].Reads && !d.Reads {
				t.Errorf("seed %d: grant %+v takes from %s %s %s: %+v", seed, g, describe(ask.Principal), ask.Action, ask.Resource.Name, d)
			}
			if d.Allowed && !before[i].Allowed {
				added++
			}
		}
		p.Take(g.ID)
		for i, ask := range asks {
			if d, _ := p.Decide(context.Background(), ask); d.Allowed != before[i].Allowed || d.Discoverable != before[i].Discoverable || d.Reads != before[i].Reads {
				t.Errorf("seed %d: after revoking %+v, %s %s %s is %+v, before %+v", seed, g, describe(ask.Principal), ask.Action, ask.Resource.Name, d, before[i])
			}
		}
	}
	if added < worlds/2 {
		t.Errorf("the grants added %d permissions: that shows little", added)
	}
}

// TestUntilIsRight asks again just before a decision may change by itself, and in
// between: it is the same.
func TestUntilIsRight(t *testing.T) {
	changes := 0
	for seed := range 20 {
		p := newPair(t, uint64(3000+seed))
		for range 20 {
			p.step()
		}
		for range 60 {
			who, a, r, outside := p.random()
			ask := access.Ask{Principal: who, Action: a, Resource: r, Outside: outside}
			d, _ := p.Decide(context.Background(), ask)
			at := func(when time.Time) access.Decision {
				ask.At = when
				d, _ := p.Decide(context.Background(), ask)
				return d
			}
			until := d.Until
			if until.IsZero() {
				until = p.Now().AddDate(10, 0, 0)
			}
			for _, when := range []time.Time{p.Now().Add(until.Sub(p.Now()) / 2), until.Add(-time.Nanosecond)} {
				if later := at(when); later.Allowed != d.Allowed || later.Discoverable != d.Discoverable || later.Reads != d.Reads {
					t.Fatalf("seed %d: %s %s %s is %+v until %v, and at %v it is %+v", seed, describe(who), a, r.Name, d, d.Until, when, later)
				}
			}
			if later := at(until); later.Allowed != d.Allowed || later.Discoverable != d.Discoverable {
				changes++
			}
		}
	}
	if changes < 10 {
		t.Errorf("%d decisions changed by themselves: that shows little", changes)
	}
}

// TestMoreIsNotLess signs people in better: nobody may do less.
func TestMoreIsNotLess(t *testing.T) {
	for seed := range 20 {
		p := newPair(t, uint64(4000+seed))
		for range 15 {
			p.step()
		}
		for range 100 {
			who, a, r, outside := p.random()
			may := func(who genesis.Principal, outside bool) bool {
				d, _ := p.Decide(context.Background(), access.Ask{Principal: who, Action: a, Resource: r, Outside: outside})
				return d.Allowed
			}
			if !may(who, outside) {
				continue
			}
			better := who
			better.Scopes, better.Assurance, better.Citizenship, better.Vetting, better.Student = nil, genesis.AssuranceMFA, genesis.USCitizen, genesis.Vetted, false
			if !may(better, false) {
				t.Errorf("seed %d: %s may %s %s, and signed in better may not", seed, describe(who), a, r.Name)
			}
		}
	}
}

// TestCacheIsBounded asks more different questions than are kept.
func TestCacheIsBounded(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierPublic})
	for i := range access.KeptMost + 1000 {
		ask := access.Ask{Principal: accesstest.Person("mit", fmt.Sprintf("p%d", i)), Action: genesis.Discover, Resource: r}
		if _, err := w.Decide(t.Context(), ask); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Stats().Kept; n > access.KeptMost || n < access.KeptMost/2 {
		t.Errorf("%d decisions are kept, at most %d", n, access.KeptMost)
	}
	long := mia
	for range 200 {
		long.Scopes = append(long.Scopes, "discover:a-rather-long-name-of-an-asset")
	}
	before := w.Stats().Kept
	rule(t, w, long, genesis.Discover, r, "no: scope")
	if n := w.Stats().Kept; n != before {
		t.Errorf("a question of %d scopes is kept", len(long.Scopes))
	}
}

// TestAnswersAreKept counts which answers are worked out.
func TestAnswersAreKept(t *testing.T) {
	w := accesstest.Open(t)
	r, made := accesstest.Dataset("turbines"), accesstest.Dataset("made")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(5, genesis.TierPublic)}})
	w.Publish(made, genesis.Terms{Tier: genesis.TierPublic})
	derive(t, w, made, r)
	end := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(2)})
	asks := func(what string, p genesis.Principal, r access.Resource, fromCache, workedOut uint64) {
		t.Helper()
		before := w.Stats()
		for range 3 {
			w.Answer(p, genesis.Read, r)
		}
		after := w.Stats()
		if after.FromCache-before.FromCache != fromCache || after.WorkedOut-before.WorkedOut != workedOut {
			t.Errorf("%s: %d answers from the cache and %d worked out", what, after.FromCache-before.FromCache, after.WorkedOut-before.WorkedOut)
		}
	}
	asks("at first", mia, r, 2, 1)
	asks("again", mia, r, 3, 0)
	asks("what was made from it", mia, made, 2, 1)
	asks("somebody else", eve, r, 2, 1)
	asks("what never changes by itself", eve, accesstest.Dataset("absent"), 2, 1)
	w.Pass(24 * time.Hour)
	asks("before the grant ends", mia, r, 3, 0)
	w.Pass(24 * time.Hour)
	asks("when it has ended", mia, r, 2, 1)
	asks("of somebody without a grant", eve, r, 3, 0)
	asks("what was made, when it has ended", mia, made, 2, 1)
	w.Pass(72 * time.Hour)
	asks("when it has opened", eve, r, 2, 1)
	rule(t, w, eve, genesis.Read, r, "public")
	w.Pass(-24 * time.Hour)
	asks("when the clock was put back", eve, r, 2, 1)
	rule(t, w, eve, genesis.Read, r, "no: default")
	w.Take(end)
	asks("after a change", eve, r, 2, 1)
	if n := w.Stats().Grants; n != 0 {
		t.Errorf("%d grants are in force", n)
	}
	w.GiveThis(genesis.Grant{Name: "other", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Condition: `purpose == "wind"`})
	asks("while purposes matter", eve, r, 1, 2) // the first is kept for no purpose
	asks("while purposes matter, again", eve, r, 3, 0)
	if n := w.Stats().Grants; n != 1 {
		t.Errorf("%d grants are in force", n)
	}
}

// TestWorksFromMemory closes the database: what was read before is still known.
func TestWorksFromMemory(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierPublic})
	rule(t, w, mia, genesis.Read, r, "public")
	w.DB.Close()
	rule(t, w, eve, genesis.Read, r, "public")
	if d, err := w.Decide(t.Context(), access.Ask{Principal: eve, Action: genesis.Read, Resource: accesstest.Dataset("other")}); err == nil || d.Allowed {
		t.Errorf("what was never read gives %+v, %v", d, err)
	}
}

// TestKeyTellsApart asks pairs of questions that run together if parts are not
// told apart, or if a part is left out of the key.
func TestKeyTellsApart(t *testing.T) {
	seen := map[string]int{}
	base := access.Ask{Principal: genesis.Principal{Subject: "ab", Node: "cd"}, Action: genesis.Read, Resource: access.Resource{Name: "n"}}
	for i, edit := range []func(*access.Ask){
		func(*access.Ask) {},
		func(a *access.Ask) { a.Principal.Subject, a.Principal.Node = "abc", "d" },
		func(a *access.Ask) { a.Principal.Duties = []genesis.Duty{"steward"} },
		func(a *access.Ask) { a.Principal.Scopes = []genesis.Scope{"steward"} },
		func(a *access.Ask) { a.Principal.Scopes = []genesis.Scope{} },
		func(a *access.Ask) { a.Principal.Assurance = "mfa" },
		func(a *access.Ask) { a.Principal.Vetting = "mfa" },
		func(a *access.Ask) { a.Principal.Citizenship = "mfa" },
		func(a *access.Ask) { a.Principal.Student = true },
		func(a *access.Ask) { a.Outside = true },
		func(a *access.Ask) { a.Action = genesis.TrainOn },
		func(a *access.Ask) { a.Resource.Name = "m" },
		func(a *access.Ask) { a.Resource.Version = "v" },
		func(a *access.Ask) { a.Resource.State = "v" },
		func(a *access.Ask) { a.Resource.Kind = "v" },
		func(a *access.Ask) { a.Resource.Creator = "v" },
		func(a *access.Ask) { a.Resource.Part = "v" },
		// These two run together if duties are not counted.
		func(a *access.Ask) {
			a.Principal.Duties, a.Principal.Scopes = []genesis.Duty{"\x01"}, []genesis.Scope{}
		},
		func(a *access.Ask) { a.Principal.Scopes = []genesis.Scope{"\x00"} },
	} {
		ask := base
		edit(&ask)
		for _, purposeful := range []bool{false, true} {
			k := access.Key(ask, purposeful)
			if other, ok := seen[k]; ok {
				t.Errorf("questions %d and %d have one key", other, i)
			}
			seen[k] = i
		}
	}
	ask := base
	ask.Principal.Purpose, ask.Principal.Credential, ask.Principal.Institution = "p", "c", "i"
	if access.Key(ask, false) != access.Key(base, false) || access.Key(ask, true) == access.Key(base, true) {
		t.Error("the purpose counts where it must not, or does not where it must")
	}
	scoped := base
	scoped.Principal.Scopes, ask.Principal.Scopes = []genesis.Scope{"p"}, []genesis.Scope{}
	if access.Key(scoped, false) == access.Key(ask, true) {
		t.Error("a scope and a purpose have one key")
	}
}

// TestLongestKey keeps questions whose key is of at most 4 KiB.
func TestLongestKey(t *testing.T) {
	ask := access.Ask{Action: genesis.Read}
	length := func(subject int) int {
		ask.Principal.Subject = strings.Repeat("x", subject)
		return len(access.Key(ask, false))
	}
	longest := 1000 + 4096 - length(1000)
	if n := length(longest); n != 4096 {
		t.Errorf("the longest key that is kept is of %d bytes", n)
	}
	if n := length(longest + 1); n != 0 {
		t.Errorf("a key of %d bytes is kept", n)
	}
}

// TestConcurrent grants and revokes while others ask: after a revocation was told,
// nobody is let in.
func TestConcurrent(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	ask := access.Ask{Principal: mia, Action: genesis.TrainOn, Resource: r}
	var state sync.RWMutex // write: the grant changes
	granted := false
	stop := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				state.RLock()
				if d, _ := w.Decide(context.Background(), ask); d.Allowed != granted {
					t.Errorf("allowed is %v, granted %v", d.Allowed, granted)
				}
				state.RUnlock()
				w.Decide(context.Background(), ask) // also while it changes
			}
		})
	}
	for range 40 {
		state.Lock()
		id := w.Give(r.Name, "person:mit/mia", genesis.TrainOn)
		granted = true
		state.Unlock()
		time.Sleep(time.Millisecond)
		state.Lock()
		w.Take(id)
		granted = false
		state.Unlock()
	}
	close(stop)
	all.Wait()
}
