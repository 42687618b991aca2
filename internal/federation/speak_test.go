package federation

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/post"
)

// TestSpeaks: two nodes speak the latest that both know, and say clearly when there is
// nothing.
func TestSpeaks(t *testing.T) {
	for _, tt := range []struct {
		name, api    string
		ours, theirs genesis.Speaks
		format       int
	}{
		{name: "the same", ours: genesis.Spoken, theirs: genesis.Spoken, api: "v1", format: 1},
		{name: "the other is newer", ours: genesis.Spoken, theirs: genesis.Speaks{APIs: []string{"v2", "v1"}, Formats: []int{2, 1}}, api: "v1", format: 1},
		{name: "the other is older", ours: genesis.Speaks{APIs: []string{"v2", "v1"}, Formats: []int{2, 1}}, theirs: genesis.Spoken, api: "v1", format: 1},
		{name: "both are newer", ours: genesis.Speaks{APIs: []string{"v3", "v2"}, Formats: []int{2, 1}}, theirs: genesis.Speaks{APIs: []string{"v3", "v2", "v1"}, Formats: []int{3, 2}}, api: "v3", format: 2},
		{name: "too new", ours: genesis.Spoken, theirs: genesis.Speaks{APIs: []string{"v3", "v2"}, Formats: []int{3, 2}}},
		{name: "of other formats", ours: genesis.Spoken, theirs: genesis.Speaks{APIs: []string{"v1"}, Formats: []int{2}}},
	} {
		w := newTown(t)
		all := w.found(1, "nrel", "mit")
		all[0].Speaks, all[1].Speaks = tt.ours, tt.theirs
		m, _ := all[0].Member("mit")
		w.move(2 * heardFor) // what they said when they met counts no more
		p, err := all[0].speaks(t.Context(), m)
		if tt.api != "" && p != (protocol{tt.api, tt.format}) {
			t.Errorf("%s: %+v, %v", tt.name, p, err)
		}
		if tt.api == "" {
			if genesis.KindOf(err) != genesis.Unsupported || !strings.Contains(err.Error(), strings.Join(tt.theirs.APIs, ", ")) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if _, err := all[0].Send(t.Context(), m, []byte("x")); genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), "nothing in common") {
				t.Errorf("%s: a message: %v", tt.name, err)
			}
		}
	}
}

// TestSpeaksForItself: what somebody else says, in a node's place, is not believed; and
// what a node said is asked again after an hour.
func TestSpeaksForItself(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit", "ornl")
	m, _ := all[0].Member("mit")
	other, err := all[2].Descriptor(t.Context())
	w.must(nil, err)
	as, _, err := readDescriptor(other)
	w.must(nil, err)
	as.Node, as.Keys = "mit", append(as.Keys, m.Keys...)
	forged, err := all[2].sign(descriptorType, as)
	w.must(nil, err)
	for what, text := range map[string]string{"another node's descriptor": other, "one that names its keys, and is signed with another": forged} {
		w.move(2 * heardFor) // what it said when it joined counts no more
		var stranger http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) })
		all[1].door.Store(&stranger)
		if p, err := all[0].speaks(t.Context(), m); genesis.KindOf(err) != genesis.Unavailable {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
		all[1].door.Store(nil)
	}
	if _, err := all[0].speaks(t.Context(), m); err != nil {
		t.Error(err)
	}
	all[1].Speaks = genesis.Speaks{APIs: []string{"v9"}, Formats: []int{9}}
	if _, err := all[0].speaks(t.Context(), m); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	w.move(2 * heardFor)
	if _, err := all[0].speaks(t.Context(), m); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("after the hour: %v", err)
	}
}

// both is a program that speaks the next versions, too; the town's nodes answer all
// versions alike.
var both = genesis.Speaks{APIs: []string{"v2", "v1"}, Formats: []int{2, 1}}

// speaking has a town's nodes speak something, and opens a post at each, which takes notes
// and keeps in which format they came.
func (w *town) speaking(p *party, as genesis.Speaks) *post.Post {
	w.Helper()
	p.Speaks = as
	out := post.New(post.Config{DB: p.config.DB, Node: p.Self.ID, Charter: p, Now: w.now, Send: p.Send, Format: p.MessageFormat, Formats: as.Formats,
		Pauses: post.Pauses{First: time.Millisecond, Most: 5 * time.Millisecond},
		Key:    func() (ed25519.PrivateKey, error) { k, err := p.Key(genesis.KeyMessage); return k.Private, err },
		Handle: map[string]post.Handler{"note": func(_ context.Context, _ *sql.Tx, m post.Message) error {
			p.asks.Lock()
			defer p.asks.Unlock()
			p.formats = append(p.formats, m.Format)
			return nil
		}}})
	p.Messages(out)
	w.must(nil, out.Start(w.Context()))
	w.Cleanup(func() { _ = out.Close() })
	return out
}

// tells has a party send a note and waits until nothing waits any more, or says why not.
func (w *town) tells(p *party, from *post.Post, to genesis.NodeID) string {
	w.Helper()
	w.must(nil, p.config.DB.Tx(w.Context(), func(tx *sql.Tx) error {
		_, err := from.Put(w.Context(), tx, to, "note", "", "hello")
		return err
	}))
	from.Wake()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		all, err := from.Status(w.Context())
		w.must(nil, err)
		if len(all) == 0 {
			return ""
		}
		if strings.Contains(all[0].Why, "nothing in common") {
			return all[0].Why
		}
	}
	w.Fatal("the message did not arrive")
	return ""
}

// TestSpeaksTheLatest: everything that a node asks another goes to the latest version of the
// API that both speak, and what it writes is in the latest format that both read: with a
// newer node the newer ones, with an older one those that it has, and nothing at all where
// there are none in common.
func TestSpeaksTheLatest(t *testing.T) {
	old := genesis.Spoken
	for _, tt := range []struct {
		name         string
		ours, theirs genesis.Speaks
		api          string // "": none
		format       int
	}{
		{"both are new", both, both, "v2", 2},
		{"the other is old", both, old, "v1", 1},
		{"the other is newer", old, both, "v1", 1},
		{"another API alone", both, genesis.Speaks{APIs: []string{"v2"}, Formats: []int{1}}, "v2", 1},
		{"nothing in common", old, genesis.Speaks{APIs: []string{"v2"}, Formats: []int{2}}, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			all := w.found(1, "nrel", "mit")
			nrel, mit := all[0], all[1]
			w.speaking(nrel, tt.theirs)
			out := w.speaking(mit, tt.ours)
			w.move(2 * heardFor)
			nrel.asked()

			why := w.tells(mit, out, "nrel")
			_, asked := mit.RefreshFederation(t.Context(), operator)
			holder, _ := mit.Member("nrel")
			if text, err := mit.say(t.Context(), "drafts", holder, nil); err == nil {
				if m, _, err := nrel.hear(text, "drafts"); err != nil || m.Format != tt.format {
					t.Errorf("a request comes in format %d, %v; want %d", m.Format, err, tt.format)
				}
			}
			_, _, left := mit.askHolders(t.Context(), mit.view.Load().charter, "leave", nil)
			body, got := mit.Federation.door("nrel", func(context.Context, genesis.NodeID, string) (genesis.PeerToken, error) {
				return genesis.PeerToken{}, nil
			}).Get(t.Context(), "/logs")
			if got == nil {
				body.Close()
			}
			if tt.api == "" {
				for what, err := range map[string]error{"the charter": asked, "a request": left, "a door": got} {
					if genesis.KindOf(err) != genesis.Unsupported || !strings.Contains(err.Error(), "v2") || !strings.Contains(err.Error(), "v1") {
						t.Errorf("%s: %v", what, err)
					}
				}
				if !strings.Contains(why, "v2") {
					t.Errorf("the message waits because %q", why)
				}
				if paths := nrel.asked(); !slices.Equal(slices.Compact(paths), []string{"/.well-known/genesis"}) {
					t.Errorf("it is asked for %q", paths)
				}
				return
			}
			if why != "" || asked != nil || left != nil || got != nil {
				t.Fatal(why, asked, left, got)
			}
			seen := map[string]bool{}
			for _, path := range nrel.asked() {
				seen[path] = true
				if path != "/.well-known/genesis" && !strings.HasPrefix(path, "/"+tt.api+"/") {
					t.Errorf("it is asked for %s", path)
				}
			}
			for _, path := range []string{"/messages", "/federation/charter", "/federation/requests", "/exchange", "/logs"} {
				if !seen["/"+tt.api+path] {
					t.Errorf("%s was not asked for: the test shows nothing", path)
				}
			}
			if !slices.Equal(nrel.formats, []int{tt.format}) {
				t.Errorf("messages came in formats %v, want %d", nrel.formats, tt.format)
			}
		})
	}
}

// TestSpeaksAgain: a node that goes back to the release before is spoken to as that one is,
// at once and not after the hour, and no message is lost by it.
func TestSpeaksAgain(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit")
	nrel, mit := all[0], all[1]
	w.speaking(nrel, both)
	out := w.speaking(mit, both)
	w.move(2 * heardFor)
	w.tells(mit, out, "nrel")
	w.speaking(nrel, genesis.Spoken)
	w.tells(mit, out, "nrel")
	if !slices.Equal(nrel.formats, []int{2, 1}) {
		t.Errorf("messages came in formats %v", nrel.formats)
	}
	way := mit.Federation.door("nrel", func(context.Context, genesis.NodeID, string) (genesis.PeerToken, error) {
		return genesis.PeerToken{}, nil
	})
	for _, as := range []genesis.Speaks{both, genesis.Spoken} {
		nrel.Speaks = as
		if as.APIs[0] == "v2" {
			w.move(2 * heardFor)
		}
		body, err := way.Get(t.Context(), "/logs")
		if err != nil {
			t.Fatalf("%v: %v", as.APIs, err)
		}
		body.Close()
	}
}

// TestAway: what keeps a message from any node that looks at it keeps others, too; what a
// node answers keeps that message alone.
func TestAway(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit")
	m, _ := all[0].Member("mit")
	answers := func(status int, kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				text, _ := all[1].Descriptor(r.Context())
				_, _ = w.Write([]byte(text))
				return
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"kind":"conflict","detail":"no"}`))
		}
	}
	const problem = "application/problem+json"
	for name, tt := range map[string]struct {
		door http.HandlerFunc
		away bool
		kind genesis.ErrorKind
	}{
		"it breaks off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, genesis.Unavailable},
		"a proxy":       {answers(http.StatusBadGateway, "text/html"), true, genesis.Unavailable},
		"no such route": {answers(http.StatusNotFound, "text/plain"), true, genesis.Unavailable},
		"too many":      {answers(http.StatusTooManyRequests, problem), true, genesis.Unavailable},
		"not now":       {answers(http.StatusServiceUnavailable, problem), false, genesis.Unavailable},
		"never":         {answers(http.StatusConflict, problem), false, genesis.Conflict},
	} {
		var h http.Handler = tt.door
		all[1].door.Store(&h)
		_, err := all[0].Send(t.Context(), m, []byte("x"))
		if errors.Is(err, post.ErrAway) != tt.away || genesis.KindOf(err) != tt.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	nowhere := m
	nowhere.URL = "https://[::1]:1"
	if _, err := all[0].Send(t.Context(), nowhere, []byte("x")); !errors.Is(err, post.ErrAway) || genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
}
