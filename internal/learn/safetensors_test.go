package learn

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/opengenesis/genesis"
)

func TestTensorsRoundTrip(t *testing.T) {
	in := []tensor{{"a", []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}}, {"b.bias", []int{0}, nil}, {"z\"q", []int{1}, []float32{-0.5}}}
	b := writeTensors(in, map[string]string{"k": "v"})
	out, meta, err := readTensors(b)
	if err != nil {
		t.Fatal(err)
	}
	if meta["k"] != "v" || len(out) != len(in) {
		t.Fatalf("metadata %v and %d arrays", meta, len(out))
	}
	for _, want := range in {
		k := slices.IndexFunc(out, func(g tensor) bool { return g.name == want.name })
		if k < 0 || !slices.Equal(out[k].shape, want.shape) || !slices.Equal(out[k].data, want.data) {
			t.Errorf("array %q came back as %v", want.name, out)
		}
	}
}

// TestTensorBytes holds the format's layout against a file written by hand.
func TestTensorBytes(t *testing.T) {
	head := `{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}`
	for len(head)%8 != 0 {
		head += " "
	}
	want := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	want = append(want, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0) // 1, −2
	if got := writeTensors([]tensor{{"w", []int{1, 2}, []float32{1, -2}}}, nil); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTensorDamage(t *testing.T) {
	file := func(head string, data int) []byte {
		b := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
		return append(append(b, head...), make([]byte, data)...)
	}
	for name, b := range map[string][]byte{
		"empty":           nil,
		"header too long": binary.LittleEndian.AppendUint64(nil, 1<<60),
		"no object":       file(`[1]`, 0),
		"other type":      file(`{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}`, 8),
		"negative shape":  file(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4),
		"huge shape":      file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
		"overlap":         file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4),
		"beyond the end":  file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4),
		"trailing bytes":  file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8),
	} {
		if _, _, err := readTensors(b); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: error %v, want one of kind invalid", name, err)
		}
	}
}
