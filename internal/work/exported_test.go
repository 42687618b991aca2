package work_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work"
)

// TestExportedBytesAreCounted: the closing entry of a read says how many bytes an export
// sent, and the report counts them.
func TestExportedBytesAreCounted(t *testing.T) {
	s, dir := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("a.csv", turbines(0, 50)))
	var sent int
	for _, format := range []string{"csv", "parquet"} {
		var b bytes.Buffer
		if err := s.Export(t.Context(), me, "turbines", "", format, nil, &b, nil); err != nil {
			t.Fatal(err)
		}
		sent += b.Len()
	}
	if err := s.Journal.Close(); err != nil { // closing entries are written
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), journal.Config{Dir: filepath.Join(dir, "journal"), DB: s.DB, Node: s.Node})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	page, err := j.Query(t.Context(), genesis.AuditQuery{Act: string(genesis.Read)})
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, e := range page.Entries {
		var closing struct{ Bytes int }
		if e.Outcome == genesis.Done && json.Unmarshal(e.Detail, &closing) == nil {
			counted += closing.Bytes
		}
	}
	if sent == 0 || counted != sent {
		t.Errorf("%d bytes were sent, and the log has %d: %+v", sent, counted, page.Entries)
	}
}
