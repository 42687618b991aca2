package work

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
)

// TestOrderCountsOnce: an order that is decided again after a crash is not counted again
// as a training without reading.
func TestOrderCountsOnce(t *testing.T) {
	s, _ := OpenTest(t)
	me, bob := access.Local("here"), genesis.Principal{Subject: "bob", Node: "here", Assurance: genesis.AssurancePassword}
	raw := &format.Raw{Name: "d.csv", At: strings.NewReader(strings.Repeat("1.5,2.25\n", 300))}
	raw.Size = 300 * 9
	if _, err := s.Prepare(t.Context(), me, genesis.PrepareRequest{Name: "data", Options: genesis.PrepareOptions{NoProof: true}}, []*format.Raw{raw}, nil, nil); err != nil {
		t.Fatal(err)
	}
	d, err := s.Describe(t.Context(), me, "data")
	if err != nil {
		t.Fatal(err)
	}
	columns := d.Manifest.Tables[0].Columns
	terms := genesis.TrainingTerms{Runs: 2, Targets: []string{columns[1].Name}, Features: []string{columns[0].Name}}
	if _, err := s.Publish(t.Context(), me, "data", genesis.PublishRequest{Tier: genesis.TierControlled, Training: &terms}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Grant(t.Context(), me, genesis.GrantRequest{Ref: "data", To: "person:bob", Actions: []genesis.Action{genesis.TrainOn}}); err != nil {
		t.Fatal(err)
	}
	m := genesis.PeerMessage{ID: "m", From: "mit", Kind: messageRun}
	err = s.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		for _, id := range []string{"one", "two"} {
			if err := s.putOrder(t.Context(), tx, m, bob, genesis.RunRequest{ID: id, Request: json.RawMessage(`{}`)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(order string) error {
		return s.allowTraining(t.Context(), bob, genesis.TrainRequest{Dataset: "data", Name: "~bob/net", Target: terms.Targets}, &pinned{order: order})
	}
	for _, order := range []string{"one", "one", "two", "one", "two"} { // two trainings in all
		if err := ask(order); err != nil {
			t.Fatalf("order %s: %v", order, err)
		}
	}
	if err := ask(""); err == nil || !strings.Contains(err.Error(), "unread-budget") {
		t.Errorf("a third training: %v", err)
	}
}

func TestNameOf(t *testing.T) {
	for words, want := range map[string]string{"turbines-power": "turbines-power", "turbines-Wind Speed (m/s)": "turbines-wind-speed-m-s", "é": "model", "--a": "a",
		strings.Repeat("ab-", 40): strings.Repeat("ab-", 21)[:62] + "-a"} {
		got := nameOf(words)
		if got != want || genesis.CheckName(genesis.Name(got)) != nil {
			t.Errorf("%q is %q, want %q", words, got, want)
		}
	}
}

// TestPostponed: an order that cannot be carried out is left alone for a while, also one that
// is to be canceled; that it is, is new once. A clock that is set back makes it no longer.
func TestPostponed(t *testing.T) {
	now := time.Unix(1800000000, 0)
	open, canceled := order{run: "a"}, order{run: "a", canceled: true}
	p := postponed{until: now.Add(8 * time.Second), pause: 8 * time.Second}
	after := p
	after.canceled = true
	for i, c := range []struct {
		p    postponed
		o    order
		at   time.Duration
		want bool
	}{
		{postponed{}, open, 0, false}, {p, open, 0, true}, {p, open, 8 * time.Second, false}, {p, canceled, 0, false},
		{after, canceled, 0, true}, {after, canceled, 8 * time.Second, false}, {p, open, -24 * time.Hour, false}, {after, canceled, -24 * time.Hour, false},
	} {
		if got := c.p.keeps(c.o, now.Add(c.at)); got != c.want {
			t.Errorf("case %d: left alone is %v", i, got)
		}
	}
}

// TestShortResult: a result that does not fit into a message leaves its report behind.
func TestShortResult(t *testing.T) {
	made := genesis.Trained{Version: genesis.Version{Name: "~a/b", Kind: genesis.Model}}
	small, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	if got := short(small); string(got) != string(small) {
		t.Errorf("%s", got)
	}
	made.Report.Curve = make([]genesis.CurvePoint, 20_000)
	large, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var got genesis.Trained
	if text := short(large); len(text) > 4096 || json.Unmarshal(text, &got) != nil || got.Version.Name != "~a/b" {
		t.Errorf("%d bytes, %+v", len(text), got.Version)
	}
}

// FuzzRunMessages: whatever the body of a message about a run is, it is read or refused,
// and what is read can be what it says.
func FuzzRunMessages(f *testing.F) {
	const id = "tz3k7q2m4x6p8r0vabcdefghij"
	for _, seed := range []any{
		genesis.RunOrder{By: genesis.Vouched{Subject: "ada", Assurance: genesis.AssuranceMFA}, Run: genesis.RunRequest{ID: id, Kind: genesis.RunTrain,
			Request: json.RawMessage(`{"dataset":"nrel/turbines@3","name":"net","target":["power"],"seed":7}`)}},
		genesis.RunCancel{Run: id, Reason: "canceled by whoever asked for it"},
		genesis.RunTold{Run: id, Seq: 2, State: genesis.RunRunning, Tries: 1, Started: time.Unix(1798804800, 0).UTC()},
		genesis.RunTold{Run: id, Seq: 3, State: genesis.RunFailed, Error: &genesis.Problem{Kind: genesis.Permission, Detail: "no"}},
		genesis.RunTold{Run: id, Seq: 3, State: genesis.RunDone, Result: json.RawMessage(`{"version":{"name":"~ada+mit/net","kind":"model","digest":"sha256:` + strings.Repeat("0a", 32) + `"},"report":{}}`)},
	} {
		b, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"run":7}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m := genesis.PeerMessage{ID: "m", From: "mit", To: "nrel", Kind: messageRun, About: id, Body: body}
		if o, err := readOrder(m); err == nil {
			q, err := parse[genesis.TrainRequest](o.Run)
			if err != nil || o.Run.ID != id || o.Run.Kind != genesis.RunTrain {
				t.Fatalf("%+v %v", o, err)
			}
			if ref, err := genesis.ParseRef(q.Dataset); err != nil || ref.Node != "nrel" || q.Name != "" && genesis.CheckName(q.Name) != nil {
				t.Fatalf("%+v", q)
			}
		}
		told, err := readMessage[genesis.RunTold](m)
		if err != nil || told.Check() != nil {
			return
		}
		if told.State == genesis.RunDone {
			var made genesis.Trained
			if err := json.Unmarshal(told.Result, &made); err != nil {
				t.Fatal(err)
			}
			if _, err := genesis.ParseRef(refAt("nrel", made.Version)); err != nil {
				t.Fatalf("%+v: %v", made.Version, err)
			}
		}
		if _, err := json.Marshal(told); err != nil {
			t.Fatal(err)
		}
	})
}
