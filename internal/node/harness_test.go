//go:build linux || darwin

package node

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/federation/post"
)

// gate stands where a node is reached. It is there while the node is not, and may lie in
// its name.
type gate struct {
	mu    sync.Mutex
	clock *clock
	node  http.Handler // nil: nobody is there
	lie   lie          // nil: none
	over  chan struct{}
}

// lie changes what a node answers.
type lie func(w http.ResponseWriter, r *http.Request, node http.Handler)

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	node, lie := g.node, g.lie
	g.mu.Unlock()
	w.Header().Set("Date", g.clock.now().UTC().Format(http.TimeFormat)) // not the machine's
	switch {
	case node == nil:
		panic(http.ErrAbortHandler) // the connection breaks
	case lie != nil:
		lie(w, r, node)
	default:
		node.ServeHTTP(w, r)
	}
}

func (g *gate) set(change func(*gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// lies has a node answer as l says; nil: as it is. What an earlier one still says ends.
func (c *cluster) lies(id genesis.NodeID, l lie) {
	c.gates[id].set(func(g *gate) {
		if g.over != nil {
			close(g.over)
		}
		g.lie, g.over = l, make(chan struct{})
	})
}

// until is closed when a node tells another lie.
func (c *cluster) until(id genesis.NodeID) <-chan struct{} {
	g := c.gates[id]
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
}

// rewrites changes the bodies of what is answered at paths with a text in them.
func rewrites(part string, f func(path string, body []byte) []byte) lie {
	return func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		if !strings.Contains(r.URL.Path, part) {
			node.ServeHTTP(w, r)
			return
		}
		heard := httptest.NewRecorder()
		node.ServeHTTP(heard, r)
		maps.Copy(w.Header(), heard.Header())
		w.Header().Del("Content-Length")
		w.WriteHeader(heard.Code)
		_, _ = w.Write(f(r.URL.Path, heard.Body.Bytes()))
	}
}

// drips answers everything at paths with a text in them a piece at a time, without an end.
func (c *cluster) drips(id genesis.NodeID, part string, piece []byte, every time.Duration) {
	c.lies(id, func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		if !strings.Contains(r.URL.Path, part) {
			node.ServeHTTP(w, r)
			return
		}
		over := c.until(id)
		for {
			if _, err := w.Write(piece); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-over:
				return
			case <-r.Context().Done():
				return
			case <-time.After(every):
			}
		}
	})
}

// life is a node from one start to its end: one that was killed says nothing any more,
// whatever its process still does.
type life struct {
	*end
	disk *still
	over atomic.Bool
}

func (l *life) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.over.Load() {
		return nil, errors.New("this node was killed")
	}
	return l.end.RoundTrip(r)
}

// open starts the node of an id over a home, at the address that it has.
func (c *cluster) open(id genesis.NodeID, dir string) {
	c.Helper()
	w := c.towns[id]
	h := mustHome(c.T, dir)
	h.Config.Node, h.Config.URL, h.Config.Institution, h.Config.Sector = id, w.url, fmt.Sprintf("The %s", id), sectorOf(id)
	h.Config.Serve.Rate.PerSecond = 0
	l := &life{end: &end{c.line, id}, disk: newStill()}
	n, err := Start(context.WithoutCancel(c.Context()), h, Options{Network: true, peers: l, disk: l.disk, now: c.line.clocks[id].now, cost: cheap, pauses: post.Pauses{First: 50 * time.Millisecond, Most: 500 * time.Millisecond}})
	if err != nil {
		c.Fatalf("%s: %v", id, err)
	}
	c.Cleanup(func() { _ = n.close() })
	w.node, w.works, w.life = n, n.service.(*works), l
	c.gates[id].set(func(g *gate) { g.node = l.answers(n.handler) })
}

// answers are those of a node while it lives.
func (l *life) answers(node http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { node.ServeHTTP(&voice{w, l}, r) })
}

// voice breaks off when its node is killed.
type voice struct {
	http.ResponseWriter
	*life
}

func (v *voice) Unwrap() http.ResponseWriter { return v.ResponseWriter }

func (v *voice) WriteHeader(status int) {
	if v.over.Load() {
		panic(http.ErrAbortHandler)
	}
	v.ResponseWriter.WriteHeader(status)
}

func (v *voice) Write(b []byte) (int, error) {
	if v.over.Load() {
		panic(http.ErrAbortHandler)
	}
	return v.ResponseWriter.Write(b)
}

// stop stops a node, in the midst of what it does.
func (c *cluster) stop(id genesis.NodeID) {
	c.Helper()
	c.gates[id].set(func(g *gate) { g.node = nil })
	if err := c.towns[id].node.close(); err != nil {
		c.Fatalf("%s: %v", id, err)
	}
}

// restart starts a node again that was stopped, with its home as it was left.
func (c *cluster) restart(id genesis.NodeID) {
	c.Helper()
	c.open(id, c.towns[id].node.home.Path)
}

// kill ends a node as kill -9 does, at a moment at which no transaction is being
// committed: a new one goes on with what the disk had then, and of what was under way
// nothing more happens.
func (c *cluster) kill(id genesis.NodeID) {
	c.Helper()
	c.open(id, c.snapshot(id))
}

// snapshot cuts a node off and returns a home as its disk was at that moment.
func (c *cluster) snapshot(id genesis.NodeID) string {
	c.Helper()
	w, dir := c.towns[id], c.TempDir()
	c.gates[id].set(func(g *gate) { g.node = nil })
	w.life.over.Store(true) // what it answered before is on the disk
	c.copyHome(id, dir)
	_ = w.node.close() // its disk is one that nobody reads any more
	return dir
}

// copyHome copies the home of a node that runs, as it is at one moment.
func (c *cluster) copyHome(id genesis.NodeID, dir string) {
	c.Helper()
	w := c.towns[id]
	err := w.works.db.Tx(c.Context(), func(*sql.Tx) error {
		w.life.disk.mu.Lock()
		defer w.life.disk.mu.Unlock()
		return copyDisk(dir, w.node.home.Path)
	})
	if err != nil {
		c.Fatalf("%s: %v", id, err)
	}
}

// copyDisk copies the files of a home. Of a database the file comes first and what was
// written ahead next, so that pages that are brought from there meanwhile are in one.
func copyDisk(to, from string) error {
	var files []string
	err := filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) { // a temporary file
			return nil
		}
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) != "-shm" {
			files = append(files, path)
		}
		return err
	})
	slices.Sort(files) // x.db before x.db-wal
	for _, path := range files {
		if err == nil {
			err = copyFile(filepath.Join(to, path[len(from):]), path)
		}
	}
	return err
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	info, err2 := os.Stat(from)
	if err = errors.Join(err, err2, os.MkdirAll(filepath.Dir(to), 0o700)); err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// splits has no request get from one side to the other.
func (l *line) splits(side ...genesis.NodeID) {
	l.breaks(func(from, to genesis.NodeID, _ *http.Request) (error, error) {
		if slices.Contains(side, from) != slices.Contains(side, to) {
			return fmt.Errorf("no way from %s to %s", from, to), nil
		}
		return nil, nil
	})
}

// deafens has requests of one node arrive at others, and no answer come back.
func (l *line) deafens(id genesis.NodeID) {
	l.breaks(func(from, to genesis.NodeID, _ *http.Request) (error, error) {
		if from == id && to != id {
			return nil, fmt.Errorf("no answer from %s to %s", to, from)
		}
		return nil, nil
	})
}

// slows has each request to some nodes take that long before it arrives, or until
// another fault begins.
func (l *line) slows(by time.Duration, ids ...genesis.NodeID) {
	l.breaks(func(from, to genesis.NodeID, r *http.Request) (error, error) {
		if from == to || !slices.Contains(ids, to) {
			return nil, nil
		}
		l.mu.Lock()
		over := l.over
		l.mu.Unlock()
		select {
		case <-time.After(by):
			return nil, nil
		case <-over:
			return nil, nil
		case <-r.Context().Done():
			return r.Context().Err(), nil
		}
	})
}

// heals has all requests arrive.
func (l *line) heals() { l.breaks(nil) }

// home is somebody's client of their own node, over the network of the cluster.
func (c *cluster) home(id genesis.NodeID, who string) *client.Client {
	w, way := c.towns[id], c.line.from(id)
	if c.patient {
		way = askingAgain{way}
	}
	return client.New(w.url, &http.Client{Transport: way}).WithToken(w.token[who])
}

// askingAgain asks again where a node has as much to do as it may, as its answer says one
// should: that is no refusal. A place that nobody gives back is still found.
type askingAgain struct{ http.RoundTripper }

func (p askingAgain) RoundTrip(r *http.Request) (*http.Response, error) {
	for try := 0; ; try++ {
		resp, err := p.RoundTripper.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests || try == 20 || r.Body != nil && r.GetBody == nil {
			return resp, err
		}
		resp.Body.Close()
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(250 * time.Millisecond):
		}
		r = r.Clone(r.Context())
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// guest is somebody's client of another node.
func (c *cluster) guest(home genesis.NodeID, who string, at genesis.NodeID) *client.Client {
	c.Helper()
	there, err := c.home(home, who).At(c.Context(), at)
	if err != nil {
		c.Fatalf("%s/%s at %s: %v", home, who, at, err)
	}
	return there
}

// refresh has a node ask the others for what is new, and follow their catalogues now. That
// some cannot be reached is no failure.
func (c *cluster) refresh(id genesis.NodeID) *genesis.FederationInfo {
	c.Helper()
	w := c.towns[id]
	info, err := w.works.RefreshFederation(c.Context(), w.local)
	if err != nil && genesis.KindOf(err) != genesis.Unavailable {
		c.Logf("%s: %v", id, err)
	}
	return info
}

// followed is how one node follows a class of another.
func (c *cluster) followed(by, node genesis.NodeID, class genesis.Class) mirror.Status {
	c.Helper()
	all, err := c.towns[by].works.mirror.Status(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	for _, s := range all {
		if s.Node == node && s.Class == class {
			return s
		}
	}
	return mirror.Status{}
}

// mirrored is what a node has of the catalogues of others: "class node/name tier".
func (c *cluster) mirrored(by genesis.NodeID) []string {
	c.Helper()
	var all []string
	for l, err := range c.towns[by].works.mirror.Listings(c.Context()) {
		if err != nil {
			c.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s/%s@%d %s", l.Class, l.Node, l.Name, l.Number, l.Tier))
	}
	slices.Sort(all)
	return all
}

// settle has everything that a node recorded stand in its logs.
func (c *cluster) settle(ids ...genesis.NodeID) {
	c.Helper()
	for _, id := range ids {
		w := c.towns[id]
		if err := errors.Join(w.works.RestateDue(c.Context()), w.works.Journal.Settle(c.Context())); err != nil {
			c.Fatalf("%s: %v", id, err)
		}
	}
}

// follows waits until a node's mirror is as it should be. It looks again and again, as
// the minute does in which a node looks by itself.
func (c *cluster) follows(by genesis.NodeID, want []string) {
	c.Helper()
	slices.Sort(want)
	var have []string
	for began := time.Now(); ; time.Sleep(time.Duration(len(c.order)) * 2 * time.Millisecond) {
		if have = c.mirrored(by); slices.Equal(have, want) {
			return
		}
		if time.Since(began) > max(patience, time.Duration(len(c.order))*5*time.Second) {
			status, _ := c.towns[by].works.mirror.Status(c.Context())
			c.Fatalf("%s mirrors\n%q, not\n%q\n%+v", by, have, want, status)
		}
		for _, id := range c.order {
			c.towns[by].works.mirror.Nudge(id)
		}
	}
}

// entries are those of a node's audit log that match, oldest first.
func (c *cluster) entries(at genesis.NodeID, q genesis.AuditQuery) []genesis.AuditEntry {
	c.Helper()
	c.settle(at)
	var all []genesis.AuditEntry
	for q.Limit = 1000; ; {
		page, err := c.towns[at].works.Journal.Query(context.WithoutCancel(c.Context()), q)
		if err != nil {
			c.Fatalf("%s: %v", at, err)
		}
		all = append(all, page.Entries...)
		if q.After = page.Next; q.After == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// admit makes an account of a program, with a token that lasts: unlike passwords, that
// takes no time.
func (w *town) admit(name string) {
	w.Helper()
	_, err := w.works.CreateAccount(w.Context(), w.local, genesis.AccountRequest{Subject: name, Service: true})
	w.must(nil, err)
	made, err := w.works.CreateToken(w.Context(), w.local, genesis.TokenRequest{Subject: name, Name: "test", Days: 366})
	w.must(nil, err)
	w.token[name] = made.Secret
}
