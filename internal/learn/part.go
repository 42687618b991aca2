package learn

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"strings"

	"github.com/opengenesis/genesis"
)

// Formats of the parts of models that were trained elsewhere.
const (
	FormatSafetensors = "safetensors"
	FormatONNX        = "onnx"
	FormatPickle      = "pickle"
	FormatPython      = "python"
	FormatKeras       = "keras"
)

// codeFormats are those that run code, by what a file's name says in any of its
// extensions: model.pkl.gz is a pickle.
var codeFormats = map[string]string{
	"pkl": FormatPickle, "pickle": FormatPickle, "joblib": FormatPickle, "dill": FormatPickle, "pt": FormatPickle, "pth": FormatPickle, "ckpt": FormatPickle,
	"py": FormatPython, "keras": FormatKeras, "h5": FormatKeras,
}

// RunsCode reports whether loading a part of a format runs what is in it.
func RunsCode(format string) bool {
	return format == FormatPickle || format == FormatPython || format == FormatKeras
}

// PartFormat says what a part of a model is, by its name and its first bytes, and
// refuses a safetensors or ONNX file that is none. It looks at headers alone, within
// bounds, and loads nothing: what it accepts may be broken further in. Errors: Invalid,
// and those of reading.
func PartFormat(name string, r io.ReaderAt, size int64) (string, error) {
	format := ""
	for _, ext := range strings.Split(strings.ToLower(name), ".")[1:] {
		if f := codeFormats[ext]; f != "" {
			format = f
		}
	}
	switch {
	case size == 0:
		return "", notPart(name, "is empty")
	case strings.HasSuffix(strings.ToLower(name), ".safetensors"):
		return FormatSafetensors, checkSafetensors(name, r, size)
	case strings.HasSuffix(strings.ToLower(name), ".onnx"):
		return FormatONNX, checkONNX(name, r, size)
	case format != "":
		return format, nil
	}
	pickled, err := looksPickled(r, size)
	if pickled {
		format = FormatPickle
	}
	return format, err
}

func notPart(name, msg string) error {
	return &genesis.Error{Op: "read part", Kind: genesis.Invalid, Subject: name, Msg: msg}
}

// looksPickled recognises pickles of protocol 2 and later, and the ZIP archives around
// one that PyTorch writes, whatever they are called.
func looksPickled(r io.ReaderAt, size int64) (bool, error) {
	const entry = 30 // where the name of a ZIP's first file is
	head := make([]byte, min(size, 512))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return false, err
	}
	if len(head) > 1 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 {
		return true, nil
	}
	if len(head) < entry || !bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return false, nil
	}
	n := int(binary.LittleEndian.Uint16(head[26:]))
	return bytes.HasSuffix(head[entry:min(len(head), entry+n)], []byte(".pkl")), nil
}

// checkSafetensors checks that the header is one, and that its arrays lie in the file
// and end where it does.
func checkSafetensors(name string, r io.ReaderAt, size int64) error {
	var head [8]byte
	if size < 8 {
		return notPart(name, "is no safetensors file: it is shorter than its header")
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxTensorHeader || n > uint64(size-8) {
		return notPart(name, "is no safetensors file: its header is longer than the file or the limit of 16 MiB")
	}
	data := size - 8 - int64(n)
	end, ok := tensorsEnd(json.NewDecoder(io.NewSectionReader(r, 8, int64(n))), data)
	switch {
	case !ok:
		return notPart(name, "is no safetensors file: its header is not one")
	case end != data:
		return notPart(name, "is no safetensors file: its arrays do not end where the file does")
	}
	return nil
}

// tensorsEnd reads a header, array by array, and returns where the last one ends.
func tensorsEnd(dec *json.Decoder, data int64) (end int64, ok bool) {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return 0, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return 0, false
		}
		if key == metadataKey {
			var meta map[string]string
			if dec.Decode(&meta) != nil {
				return 0, false
			}
			continue
		}
		var info struct {
			Type    string   `json:"dtype"`
			Shape   []uint64 `json:"shape"`
			Offsets []int64  `json:"data_offsets"`
		}
		if dec.Decode(&info) != nil || info.Type == "" || info.Shape == nil || len(info.Offsets) != 2 {
			return 0, false
		}
		if lo, hi := info.Offsets[0], info.Offsets[1]; lo < 0 || hi < lo || hi > data {
			return 0, false
		}
		end = max(end, info.Offsets[1])
	}
	if _, err := dec.Token(); err != nil { // the object's end
		return 0, false
	}
	_, err := dec.Token()
	return end, err == io.EOF // nothing but white space follows
}

// Fields of an ONNX ModelProto (onnx.proto, "message ModelProto"), and how many of
// any kind are looked at.
const (
	onnxIRVersion = 1
	onnxGraph     = 7
	onnxOpset     = 8
	maxONNXFields = 100_000
)

// checkONNX walks the outermost fields of a protocol buffer: they must fill the file,
// and be those that every model has.
func checkONNX(name string, r io.ReaderAt, size int64) error {
	p := &protoFields{r: r, size: size}
	seen := map[uint64]bool{}
	for n := 0; p.at < size; n++ {
		field, wire, err := p.next()
		if err != nil {
			return err
		}
		if field == 0 || n == maxONNXFields {
			return notPart(name, "is no ONNX model: it is no protocol buffer of one")
		}
		wants := map[uint64]uint64{onnxIRVersion: 0, onnxGraph: 2, onnxOpset: 2}
		if want, known := wants[field]; known && wire == want {
			seen[field] = true
		}
	}
	if len(seen) < 3 {
		return notPart(name, "is no ONNX model: version, operators or graph are missing")
	}
	return nil
}

// protoFields reads the fields of a protocol buffer one after the other and skips what
// they hold.
type protoFields struct {
	r        io.ReaderAt
	at, size int64
}

// next passes one field; its number is 0 where there is none.
func (p *protoFields) next() (field, wire uint64, err error) {
	var buf [2 * binary.MaxVarintLen64]byte
	n, err := p.r.ReadAt(buf[:min(int64(len(buf)), p.size-p.at)], p.at)
	if err != nil && err != io.EOF {
		return 0, 0, err
	}
	tag, used := binary.Uvarint(buf[:n])
	if used <= 0 {
		return 0, 0, nil
	}
	value, length := binary.Uvarint(buf[used:n])
	left := p.size - p.at - int64(used)
	var skip int64
	switch tag & 7 {
	case 0:
		skip = int64(length)
	case 1:
		skip, length = 8, 1
	case 2:
		if value > uint64(left) {
			return 0, 0, nil
		}
		skip = int64(length) + int64(value)
	case 5:
		skip, length = 4, 1
	default:
		return 0, 0, nil
	}
	if length <= 0 || skip > left {
		return 0, 0, nil
	}
	p.at += int64(used) + skip
	return tag >> 3, tag & 7, nil
}
