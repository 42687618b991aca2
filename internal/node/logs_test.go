//go:build linux || darwin

package node

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/store"
)

// stranger asks a node over HTTP without signing in, in the version that there is.
type stranger string

func (s stranger) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(s)+"/v1"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answers %s", path, resp.Status)
	}
	return resp.Body, nil
}

// TestMirrorOverHTTP: what a node tells everybody is mirrored byte by byte as it was
// stated, and nothing else; what it hides is gone.
func TestMirrorOverHTTP(t *testing.T) {
	w := newTown(t)
	for _, tier := range townTiers {
		w.build(tier)
	}
	const title = `Wind <b>&</b> "sun" ` + "\u2028 é"
	w.must(w.works.SetCard(t.Context(), w.local, w.asset["public"], map[string]string{"title": title, "spatial": "29.25,40.5,29.3,41"}))
	w.must(nil, w.works.Journal.Settle(t.Context()))

	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m := mirror.New(mirror.Config{DB: db, Self: "mit", Interval: 50 * time.Millisecond})
	defer m.Close()
	key, err := base64.StdEncoding.DecodeString(strings.SplitN(w.works.Journal.VerifierKey(), "+", 3)[2])
	if err != nil {
		t.Fatal(err)
	}
	m.Follow(genesis.Member{ID: "here", Keys: []genesis.NodeKey{{ID: "log", Use: genesis.KeyLog, Public: key[1:]}}}, stranger(w.url))
	// mirrored are the titles of what is there, by name.
	mirrored := func() map[genesis.Name]string {
		all := map[genesis.Name]string{}
		for l, err := range m.Listings(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if all[l.Name] = l.Title; l.Class != genesis.ClassPublic || l.Node != "here" {
				t.Errorf("%+v is mirrored", l)
			}
		}
		return all
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for range 400 {
			if done() {
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		status, _ := m.Status(t.Context())
		t.Fatalf("%s: %v, %+v", what, mirrored(), status)
	}
	public := genesis.Name(w.asset["public"])
	until("it is not mirrored", func() bool { return len(mirrored()) == 1 && mirrored()[public] == title })
	w.must(w.works.Publish(t.Context(), w.local, string(public), genesis.PublishRequest{Tier: genesis.TierRegistered}))
	until("it is not hidden", func() bool { return len(mirrored()) == 0 })

	status, h, b := w.exchange("nobody", "GET", "/v1/logs/public/1/tile/entries/000.p/1", "")
	if status != 200 || h.Get("Cache-Control") != "public, max-age=31536000, immutable" || len(b) == 0 {
		t.Errorf("a tile is answered %d %v", status, h)
	}
	if status, h, _ := w.exchange("ada", "GET", "/v1/logs/members/1/tile/0/000.p/1", ""); status != 200 || h.Get("Cache-Control") != "private, max-age=31536000, immutable" {
		t.Errorf("a tile of the members' is answered %d %v", status, h)
	}
	for _, path := range []string{"/v1/logs/public/1/tile/0/999", "/v1/logs/public/1/tile/..%2F..%2Faudit", "/v1/logs/public/9/checkpoint", "/v1/logs/nobody/statements", "/v1/logs/audit/1/checkpoint"} {
		if status, _, _ := w.exchange("sam", "GET", path, ""); status != 404 {
			t.Errorf("%s is answered %d", path, status)
		}
	}
}
