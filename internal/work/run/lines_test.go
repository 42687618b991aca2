package run

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

func TestLines(t *testing.T) {
	event := `{"event":{"stage":"a","done":1,"unit":"rows"}}` + "\n"
	for _, c := range []struct {
		name, in, err string
		events        int
		result        string
		problem       bool
	}{
		{name: "events and a result", in: event + event + `{"result":{"x":1}}` + "\n", events: 2, result: `{"x":1}`},
		{name: "an error", in: event + `{"error":{"detail":"d"}}` + "\n", events: 1, problem: true},
		{name: "nothing"},
		{name: "a result that is cut off", in: event + `{"result":1}`, events: 1},
		{name: "no JSON", in: "hello\n", err: "not JSON"},
		{name: "an empty line", in: "\n", err: "not JSON"},
		{name: "an empty object", in: "{}\n", err: "says nothing"},
		{name: "more after the result", in: `{"result":1}` + "\n" + event, err: "goes on", result: "1"},
		{name: "a long event", in: `{"event":{"stage":"` + strings.Repeat("a", maxEvent) + `"}}` + "\n", err: "too long"},
		{name: "a long line that never ends", in: strings.Repeat("a", maxEvent+1), err: "too long"},
		{name: "a long result", in: `{"result":"` + strings.Repeat("a", maxEvent) + `"}` + "\n", result: `"` + strings.Repeat("a", maxEvent) + `"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := 0
			l := &lines{event: func(genesis.Event) { n++ }}
			_, err := l.Write([]byte(c.in))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			if n != c.events || string(l.result) != c.result || (l.problem != nil) != c.problem {
				t.Errorf("%d events, result %.40s, problem %v", n, l.result, l.problem)
			}
		})
	}
}

// FuzzLines: whatever a worker writes, in whatever pieces, nothing grows beyond
// its bounds, and there is one end at most.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"event":{"stage":"a"}}`+"\n"+`{"result":1}`+"\n"), 3)
	f.Add([]byte(`{"error":{"detail":"d"}}`+"\n"), 1)
	f.Add(append([]byte(`{"result":`), bytes.Repeat([]byte("["), 100)...), 7)
	f.Add([]byte(`{"event":{"log":"\u0000\n\ud800"}}`+"\n"), 100)
	f.Add([]byte(`{"event":null,"result":null,"error":null}`+"\n"), 9)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		l := &lines{event: func(e genesis.Event) {
			if len(e.Stage)+len(e.Unit)+len(e.Note) > 3*(maxWord+4) || len(e.Log) > maxLine+4 {
				t.Error("an event is not bounded")
			}
			if _, err := json.Marshal(e); err != nil {
				t.Error(err)
			}
		}}
		var err error
		for p := range slices.Chunk(b, 1+max(0, piece)%4096) {
			if _, err = l.Write(p); err != nil {
				break
			}
			if len(l.buf) > maxEvent && !bytes.HasPrefix(l.buf, resultStart) {
				t.Error("a line is longer than it may be")
			}
		}
		if l.result != nil && l.problem != nil {
			t.Error("two ends")
		}
		if l.result != nil && !json.Valid(l.result) {
			t.Errorf("the result is not JSON: %q", l.result)
		}
	})
}

func TestLogIsBounded(t *testing.T) {
	l, err := openLog(t.TempDir() + "/x.log")
	if err != nil {
		t.Fatal(err)
	}
	w := &lineWriter{line: l.line}
	for range 3 {
		_, _ = w.Write(bytes.Repeat([]byte("x"), maxLog))
		_, _ = w.Write([]byte("\nline\r\nand half"))
	}
	w.flush()
	for range 2 * maxLog / maxLine {
		l.line(strings.Repeat("y", 2*maxLine))
	}
	var n, longest int
	(&tail{path: l.path}).send(func(e genesis.Event) {
		n++
		longest = max(longest, len(e.Log))
	})
	if l.size > maxLog+maxLine+100 || longest > maxLine+40 || n < maxLog/maxLine*9/10 {
		t.Errorf("%d bytes, %d lines, the longest %d", l.size, n, longest)
	}
}
