//go:build linux || darwin

package node

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// tell has a node send a message to another.
func (h *history) tell() error {
	i := h.d.IntN(len(h.order))
	from, to := h.order[i], h.order[(i+1+h.d.IntN(len(h.order)-1))%len(h.order)]
	if h.down[from] {
		return nil
	}
	about := fmt.Sprintf("%s%d", h.prefix, len(h.told))
	h.notes("%s from %s to %s", about, from, to)
	h.told[about] = to
	h.puts(from, to, "test", about)
	return nil
}

func (h *history) part() error {
	h.faults++
	h.split, _ = pick(h, h.order)
	h.deaf = ""
	h.notes("%s", h.split)
	h.line.splits(h.split)
	return nil
}

func (h *history) deafen() error {
	h.faults++
	h.deaf, _ = pick(h, h.order)
	h.split = ""
	h.notes("%s", h.deaf)
	h.line.deafens(h.deaf)
	return nil
}

func (h *history) heal() error { return h.recover() }

func (h *history) stop() error {
	h.faults++
	at, _ := pick(h, h.order)
	h.notes("%s", at)
	if !h.down[at] {
		h.cluster.stop(at)
		h.down[at] = true
	}
	return nil
}

// start starts a node that was stopped.
func (h *history) start(at genesis.NodeID) {
	h.restart(at)
	h.hears(at)
	h.down[at] = false
}

func (h *history) kill() error {
	h.faults++
	at, _ := pick(h, h.order)
	h.notes("%s", at)
	if !h.down[at] {
		h.cluster.kill(at)
		h.hears(at)
	}
	return nil
}

// rotate has a node replace its keys; where the holder cannot be reached, it keeps them.
func (h *history) rotate() error {
	at, _ := pick(h, h.order)
	if h.down[at] {
		return nil
	}
	h.notes("%s", at)
	_, err := h.towns[at].works.RotateKeys(h.Context(), h.towns[at].local, genesis.RotateRequest{})
	if why, _ := h.excuse(soul{at, ""}, "nrel"); err != nil && why == "" {
		return fmt.Errorf("at %s: %w", at, err)
	}
	return nil
}

// turn has two days go by, in which grants end and openings come.
func (h *history) turn() error {
	if err := h.recover(); err != nil || h.days > 20*24*time.Hour {
		return err
	}
	return h.passes(48 * time.Hour)
}

// passes has time go by at all nodes.
func (h *history) passes(by time.Duration) error {
	h.faults++
	h.days += by
	return h.recover()
}

// clock has a node's clock go wrong by a day.
func (h *history) clock() error {
	h.faults++
	at, _ := pick(h, h.order)
	off := 24 * time.Hour
	if h.d.IntN(2) == 0 {
		off = -off
	}
	h.off[at] = true
	h.notes("%s %v", at, off)
	h.line.clocks[at].turn(h.days + off)
	return nil
}

// lie has a node answer other nodes wrongly for some steps.
func (h *history) lie() error {
	h.faults++
	h.honest() // one liar at a time: it is the one that is made honest again
	at, _ := pick(h, h.order)
	kind, _ := pick(h, lies)
	h.lying, h.lieEnds = at, 1+h.d.IntN(6)
	h.notes("%s: %s, for %d steps", at, kind.name, h.lieEnds)
	h.cluster.lies(at, kind.lie(h.cluster, at))
	return nil
}

// lies are wrong answers of a node from which others get well by themselves. None is to
// people, nor about a charter.
var lies = []struct {
	name string
	lie  func(*cluster, genesis.NodeID) lie
}{
	{"wrong tiles", garbles("/tile/", -20)},
	{"bad signatures", garbles("/checkpoint", -6)},
	{"receipts of others", garbles("/v1/messages", -20)},
	{"wrong bundles", garbles("/bundle", -40)},
	{"wrong bytes", garbles("/blobs/", -1)},
	{"endless bodies", endlessly},
}

func garbles(part string, at int) func(*cluster, genesis.NodeID) lie {
	return func(*cluster, genesis.NodeID) lie {
		return rewrites(part, func(_ string, b []byte) []byte { return changed(b, at) })
	}
}

// endlessly does what a node is asked to do, and answers without an end.
func endlessly(c *cluster, id genesis.NodeID) lie {
	piece := bytes.Repeat([]byte("{"), 1<<16)
	return func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		asked := r.URL.Query().Has("own") || slices.ContainsFunc([]string{"/v1/logs", "/v1/messages", "/v1/memberships", "/bundle", "/blobs/"}, func(part string) bool { return strings.Contains(r.URL.Path, part) })
		if !asked {
			node.ServeHTTP(w, r)
			return
		}
		done := httptest.NewRecorder()
		node.ServeHTTP(done, r)
		maps.Copy(w.Header(), done.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(done.Code)
		for over := c.until(id); ; {
			select {
			case <-over:
				return
			case <-r.Context().Done():
				return
			default:
			}
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}
}

// honest ends what a node lies.
func (h *history) honest() {
	if h.lying != "" {
		h.cluster.lies(h.lying, nil)
		h.lying = ""
	}
}

// slow has each request between nodes take its time, and some overtake others.
func (h *history) slow() error {
	most := time.Duration(1+h.d.IntN(30)) * time.Millisecond
	h.split, h.deaf = "", ""
	h.notes("up to %v", most)
	var mu sync.Mutex
	d := rand.New(rand.NewPCG(h.d.Uint64(), 2))
	h.line.breaks(func(from, to genesis.NodeID, r *http.Request) (error, error) {
		if from == to {
			return nil, nil
		}
		mu.Lock()
		pause := rand.N(most)
		if d.IntN(2) == 0 {
			pause = 0
		}
		mu.Unlock()
		select {
		case <-time.After(pause):
			return nil, nil
		case <-r.Context().Done():
			return r.Context().Err(), nil
		}
	})
	return nil
}

// heard is a request that was answered.
type heard struct {
	to           genesis.NodeID
	method, path string
	header       http.Header
	body         []byte
}

const mostOverheard = 1 << 20 // bytes of a body

// overhear takes down what is asked of a node.
func overhear(to genesis.NodeID, r *http.Request) heard {
	said := heard{to: to, method: r.Method, path: r.URL.RequestURI(), header: r.Header.Clone()}
	if r.Body == nil || r.ContentLength > mostOverheard {
		return said
	}
	said.body, _ = io.ReadAll(r.Body) // a body that breaks off is sent as far as it goes, as without this
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(said.body))
	return said
}

// once reports whether a request may be answered once alone.
func (r heard) once() bool {
	return r.message() || r.path == "/v1/exchange" || r.header.Get(genesis.ProofSignature) != ""
}

func (r heard) message() bool { return r.path == "/v1/messages" }

// listens keeps what is asked in a history and may be asked once.
func (h *history) listens() {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	h.line.heard = func(r heard) {
		h.listening.Lock()
		defer h.listening.Unlock()
		if r.once() && len(h.heard) < 1000 {
			h.heard = append(h.heard, r)
		}
	}
}

// replay has somebody who listens to the line ask once more what was answered, mostly the
// same node. It is refused, but for a message, whose receipt is given again; that nothing
// is done twice is seen at the end.
func (h *history) replay() error {
	h.listening.Lock()
	old, ok := pick(h, h.heard)
	h.listening.Unlock()
	at := old.to
	if h.d.IntN(4) == 0 {
		at, _ = pick(h, h.order)
	}
	if !ok || h.down[at] {
		return nil
	}
	h.notes("%s %s of %s at %s", old.method, old.path, old.to, at)
	r, err := http.NewRequestWithContext(h.Context(), old.method, h.towns[at].url+old.path, bytes.NewReader(old.body))
	if err != nil {
		return err
	}
	r.Header = old.header.Clone()
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", at, err)
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable { // it says that it did nothing, for now
		return nil
	}
	if resp.StatusCode >= 500 || resp.StatusCode < 400 && !(old.message() && at == old.to) {
		return fmt.Errorf("%s %s, which %s answered, again at %s: %s", old.method, old.path, old.to, at, resp.Status)
	}
	return nil
}
