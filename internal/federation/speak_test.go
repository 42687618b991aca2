package federation

import (
	"errors"
	"net/http"
	"strings"
	"testing"

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
		api, format, err := all[0].speaks(t.Context(), m)
		if api != tt.api || format != tt.format {
			t.Errorf("%s: %q, %d, %v", tt.name, api, format, err)
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
	var stranger http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(other)) })
	all[1].door.Store(&stranger)
	if _, _, err := all[0].speaks(t.Context(), m); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("another node's descriptor: %v", err)
	}
	all[1].door.Store(nil)
	if _, _, err := all[0].speaks(t.Context(), m); err != nil {
		t.Error(err)
	}
	all[1].Speaks = genesis.Speaks{APIs: []string{"v9"}, Formats: []int{9}}
	if _, _, err := all[0].speaks(t.Context(), m); err != nil {
		t.Errorf("within the hour: %v", err)
	}
	w.move(2 * heardFor)
	if _, _, err := all[0].speaks(t.Context(), m); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("after the hour: %v", err)
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
