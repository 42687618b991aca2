package work_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work/abroad"
)

// ordered is a run of the owner of "here" that nrel is asked for.
const ordered = "tz3k7q2m4x6p8r0vabcdefghij"

// FuzzRunHandlers hands in any bodies of messages about runs: none breaks anything, makes a
// run here, or changes one that has ended.
func FuzzRunHandlers(f *testing.F) {
	kinds := []string{"run", "cancel", "run-state"}
	by := genesis.Vouched{Subject: "ada", Assurance: genesis.AssuranceMFA}
	request := json.RawMessage(`{"dataset":"here/turbines@3","name":"net","target":["power"],"seed":7}`)
	for i, body := range []any{
		genesis.RunOrder{By: by, Run: genesis.RunRequest{ID: ordered, Kind: genesis.RunTrain, Request: request}},
		genesis.RunCancel{Run: ordered, Reason: "no"},
		genesis.RunTold{Run: ordered, Seq: 2, State: genesis.RunRunning, Tries: 1, Started: time.Unix(1798804800, 0).UTC()},
		genesis.RunOrder{By: by, Run: genesis.RunRequest{ID: "other" + ordered[5:], Kind: genesis.RunTrain, Request: request}},
		genesis.RunCancel{Run: "other" + ordered[5:]},
		genesis.RunTold{Run: ordered, Seq: 3, State: genesis.RunFailed, Error: &genesis.Problem{Kind: genesis.Permission, Detail: "no"}},
	} {
		text, err := json.Marshal(body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, ordered, text)
		f.Add(i, "other"+ordered[5:], text)
	}
	f.Add(2, ordered, []byte(`{"run":"`+ordered+`","seq":9,"state":"done","result":{"version":{"name":"~ada+mit/net","kind":"model","digest":"sha256:`+strings.Repeat("0a", 32)+`"},"report":{}}}`))
	o := newOffice(f)
	ctx := context.Background()
	sent := func(id string) *genesis.Run {
		r, err := o.SubmitRun(ctx, me, genesis.RunRequest{ID: id, Kind: genesis.RunTrain, Request: json.RawMessage(`{"dataset":"nrel/turbines","name":"net","target":["b"],"where":"there"}`)}, nil, nil)
		if err != nil {
			f.Fatal(err)
		}
		return r
	}
	before := sent(ordered)
	f.Fuzz(func(t *testing.T, kind int, about string, body []byte) {
		m := genesis.PeerMessage{Format: 1, ID: abroad.NewID(), From: "nrel", To: "here", Kind: kinds[uint(kind)%uint(len(kinds))], About: about, Body: body}
		err := o.DB.Tx(ctx, func(tx *sql.Tx) error { return o.Handlers()[m.Kind](ctx, tx, m) })
		if k := genesis.KindOf(err); k == genesis.Internal || k == genesis.Unavailable {
			t.Errorf("%s about %q: %s: %v", m.Kind, about, body, err)
		}
		now, err := o.Run(ctx, me, ordered)
		if err != nil || now.At != "nrel" || before.State.Ended() && now.State != before.State {
			t.Errorf("%s about %q: %s: %+v became %+v %v", m.Kind, about, body, before, now, err)
		}
		before = now
		page, err := o.Runs(ctx, me, true, "", "", 10)
		if err != nil || len(page.Runs) != 1 {
			t.Errorf("%s about %q: %s: it makes runs: %+v %v", m.Kind, about, body, page, err)
		}
	})
}

// pages is a node that answers with a page, and then with one that is empty.
type pages struct{ next []byte }

func (p *pages) Get(context.Context, genesis.NodeID, string) (io.ReadCloser, error) {
	text := string(p.next)
	p.next = []byte(`{"tokens":[]}`)
	return io.NopCloser(strings.NewReader(text)), nil
}

// FuzzMemberships has a node say anything of who is in its projects: what it did not sign
// puts nobody into one.
func FuzzMemberships(f *testing.F) {
	page := genesis.ProjectTokenPage{Tokens: []genesis.ProjectToken{{Person: "here/ada", Project: "wind", Token: "e30.e30.e30"}, {Person: "ornl/eve", Project: "wind"}}, Next: "wind here/ada"}
	text, err := json.Marshal(page)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"tokens":[{"person":7}]}`))
	f.Add([]byte(`{"tokens":null,"next":"\u0000"}`))
	o := newOffice(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		o.Nodes = &pages{next: text}
		err := o.RenewAt(context.Background(), "nrel")
		if k := genesis.KindOf(err); k != "" && k != genesis.Unavailable && k != genesis.Invalid {
			t.Errorf("%q: %v", text, err)
		}
		for _, who := range []genesis.PersonID{"here/ada", "here/local"} {
			if tokens, err := o.TokensOf(context.Background(), who); err != nil || len(tokens) > 0 {
				t.Errorf("%q puts %s into %v %v", text, who, tokens, err)
			}
		}
	})
}
