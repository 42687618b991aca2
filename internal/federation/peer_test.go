package federation

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
)

// TestHostilePeers: what a member's node answers harms nobody.
func TestHostilePeers(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit", "evil")
	mit, evil := all[1], all[2]
	before := mit.version()
	for name, answer := range map[string]http.HandlerFunc{
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for range charter.MaxBundle/1024 + 10 {
				_, _ = w.Write([]byte(strings.Repeat(" ", 1024)))
			}
		},
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, all[0].url+r.URL.Path, http.StatusFound)
		},
		"nothing": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"a problem": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(`{"kind":"private","detail":"a\nb` + strings.Repeat("x", 5000) + `"}`))
		},
		"another federation": func(w http.ResponseWriter, _ *http.Request) {
			other := newTown(t).found(1, "evil")[0]
			b, _ := other.CharterBundle(t.Context())
			_ = json.NewEncoder(w).Encode(b)
		},
	} {
		var h http.Handler = answer
		evil.door.Store(&h)
		m, _ := mit.Member("evil")
		newer, err := mit.take(t.Context(), m)
		if err == nil || newer || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", name, newer, err)
		}
		if mit.version() != before {
			t.Errorf("%s: %+v", name, mit.version())
		}
		if got := mit.peers.due([]genesis.Member{m}, w.now(), 1); len(got) > 0 {
			t.Errorf("%s: it is asked again at once", name)
		}
	}
}

// TestFork: enough holders signed two charters of one version. Neither replaces the
// other; the second is kept and noted, once.
func TestFork(t *testing.T) {
	w := newTown(t)
	all := w.found(3, "nrel", "mit", "ornl")
	nrel, mit, ornl := all[0], all[1], all[2]
	base := mit.view.Load().charter
	other, err := mit.RotateKeys(t.Context(), operator, genesis.RotateRequest{Uses: []genesis.KeyUse{genesis.KeyToken}})
	w.must(other, err)
	mine, err := nrel.RotateKeys(t.Context(), operator, genesis.RotateRequest{Uses: []genesis.KeyUse{genesis.KeyToken}})
	w.must(mine, err)
	w.must(ornl.SignDraft(t.Context(), operator, mine.Draft.ID))
	// ornl's keys sign the other one, too, behind the back of its node.
	d, err := base.ReadDraft(other.Draft.Parts, w.now())
	w.must(d, err)
	w.must(nil, d.Sign(ornl.holderKeys()...))
	key, err := mit.signer(base)
	w.must(key, err)
	forked, err := base.Finish(d, key, w.now())
	w.must(forked, err)

	before, entries := nrel.version(), len(nrel.log.events)
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(forked.Bundle()) })
	mit.door.Store(&h)
	m, _ := nrel.Member("mit")
	for range 2 {
		if newer, err := nrel.take(t.Context(), m); newer || !isReason(err, charter.Forked) {
			t.Errorf("%v, %v", newer, err)
		}
	}
	if nrel.version() != before {
		t.Errorf("%+v", nrel.version())
	}
	kept, _ := filepath.Glob(filepath.Join(nrel.Dir, forkFile+"*"))
	if len(kept) != 1 || len(nrel.log.events) != entries+1 || !strings.Contains(string(nrel.log.events[entries].Detail), "forked") {
		t.Errorf("kept %v, noted %v", kept, nrel.log.events[entries:])
	}
	text := mustRead(t, kept[0])
	if b, err := charter.Parse(text); err != nil || genesis.DigestOf(b.Targets) != genesis.DigestOf(forked.Bundle().Targets) {
		t.Errorf("what is kept is not the other charter: %v", err)
	}
}
