package main

import (
	"context"
	"testing"

	"github.com/opengenesis/genesis/internal/testdata"
)

// TestPublishedSplits trains on two published splits of each set. All twenty
// are run by `go run ./tables`; the bound is on their mean, and single splits
// scatter around it by a tenth.
func TestPublishedSplits(t *testing.T) {
	data := testdata.Dir(t)
	for name, s := range sets {
		t.Run(name, func(t *testing.T) {
			var rs []result
			for _, k := range []int{0, 1} {
				r, err := s.run(context.Background(), data, k, 0, nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Log(r)
				rs = append(rs, r)
			}
			m := mean(rs)
			if m.Net > s.bound {
				t.Errorf("mean test RMSE %.3f %s, want at most %.1f", m.Net, s.unit, s.bound)
			}
			if m.Net > m.Ridge {
				t.Errorf("the net's RMSE %.3f loses to a straight line's %.3f", m.Net, m.Ridge)
			}
			if m.Untouched > 0.05 {
				t.Errorf("%.3f of untouched rows are flagged", m.Untouched)
			}
			if m.Scaled < 0.9 {
				t.Errorf("with a feature times ten only %.3f of the rows are flagged", m.Scaled)
			}
		})
	}
}
