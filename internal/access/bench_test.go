package access_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// granted is a world with n grants on one controlled dataset, to as many people.
func granted(b *testing.B, n int) (*accesstest.World, access.Ask) {
	b.Helper()
	w := accesstest.Open(b)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		for i := range n {
			g := genesis.Grant{Name: r.Name, To: genesis.Grantee(fmt.Sprintf("person:mit/p%d", i)), Actions: []genesis.Action{genesis.Read, genesis.TrainOn}, By: "nrel/ann"}
			if _, err := w.Grant(ctx, tx, g); err != nil {
				return err
			}
		}
		return nil
	})
	who := accesstest.Person("mit", fmt.Sprintf("p%d", n/2))
	return w, access.Ask{Principal: who, Action: genesis.TrainOn, Resource: r}
}

// timed reports the median and the 99th percentile of an act.
func timed(b *testing.B, act func(i int)) {
	b.Helper()
	var took []time.Duration
	i := 0
	for b.Loop() {
		start := time.Now()
		act(i)
		took = append(took, time.Since(start))
		i++
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

// BenchmarkDecide times decisions. cold works the answer out from what is in
// memory; disk reads the terms from the database first; changed comes right after a
// change; refused is a refusal, with its hint, worked out; made is of a model with
// three sources.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		w, ask := granted(b, n)
		decide := func(ask access.Ask, want bool) {
			if d, err := w.Decide(context.Background(), ask); d.Allowed != want || (err == nil) != want {
				b.Fatal(d, err)
			}
		}
		at := ask
		at.At = w.Now()
		b.Run(fmt.Sprintf("grants=%d/cached", n), func(b *testing.B) { timed(b, func(int) { decide(ask, true) }) })
		b.Run(fmt.Sprintf("grants=%d/cold", n), func(b *testing.B) { timed(b, func(int) { decide(at, true) }) })
		b.Run(fmt.Sprintf("grants=%d/changed", n), func(b *testing.B) {
			timed(b, func(int) { w.Changed(); decide(ask, true) })
		})
		b.Run(fmt.Sprintf("grants=%d/refused", n), func(b *testing.B) {
			refused := at
			refused.Principal.Subject = "nobody-granted"
			timed(b, func(int) { decide(refused, false) })
		})
		b.Run(fmt.Sprintf("grants=%d/disk", n), func(b *testing.B) {
			var others []access.Ask
			for i := range 200 {
				other := at
				other.Principal = accesstest.Person("nrel", "bob")
				other.Resource = accesstest.Dataset(genesis.Name(fmt.Sprintf("other-%d", i)))
				w.Publish(other.Resource, genesis.Terms{Tier: genesis.TierPublic})
				others = append(others, other)
			}
			b.ResetTimer()
			timed(b, func(i int) {
				if i > 0 && i%len(others) == 0 {
					access.ForgetAssets(w.Decider)
				}
				decide(others[i%len(others)], true)
			})
		})
		b.Run(fmt.Sprintf("grants=%d/made", n), func(b *testing.B) {
			model := accesstest.Model("~p/model", "", genesis.Published)
			var parents []access.Resource
			for i := range 3 {
				parents = append(parents, accesstest.Dataset(genesis.Name(fmt.Sprintf("part-%d", i))))
				w.Publish(parents[i], genesis.Terms{Tier: genesis.TierRegistered})
			}
			w.Publish(model, genesis.Terms{Tier: genesis.TierRegistered})
			w.Do(func(ctx context.Context, tx *sql.Tx) error { return w.Derive(ctx, tx, model, parents) })
			made := at
			made.Resource, made.Action = model, genesis.Infer
			b.ResetTimer()
			timed(b, func(int) { decide(made, true) })
		})
	}
}
