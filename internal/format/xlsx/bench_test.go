package xlsx

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opengenesis/genesis/internal/format"
)

// BenchmarkSheet reads a sheet of ten columns; bytes are those of its XML.
func BenchmarkSheet(b *testing.B) {
	var x strings.Builder
	x.WriteString(`<worksheet><sheetData>`)
	for i := range 50_000 {
		fmt.Fprintf(&x, `<row r="%d" spans="1:10">`, i+1)
		for j := range 9 {
			fmt.Fprintf(&x, `<c r="%c%d" s="0"><v>%d.%d</v></c>`, 'A'+j, i+1, i*j%997, i%89)
		}
		fmt.Fprintf(&x, `<c r="J%d" t="s"><v>0</v></c></row>`, i+1)
	}
	x.WriteString(`</sheetData></worksheet>`)
	book := workbook(b, []testSheet{{name: "S", xml: x.String()}}, nil)
	b.SetBytes(int64(x.Len()))
	for b.Loop() {
		r, err := Driver{}.Open(b.Context(), streamOf(book), format.Options{})
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		for {
			batch, err := r.Next()
			if err != nil {
				break
			}
			rows += batch.Rows
		}
		if rows != 50_000 {
			b.Fatal(rows)
		}
		r.Close()
	}
}
