package work

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/json"
	"github.com/opengenesis/genesis/internal/format/text"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/run"
)

// OpenTest returns a service of the lone node "here" over stores of its own, in the
// folder that it returns. Its runs compute in this process. Edits change the node, who else
// is a member and reached, and the clock.
func OpenTest(tb testing.TB, edits ...func(*Config)) (*Service, string) {
	tb.Helper()
	return OpenGoverned(tb, "", edits...)
}

// OpenGoverned is OpenTest of a node whose institution has policies of its own in a folder.
func OpenGoverned(tb testing.TB, policies string, edits ...func(*Config)) (*Service, string) {
	tb.Helper()
	ctx, dir := context.Background(), tb.TempDir()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	d, err := file.Open(filepath.Join(dir, "blobs"))
	must(err)
	blobs := blob.Open(d)
	tb.Cleanup(func() { blobs.Close() })
	db, err := store.Open(ctx, filepath.Join(dir, "catalog.db"))
	must(err)
	tb.Cleanup(func() { db.Close() })
	c := Config{Node: "here", Charter: access.Alone(genesis.Member{ID: "here"})}
	for _, edit := range edits {
		edit(&c)
	}
	decider, err := access.Open(ctx, access.Config{DB: db, Node: c.Node, Charter: c.Charter, Now: c.Now, PolicyDir: policies})
	must(err)
	j, err := journal.Open(ctx, journal.Config{Dir: filepath.Join(dir, "journal"), DB: db, Node: c.Node})
	must(err)
	tb.Cleanup(func() { j.Close() })
	s := New(Config{DB: db, Catalog: catalog.New(db, blobs), Blobs: blobs, Node: c.Node, Charter: c.Charter, Now: c.Now, Access: decider, Journal: j,
		Drivers: []format.Driver{json.Driver{}, text.Driver{}}, Temp: tb.TempDir(), Threads: 2, Software: "genesis test",
		SearchDir: filepath.Join(dir, "search"), Mirror: c.Mirror, Peers: c.Peers, Log: c.Log})
	tb.Cleanup(func() { s.CloseSearch() })
	must(s.OpenRuns(ctx, run.Config{Dir: filepath.Join(dir, "runs")}))
	tb.Cleanup(func() { s.CloseRuns() })
	return s, dir
}

// RenewAt asks a node who of this one is in its projects.
func (s *Service) RenewAt(ctx context.Context, peer genesis.NodeID) error {
	return s.renewAt(ctx, peer)
}
