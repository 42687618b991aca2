//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/journal"
)

// offer prepares a dataset at a node and publishes it.
func (c *cluster) offer(at genesis.NodeID, name string, req genesis.PublishRequest) {
	c.Helper()
	w := c.towns[at]
	w.prepare(name, "a,b\n1,2\n3,4\n")
	w.must(w.works.Publish(c.Context(), w.local, name, req))
	c.settle(at)
}

// work is what people of a node do at home, and how long it took.
func (c *cluster) work(at genesis.NodeID, name string) time.Duration {
	c.Helper()
	began, w := time.Now(), c.towns[at]
	c.offer(at, name, genesis.PublishRequest{Tier: genesis.TierPublic})
	if found, err := w.works.Search(c.Context(), w.local, genesis.SearchQuery{Text: name, Local: true}); err != nil || len(found.Hits) == 0 {
		c.Fatalf("%s: %+v %v", name, found, err)
	}
	var csv bytes.Buffer
	if err := c.home(at, "").Export(c.Context(), name, client.ExportOptions{Format: "csv"}, &csv, nil); err != nil || csv.Len() == 0 {
		c.Fatalf("%s: %q %v", name, csv.String(), err)
	}
	w.must(c.home(at, "").Members(c.Context()))
	return time.Since(began)
}

// searched is what a search by somebody of a node says of how well it covers another, and
// how long it took. What is mirrored is found whatever is wrong.
func (c *cluster) searched(at genesis.NodeID, who, text string, of genesis.NodeID) (genesis.NodeCoverage, time.Duration) {
	c.Helper()
	began := time.Now()
	status, body := c.towns[at].call(who, "GET", "/v1/search?q="+text, "")
	var found genesis.SearchResult
	if err := json.Unmarshal(body, &found); err != nil || status != 200 || len(found.Hits) == 0 {
		c.Fatalf("%d %s", status, body)
	}
	i := slices.IndexFunc(found.Coverage, func(n genesis.NodeCoverage) bool { return n.Node == of })
	if i < 0 {
		c.Fatalf("it does not say how it covers %s: %s", of, body)
	}
	return found.Coverage[i], time.Since(began)
}

// finds waits until all that is mirrored is found, too.
func (c *cluster) finds(at genesis.NodeID, who, text string) {
	c.Helper()
	c.eventually("a search finds "+text, func() bool {
		_, body := c.towns[at].call(who, "GET", "/v1/search?q="+text, "")
		var found genesis.SearchResult
		return json.Unmarshal(body, &found) == nil && len(found.Hits) > 0 &&
			!slices.ContainsFunc(found.Coverage, func(n genesis.NodeCoverage) bool { return n.Standing == genesis.StandingPartial })
	})
}

// trouble is something that can be wrong with a node, until it is mended.
type trouble struct {
	begin, mend func(c *cluster, id genesis.NodeID)
	standing    mirror.Standing // of its log at others, meanwhile; "": a round lasts longer than this test looks
	silent      bool            // it answers no search either
}

func mends(c *cluster, id genesis.NodeID) { c.lies(id, nil); c.line.heals() }

func changed(b []byte, at int) []byte {
	b = bytes.Clone(b)
	if at = max(len(b)+at, 0); at < len(b) {
		b[at] ^= 3
	}
	return b
}

var troubles = map[string]trouble{
	"dead":                {begin: func(c *cluster, id genesis.NodeID) { c.stop(id) }, mend: func(c *cluster, id genesis.NodeID) { c.restart(id) }, standing: mirror.Failing, silent: true},
	"cut off":             {begin: func(c *cluster, id genesis.NodeID) { c.line.cuts(id) }, mend: mends, standing: mirror.Failing, silent: true},
	"slow":                {begin: func(c *cluster, id genesis.NodeID) { c.line.slows(time.Minute, id) }, mend: mends, silent: true},
	"a byte now and then": {begin: func(c *cluster, id genesis.NodeID) { c.drips(id, "/", []byte("{"), 50*time.Millisecond) }, mend: mends, silent: true},
	"an endless body":     {begin: func(c *cluster, id genesis.NodeID) { c.drips(id, "/v1/", bytes.Repeat([]byte("{"), 1<<16), 0) }, mend: mends, standing: mirror.Failing, silent: true},
	"a bad signature": {begin: func(c *cluster, id genesis.NodeID) {
		c.lies(id, rewrites("checkpoint", func(_ string, b []byte) []byte { return changed(b, -6) }))
	}, mend: mends, standing: mirror.Refused},
	"wrong tiles": {begin: func(c *cluster, id genesis.NodeID) {
		c.lies(id, rewrites("/tile/", func(_ string, b []byte) []byte { return changed(b, -20) }))
	}, mend: mends, standing: mirror.Failing},
	"a stale checkpoint": {begin: func(c *cluster, id genesis.NodeID) {
		old := c.checkpoint(id, genesis.ClassPublic)
		c.offer(id, "seen", genesis.PublishRequest{Tier: genesis.TierPublic})
		c.follows("mit", append(c.mirrored("mit"), "public "+string(id)+"/seen@1 public"))
		c.lies(id, rewrites("/public/1/checkpoint", func(string, []byte) []byte { return old }))
	}, mend: mends, standing: mirror.Behind},
	"a forked log": {begin: func(c *cluster, id genesis.NodeID) { c.forks(id) }, mend: func(c *cluster, id genesis.NodeID) {
		mends(c, id)
		w := c.towns[id]
		w.must(nil, w.works.Journal.NewEpoch(c.Context(), "a test forked it"))
		c.settle(id)
	}, standing: mirror.Forked},
}

// checkpoint is the latest of a log.
func (c *cluster) checkpoint(at genesis.NodeID, class genesis.Class) []byte {
	c.Helper()
	c.settle(at)
	log, err := c.towns[at].works.Journal.Log(class, 1)
	if err != nil {
		c.Fatal(err)
	}
	return log.Checkpoint()
}

// forks has others see a twin of a node, with its keys, that says something else than the
// node did.
func (c *cluster) forks(id genesis.NodeID) {
	c.Helper()
	w, dir := c.towns[id], c.TempDir()
	c.copyHome(id, dir)
	c.offer(id, "true", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.follows("mit", append(c.mirrored("mit"), "public "+string(id)+"/true@1 public"))
	twin := &cluster{T: c.T, line: c.line, towns: map[genesis.NodeID]*town{id: {T: c.T, url: w.url, local: w.local}}, gates: map[genesis.NodeID]*gate{id: {clock: c.line.clocks[id]}}}
	twin.open(id, dir)
	twin.offer(id, "false", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.lies(id, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { twin.gates[id].ServeHTTP(w, r) })
}

// TestLocalWorkIsUnaffected: whatever is wrong with a peer, what is done at home takes the
// time that it takes at a node without peers, the node says how it stands with the peer, what was mirrored stays,
// and when the peer is well again all of it is followed.
func TestLocalWorkIsUnaffected(t *testing.T) {
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, "nrel", "mit", "ornl")
			c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierPublic})
			c.offer("ornl", "heat", genesis.PublishRequest{Tier: genesis.TierRegistered})
			c.follows("mit", []string{"public nrel/wind@1 public", "members ornl/heat@1 registered"})
			c.towns["mit"].admit("ada")
			calm := newCluster(t, "anl") // which nothing is wrong with
			c.work("mit", "before")
			c.finds("mit", "ada", "wind")
			c.eventually("when all is well a search covers it", func() bool { // a busy machine may be late once
				n, _ := c.searched("mit", "ada", "wind", "nrel")
				return n.Answered && n.Standing == ""
			})
			seen := c.followed("mit", "nrel", genesis.ClassPublic).Fresh

			trouble.begin(c, "nrel")
			had := c.mirrored("mit")
			if name != "dead" { // there is something that others do not get to know
				c.offer("nrel", "sun", genesis.PublishRequest{Tier: genesis.TierPublic})
			}
			var asked sync.WaitGroup
			defer asked.Wait()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			asked.Go(func() { _, _ = c.towns["mit"].works.RefreshFederation(ctx, c.towns["mit"].local) })
			var usual, during []time.Duration
			for i := range 11 { // by turns, so that whatever else the machine does counts for both
				usual = append(usual, calm.work("anl", fmt.Sprintf("calm-%d", i)))
				for _, id := range c.order {
					c.towns["mit"].works.mirror.Nudge(id)
				}
				during = append(during, c.work("mit", fmt.Sprintf("during-%d", i)))
			}
			slices.Sort(usual)
			slices.Sort(during)
			if u, d := usual[len(usual)/2], during[len(during)/2]; d > 2*u+100*time.Millisecond {
				t.Errorf("work at home takes %v, and %v where nothing is wrong", d, u)
			}
			if u, d := slices.Max(usual), slices.Max(during); d > 10*u+time.Second {
				t.Errorf("work at home took %v once, and at most %v where nothing is wrong", d, u)
			}
			t.Logf("work at home takes %v, and %v where nothing is wrong", during[len(during)/2], usual[len(usual)/2])
			n, took := c.searched("mit", "ada", "wind", "nrel")
			if took > 5*time.Second {
				t.Errorf("a search took %v", took)
			}
			if trouble.silent && n.Answered {
				t.Errorf("a search says that it was answered: %+v", n)
			}
			if trouble.standing != mirror.Good {
				c.eventually("it says so", func() bool {
					c.towns["mit"].works.mirror.Nudge("nrel")
					s := c.followed("mit", "nrel", genesis.ClassPublic)
					return s.Standing == trouble.standing && s.Reason != ""
				})
				if n, _ := c.searched("mit", "ada", "wind", "nrel"); n.Standing != string(trouble.standing) || n.Cause == "" {
					t.Errorf("a search says that it covers %+v", n)
				}
			}
			if s := c.followed("mit", "nrel", genesis.ClassPublic); (trouble.silent || trouble.standing == mirror.Failing) && s.Fresh.Sub(seen) > 2*time.Second {
				t.Errorf("it says that all there is was seen: %+v", s)
			}
			if have := c.mirrored("mit"); fmt.Sprint(have) != fmt.Sprint(had) {
				t.Errorf("it mirrors %q, and had %q", have, had)
			}
			c.offer("ornl", "light", genesis.PublishRequest{Tier: genesis.TierPublic}) // others are followed meanwhile
			c.follows("mit", append(had, "public ornl/light@1 public"))

			stop()
			trouble.mend(c, "nrel")
			want := append(had, "public ornl/light@1 public")
			if name != "dead" {
				want = append(want, "public nrel/sun@1 public")
			}
			c.follows("mit", want)
			c.eventually("all is well", func() bool {
				c.towns["mit"].works.mirror.Nudge("nrel")
				s := c.followed("mit", "nrel", genesis.ClassPublic)
				return s.Standing == mirror.Good && s.Fresh.After(seen)
			})
		})
	}
}

// TestSomebodyElsesNames: what a node states of things that are not its own is not
// mirrored, though it is signed.
func TestSomebodyElsesNames(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	c.offer("ornl", "heat", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierPublic})
	nrel := c.towns["nrel"].works
	for _, l := range []genesis.Listing{{Format: 1, Node: "ornl", Name: "heat", Title: "Not theirs"}, {Format: 1, Node: "mit", Name: "own"}, {Format: 1, Node: "nrel", Name: "other"}} {
		l.Kind, l.Version = genesis.Dataset, genesis.DigestOf([]byte(l.Title))
		text, err := genesis.CanonicalJSON(l)
		if err != nil {
			t.Fatal(err)
		}
		name := l.Name
		if l.Node == "nrel" {
			name = "another"
		}
		err = nrel.db.Tx(t.Context(), func(tx *sql.Tx) error {
			return journal.Restate(t.Context(), tx, journal.Presence{Name: name, Version: l.Version, Leaves: journal.StatedHide, Listings: map[genesis.Class][]byte{genesis.ClassPublic: text}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.offer("nrel", "sun", genesis.PublishRequest{Tier: genesis.TierPublic})
	want := []string{"public nrel/sun@1 public", "public nrel/wind@1 public"}
	c.follows("ornl", want)
	c.follows("mit", append(want, "public ornl/heat@1 public"))
}

// TestPartition: the sides of a network go on by themselves, and are one when it heals.
func TestPartition(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl", "anl")
	for _, id := range c.order {
		c.offer(id, "of-"+string(id), genesis.PublishRequest{Tier: genesis.TierPublic})
	}
	c.line.splits("nrel", "mit")
	var all []string
	for _, id := range c.order {
		c.offer(id, "apart", genesis.PublishRequest{Tier: genesis.TierRegistered})
		all = append(all, fmt.Sprintf("public %s/of-%s@1 public", id, id), fmt.Sprintf("members %s/apart@1 registered", id))
	}
	of := func(ids ...string) (some []string) {
		for _, s := range all {
			for _, id := range ids {
				if strings.Contains(s, " "+id+"/") {
					some = append(some, s)
				}
			}
		}
		return some
	}
	c.towns["mit"].settle("ada", nil)
	if who, err := c.guest("mit", "ada", "nrel").WhoAmI(t.Context()); err != nil || who.Person() != "mit/ada" {
		t.Errorf("within a side: %+v %v", who, err)
	}
	if _, err := c.guest("mit", "ada", "ornl").WhoAmI(t.Context()); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("to the other side: %v", err)
	}
	c.follows("nrel", of("mit"))
	c.follows("anl", of("ornl"))
	c.line.heals()
	for _, id := range c.order {
		others := map[genesis.NodeID][]string{"nrel": {"mit", "ornl", "anl"}, "mit": {"nrel", "ornl", "anl"}, "ornl": {"nrel", "mit", "anl"}, "anl": {"nrel", "mit", "ornl"}}
		c.follows(id, of(others[id]...))
	}
}

// TestOneWayLoss: where requests arrive and answers do not, everything is done once all
// the same.
func TestOneWayLoss(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierControlled})
	c.towns["mit"].settle("ada", nil)
	ada := c.guest("mit", "ada", "nrel")
	if _, err := ada.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.line.deafens("mit")
	if _, err := ada.Ask(t.Context(), genesis.AskRequest{Ref: "wind", Purpose: "wakes"}); genesis.KindOf(err) != genesis.Unavailable {
		t.Fatalf("its answer was lost: %v", err)
	}
	if len(c.entries("nrel", genesis.AuditQuery{Act: "request"})) != 1 {
		t.Error("what arrived was not done, or twice")
	}
	c.line.heals()
	if page, err := ada.Requests(t.Context(), genesis.RequestQuery{Mine: true}); err != nil || len(page.Requests) != 1 {
		t.Errorf("they see what became of it: %+v %v", page, err)
	}
}

// TestRotationMidWork: while keys are replaced, sessions, streams and messages go on; a day
// later what the old keys signed does not count.
func TestRotationMidWork(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierRegistered})
	mit.settle("ada", nil)
	ada := c.guest("mit", "ada", "nrel")
	if _, err := ada.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken := c.takes("nrel", "test")
	c.line.cuts("nrel")
	c.puts("mit", "nrel", "test", "before")
	c.line.heals()
	nrel.must(nrel.works.RotateKeys(t.Context(), nrel.local, genesis.RotateRequest{}))
	if change, err := mit.works.RotateKeys(t.Context(), mit.local, genesis.RotateRequest{}); err != nil || !change.Done {
		t.Fatalf("%+v %v", change, err)
	}
	c.refresh("nrel")
	c.puts("mit", "nrel", "test", "after")
	c.eventually("messages arrive", func() bool { mit.works.post.Wake(); return len(taken()) == 2 })
	if err := ada.Export(t.Context(), "wind", client.ExportOptions{}, io.Discard, nil); err != nil {
		t.Errorf("a session from before: %v", err)
	}
	if _, err := c.guest("mit", "ada", "nrel").WhoAmI(t.Context()); err != nil {
		t.Errorf("a new session: %v", err)
	}
	c.offer("nrel", "sun", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.follows("mit", []string{"members nrel/wind@1 registered", "public nrel/sun@1 public"})
	for _, id := range c.order {
		c.line.clocks[id].turn(25 * time.Hour)
	}
	mit.settle("bob", nil)
	if _, err := c.guest("mit", "bob", "nrel").WhoAmI(t.Context()); err != nil {
		t.Errorf("a day later: %v", err)
	}
	c.puts("mit", "nrel", "test", "a day later")
	c.eventually("messages arrive", func() bool { return len(taken()) == 3 })
}

// TestRotationByAClockBehind: a holder whose clock is a day behind replaces its keys, and
// those before count no more at once. Who is at work at another node is vouched for anew.
func TestRotationByAClockBehind(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel := c.towns["nrel"]
	nrel.settle("ada", nil)
	ada := c.guest("nrel", "ada", "mit")
	if _, err := ada.WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.offer("mit", "sun", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.follows("nrel", []string{"public mit/sun@1 public"})
	c.line.clocks["nrel"].turn(-24 * time.Hour)
	nrel.must(nrel.works.RotateKeys(t.Context(), nrel.local, genesis.RotateRequest{}))
	c.line.clocks["nrel"].turn(0)
	c.refresh("mit")
	if _, err := ada.WhoAmI(t.Context()); err != nil {
		t.Errorf("a session from before: %v", err)
	}
	c.offer("mit", "wind", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.follows("nrel", []string{"public mit/sun@1 public", "public mit/wind@1 public"})
}

// takes has a node take messages of a kind, and returns what they were about.
func (c *cluster) takes(at genesis.NodeID, kind string) func() []string {
	var mu sync.Mutex
	var all []string
	c.towns[at].works.post.Handle[kind] = func(_ context.Context, _ *sql.Tx, m genesis.PeerMessage) error {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, m.About)
		return nil
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), all...)
	}
}

// puts has a node send a message.
func (c *cluster) puts(from, to genesis.NodeID, kind, about string) {
	c.Helper()
	w := c.towns[from].works
	err := w.db.Tx(c.Context(), func(tx *sql.Tx) error {
		_, err := w.post.Put(c.Context(), tx, to, kind, about, about)
		return err
	})
	if err != nil {
		c.Fatal(err)
	}
	w.post.Wake()
}

// TestExpelled: who is no member any more is vouched for no more, is followed no more and
// tells others nothing; what it does at home goes on.
func TestExpelled(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	for _, id := range c.order {
		c.offer(id, "of-"+string(id), genesis.PublishRequest{Tier: genesis.TierRegistered})
	}
	c.follows("mit", []string{"members nrel/of-nrel@1 registered", "members ornl/of-ornl@1 registered"})
	c.towns["ornl"].settle("eve", nil)
	eve := c.guest("ornl", "eve", "mit")
	if err := eve.Export(t.Context(), "of-mit", client.ExportOptions{}, io.Discard, nil); err != nil {
		t.Fatal(err)
	}
	taken := c.takes("mit", "test")
	nrel := c.towns["nrel"]
	nrel.must(nrel.works.RemoveMember(t.Context(), nrel.local, "ornl"))
	c.refresh("mit")
	if err := eve.Export(t.Context(), "of-mit", client.ExportOptions{}, io.Discard, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a session of before: %v", err)
	}
	if _, err := c.guest("ornl", "eve", "mit").WhoAmI(t.Context()); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a new session: %v", err)
	}
	c.puts("ornl", "mit", "test", "still there")
	c.offer("ornl", "after", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.follows("mit", []string{"members nrel/of-nrel@1 registered"})
	c.follows("nrel", []string{"members mit/of-mit@1 registered"})
	if len(taken()) != 0 {
		t.Errorf("it takes %v", taken())
	}
	c.work("ornl", "at-home")
	c.refresh("ornl")
	if _, err := c.towns["ornl"].works.RemoveMember(t.Context(), c.towns["ornl"].local, "mit"); err == nil {
		t.Error("it changes the charter")
	}
	// Let in again, it is as before.
	c.towns["ornl"].must(c.towns["ornl"].works.LeaveFederation(t.Context(), c.towns["ornl"].local))
	c.join("ornl")
	c.refresh("mit")
	c.follows("mit", []string{"members nrel/of-nrel@1 registered", "members ornl/of-ornl@1 registered", "public ornl/after@1 public", "public ornl/at-home@1 public"})
	if _, err := c.guest("ornl", "eve", "mit").WhoAmI(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestReplays: a message, a token and a signed request count once, also at a node that was
// killed between, and at no other node.
func TestReplays(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	var mu sync.Mutex
	heard := map[string][]*http.Request{}
	bodies := map[*http.Request][]byte{}
	c.lies("nrel", func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		kept := r.Clone(context.WithoutCancel(r.Context()))
		heard[r.URL.Path], bodies[kept] = append(heard[r.URL.Path], kept), b
		mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(b))
		node.ServeHTTP(w, r)
	})
	replay := func(path string, at genesis.NodeID) int {
		t.Helper()
		mu.Lock()
		all := heard[path]
		if len(all) == 0 {
			t.Fatalf("nothing came to %s", path)
		}
		old := all[0]
		body := bodies[old]
		mu.Unlock()
		r, err := http.NewRequestWithContext(t.Context(), old.Method, c.towns[at].url+old.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = old.Header.Clone()
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	taken := c.takes("nrel", "test")
	c.puts("mit", "nrel", "test", "one")
	c.eventually("it arrives", func() bool { return len(taken()) == 1 })
	c.towns["mit"].settle("ada", nil)
	if _, err := c.guest("mit", "ada", "nrel").WhoAmI(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.eventually("the receipt is kept", func() bool {
		s, err := c.towns["mit"].works.post.Status(t.Context())
		return err == nil && len(s) == 0
	})
	for i := range 2 {
		if i == 1 {
			c.kill("nrel")
			taken = c.takes("nrel", "test")
			if status := replay("/v1/messages", "nrel"); status != 200 || len(taken()) != 0 {
				t.Errorf("a message again: %d, taken %v", status, taken())
			}
		} else if status := replay("/v1/messages", "nrel"); status != 200 || len(taken()) != 1 {
			t.Errorf("a message again: %d, taken %v", status, taken())
		}
		if status := replay("/v1/exchange", "nrel"); status != 401 {
			t.Errorf("a token again: %d", status)
		}
		if status := replay("/v1/whoami", "nrel"); status != 401 {
			t.Errorf("a signed request again: %d", status)
		}
	}
	for _, path := range []string{"/v1/messages", "/v1/exchange", "/v1/whoami"} {
		if status := replay(path, "ornl"); status < 400 {
			t.Errorf("%s at another node: %d", path, status)
		}
	}
	if n := len(c.entries("nrel", genesis.AuditQuery{Act: "take-message"})); n != 1 {
		t.Errorf("%d messages were taken", n)
	}
}

// TestClocks: a node whose clock is a day off does its own work and loses nothing; what
// others cannot believe of it they refuse, and say both clocks; when the clock is right all
// is as if it had been.
func TestClocks(t *testing.T) {
	for _, off := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			c := newCluster(t, "nrel", "mit")
			c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierRegistered})
			c.follows("mit", []string{"members nrel/wind@1 registered"})
			c.line.clocks["mit"].turn(off)
			c.towns["mit"].settle("ada", nil)
			c.work("mit", "at-home")
			_, err := c.guest("mit", "ada", "nrel").WhoAmI(t.Context())
			if genesis.KindOf(err) != genesis.Permission || strings.Count(err.Error(), "T") < 2 {
				t.Errorf("vouched for by a clock that is %v off: %v", off, err)
			}
			taken, back := c.takes("nrel", "test"), c.takes("mit", "test")
			c.puts("mit", "nrel", "test", "to")
			c.puts("nrel", "mit", "test", "fro")
			c.offer("nrel", "sun", genesis.PublishRequest{Tier: genesis.TierPublic})
			c.towns["mit"].works.mirror.Nudge("nrel")
			time.Sleep(100 * time.Millisecond)
			c.line.clocks["mit"].turn(0)
			c.towns["nrel"].works.post.Wake()
			c.towns["mit"].works.post.Wake()
			c.eventually("messages arrive", func() bool { return len(taken()) == 1 && len(back()) == 1 })
			c.follows("mit", []string{"members nrel/wind@1 registered", "public nrel/sun@1 public"})
			c.follows("nrel", []string{"public mit/at-home@1 public"})
			c.towns["mit"].settle("bob", nil) // the session of ada began and ended when the clock was wrong
			if _, err := c.guest("mit", "bob", "nrel").WhoAmI(t.Context()); err != nil {
				t.Errorf("the clock is right again: %v", err)
			}
		})
	}
}

// TestKilled: what a node acknowledged it still knows after kill -9, and others follow it
// on.
func TestKilled(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel := c.towns["nrel"]
	nrel.settle("sam", []genesis.Duty{genesis.DutySteward})
	c.towns["mit"].settle("ada", nil)
	for i := range 3 {
		name := fmt.Sprintf("wind-%d", i)
		nrel.prepare(name, "a,b\n1,2\n")
		nrel.must(nrel.works.Publish(t.Context(), nrel.local, name, genesis.PublishRequest{Tier: genesis.TierControlled}))
		g, err := nrel.works.Grant(t.Context(), nrel.local, genesis.GrantRequest{Ref: name, To: "person:mit/ada", Actions: []genesis.Action{genesis.Read}})
		nrel.must(nil, err)
		c.kill("nrel") // at once: nothing is in the logs yet
		if n := len(c.entries("nrel", genesis.AuditQuery{Subject: name, Act: "publish"})); n != 1 {
			t.Errorf("%s was published %d times", name, n)
		}
		if err := c.guest("mit", "ada", "nrel").Export(t.Context(), name, client.ExportOptions{}, io.Discard, nil); err != nil {
			t.Errorf("grant %s is gone: %v", g.ID, err)
		}
		if v, err := nrel.works.AuditVerify(t.Context(), nrel.local, time.Time{}, nil); err != nil || v.Bad >= 0 {
			t.Errorf("%+v %v", v, err)
		}
	}
	c.follows("mit", []string{"members nrel/wind-0@1 controlled", "members nrel/wind-1@1 controlled", "members nrel/wind-2@1 controlled"})
	if s := c.followed("mit", "nrel", genesis.ClassMembers); s.Standing != mirror.Good || s.Epoch != 1 {
		t.Errorf("%+v", s)
	}
}
