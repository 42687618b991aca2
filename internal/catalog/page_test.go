package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

// wide is a manifest whose column list is too long for one document.
func wide(n int) genesis.Manifest {
	var columns []genesis.Column
	for i := range n {
		columns = append(columns, genesis.Column{Name: fmt.Sprintf("column_%d", i), Type: genesis.Float, Role: genesis.Feature})
	}
	return dataset("wide", columns...)
}

func TestLongColumnListsArePaged(t *testing.T) {
	h := open(t)
	m := wide(9000)
	v := h.mustCommit(t, commitOf("wide", m))
	got, err := h.Manifest(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got); d != "" {
		t.Errorf("the manifest changed on the way: %.300s", d)
	}
	text, pages, err := EncodeManifest(got)
	if err != nil {
		t.Fatal(err)
	}
	if genesis.DigestOf(text) != v.Digest || len(text) > MaxManifest || len(pages) != 9 {
		t.Errorf("%d bytes in %d pages give %s, not %s", len(text), len(pages), genesis.DigestOf(text), v.Digest)
	}
	m.Tables[0].Columns[5000].Unit = "kW"
	if other, _, _ := EncodeManifest(m); genesis.DigestOf(other) == v.Digest {
		t.Error("a change in a page does not change the version")
	}
}

func TestShortManifestsAreNotPaged(t *testing.T) {
	m := wide(2000)
	text, pages, err := EncodeManifest(m)
	if err != nil || len(pages) > 0 || !strings.Contains(string(text), "column_1999") {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	if len(m.Tables[0].Columns) != 2001 {
		t.Error("encoding changed the manifest")
	}
}
