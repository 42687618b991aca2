package access_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// ends waits for a context to end and returns how long it took and its cause.
func ends(t *testing.T, ctx context.Context) (time.Duration, error) {
	t.Helper()
	start := time.Now()
	select {
	case <-ctx.Done():
		return time.Since(start), context.Cause(ctx)
	case <-time.After(5 * time.Second):
		t.Fatal("the watch does not end")
		return 0, nil
	}
}

func TestWatch(t *testing.T) {
	tests := []struct {
		name string
		turn func(w *accesstest.World, grant string)
		want genesis.ErrorKind
	}{
		{"revoked", func(w *accesstest.World, grant string) { w.Take(grant) }, genesis.Permission},
		{"restricted", func(w *accesstest.World, _ string) {
			w.Publish(accesstest.Dataset("turbines"), genesis.Terms{Tier: genesis.TierRestricted, Uses: genesis.Uses{Train: genesis.UseNo}})
		}, genesis.Permission},
		{"expired", func(w *accesstest.World, _ string) { w.Pass(24 * time.Hour) }, genesis.Permission},
		{"project ended", func(w *accesstest.World, grant string) {
			w.Do(func(ctx context.Context, tx *sql.Tx) error { _, err := w.EndProject(ctx, tx, "wind"); return err })
		}, genesis.Permission},
	}
	for _, tt := range tests {
		w := accesstest.Open(t)
		r := accesstest.Dataset("turbines")
		w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
		to := genesis.Grantee("person:mit/mia")
		if tt.name == "project ended" {
			to = "project:wind"
			w.Do(func(ctx context.Context, tx *sql.Tx) error {
				return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "mit/mia", By: "nrel/ann"})
			})
		}
		grant := w.GiveThis(genesis.Grant{Name: r.Name, To: to, Actions: []genesis.Action{genesis.TrainOn}, Until: day(1)})
		ctx, cancel := w.Watch(t.Context(), access.Ask{Principal: mia, Action: genesis.TrainOn, Resource: r, At: day(-5)})
		other := w.Give("other", "person:mit/mia", genesis.TrainOn)
		w.Take(other)
		if err := ctx.Err(); err != nil {
			t.Fatalf("%s: it ends before: %v", tt.name, context.Cause(ctx))
		}
		tt.turn(w, grant)
		if took, err := ends(t, ctx); genesis.KindOf(err) != tt.want || took > 10*time.Second {
			t.Errorf("%s: it ends after %v with %v, want %s", tt.name, took, err, tt.want)
		}
		cancel()
	}
}

func TestWatchRefusedAndCancelled(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Openings: []genesis.Opening{opening(3, genesis.TierPublic)}})
	// It watches what holds now, whatever the time that was asked about.
	ctx, cancel := w.Watch(t.Context(), access.Ask{Principal: mia, Action: genesis.Read, Resource: r, At: day(5)})
	if err := context.Cause(ctx); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("refused to begin with: %v", err)
	}
	cancel()
	before := runtime.NumGoroutine()
	outer, stop := context.WithCancel(t.Context())
	var cancels []func()
	var all []context.Context
	for range 50 {
		ctx, cancel := w.Watch(outer, access.Ask{Principal: mia, Action: genesis.Discover, Resource: r})
		cancels, all = append(cancels, cancel), append(all, ctx)
	}
	for _, cancel := range cancels[:25] {
		cancel()
	}
	stop()
	for _, ctx := range all {
		if _, err := ends(t, ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled with %v", err)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before+1; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left, of %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestWatchFollowsThePerson takes the person's token and vetting away.
func TestWatchFollowsThePerson(t *testing.T) {
	var now atomic.Pointer[genesis.Principal]
	gone := &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "the token was revoked"}
	w := accesstest.Open(t, func(c *access.Config) {
		c.Live = func(context.Context, genesis.Principal) (genesis.Principal, error) {
			if p := now.Load(); p != nil {
				return *p, nil
			}
			return genesis.Principal{}, gone
		}
	})
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	now.Store(&mia)
	ask := access.Ask{Principal: mia, Action: genesis.TrainOn, Resource: r}
	vetted, cancel := w.Watch(t.Context(), ask)
	defer cancel()
	refused := edit(mia, func(p *genesis.Principal) { p.Vetting = genesis.VettingRefused })
	now.Store(&refused)
	w.Changed()
	if took, err := ends(t, vetted); genesis.KindOf(err) != genesis.Permission || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	now.Store(&mia)
	token, cancel := w.Watch(t.Context(), ask)
	defer cancel()
	now.Store(nil)
	if took, err := ends(t, token); err != error(gone) || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err) // nobody called Changed: the pulse finds it
	}
}

// TestWatchWithoutDatabase ends what cannot be checked any more.
func TestWatchWithoutDatabase(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	ask := access.Ask{Principal: mia, Action: genesis.TrainOn, Resource: r}
	ctx, cancel := w.Watch(t.Context(), ask)
	defer cancel()
	w.DB.Close()
	w.Changed()
	if _, err := ends(t, ctx); err == nil || genesis.KindOf(err) == genesis.Permission {
		t.Errorf("without the database: %v", err)
	}
	if d, err := w.Decide(t.Context(), ask); d.Allowed || err == nil {
		t.Errorf("without the database: %+v, %v", d, err)
	}
}

// TestWatchWakesAtOnce revokes on a clock that stands still.
func TestWatchWakesAtOnce(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	id := w.Give(r.Name, "person:mit/mia", genesis.Read)
	// In FIPS mode randomness is measured from the clock, which stands still here.
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d, err := access.Open(t.Context(), access.Config{DB: w.DB, Node: "nrel", Charter: accesstest.Charter()})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := d.Watch(t.Context(), access.Ask{Principal: mia, Action: genesis.Read, Resource: r})
		defer cancel()
		for range 3 {
			d.Changed()
			synctest.Wait()
			if ctx.Err() != nil {
				t.Fatalf("it ends early: %v", context.Cause(ctx))
			}
		}
		before := time.Now()
		if err := w.DB.Tx(t.Context(), func(tx *sql.Tx) error { _, err := d.Revoke(t.Context(), tx, id, "nrel/ann", ""); return err }); err != nil {
			t.Fatal(err)
		}
		d.Changed()
		synctest.Wait()
		if genesis.KindOf(context.Cause(ctx)) != genesis.Permission || !time.Now().Equal(before) {
			t.Errorf("after %v: %v", time.Since(before), context.Cause(ctx))
		}
	})
}

// TestWatchSleeps runs on a clock of its own: a watch ends just when the grant
// does, and an opening ends none.
func TestWatchSleeps(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	// In FIPS mode randomness is measured from the clock, which stands still here.
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		d, err := access.Open(t.Context(), access.Config{DB: w.DB, Node: "nrel", Charter: accesstest.Charter()})
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(90*time.Minute + 300*time.Millisecond)
		err = w.DB.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := d.Grant(t.Context(), tx, genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.TrainOn}, Until: end, By: "nrel/ann"}); err != nil {
				return err
			}
			return d.SetTerms(t.Context(), tx, r.Name, r.Version, genesis.Terms{Tier: genesis.TierRestricted, By: "nrel/ann",
				Openings: []genesis.Opening{{At: time.Now().Add(time.Hour), Tier: genesis.TierControlled}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Changed()
		ctx, cancel := d.Watch(t.Context(), access.Ask{Principal: mia, Action: genesis.TrainOn, Resource: r})
		defer cancel()
		<-ctx.Done()
		if now := time.Now(); now.Before(end) || now.Sub(end) > time.Millisecond || genesis.KindOf(context.Cause(ctx)) != genesis.Permission {
			t.Errorf("ends %v after the grant with %v", now.Sub(end), context.Cause(ctx))
		}
	})
}

// TestWatchFollowsTheVersion: a version that was published when it was asked for ends the
// watch when it is withdrawn, or when its state cannot be told any more.
func TestWatchFollowsTheVersion(t *testing.T) {
	gone := &genesis.Error{Op: "find version", Kind: genesis.NotFound, Msg: "there is no such version here"}
	for name, c := range map[string]struct {
		state genesis.State
		err   error
		kind  genesis.ErrorKind
	}{"withdrawn": {genesis.Withdrawn, nil, genesis.Permission}, "erased": {genesis.Erased, nil, genesis.Permission}, "gone": {"", gone, genesis.NotFound}} {
		var turned atomic.Bool
		w := accesstest.Open(t, func(cfg *access.Config) {
			cfg.State = func(_ context.Context, r access.Resource) (genesis.State, error) {
				if turned.Load() {
					return c.state, c.err
				}
				return r.State, nil
			}
		})
		r := accesstest.Dataset("turbines")
		w.Publish(r, genesis.Terms{Tier: genesis.TierPublic})
		ctx, cancel := w.Watch(t.Context(), access.Ask{Principal: mia, Action: genesis.Read, Resource: r})
		defer cancel()
		time.Sleep(20 * time.Millisecond)
		if ctx.Err() != nil {
			t.Fatalf("%s: it ended at once: %v", name, context.Cause(ctx))
		}
		turned.Store(true)
		w.Changed()
		if _, err := ends(t, ctx); genesis.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
}
