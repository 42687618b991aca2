package work_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work"
)

// figure is a figure of a report.
func figure(t testing.TB, r *genesis.Report, id string) genesis.Figure {
	t.Helper()
	for _, f := range r.Figures {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("there is no figure %s", id)
	return genesis.Figure{}
}

// gusts is a table about nobody.
func gusts(n int) string {
	var b strings.Builder
	b.WriteString("speed (m/s),power (kW)\n")
	for i := range n {
		fmt.Fprintf(&b, "%.2f,%.2f\n", 5+float64(i%17)/4, 3*float64(i%17)+float64(i%3))
	}
	return b.String()
}

// TestReportOfRealActs: what people do at a node is in its report, and each figure leads
// to the entries of the log that it was counted from.
func TestReportOfRealActs(t *testing.T) {
	s, _ := work.OpenTest(t)
	ctx := t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	options := genesis.PrepareOptions{Target: []string{"power"}, NoProof: true}
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: options}, raw("turbines.csv", gusts(100)))
	prepared(t, s, genesis.PrepareRequest{Name: "secret", Options: options}, raw("turbines.csv", gusts(90)))
	must(s.SetCard(ctx, me, "turbines", map[string]string{"field": "energy", "institution": "NREL", "challenge": "grid"}))
	must(s.SetCard(ctx, me, "secret", map[string]string{"field": "defense"}))
	must(s.Publish(ctx, me, "turbines", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	must(s.Publish(ctx, me, "secret", genesis.PublishRequest{Tier: genesis.TierRestricted}))
	must(s.Train(ctx, me, genesis.TrainRequest{Dataset: "turbines", Name: "net", Members: 1, Epochs: 1}, nil))
	out, err := s.Predict(ctx, me, genesis.PredictRequest{Model: "net", Format: "csv"}, []*format.Raw{raw("new.csv", "n,speed (m/s)\n1,5.5\n2,6.5\n")}, nil)
	must(out, err)
	for range 2 { // it is fetched, and once more: it stays one prediction, and one use
		bytes, _, err := s.Output(ctx, me, out.Output.Digest)
		must(nil, err)
		must(nil, bytes.Close())
	}
	r, err := s.Report(ctx, me, "", nil)
	must(r, err)
	for id, want := range map[string]float64{"opened": 2, "datasets": 2, "models-made": 1, "models-used": 1, "predictions": 1, "uses": 2, "runs": 4, "institutions": 1} {
		if f := figure(t, r, id); f.Now.Value == nil || *f.Now.Value != want {
			t.Errorf("%s is %+v, want %v", id, f.Now, want)
		}
	}
	if f := figure(t, r, "people"); !f.Now.Few {
		t.Errorf("one person is told: %+v", f.Now)
	}
	if f := figure(t, r, "checks"); f.Now.Value == nil || *f.Now.Value <= 0 || *f.Now.Value > 100 || f.Before.Value != nil {
		t.Errorf("readiness: %+v, before %+v", f.Now, f.Before)
	}
	text, err := json.Marshal(r)
	must(nil, err)
	for what, there := range map[string]bool{"energy": true, "grid": true, "NREL": true, "defense": false, "turbines": false, "secret": false, "local": false} {
		if strings.Contains(string(text), `"`+what+`"`) != there {
			t.Errorf("%s is in the report: %v", what, !there)
		}
	}
	all := map[int64]genesis.AuditEntry{}
	page, err := s.Journal.Query(ctx, genesis.AuditQuery{Limit: 1000})
	must(page, err)
	for _, e := range page.Entries {
		all[e.Seq] = e
	}
	for _, f := range r.Figures {
		for _, seq := range f.Entries.First {
			listed := false
			for _, q := range f.Entries.Queries {
				listed = listed || strings.Contains(q, "--act "+all[seq].Act+" ")
			}
			if !listed {
				t.Errorf("%s counts entry %d, %s, which none of %q lists", f.ID, seq, all[seq].Act, f.Entries.Queries)
			}
		}
	}
	looked, err := s.Audit(ctx, me, genesis.AuditQuery{Act: "report"})
	if err != nil || len(looked.Entries) != 1 || !strings.Contains(string(looked.Entries[0].Detail), string(r.Quarter)) {
		t.Errorf("%+v %v", looked, err)
	}
	for _, who := range []genesis.Principal{{}, {Subject: "ada", Node: "here"}, {Subject: "mia", Node: "mit", Duties: []genesis.Duty{genesis.DutyOfficer}}} {
		if _, err := s.Report(ctx, who, "", nil); genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%+v: %v", who, err)
		}
	}
	if _, err := s.Report(ctx, me, "2999Q1", nil); genesis.KindOf(err) != genesis.Invalid {
		t.Error(err)
	}
}

// TestForgottenPeopleStayCounted: whom the log forgot is still one person of its report.
func TestForgottenPeopleStayCounted(t *testing.T) {
	s, _ := work.OpenTest(t)
	for i := range 6 {
		append1(t, s, journal.Event{Actor: genesis.PersonID(fmt.Sprintf("here/p%d", i)), Act: "read", Outcome: genesis.Allowed, Subject: "turbines", Institution: "X"})
	}
	for i := range 3 {
		if err := s.Journal.Forget(t.Context(), genesis.PersonID(fmt.Sprintf("here/p%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	r, err := s.Report(t.Context(), me, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := figure(t, r, "people"); f.Now.Value == nil || *f.Now.Value != 6 {
		t.Errorf("%+v", f.Now)
	}
}

func append1(t testing.TB, s *work.Service, e journal.Event) {
	t.Helper()
	if err := s.Journal.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

// fill puts many entries into a log: of a hundred people who read fifty versions.
func fill(t testing.TB, s *work.Service, n int) {
	t.Helper()
	const writers = 64
	failed := make(chan error, writers)
	for w := range writers {
		go func() {
			var err error
			for i := w; i < n && err == nil; i += writers {
				e := journal.Event{Actor: genesis.PersonID(fmt.Sprintf("here/p%d", i%100)), Act: "read", Outcome: genesis.Allowed, Subject: "turbines",
					Version: genesis.DigestOf(fmt.Append(nil, i%50)), Institution: fmt.Sprint("Institute ", i%7), Purpose: "wakes"}
				if i%10 == 0 {
					e.Outcome, e.Detail = genesis.Done, json.RawMessage(`{"opening":"x","reads":10,"bytes":100}`)
				}
				err = s.Journal.Append(t.Context(), e)
			}
			failed <- err
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Journal.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// peak makes a report and returns the most that was held while it was made, in bytes.
func peak(t testing.TB, s *work.Service) (r *genesis.Report, most uint64) {
	t.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	r, err := s.Report(t.Context(), me, "", func(e genesis.Event) {
		if e.Done%(8*1024) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			if m.HeapAlloc > before {
				most = max(most, m.HeapAlloc-before)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, most
}

// TestReportInBoundedMemory: ten times the entries are reported in the same memory.
func TestReportInBoundedMemory(t *testing.T) {
	s, _ := work.OpenTest(t)
	const few, many = 3_000, 30_000
	fill(t, s, few)
	_, small := peak(t, s)
	fill(t, s, many)
	r, large := peak(t, s)
	if f := figure(t, r, "uses"); *f.Now.Value != (few+many)*9/10 || f.Entries.Count != (few+many)*9/10 || len(f.Entries.First) != genesis.MaxReportEntries {
		t.Errorf("%+v", f)
	}
	if large > small+2<<20 {
		t.Errorf("of %d entries %d bytes are held, of %d entries %d", few, small, many, large)
	}
}

// BenchmarkReport is of a log of a million entries.
func BenchmarkReport(b *testing.B) {
	s, _ := work.OpenTest(b)
	const entries = 1_000_000
	fill(b, s, entries)
	var most uint64
	for b.Loop() {
		_, held := peak(b, s)
		most = max(most, held)
	}
	b.ReportMetric(float64(b.N)*entries/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(most)/(1<<20), "MiB")
}
