package search

import (
	"testing"
	"time"
)

// TestResting: a node that did not answer is not asked for half a minute, and no longer
// because the clock was set back.
func TestResting(t *testing.T) {
	var r resting
	now := time.Unix(1800000000, 0)
	r.rest("mit", "it is away", now)
	for at, want := range map[time.Duration]string{0: "not asked again yet: it is away", restFor - 1: "not asked again yet: it is away", restFor: "", -24 * time.Hour: ""} {
		if got := r.why("mit", now.Add(at)); got != want {
			t.Errorf("after %v: %q", at, got)
		}
	}
	if got := r.why("nrel", now); got != "" {
		t.Error(got)
	}
}
