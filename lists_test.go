package genesis

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestCheckLists(t *testing.T) {
	many := func(s string, n int) string { return "[" + strings.TrimSuffix(strings.Repeat(s+",", n), ",") + "]" }
	for text, want := range map[string]bool{
		"":                                     true,
		"[]":                                   true,
		`{"a":1,"b":2,"c":3,"d":4,"e":5}`:      true, // no list
		many("1", 4):                           true,
		many("1", 5):                           false,
		many("{}", 5):                          false,
		many("null", 5):                        false,
		`["1,2,3,4,5,6","\",\\\",",3]`:         true, // commas in strings
		`["a\\",1,1,1,1]`:                      false,
		`{"a":` + many("[1,1,1]", 4) + "}":     true,
		many(many("1", 4), 4):                  false, // each is short, and together they are not
		strings.Repeat("[", deepest+1):         false,
		strings.Repeat("]", 10) + many("1", 5): false,
	} {
		if err := CheckLists([]byte(text), 4, 14); (err == nil) != want {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

// FuzzCheckLists: what passes has no longer list, whatever it is.
func FuzzCheckLists(f *testing.F) {
	f.Add([]byte(`{"a":[1,[2,3],{"b":["x,y",null]}]}`))
	f.Add([]byte(`["\u005c",",",[[],[]]]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		passed := CheckLists(text, 4, 14) == nil
		var v any
		if json.Unmarshal(text, &v) != nil {
			return
		}
		longest, total := 0, 0
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				longest, total = max(longest, len(v)), total+max(len(v)-1, 0)
				for _, x := range v {
					walk(x)
				}
			case map[string]any:
				for _, x := range v {
					walk(x)
				}
			}
		}
		walk(v)
		if passed && (longest > 4 || total >= 14) {
			t.Errorf("%q has a list of %d, %d together", text, longest, total)
		}
	})
}
