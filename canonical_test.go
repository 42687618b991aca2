package genesis

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// TestCanonicalText holds the examples of RFC 8785, sections 3.2.2 to 3.2.4, and
// what Genesis adds.
func TestCanonicalText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"rfc 3.2.2", `{
			"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			"string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
			"literals": [null, true, false]
		}`, `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{"rfc 3.2.3", `{
			"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
			"1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
			"\u00f6": "Latin Small Letter O With Diaeresis"
		}`, `{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
			`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`},
		{"nested", `{"b":{"z":[],"a":{}},"a":[[1],{"y":2,"x":1}]}`, `{"a":[[1],{"x":1,"y":2}],"b":{"a":{},"z":[]}}`},
		{"control characters", `"\u0000\b\t\n\u000b\f\r\u001f\u007f"`, `"\u0000\b\t\n\u000b\f\r\u001f` + "\u007f" + `"`},
		{"nothing escaped for HTML", `"<&>\u2028"`, "\"<&>\u2028\""},
		{"largest exact integer", `[9007199254740992,-9007199254740992]`, `[9007199254740992,-9007199254740992]`},
		{"larger integers", `[9007199254740993,-9007199254740994,18446744073709551615]`, `["9007199254740993","-9007199254740994","18446744073709551615"]`},
		{"exponents are floats", `[1e17,1E+21,-1e-7,0.0,-0]`, `[100000000000000000,1e+21,-1e-7,0,0]`},
	}
	for _, tt := range tests {
		got, err := CanonicalJSON(json.RawMessage(tt.in))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got  %s, %v\nwant %s", tt.name, got, err, tt.want)
		}
	}
}

// TestCanonicalNumbers holds the doubles of RFC 8785, appendix B.
func TestCanonicalNumbers(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0",
		0x8000000000000000: "0",
		0x0000000000000001: "5e-324",
		0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308",
		0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23",
		0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef4f: "999999999999999900000",
		0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		f := math.Float64frombits(bits)
		got, err := CanonicalJSON(struct {
			F []*float64 `json:"f"`
		}{[]*float64{&f}})
		if want := `{"f":[` + want + `]}`; err != nil || string(got) != want {
			t.Errorf("%016x: got %s, %v, want %s", bits, got, err, want)
		}
	}
}

func TestCanonicalValues(t *testing.T) {
	type embedded struct {
		B int64 `json:"b,omitempty"`
	}
	for _, tt := range []struct {
		in   any
		want string
	}{
		{nil, "null"},
		{map[string]int64{"é": 1, "e": -2}, `{"e":-2,"é":1}`},
		{struct {
			embedded
			A string `json:"a"`
		}{embedded{3}, "x"}, `{"a":"x","b":3}`},
		{[]any{int64(1 << 53), int64(1<<53 + 1), uint64(math.MaxUint64)}, `[9007199254740992,"9007199254740993","18446744073709551615"]`},
		{[]any{int64(1<<53 + 2), 1e20, float32(1 << 60)}, `["9007199254740994",100000000000000000000,1152921500000000000]`},
		{Manifest{Format: 1, Kind: Dataset, Tables: []ManifestTable{{Name: "t", Columns: []ManifestColumn{{Column: Column{Name: "c", Type: Float, Role: Feature}}}}}},
			`{"format":1,"kind":"dataset","tables":[{"columns":[{"digest":"","name":"c","role":"feature","type":"float"}],"name":"t","rows":0}]}`},
	} {
		got, err := CanonicalJSON(tt.in)
		if err != nil || string(got) != tt.want {
			t.Errorf("%#v: got %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"NaN":                 math.NaN(),
		"infinity":            math.Inf(-1),
		"a channel":           make(chan int),
		"not UTF-8":           "a\xffb",
		"name not UTF-8":      map[string]int{"a\xff": 1},
		"raw, not UTF-8":      json.RawMessage("\"\xff\""),
		"half a pair":         json.RawMessage(`"\ud83d"`),
		"pair reversed":       json.RawMessage(`"\ude00\ud83d"`),
		"half, then text":     json.RawMessage(`"\ud83dude00"`),
		"beyond doubles":      json.RawMessage(`1e400`),
		"huge integer":        json.RawMessage(strings.Repeat("9", 400)),
		"twice the same name": json.RawMessage(`{"a":1,"\u0061":2}`),
		"deep":                json.RawMessage(strings.Repeat("[", 1100) + strings.Repeat("]", 1100)),
		"broken":              json.RawMessage(`{"a":`),
	} {
		got, err := CanonicalJSON(v)
		if KindOf(err) != Invalid {
			t.Errorf("%s: got %q and error %v, want kind invalid", name, got, err)
		}
	}
	if got, err := CanonicalJSON(`\ud83d \\ufffd � 😀`); err != nil || string(got) != `"\\ud83d \\\\ufffd � 😀"` {
		t.Errorf("text that looks like escapes: %s, %v", got, err)
	}
}

func FuzzCanonicalJSON(f *testing.F) {
	f.Add([]byte(`{"b":[1,2.5e10,-0.0,"\u00e9\ud83d\ude00"],"a":{"x":null}}`))
	f.Add([]byte(`[9007199254740993,1e-7,123456789012345678901234567890]`))
	f.Add([]byte(`"\ud800\\ud800"`))
	f.Add([]byte(`{"\u20ac":1,"\r":2,"":3}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := CanonicalJSON(json.RawMessage(in))
		if err != nil {
			if KindOf(err) != Invalid {
				t.Fatalf("error without a kind: %v", err)
			}
			return
		}
		var before, after any
		if err := json.Unmarshal(once, &after); err != nil {
			t.Fatalf("%q becomes %q, which is not JSON: %v", in, once, err)
		}
		if len(in) == 0 { // an empty RawMessage is null
			return
		}
		if err := json.Unmarshal(in, &before); err != nil {
			t.Fatalf("%q is not JSON and becomes %q", in, once)
		}
		twice, err := CanonicalJSON(json.RawMessage(once))
		// Integral doubles from 2⁵³ on, once written without an exponent, read as
		// integers and become strings; all else stays as it is.
		if err != nil || !bytes.Equal(once, twice) && !holdsLarge(before) {
			t.Fatalf("%q becomes %q and then %q, %v", in, once, twice, err)
		}
	})
}

func holdsLarge(v any) bool {
	switch v := v.(type) {
	case float64:
		return math.Abs(v) > 1<<53
	case []any:
		for _, e := range v {
			if holdsLarge(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if holdsLarge(e) {
				return true
			}
		}
	}
	return false
}
