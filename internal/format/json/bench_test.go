package json

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opengenesis/genesis/internal/format"
)

// BenchmarkLines reads JSON Lines of ten mixed columns.
func BenchmarkLines(b *testing.B) {
	var in strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&in, `{"id":%d,"time":"2024-01-%02dT%02d:00:00Z","site":"station-%d","temperature":%.2f,"pressure":%.1f,`+
			`"wind":{"speed":%.3f,"direction":%d},"ok":%t,"flux":%.6e,"remark":null}`+"\n",
			i, i%28+1, i%24, i%17, float64(i%400)/10, 1000+float64(i%300)/10, float64(i%97)/7, i%360, i%3 == 0, float64(i)*1e-9)
	}
	s := in.String()
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		r, err := Driver{}.Open(context.Background(), streamOf(s, direct), format.Options{})
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		for {
			batch, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			rows += batch.Rows
		}
		if rows != 100_000 {
			b.Fatal(rows)
		}
		r.Close()
	}
}
