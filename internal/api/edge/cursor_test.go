package edge

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

func testCursors() *Cursors { return NewCursors(bytes.Repeat([]byte{7}, CursorKeySize)) }

func TestCursor(t *testing.T) {
	c := testCursors()
	type position struct {
		Name string
		At   int64
	}
	want := position{"secret-name", 42}
	text, err := c.Seal("assets dataset", want)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := c.Seal("assets dataset", want)
	if again != text {
		t.Error("the same position has two texts: lists would never have the same ETag")
	}
	var got position
	if err := c.Open("assets dataset", text, &got); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	if bytes.Contains(raw, []byte("secret")) {
		t.Error("a position can be read")
	}
	bad := map[string]string{"empty": "", "other alphabet": "++++", "long": strings.Repeat("A", maxCursor+1), "short": text[:10], "padded": text + "=", "more": text + "AA"}
	for i := range raw {
		flipped := bytes.Clone(raw)
		flipped[i] ^= 1
		bad["bit of byte "+string(rune('a'+i))] = base64.RawURLEncoding.EncodeToString(flipped)
	}
	for name, text := range bad {
		if err := c.Open("assets dataset", text, &got); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Open("assets model", text, &got); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("another list: %v", err)
	}
	if err := NewCursors(make([]byte, CursorKeySize)).Open("assets dataset", text, &got); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("another home: %v", err)
	}
	if _, err := c.Seal("x", strings.Repeat("x", maxCursor)); err == nil {
		t.Error("a position of any length becomes a cursor")
	}
}

// FuzzCursor: nothing but what Seal returned can be opened.
func FuzzCursor(f *testing.F) {
	c := testCursors()
	sealed, _ := c.Seal("list", "position")
	f.Add("list", sealed)
	f.Add("list", "")
	f.Add("other", sealed)
	f.Fuzz(func(t *testing.T, list, text string) {
		var got string
		err := c.Open(list, text, &got)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Error(err)
			}
			return
		}
		if again, err := c.Seal(list, got); err != nil || again != text {
			t.Errorf("%q opens to %q, which is %q", text, got, again)
		}
	})
}
