//go:build linux || darwin

package run

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestHear: whatever the order in which what another node says of a run arrives, and how
// often, the run stands as it said last, and its end stays.
func TestHear(t *testing.T) {
	b := openBench(t, t.TempDir(), nil)
	says := []genesis.RunTold{
		{Seq: 1, State: genesis.RunQueued},
		{Seq: 2, State: genesis.RunRunning, Tries: 1},
		{Seq: 3, State: genesis.RunQueued, Tries: 1},
		{Seq: 4, State: genesis.RunRunning, Tries: 2},
		{Seq: 5, State: genesis.RunDone, Tries: 2, Result: json.RawMessage(`{}`)},
	}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		id := NewID()
		tx := func(f func(tx *sql.Tx) error) error { return b.cfg.DB.Tx(t.Context(), f) }
		err := tx(func(tx *sql.Tx) error {
			_, fresh, err := b.SendTx(t.Context(), tx, request(id, order{Do: "nothing"}), ada, Inputs{Subject: "nrel/x"}, Elsewhere{"nrel", "why"})
			if err == nil && !fresh {
				err = fmt.Errorf("it is not fresh")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		canceled := false
		var last int64
		for range 1 + random.IntN(8) {
			told := says[random.IntN(len(says))]
			told.Run = id
			if random.IntN(6) == 0 {
				if err := tx(func(tx *sql.Tx) error {
					fresh, err := b.StopTx(t.Context(), tx, "nrel", id)
					canceled = canceled || fresh
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			var news bool
			if err := tx(func(tx *sql.Tx) (err error) {
				_, news, err = b.HearTx(t.Context(), tx, "nrel", told, time.Now())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if news != (told.Seq > last) {
				t.Errorf("seed %d: %d after %d is news: %t", seed, told.Seq, last, news)
			}
			last = max(last, told.Seq)
		}
		r, err := b.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		want := says[last-1].State
		if canceled && !want.Ended() {
			want = genesis.RunCanceling
		}
		if r.State != want || r.Tries != says[last-1].Tries || r.At != "nrel" || r.Heard.IsZero() {
			t.Errorf("seed %d: %+v, want %s", seed, r, want)
		}
		for _, node := range []genesis.NodeID{"mit", ""} {
			if err := tx(func(tx *sql.Tx) error {
				_, _, err := b.HearTx(t.Context(), tx, node, genesis.RunTold{Run: id, Seq: 99, State: genesis.RunFailed}, time.Now())
				return err
			}); genesis.KindOf(err) != genesis.NotFound {
				t.Errorf("%q speaks of another's run: %v", node, err)
			}
		}
	}
}

// TestElsewhereStaysElsewhere: a start leaves alone what other nodes carry out.
func TestElsewhereStaysElsewhere(t *testing.T) {
	dir := t.TempDir()
	b := openBench(t, dir, nil)
	id := NewID()
	err := b.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		_, _, err := b.SendTx(t.Context(), tx, request(id, order{Do: "nothing"}), ada, Inputs{Subject: "nrel/x"}, Elsewhere{"nrel", ""})
		if err == nil {
			_, _, err = b.HearTx(t.Context(), tx, "nrel", genesis.RunTold{Run: id, Seq: 1, State: genesis.RunRunning, Tries: 1}, time.Now())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b.find(id) != nil {
		t.Error("it is queued here")
	}
	all, err := b.Open(t.Context())
	if err != nil || len(all) != 1 || all[0].State != genesis.RunRunning {
		t.Errorf("%+v %v", all, err)
	}
}
