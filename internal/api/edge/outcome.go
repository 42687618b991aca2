package edge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// outcome passes an answer on and has it remembered before its decisive part
// goes out: the whole of a short answer, the last of an answer of lines. Events
// of lines go through at once.
type outcome struct {
	http.ResponseWriter
	secret bool
	keep   func(Kept)

	status  int
	lines   bool   // application/x-ndjson
	body    []byte // held back: the answer, or the line that is not ended
	through bool   // the decisive part is out
}

func (o *outcome) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *outcome) WriteHeader(status int) {
	if status < 200 {
		o.ResponseWriter.WriteHeader(status)
		return
	}
	if o.status != 0 {
		return
	}
	o.status = status
	if o.lines = strings.HasPrefix(o.Header().Get("Content-Type"), "application/x-ndjson"); o.lines {
		o.ResponseWriter.WriteHeader(status)
	}
}

func (o *outcome) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.WriteHeader(http.StatusOK)
	}
	if o.through {
		return o.ResponseWriter.Write(b)
	}
	o.body = append(o.body, b...)
	if o.lines {
		if err := o.passEvents(); err != nil {
			return 0, err
		}
	}
	if len(o.body) > maxKept {
		o.settle(false)
	}
	return len(b), nil
}

// passEvents sends the lines that decide nothing.
func (o *outcome) passEvents() error {
	for !o.through {
		end := bytes.IndexByte(o.body, '\n') + 1
		if end == 0 {
			return nil
		}
		if !bytes.HasPrefix(o.body, []byte(`{"event":`)) {
			o.settle(true)
			return nil
		}
		line := o.body[:end]
		o.body = o.body[end:]
		if _, err := o.ResponseWriter.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// FlushError sends events on. What is held back stays.
func (o *outcome) FlushError() error {
	if !o.lines {
		return nil
	}
	return http.NewResponseController(o.ResponseWriter).Flush()
}

// end settles an answer that is whole now. Lines without a last one are not:
// they were cut off.
func (o *outcome) end() {
	if o.status == 0 {
		o.WriteHeader(http.StatusOK)
	}
	if !o.through && !o.lines {
		o.settle(true)
	}
}

// settle remembers the answer, then sends what was held back.
func (o *outcome) settle(whole bool) {
	o.through = true
	made, final := o.final()
	if final && (made || whole) { // a refusal that is too long to be kept is found anew
		k := Kept{Status: o.status, Type: o.Header().Get("Content-Type"), Location: o.Header().Get("Location"), Made: made}
		if k.Whole = whole && !o.secret; k.Whole {
			k.Body = o.body
		}
		o.keep(k)
	}
	if !o.lines {
		o.ResponseWriter.WriteHeader(o.status)
	}
	if len(o.body) > 0 {
		_, _ = o.ResponseWriter.Write(o.body)
		o.body = nil
	}
}

// final reports whether asking again can give nothing else, because something was
// made or for other reasons. The error that ends an answer of lines says its status
// itself.
func (o *outcome) final() (made, final bool) {
	status := o.status
	if o.lines && bytes.HasPrefix(o.body, []byte(`{"error":`)) {
		var line struct{ Error struct{ Status int } }
		_ = json.Unmarshal(o.body, &line) // what does not parse has status 0
		status = line.Error.Status
	}
	made = status/100 == 2
	return made, made || status == http.StatusUnprocessableEntity
}
