package text

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/opengenesis/genesis/internal/format"
)

// mixedCSV returns about n bytes of ten mixed columns: id, time, five numbers,
// a category, a flag and a short text, quoted when quoted is set.
func mixedCSV(n int, quoted bool) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.WriteString("id,time,power,speed,direction,temp,pressure,state,ok,note\n")
	for i := 0; b.Len() < n; i++ {
		note := "turbine in service"
		if quoted && i%3 == 0 {
			note = `"stopped, then ""reset"""`
		}
		fmt.Fprintf(&b, "%d,2018-01-%02d %02d:%02d:00,%.4f,%.6f,%.3f,%.1f,%d,%s,%t,%s\n", i, i%28+1, i%24, i%60,
			rng.Float64()*3600, rng.Float64()*25, rng.Float64()*360, rng.Float64()*40-10, 980+rng.IntN(60),
			[]string{"run", "idle", "fault"}[rng.IntN(3)], i%2 == 0, note)
	}
	return b.Bytes()
}

func memory(b []byte) *format.Stream {
	return &format.Stream{Name: "memory.csv", Size: int64(len(b)), At: bytes.NewReader(b),
		OpenRead: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}
}

func BenchmarkRead(b *testing.B) {
	for _, quoted := range []bool{false, true} {
		data := mixedCSV(64<<20, quoted)
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("quoted=%t/threads=%d", quoted, threads), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					drain(b, data, threads)
				}
			})
		}
	}
}

func drain(b *testing.B, data []byte, threads int) {
	r, err := Driver{}.Open(context.Background(), memory(data), format.Options{Threads: threads})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for {
		if _, err := r.Next(); err == io.EOF {
			return
		} else if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, quoted := range []bool{false, true} {
		data := mixedCSV(1<<20, quoted)
		d := dialect{delim: ',', nl: '\n', width: 10}
		b.Run(fmt.Sprintf("quoted=%t/fast", quoted), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if p := d.parse(data, 10, false); !p.uniform {
					b.Fatal("not uniform")
				}
			}
		})
		b.Run(fmt.Sprintf("quoted=%t/careful", quoted), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				d.careful(data)
			}
		})
	}
}
