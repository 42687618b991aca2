package xlsx

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

var tight = format.Options{Limits: format.Limits{Columns: 300, RowBytes: 1 << 20, Members: 50}}

// FuzzXLSX reads arbitrary bytes as a workbook.
func FuzzXLSX(f *testing.F) {
	for _, c := range layouts {
		f.Add(workbook(f, c.sheets, nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readAll(b, tight); err != nil && genesis.KindOf(err) == genesis.Internal {
			t.Fatalf("an error without a kind: %v", err)
		}
	})
}

// FuzzSheet reads arbitrary XML as the parts of a workbook: in whole batches
// and in small ones, which must not matter.
func FuzzSheet(f *testing.F) {
	for _, c := range layouts {
		for _, s := range c.sheets {
			f.Add(s.markup(), testStyles, "<sst><si><t>x</t></si></sst>")
		}
	}
	f.Fuzz(func(t *testing.T, sheet, styles, strings string) {
		if sheet == "" {
			return
		}
		b := workbook(t, []testSheet{{name: "S", xml: sheet}}, map[string]string{"xl/styles.xml": styles, "xl/sharedStrings.xml": strings})
		got, err := readAll(b, tight)
		if err != nil && genesis.KindOf(err) == genesis.Internal {
			t.Fatalf("an error without a kind: %v", err)
		}
		small := tight
		small.Limits.Batch = 1
		again, err2 := readAll(b, small)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("whole: %v; in small batches: %v", err, err2)
		}
		if d := cmp.Diff(got.String(), again.String()); err == nil && d != "" {
			t.Fatalf("whole and in small batches differ:\n%s", d)
		}
	})
}
