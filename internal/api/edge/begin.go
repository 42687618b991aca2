package edge

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"time"
)

// IDHeader carries the id of a request, both ways.
const IDHeader = "Request-Id"

const (
	// bodyTimeout bounds the time for sending a whole body or, where its length
	// is not bounded, for sending the next bytes.
	bodyTimeout = time.Minute

	// leftoverTimeout bounds the time for sending what nobody wants to read.
	leftoverTimeout = 5 * time.Second
)

// begin gives a request its id, its route, and its exchange.
func begin(find func(*http.Request) (string, Route)) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := &exchange{id: r.Header.Get(IDHeader), socket: Socket(r.Context()), began: time.Now()}
			if !wellFormedID(x.id) {
				x.id = rand.Text()
			}
			x.pattern, x.route = find(r)
			x.kept = x.route.Stream && r.ProtoMajor == 2
			x.out = newWriter(w, x)
			defer x.out.leave()
			w.Header().Set(IDHeader, x.id)
			r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
			if r.Body != nil && r.Body != http.NoBody {
				b := &timedBody{ReadCloser: r.Body, rc: http.NewResponseController(w), x: x, rolling: x.route.RawBody}
				r.Body = b
				defer b.leave()
			}
			next.ServeHTTP(x.out, r)
		})
	}
}

// wellFormedID accepts ids that are harmless in logs and headers and long enough
// to be unique.
func wellFormedID(id string) bool {
	if len(id) < 8 || len(id) > 64 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// timedBody bounds how long a body may take. The deadline goes when the body is
// read to its end: a deadline that passes later would end the request.
type timedBody struct {
	io.ReadCloser
	rc      *http.ResponseController
	x       *exchange
	rolling bool // a deadline for each read instead of one for all
	started bool
	ended   bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	if !b.started || b.rolling && !b.ended {
		b.started = true
		_ = b.rc.SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	b.x.slow.begin()
	n, err := b.ReadCloser.Read(p)
	b.x.slow.end()
	if err == io.EOF && !b.ended { // after another error the server must not wait for the rest
		b.ended = true
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

// leave bounds what the server reads of a body that the handler left.
func (b *timedBody) leave() {
	if !b.ended {
		_ = b.rc.SetReadDeadline(time.Now().Add(leftoverTimeout))
	}
}
