package run

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/opengenesis/genesis"
)

const (
	maxEvent   = 64 << 10  // bytes of a line that is not the result
	maxOutcome = 512 << 20 // bytes of the result's line
	maxWord    = 1 << 10   // bytes of a word in an event
)

// resultStart is how the line of a result begins.
var resultStart = []byte(`{"result":`)

// lines reads what a child writes to its standard output: lines of
// [genesis.Line], of which the last is a result or an error. It is an io.Writer
// that fails at what is anything else.
type lines struct {
	event   genesis.Progress
	buf     []byte
	ended   bool
	result  json.RawMessage
	problem *genesis.Problem
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		text, rest, whole := bytes.Cut(p, []byte("\n"))
		if l.ended {
			return 0, errors.New("it goes on after its result")
		}
		l.buf = append(l.buf, text...)
		if len(l.buf) > maxEvent && (len(l.buf) > maxOutcome || !bytes.HasPrefix(l.buf, resultStart)) {
			return 0, errors.New("it writes a line that is too long")
		}
		p = rest
		if !whole {
			continue
		}
		if err := l.line(l.buf); err != nil {
			return 0, err
		}
		l.buf = l.buf[:0]
	}
	return n, nil
}

func (l *lines) line(b []byte) error {
	var line genesis.Line[json.RawMessage]
	if err := json.Unmarshal(b, &line); err != nil {
		return errors.New("it writes a line that is not JSON")
	}
	switch {
	case line.Error != nil:
		l.ended, l.problem = true, line.Error
	case line.Result != nil:
		l.ended, l.result = true, *line.Result
		l.buf = nil
	case line.Event != nil:
		l.event.Send(Bounded(*line.Event))
	default:
		return errors.New("it writes a line that says nothing")
	}
	return nil
}

// Bounded cuts the words of an event that somebody else made.
func Bounded(e genesis.Event) genesis.Event {
	e.Stage, e.Unit, e.Note, e.Log = cut(e.Stage, maxWord), cut(e.Unit, maxWord), cut(e.Note, maxWord), cut(e.Log, maxLine)
	return e
}
