package edge

import (
	"net/http"
	"sync"
	"time"
)

const (
	// writeTimeout is how long a client may leave an answer unread.
	writeTimeout = time.Minute

	// renewAfter spares most writes the setting of a deadline.
	renewAfter = 5 * time.Second
)

// writer notes what is answered, and gives up clients that do not read.
type writer struct {
	http.ResponseWriter
	rc      *http.ResponseController
	x       *exchange
	status  int // 0: nothing is answered yet
	bytes   int64
	renewed time.Time

	mu     sync.Mutex
	busy   int         // writes that wait for the client
	keeper *time.Timer // nil: nothing is written yet, or it is not needed
	left   bool        // the request is over
}

func newWriter(w http.ResponseWriter, x *exchange) *writer {
	return &writer{ResponseWriter: w, rc: http.NewResponseController(w), x: x}
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	w.renew()
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(b []byte) (int, error) {
	w.renew()
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.begin()
	defer w.end()
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// FlushError sends what was written, which waits for the client as a Write does.
func (w *writer) FlushError() error {
	w.renew()
	w.begin()
	defer w.end()
	return w.rc.Flush()
}

// renew moves the deadline on.
func (w *writer) renew() {
	if now := time.Now(); now.Sub(w.renewed) > renewAfter {
		w.renewed = now
		_ = w.rc.SetWriteDeadline(now.Add(writeTimeout))
	}
}

func (w *writer) begin() {
	w.x.slow.begin()
	if !w.x.kept {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy++
	if w.keeper == nil {
		w.keeper = time.AfterFunc(writeTimeout/4, w.keep)
	}
}

func (w *writer) end() {
	w.x.slow.end()
	if !w.x.kept {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy--
}

// keep moves the deadline on while there is nothing to write: over HTTP/2 it would end
// the stream all the same.
func (w *writer) keep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left {
		return
	}
	if w.busy == 0 {
		_ = w.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	}
	w.keeper.Reset(writeTimeout / 4)
}

// giveUp ends a Write, or a Read of the body, that waits for the client, and all later
// ones.
func (w *writer) giveUp() {
	now := time.Now()
	_ = w.rc.SetReadDeadline(now)
	_ = w.rc.SetWriteDeadline(now)
}

// leave ends the keeping of deadlines with the request.
func (w *writer) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = true
	if w.keeper != nil {
		w.keeper.Stop()
	}
}
