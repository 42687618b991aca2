package post

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestFormats: a message is written in the format that its receiver reads at the time, and
// is one message whatever that is: one that was taken and comes again in another format,
// because its receipt was lost and a node was updated or put back meanwhile, is known again,
// and both logs have one digest of it.
func TestFormats(t *testing.T) {
	w := newWorld(t)
	mit, nrel := w.ends["mit"], w.ends["nrel"]
	var reads atomic.Int64
	reads.Store(2)
	mit.Format = func(context.Context, genesis.Member) (int, error) { return int(reads.Load()), nil }
	nrel.Formats = []int{2, 1}
	var came []int
	w.breaks(func(text []byte) (error, error) {
		s, err := parse(typeMessage, text)
		var m Message
		if err != nil || json.Unmarshal(s.Payload, &m) != nil {
			t.Error(err)
		}
		if came = append(came, m.Format); len(came) == 1 {
			reads.Store(1)
			return nil, errDown // it was taken, and the receipt is lost
		}
		return nil, nil
	})
	if err := mit.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.put("a")
	w.settle()
	if got := w.acted(); !slices.Equal(got, []string{"a"}) || !slices.Equal(came, []int{2, 1}) {
		t.Errorf("acted upon %v, which came in formats %v", got, came)
	}
	digest := func(e *end, act string) (d string) {
		err := e.db.Read().QueryRowContext(t.Context(), "SELECT json_extract(event, '$.detail.digest') FROM outbox WHERE json_extract(event, '$.act') = $1", act).Scan(&d)
		if err != nil {
			t.Error(err)
		}
		return d
	}
	if sent, taken := digest(mit, "send-message"), digest(nrel, "take-message"); sent != taken || sent == "" {
		t.Errorf("one log has %s, the other %s", sent, taken)
	}

	// A format that the receiver does not read is refused with those that it does.
	nrel.Formats = []int{1}
	text := signedBy(t, mit.key, typeMessage, func(m *Message) { m.Format = 2 })
	if _, err := nrel.Receive(t.Context(), text); genesis.KindOf(err) != genesis.Unsupported || !strings.Contains(err.Error(), "reads [1]") {
		t.Errorf("an unknown format: %v", err)
	}
}
