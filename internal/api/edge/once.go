package edge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// KeyHeader makes asking twice the same as asking once.
const KeyHeader = "Idempotency-Key"

const (
	// KeepKeys is how long a key is remembered.
	KeepKeys = 24 * time.Hour

	// DefaultKeys is how many keys one person may use in that time, or all people of another
	// node.
	DefaultKeys = 10_000

	// maxKept bounds the answers that are remembered. Of a longer one it is known
	// only that there was one; a longer refusal is found anew.
	maxKept = 256 << 10

	// maxKeptOfOne bounds the answers together that are remembered for one person.
	// Beyond that they are treated like longer ones.
	maxKeptOfOne = 32 << 20

	keepTimeout = 10 * time.Second
)

// Kept is what is remembered of a request that was carried out.
type Kept struct {
	Request  string // digest of what was asked
	Status   int
	Type     string // of the body
	Location string
	Body     []byte
	Whole    bool // Body is the answer; else it is not kept
	Made     bool // something was made, which must not be made again; not kept
}

// KeyStore remembers answers durably, for [KeepKeys].
type KeyStore interface {
	// Find returns what is remembered under a claim; false for nothing.
	Find(ctx context.Context, claim string) (Kept, bool, error)
	// Keep remembers an answer to a person. What is there already stays. When more is
	// kept for the person than may be, that there was an answer is remembered, and
	// of a refusal nothing.
	Keep(ctx context.Context, person, claim string, k Kept) error
	// Count returns how many claims of a person are remembered.
	Count(ctx context.Context, person string) (int, error)
}

// flights are the keyed requests that run now, each with the digest of what it
// asks. They are in memory alone: one process serves a home, and when it dies
// nothing runs any more, so that no key can be stuck.
type flights struct {
	mu      sync.Mutex
	running map[string]string
}

// board reports whether a claim is free, and takes it if so; else it returns
// what runs under it.
func (f *flights) board(claim, request string) (running string, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if running, taken := f.running[claim]; taken {
		return running, false
	}
	f.running[claim] = request
	return "", true
}

func (f *flights) land(claim string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.running, claim)
}

// once carries a creating request with an Idempotency-Key out once. Kept are
// answers after which something was made (2xx) and those that can never be
// otherwise (422); after others the request may be tried again under its key.
func (e *Edge) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := PrincipalOf(r.Context())
		key := r.Header.Get(KeyHeader)
		if !of(r.Context()).route.Creates || key == "" || !who.SignedIn() {
			next.ServeHTTP(w, r) // what nobody asks for is remembered for nobody
			return
		}
		key, err := readKey(key)
		if err == nil && e.Keys == nil {
			err = &genesis.Error{Op: "remember request", Kind: genesis.Unsupported, Msg: "this node remembers no requests"}
		}
		if err != nil {
			refuse(w, r, 0, err)
			return
		}
		body, status, err := readAll(r.Body)
		if err != nil {
			refuse(w, r, status, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := &keyed{e: e, who: who, claim: claimOf(who, of(r.Context()).pattern, key), request: digestOf(r, body)}
		k.serve(w, r, next)
	})
}

// readKey accepts a key as it is, or as a quoted string.
func readKey(key string) (string, error) {
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	ok := key != "" && len(key) <= 200
	for _, c := range []byte(key) {
		ok = ok && c > ' ' && c < 0x7f && c != '"' && c != '\\'
	}
	if !ok {
		return "", refusal("read request", KeyHeader+" is not 1 to 200 visible characters", "send a random one, such as a UUID")
	}
	return key, nil
}

func readAll(body io.Reader) ([]byte, int, error) {
	b, err := io.ReadAll(body)
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, http.StatusRequestEntityTooLarge, tooLarge()
	case err != nil:
		return nil, http.StatusBadRequest, &genesis.Error{Op: "read request", Kind: genesis.Invalid, Msg: "the body broke off", Err: err}
	}
	return b, 0, nil
}

// claimOf names a key of one caller and route. The parts cannot run into each
// other: none but the last holds a NUL.
func claimOf(who genesis.Principal, route, key string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(who.Person()), who.Credential, route, key}, "\x00")))
	return hex.EncodeToString(sum[:])
}

func digestOf(r *http.Request, body []byte) string {
	h := sha256.New()
	io.WriteString(h, r.Method+"\x00"+r.URL.RequestURI()+"\x00"+r.Header.Get("Content-Type")+"\x00")
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// keyed is one request with a key.
type keyed struct {
	e              *Edge
	who            genesis.Principal
	claim, request string
}

func (k *keyed) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	running, ok := k.e.flights.board(k.claim, k.request)
	if !ok {
		k.refuseSecond(w, r, running)
		return
	}
	defer k.e.flights.land(k.claim) // also when the handler panics
	kept, found, err := k.e.Keys.Find(r.Context(), k.claim)
	switch {
	case err != nil:
		refuse(w, r, 0, err)
	case found && kept.Request != k.request:
		refuse(w, r, 0, reused())
	case found:
		replay(w, r, kept)
	default:
		k.carryOut(w, r, next)
	}
}

func reused() error {
	return &genesis.Error{Op: "read request", Kind: genesis.Invalid, Msg: KeyHeader + " was used for another request", Hint: "send a new key with a new request"}
}

// refuseSecond answers a request whose twin runs.
func (k *keyed) refuseSecond(w http.ResponseWriter, r *http.Request, running string) {
	if running != k.request {
		refuse(w, r, 0, reused())
		return
	}
	retryAfter(w, time.Second)
	refuse(w, r, 0, &genesis.Error{Op: "read request", Kind: genesis.Conflict, Msg: "the same request is being carried out", Hint: "ask again with the same key when it is done"})
}

// replay answers as the first time.
func replay(w http.ResponseWriter, r *http.Request, k Kept) {
	h := w.Header()
	h.Set("Idempotency-Replayed", "true")
	if !k.Whole {
		refuse(w, r, http.StatusConflict, &genesis.Error{Op: "read request", Kind: genesis.Exists,
			Msg: "was carried out before; its answer was told then and is not kept"})
		return
	}
	h.Set("Content-Type", k.Type)
	if k.Location != "" {
		h.Set("Location", k.Location)
	}
	w.WriteHeader(k.Status)
	_, _ = w.Write(k.Body)
}

func (k *keyed) carryOut(w http.ResponseWriter, r *http.Request, next http.Handler) {
	n, err := k.e.Keys.Count(r.Context(), k.e.sharing(k.who))
	if err != nil {
		refuse(w, r, 0, err)
		return
	}
	if n >= k.e.KeysMax {
		k.e.Metrics.refuse("keys")
		tooMany(w, r, "too many idempotency keys in a day", time.Hour)
		return
	}
	out := &outcome{ResponseWriter: w, secret: of(r.Context()).route.Secret, keep: func(answer Kept) { k.keep(r.Context(), answer) }}
	next.ServeHTTP(out, r)
	out.end()
}

// keep remembers an answer. The request was carried out whether or not that
// works, so the caller gets the answer anyway.
func (k *keyed) keep(ctx context.Context, answer Kept) {
	answer.Request = k.request
	kctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if err := k.e.Keys.Keep(kctx, k.e.sharing(k.who), k.claim, answer); err != nil {
		k.e.Log.ErrorContext(ctx, "an answer cannot be remembered under its idempotency key", "request_id", RequestID(ctx), "error", err)
	}
}
