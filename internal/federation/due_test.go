package federation

import (
	"errors"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestDue: a member that did not answer is left alone for a while, and no longer because the
// clock was set back.
func TestDue(t *testing.T) {
	var p peers
	now := time.Unix(1800000000, 0)
	p.went("mit", now, "", errors.New("away"))
	for at, want := range map[time.Duration]int{0: 0, 2 * maxBackOff: 1, -24 * time.Hour: 1} {
		if got := p.due([]genesis.Member{{ID: "mit"}}, now.Add(at), 5); len(got) != want {
			t.Errorf("after %v %d are due", at, len(got))
		}
	}
}
