package xlsx

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/opengenesis/genesis/internal/format"
)

func TestDump(t *testing.T) {
	path := os.Getenv("DUMP")
	if path == "" {
		t.Skip()
	}
	b, _ := os.ReadFile(path)
	r, err := Driver{}.Open(context.Background(), &format.Stream{Name: path, At: bytes.NewReader(b), Size: int64(len(b)), OpenRead: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}, format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[int]int{}
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if rows[b.Table] == 0 {
			fmt.Println("table", b.Table)
			for i := 0; i < min(3, b.Rows); i++ {
				for j := range b.Cols {
					if j > 16 {
						fmt.Print("...")
						break
					}
					if b.Cols[j].Null(i) {
						fmt.Print("∅ | ")
					} else {
						c := b.Cols[j].Bytes(i)
						fmt.Printf("%s | ", c[:min(30, len(c))])
					}
				}
				fmt.Println()
			}
		}
		rows[b.Table] += b.Rows
		for _, x := range b.Bad {
			fmt.Println("BAD", x.Line, x.Code, x.Msg, string(x.Raw))
		}
	}
	for i, tb := range r.Tables() {
		fmt.Printf("%q rows %d:", tb.Name, rows[i])
		for j, c := range tb.Columns {
			if j < 20 {
				fmt.Printf(" %q[%s]", c.Name, c.Unit)
			}
		}
		fmt.Println(len(tb.Columns))
	}
	fmt.Printf("%.1500s\n", r.About().Source.Preamble)
	for _, f := range r.About().Findings {
		fmt.Println(f)
	}
}
