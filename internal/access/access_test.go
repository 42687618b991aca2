package access

import (
	"context"
	"testing"

	"github.com/opengenesis/genesis"
)

func TestDecide(t *testing.T) {
	owner := Local()
	tests := []struct {
		name  string
		node  genesis.NodeID
		who   genesis.Principal
		allow bool
	}{
		{"owner", "", owner, true},
		{"owner of a named node", "nrel", owner, true},
		{"owner, named with the node", "nrel", genesis.Principal{Subject: "local", Node: "nrel", Duties: genesis.Duties}, true},
		{"local of another node", "nrel", genesis.Principal{Subject: "local", Node: "ornl", Duties: genesis.Duties}, false},
		{"local of a node, here nameless", "", genesis.Principal{Subject: "local", Node: "ornl", Duties: genesis.Duties}, false},
		{"local, not steward", "", genesis.Principal{Subject: "local"}, false},
		{"another steward", "", genesis.Principal{Subject: "ann", Duties: genesis.Duties}, false},
		{"nobody", "", genesis.Principal{}, false},
	}
	actions := []genesis.Action{genesis.Discover, genesis.Read, genesis.TrainOn, genesis.Infer,
		genesis.Evaluate, genesis.Request, genesis.Steward, genesis.Operate}
	for _, tt := range tests {
		for _, a := range actions {
			d := &Decider{Node: tt.node}
			got, err := d.Decide(t.Context(), tt.who, a, Resource{Name: "turbines"})
			if got.Allowed != tt.allow || got.Discoverable != tt.allow || got.Rule == "" || got.Reason == "" {
				t.Errorf("%s: %s gives %+v, want allowed %v", tt.name, a, got, tt.allow)
			}
			want := genesis.Private
			if tt.allow {
				want = ""
			}
			if genesis.KindOf(err) != want {
				t.Errorf("%s: %s gives error %v, want kind %q", tt.name, a, err, want)
			}
		}
	}
}

func TestDecideErrors(t *testing.T) {
	var d Decider
	got, err := d.Decide(t.Context(), Local(), "erase everything", Resource{})
	if genesis.KindOf(err) != genesis.Invalid || got.Allowed {
		t.Errorf("an unknown action gives %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err = d.Decide(ctx, Local(), genesis.Read, Resource{})
	if genesis.KindOf(err) != genesis.Canceled || got.Allowed {
		t.Errorf("a cancelled question gives %+v, %v", got, err)
	}
}

func TestRefusalToWhoMayDiscover(t *testing.T) {
	err := Decision{Action: genesis.Read, Discoverable: true, Reason: "needs a grant", Resource: Resource{Name: "turbines"}}.refusal()
	if genesis.KindOf(err) != genesis.Permission || err.Error() != `read "turbines": needs a grant` {
		t.Errorf("refusal is %v", err)
	}
}
