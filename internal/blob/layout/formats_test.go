package layout

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestLayoutVector holds the example of docs/formats.md: a page, and the record that
// lists it.
func TestLayoutVector(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	blobs, _, _ := newBlobs(t)
	b, err := blobs.Put(t.Context(), []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	pages, err := write(&writer{ctx: t.Context(), blobs: blobs}, "t", list{files: []genesis.LayoutFile{{Blob: b, Rows: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	l := genesis.Layout{Format: genesis.LayoutFormat, Pages: map[string][]genesis.LayoutPage{"t": pages}}
	record, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	page, err := blobs.Bytes(t.Context(), pages[0].Digest, MaxPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{page, record} {
		if !strings.Contains(string(doc), "\n"+string(text)+"\n") {
			t.Errorf("docs/formats.md does not hold\n%s", text)
		}
	}
}
