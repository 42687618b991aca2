package learn

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

func safetensors(head, data string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))) + head + data
}

// onnxModel is the least that is one: version 9, an empty graph, operators of set 21.
const onnxModel = "\x08\x09\x3a\x02\x0a\x00\x42\x02\x10\x15"

func TestPartFormat(t *testing.T) {
	zip := func(name string) string {
		return "PK\x03\x04" + strings.Repeat("\x00", 22) + string(binary.LittleEndian.AppendUint16(nil, uint16(len(name)))) + "\x00\x00" + name + "rest"
	}
	const f32 = `"dtype":"F32","shape":[1]`
	for _, c := range []struct {
		name, content string
		want          string // "!" where it is refused
	}{
		{"m.safetensors", safetensors(`{}`, ""), FormatSafetensors},
		{"m.safetensors", safetensors(`{"__metadata__":{"a":"b"},"w":{`+f32+`,"data_offsets":[0,4]}}  `, "1234"), FormatSafetensors},
		{"M.SafeTensors", safetensors(`{"w":{`+f32+`,"data_offsets":[4,8]},"v":{`+f32+`,"data_offsets":[0,4]}}`, "12345678"), FormatSafetensors},
		{"m.safetensors", "{}", "!"},
		{"m.safetensors", safetensors(`{}`, "x"), "!"},
		{"m.safetensors", safetensors(`[]`, ""), "!"},
		{"m.safetensors", safetensors(`{} {}`, ""), "!"},
		{"m.safetensors", safetensors(`{"w":{`+f32+`,"data_offsets":[0,5]}}`, "1234"), "!"},
		{"m.safetensors", safetensors(`{"w":{`+f32+`,"data_offsets":[-4,4]}}`, "1234"), "!"},
		{"m.safetensors", safetensors(`{"w":{`+f32+`,"data_offsets":[4,0]}}`, "1234"), "!"},
		{"m.safetensors", safetensors(`{"w":{`+f32+`,"data_offsets":[0]}}`, "1234"), "!"},
		{"m.safetensors", safetensors(`{"w":{"shape":[1],"data_offsets":[0,4]}}`, "1234"), "!"},
		{"m.safetensors", safetensors(`{"w":3}`, ""), "!"},
		{"m.safetensors", safetensors(`{"__metadata__":{"a":1}}`, ""), "!"},
		{"m.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", "!"},
		{"m.safetensors.index.json", `{"weight_map":{}}`, ""},
		{"m.onnx", onnxModel, FormatONNX},
		{"m.onnx", onnxModel + "\x12\x02pt" + "\x15abcd" + "\x11abcdefgh", FormatONNX},
		{"m.onnx", onnxModel[:6], "!"},
		{"m.onnx", onnxModel[2:], "!"},
		{"m.onnx", onnxModel + "\x3a\x7f", "!"},
		{"m.onnx", onnxModel + "\x3a", "!"},
		{"m.onnx", onnxModel + "\x00", "!"},
		{"m.onnx", onnxModel + "\x0b", "!"},
		{"m.onnx", onnxModel + "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "!"},
		{"m.onnx", strings.Repeat("\xff", 30), "!"},
		{"m.onnx", strings.Repeat("\x08\x01", maxONNXFields+1), "!"},
		{"m.pkl", "anything", FormatPickle},
		{"forest.pkl.gz", "\x1f\x8b", FormatPickle},
		{"m.pt", zip("m/data.pkl"), FormatPickle},
		{"pytorch_model.bin", zip("archive/data.pkl"), FormatPickle},
		{"pytorch_model.bin", zip("archive/data"), ""},
		{"state", "\x80\x04\x95", FormatPickle},
		{"state", "\x80\x01", ""},
		{"net.py", "x", FormatPython},
		{"net.keras", "x", FormatKeras},
		{"config.json", "{}", ""},
		{"onnx", "x", ""},
		{"config.json", "", "!"},
	} {
		got, err := PartFormat(c.name, strings.NewReader(c.content), int64(len(c.content)))
		if refused := genesis.KindOf(err) == genesis.Invalid; refused != (c.want == "!") || !refused && (got != c.want || err != nil) {
			t.Errorf("%s %.40q is %q, %v, want %q", c.name, c.content, got, err, c.want)
		}
	}
}

// FuzzPartFormat: whatever the bytes, it ends, with a format or with a typed error.
func FuzzPartFormat(f *testing.F) {
	f.Add("m.safetensors", []byte(safetensors(`{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, "1234")))
	f.Add("m.onnx", []byte(onnxModel))
	f.Add("state", []byte("\x80\x04\x95"))
	f.Add("state", []byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		_, err := PartFormat(name, bytes.NewReader(content), int64(len(content)))
		if err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	})
}
