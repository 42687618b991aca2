package edge

import (
	"net/http"
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
	status  int // 0: nothing is answered yet
	bytes   int64
	renewed time.Time
}

func newWriter(w http.ResponseWriter) *writer {
	return &writer{ResponseWriter: w, rc: http.NewResponseController(w)}
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
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// renew moves the deadline on.
func (w *writer) renew() {
	if now := time.Now(); now.Sub(w.renewed) > renewAfter {
		w.renewed = now
		_ = w.rc.SetWriteDeadline(now.Add(writeTimeout))
	}
}
