package witness

import (
	"encoding/json"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func parseQuery(path string) (q genesis.SharedQuery, err error) {
	u, err := url.Parse(path)
	if err != nil {
		return q, err
	}
	v := u.Query()
	q.Kind = genesis.SharedKind(v.Get("kind"))
	q.From, _ = time.Parse(time.RFC3339Nano, v.Get("from"))
	q.Until, _ = time.Parse(time.RFC3339Nano, v.Get("until"))
	q.After, err = strconv.ParseInt(v.Get("after"), 10, 64)
	return q, err
}

// FuzzPage: what is taken of a page is in order, of the period, and not too much.
func FuzzPage(f *testing.F) {
	q := genesis.SharedQuery{Kind: genesis.SharedMessage, From: day0.Add(-day), Until: day0, After: 3}
	good := genesis.SharedPage{Acts: []genesis.SharedAct{{Seq: 4, Time: day0.Add(-time.Hour), Act: "send-message", Outcome: genesis.Done, ID: "m1", Kind: "request", Digest: genesis.DigestOf(nil)},
		{Seq: 9, Time: day0.Add(-time.Minute), Act: "take-message", Outcome: genesis.Refused, ID: "m2"}}, Next: 9, Unknown: 1}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"acts":[]}`))
	f.Add([]byte(`{"acts":[{},{}],"next":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		page, err := parsePage(b, q)
		if err != nil {
			return
		}
		last := q.After
		for _, a := range page.Acts {
			if a.Seq <= last || a.ID == "" || len(a.ID) > mostText || a.Time.Before(q.From) || !a.Time.Before(q.Until) {
				t.Fatalf("taken was %+v", a)
			}
			last = a.Seq
		}
		if len(page.Acts) > genesis.MaxShared || page.Next != 0 && page.Next <= q.After {
			t.Fatalf("%d acts, next %d", len(page.Acts), page.Next)
		}
	})
}

// FuzzState: no answer is taken for a growth of a log but those that its key signed.
func FuzzState(f *testing.F) {
	nrel := start(f, newClock(), "nrel", f.TempDir())
	add := func(epoch int, size int64) state {
		a, err := nrel.journal.AuditState(epoch, size)
		if err != nil {
			f.Fatal(err)
		}
		text, err := json.Marshal(a)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		s, err := signed("nrel", keysOf(nrel), a.Checkpoint)
		if err != nil {
			f.Fatal(err)
		}
		return s
	}
	grow := func(n int) {
		for range n {
			nrel.act(newEvent())
		}
		if err := nrel.journal.Settle(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
	grow(5)
	known := add(0, 0)
	grow(300)
	true1 := add(1, 5)
	if err := nrel.journal.NewEpoch(f.Context(), "x"); err != nil {
		f.Fatal(err)
	}
	true2 := add(1, 5)
	keys := keysOf(nrel)
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseState(b)
		if err != nil {
			return
		}
		got, err := prove("nrel", keys, known, a)
		if err != nil {
			return
		}
		p := got.point()
		if p != known.point() && p != true1.point() && p != true2.point() {
			t.Fatalf("%+v was taken", p)
		}
	})
}

// FuzzKept: what peers say of what they keep is bounded.
func FuzzKept(f *testing.F) {
	text, err := json.Marshal(genesis.KeptList{Kept: []genesis.KeptCheckpoint{{Checkpoint: []byte("nrel/audit/1\n1\nAAAA\n"), At: day0}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"kept":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if all, err := parseKept(b); err == nil && len(all) > genesis.MaxKept {
			t.Fatal(len(all))
		}
	})
}
