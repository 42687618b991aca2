package edge

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// maxHeld bounds the answers that get an ETag: it needs the whole answer before
// the first byte goes out.
const maxHeld = 4 << 20

// conditional gives short answers a strong ETag, the digest of the very bytes
// that this caller gets, and answers 304 or 412 where the request asks for that.
// Whoever can name the ETag has the bytes, so it tells nobody anything new.
func (e *Edge) conditional(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case !reads && r.Header.Get("If-Match") != "":
			// Leaving it unheard would lose somebody's update.
			refuse(w, r, 0, &genesis.Error{Op: "read request", Kind: genesis.Unsupported, Subject: r.Method, Msg: "does not take If-Match here"})
		case !reads || of(r.Context()).route.Stream || of(r.Context()).route.Health:
			next.ServeHTTP(w, r)
		default:
			h := &held{ResponseWriter: w, most: maxHeld}
			next.ServeHTTP(h, r)
			h.answer(r)
		}
	})
}

// answer sends what was held, or less.
func (h *held) answer(r *http.Request) {
	if h.through {
		return
	}
	if h.status != http.StatusOK {
		if h.status >= 400 {
			h.Header()["Cache-Control"] = cachePrivate
		}
		h.release()
		return
	}
	if h.Header().Get("Etag") != "" {
		h.release() // of bytes that are not these alone, as HEAD answers: its handler compared it
		return
	}
	sum := sha256.Sum256(h.body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	h.Header().Set("Etag", etag)
	switch Precondition(strings.Join(r.Header.Values("If-Match"), ","), strings.Join(r.Header.Values("If-None-Match"), ","), etag) {
	case http.StatusPreconditionFailed:
		refuse(h.ResponseWriter, r, http.StatusPreconditionFailed, Changed())
	case http.StatusNotModified:
		h.Header().Del("Content-Type")
		h.ResponseWriter.WriteHeader(http.StatusNotModified)
	default:
		h.Header().Set("Content-Length", strconv.Itoa(len(h.body)))
		h.release()
	}
}

// Precondition returns the status of an answer that the conditions of a GET or HEAD keep
// from being sent (RFC 9110, section 13.2.2), or 0. Several lines of a field are joined
// with commas.
func Precondition(ifMatch, ifNoneMatch, etag string) int {
	switch {
	case ifMatch != "" && !matches(ifMatch, etag, false):
		return http.StatusPreconditionFailed
	case matches(ifNoneMatch, etag, true):
		return http.StatusNotModified
	}
	return 0
}

// Changed is why a precondition failed.
func Changed() error {
	return &genesis.Error{Op: "read", Kind: genesis.Conflict, Msg: "is not as If-Match says any more"}
}

// matches reports whether a list of entity tags names etag (RFC 9110, section 13.1).
func matches(list, etag string, weak bool) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		if weak {
			tag = strings.TrimPrefix(tag, "W/")
		}
		if tag == etag || tag == "*" {
			return true
		}
	}
	return false
}

// held keeps an answer back until it is whole, or longer than most.
type held struct {
	http.ResponseWriter
	most    int
	status  int
	body    []byte
	through bool
}

func (h *held) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *held) WriteHeader(status int) {
	switch {
	case h.through || status < 200:
		h.ResponseWriter.WriteHeader(status)
	case h.status == 0:
		h.status = status
	}
}

func (h *held) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	if !h.through && len(h.body)+len(b) > h.most {
		h.release()
	}
	if h.through {
		return h.ResponseWriter.Write(b)
	}
	h.body = append(h.body, b...)
	return len(b), nil
}

// FlushError is called by a handler that streams: nothing is held then.
func (h *held) FlushError() error {
	h.release()
	return http.NewResponseController(h.ResponseWriter).Flush()
}

// release sends what is held; from here on everything goes through.
func (h *held) release() {
	if h.through {
		return
	}
	h.through = true
	if h.status == 0 {
		h.status = http.StatusOK
	}
	h.ResponseWriter.WriteHeader(h.status)
	if len(h.body) > 0 {
		_, _ = h.ResponseWriter.Write(h.body) // a client that is gone needs no answer
		h.body = nil
	}
}
