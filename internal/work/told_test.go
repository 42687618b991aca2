package work

import (
	"testing"

	"github.com/opengenesis/genesis/internal/work/abroad"
)

// TestToldOfWhatDecides: of all messages that a node takes, those that change what somebody
// may do have decisions made anew, and no others.
func TestToldOfWhatDecides(t *testing.T) {
	s, _ := OpenTest(t)
	want := map[string]bool{abroad.KindRevoked: true, abroad.KindProject: true, abroad.KindRequest: false, abroad.KindSaid: false, abroad.KindWithdrawn: false,
		abroad.KindState: false, abroad.KindGranted: false, messageRun: false, messageCancel: false, messageRunState: false}
	for kind := range s.Handlers() {
		decides, known := want[kind]
		if !known {
			t.Errorf("does %s change what somebody may do?", kind)
		}
		before := s.Access.Generation()
		s.Told(kind)
		if got := s.Access.Generation() != before; got != decides {
			t.Errorf("after %s decisions are made anew: %v", kind, got)
		}
		if asked := len(s.renewing) > 0; asked != decides {
			t.Errorf("after %s memberships are asked for: %v", kind, asked)
		}
		if decides {
			<-s.renewing
		}
	}
}
