package work_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work"
)

// stated returns what the catalogue log says, oldest first: "publish turbines".
func stated(t *testing.T, s *work.Service) (all []string) {
	t.Helper()
	if err := s.Journal.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	list, err := s.Journal.Statements(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range list {
		var said journal.Statement
		if err := json.Unmarshal(w.Text, &said); err != nil {
			t.Fatal(err)
		}
		all = append(all, said.Record+" "+string(said.Name))
	}
	return all
}

// TestCatalogueLog: the log that peers follow says what everybody may know of, and
// nothing else.
func TestCatalogueLog(t *testing.T) {
	s, _ := work.OpenTest(t)
	for _, name := range []genesis.Name{"open", "closed", "later"} {
		prepared(t, s, genesis.PrepareRequest{Name: name, Options: genesis.PrepareOptions{NoProof: true}}, raw("a.csv", turbines(0, 50)))
	}
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	publish := func(name string, req genesis.PublishRequest) {
		t.Helper()
		d, err := s.Describe(t.Context(), me, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Findings {
			if f.Severity == genesis.Ask && f.Answer == "" {
				must(s.Answer(t.Context(), me, name, f.ID, "made up"))
			}
		}
		must(s.Publish(t.Context(), me, name, req))
	}
	publish("closed", genesis.PublishRequest{Tier: genesis.TierControlled})
	must(s.SetCard(t.Context(), me, "closed", map[string]string{"title": "a secret title"}))
	publish("open", genesis.PublishRequest{Tier: genesis.TierPublic})
	must(s.SetCard(t.Context(), me, "open", map[string]string{"title": "Turbines"}))
	publish("later", genesis.PublishRequest{Tier: genesis.TierControlled})
	due := time.Now().Add(time.Second)
	must(s.Publish(t.Context(), me, "later", genesis.PublishRequest{Openings: []genesis.Opening{{At: due, Tier: genesis.TierPublic}}}))
	time.Sleep(time.Until(due) + 10*time.Millisecond)
	must(nil, s.RecordOpenings(t.Context()))
	must(nil, s.RecordOpenings(t.Context())) // an opening happens once

	// A model of what is closed is not everybody's, whatever its own terms.
	must(s.Train(t.Context(), me, genesis.TrainRequest{Dataset: "closed", Name: "closed-net", Target: []string{"power"}, Epochs: 1, Members: 1}, nil))
	must(s.Publish(t.Context(), me, "closed-net", genesis.PublishRequest{Tier: genesis.TierPublic}))

	must(s.Publish(t.Context(), me, "later", genesis.PublishRequest{Tier: genesis.TierControlled}))
	must(s.Withdraw(t.Context(), me, "open@1", "wrong"))
	want := []string{"publish open", "card open", "publish later", "hide later", "withdraw open"}
	if diff := cmp.Diff(want, stated(t, s)); diff != "" {
		t.Errorf("the catalogue log (-want +got):\n%s", diff)
	}
	if v, err := s.AuditVerify(t.Context(), me, time.Time{}, nil); err != nil || v.Bad >= 0 {
		t.Errorf("verified %+v, %v", v, err)
	}
}
