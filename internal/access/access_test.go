package access_test

import (
	"context"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

func TestOwner(t *testing.T) {
	local := access.Local("nrel")
	tests := []struct {
		name  string
		node  genesis.NodeID
		who   genesis.Principal
		allow bool
	}{
		{"owner of a nameless node", "", access.Local(""), true},
		{"owner of a named node", "nrel", local, true},
		{"owner who does not say of which node", "nrel", access.Local(""), true},
		{"local of another node", "nrel", genesis.Principal{Subject: "local", Node: "ornl", Duties: genesis.Duties}, false},
		{"local of a node, here nameless", "", genesis.Principal{Subject: "local", Node: "ornl", Duties: genesis.Duties}, false},
		{"local, not steward", "nrel", genesis.Principal{Subject: "local"}, false},
		{"nobody", "nrel", genesis.Principal{}, false},
	}
	for _, tt := range tests {
		w := open(t, tt.node)
		for _, a := range genesis.Actions {
			r := access.Resource{Name: "turbines"}
			if a == genesis.Operate {
				r = access.Resource{}
			}
			got, err := w.Decide(t.Context(), access.Ask{Principal: tt.who, Action: a, Resource: r})
			if got.Allowed != tt.allow || got.Rule == "" || got.Reason == "" {
				t.Errorf("%s: %s gives %+v, want allowed %v", tt.name, a, got, tt.allow)
			}
			if (err == nil) != tt.allow {
				t.Errorf("%s: %s gives error %v", tt.name, a, err)
			}
		}
	}
}

func TestDecideErrors(t *testing.T) {
	w := open(t, "nrel")
	got, err := w.Decide(t.Context(), access.Ask{Principal: access.Local(""), Action: "erase everything"})
	if genesis.KindOf(err) != genesis.Invalid || got.Allowed {
		t.Errorf("an unknown action gives %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, err = w.Decide(ctx, access.Ask{Principal: access.Local(""), Action: genesis.Read})
	if genesis.KindOf(err) != genesis.Canceled || got.Allowed {
		t.Errorf("a cancelled question gives %+v, %v", got, err)
	}
}
