package learn

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestUnmeasuredShares trains with too few held-out rows to tell how many are
// flagged: the report must not say that none are.
func TestUnmeasuredShares(t *testing.T) {
	d := wave(90, 3) // 18 rows of Test
	_, r := train(t, d, Options{Target: []string{"y"}})
	if r.OOD.Scaled != nil || r.OOD.Untouched == nil {
		t.Errorf("18 held-out rows: times ten %v, as they are %v; want nothing and a share", r.OOD.Scaled, r.OOD.Untouched)
	}
	if b, err := json.Marshal(r.OOD); err != nil || strings.Contains(string(b), "scaled") {
		t.Errorf("the report says %s, %v", b, err)
	}
	d = wave(100, 3) // 20
	if _, r = train(t, d, Options{Target: []string{"y"}}); r.OOD.Scaled == nil {
		t.Error("20 held-out rows: times ten was not measured")
	}
	for i := range d.Parts {
		d.Parts[i] = genesis.Train
	}
	_, r = train(t, d, Options{Target: []string{"y"}})
	if r.OOD.Scaled != nil {
		t.Errorf("no held-out rows: times ten %v", *r.OOD.Scaled)
	}
}
