package learn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// tensor is one named array of float32 in a safetensors file
// (https://github.com/huggingface/safetensors, "Format"): eight bytes of header
// length, a JSON header, the arrays.
type tensor struct {
	name  string
	shape []int
	data  []float32
}

type tensorInfo struct {
	Type    string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

const metadataKey = "__metadata__"

// writeTensors returns a safetensors file; the header is padded so that the
// arrays are aligned to eight bytes.
func writeTensors(ts []tensor, meta map[string]string) []byte {
	var head bytes.Buffer
	head.WriteByte('{')
	if meta != nil {
		b, _ := json.Marshal(meta) // of strings: cannot fail
		fmt.Fprintf(&head, "%q:%s", metadataKey, b)
	}
	at := 0
	for _, t := range ts {
		if head.Len() > 1 {
			head.WriteByte(',')
		}
		b, _ := json.Marshal(tensorInfo{"F32", t.shape, [2]int{at, at + 4*len(t.data)}})
		fmt.Fprintf(&head, "%q:%s", t.name, b)
		at += 4 * len(t.data)
	}
	head.WriteByte('}')
	for head.Len()%8 != 0 {
		head.WriteByte(' ')
	}
	out := make([]byte, 0, 8+head.Len()+at)
	out = binary.LittleEndian.AppendUint64(out, uint64(head.Len()))
	out = append(out, head.Bytes()...)
	for _, t := range ts {
		for _, v := range t.data {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out
}

const maxTensorHeader = 16 << 20

// readTensors reads a safetensors file of float32 arrays. The arrays must lie
// one after the other and fill the file, as the format demands.
func readTensors(b []byte) ([]tensor, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, damaged(partWeights, "it is shorter than its header")
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxTensorHeader || n > uint64(len(b)-8) {
		return nil, nil, damaged(partWeights, "its header is longer than the file or the limit of 16 MiB")
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return nil, nil, damaged(partWeights, "its header is no JSON object")
	}
	var meta map[string]string
	if m, ok := raw[metadataKey]; ok {
		if json.Unmarshal(m, &meta) != nil {
			return nil, nil, damaged(partWeights, "its metadata are not strings")
		}
		delete(raw, metadataKey)
	}
	ts, err := sliceTensors(raw, b[8+n:])
	return ts, meta, err
}

func sliceTensors(raw map[string]json.RawMessage, data []byte) ([]tensor, error) {
	infos := make(map[string]tensorInfo, len(raw))
	names := make([]string, 0, len(raw))
	for name, m := range raw {
		var info tensorInfo
		if json.Unmarshal(m, &info) != nil || info.Type != "F32" {
			return nil, damaged(partWeights, "an array is not of float32")
		}
		infos[name], names = info, append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := infos[a].Offsets[0] - infos[b].Offsets[0]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var ts []tensor
	at := 0
	for _, name := range names {
		info := infos[name]
		lo, hi := info.Offsets[0], info.Offsets[1]
		size, ok := shapeSize(info.Shape, len(data)/4)
		if !ok || lo != at || hi < lo || hi > len(data) || hi-lo != 4*size {
			return nil, damaged(partWeights, "an array does not lie where its header says")
		}
		values := make([]float32, size)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[lo+4*i:]))
		}
		ts = append(ts, tensor{name, info.Shape, values})
		at = hi
	}
	if at != len(data) {
		return nil, damaged(partWeights, "it is longer than its arrays")
	}
	return ts, nil
}

// shapeSize multiplies the extents; false when one is negative or the product
// exceeds limit.
func shapeSize(shape []int, limit int) (int, bool) {
	n := 1
	for _, d := range shape {
		if d < 0 || d > limit || n*d > limit || len(shape) > 8 {
			return 0, false
		}
		n *= d
	}
	return n, true
}

func damaged(part, msg string) error {
	return &genesis.Error{Op: "load model", Kind: genesis.Invalid, Subject: part, Msg: msg}
}
