package identity

import (
	"fmt"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// BenchmarkAuthenticate tells what knowing who asks costs a request: hot, by one
// of ten thousand tokens that are in the cache; cold, read from a database of as
// many; unknown, well formed but of nobody; mistyped.
func BenchmarkAuthenticate(b *testing.B) {
	const accounts, each = 1000, 10
	w := open(b)
	var secrets []string
	for n := range accounts {
		subject := fmt.Sprintf("p%d", n)
		w.account(b, subject, genesis.DutySteward)
		p, secret := w.signIn(b, subject)
		secrets = append(secrets, secret)
		for range each - 1 {
			token, err := w.CreateToken(b.Context(), p, genesis.TokenRequest{Name: "x", Scopes: []genesis.Scope{"read", "train:turbines"}})
			if err != nil {
				b.Fatal(err)
			}
			secrets = append(secrets, token.Secret)
		}
	}
	for _, s := range secrets {
		w.who(b, s)
	}
	still := w.clock.now()
	w.now = func() time.Time { return still } // without the test clock's lock
	b.Run("hot", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if _, err := w.Authenticate(b.Context(), secrets[n%len(secrets)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hot, one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Authenticate(b.Context(), secrets[0]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hot, parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				if _, err := w.Authenticate(b.Context(), secrets[n%len(secrets)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	w.now = w.clock.now
	b.Run("cold", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			w.clock.add(cacheAge / accounts) // ten thousand requests take ten seconds: none is fresh
			if _, err := w.Authenticate(b.Context(), secrets[n%len(secrets)]); err != nil {
				b.Fatal(err)
			}
		}
	})
	stranger, _ := newSecret(genesis.PersonalToken)
	b.Run("unknown", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Authenticate(b.Context(), stranger); err == nil {
				b.Fatal("it is let in")
			}
		}
	})
	b.Run("mistyped", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.Authenticate(b.Context(), stranger[:secretLength-1]+"!"); err == nil {
				b.Fatal("it is let in")
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for _, fips := range []bool{false, true} {
		b.Run(fmt.Sprintf("fips=%v", fips), func(b *testing.B) {
			h := newHasherOf(usualCost, fips)
			for b.Loop() {
				if _, err := h.hash(b.Context(), "bench", password); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
