package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/guest"
)

// Peers are the other nodes of the federation. Package federation has them.
type Peers interface {
	// Members are those that are vouched for, this node among them.
	Members() []genesis.Member
	// Get returns what is at a path of another node (below the version of the API), as somebody of this one gets it. Errors:
	// Unavailable, Permission, and what the other node says.
	Get(ctx context.Context, who genesis.Principal, node genesis.NodeID, path string, header http.Header) (*http.Response, error)
}

const (
	maxAnswer = 1 << 20          // bytes of another node's answer
	maxAll    = 32 << 20         // bytes of all answers to one search
	maxTaken  = 200              // listings of one
	maxList   = 10_000           // of anything in an answer
	atOnce    = 16               // nodes that are asked at the same time
	restFor   = 30 * time.Second // after a node did not answer
)

// asked is what other nodes are asked for one search. Nil asks nobody.
type asked struct {
	done    chan struct{} // all have answered, or there is no time left
	mu      sync.Mutex
	answers map[genesis.NodeID]answer
	bytes   int // of all answers
}

// answer is what came of one node.
type answer struct {
	docs   []find.Document
	bytes  int
	asked  bool
	reason string // why there is no answer; or what is missing of it
	failed bool
}

// ask asks the other nodes for what somebody of this one alone may know of there: each for
// what some queries find.
func (s *Searcher) ask(ctx context.Context, who genesis.Principal, queries func(genesis.NodeID) []genesis.SearchQuery) *asked {
	if s.Peers == nil || !who.SignedIn() || who.Subject == genesis.NodeSubject || who.Node != "" && who.Node != s.Node {
		return nil
	}
	if o := s.Access.Outlook(who); !o.Home || o.Narrow != nil {
		return nil // this node vouches for nobody else
	}
	out := &asked{done: make(chan struct{}), answers: map[genesis.NodeID]answer{}}
	ctx, cancel := context.WithTimeout(ctx, s.Wait)
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, m := range s.Peers.Members() {
		if m.ID == s.Node {
			continue
		}
		out.put(m.ID, answer{asked: true, failed: true, reason: "it did not answer in time"}) // until it does
		if why := s.resting.why(m.ID, s.Now()); why != "" {
			out.put(m.ID, answer{reason: why, failed: true})
			continue
		}
		all.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			case <-ctx.Done():
				out.put(m.ID, answer{failed: true, reason: "there was no time left to ask it"})
				return
			}
			out.put(m.ID, s.askOne(ctx, who, m.ID, queries(m.ID)))
		})
	}
	go func() {
		defer cancel()
		finished := make(chan struct{})
		go func() { all.Wait(); close(finished) }()
		select {
		case <-finished:
		case <-ctx.Done():
		}
		close(out.done)
	}()
	return out
}

// askQuery is the query as another node is asked it: without what only whoever has all the
// answers can say.
func askQuery(q genesis.SearchQuery) url.Values {
	q.Facets, q.After, q.Filter.HasModel = nil, "", nil
	q.Own, q.Limit = true, maxTaken
	return q.Params()
}

// askOne asks one node, and holds its answers against what it may say.
func (s *Searcher) askOne(ctx context.Context, who genesis.Principal, node genesis.NodeID, queries []genesis.SearchQuery) answer {
	a := answer{asked: true}
	for _, q := range queries {
		docs, total, size, err := s.askFor(ctx, who, node, q)
		if err != nil {
			return s.failed(ctx, node, err)
		}
		a.docs, a.bytes = append(a.docs, docs...), a.bytes+size
		if total > len(docs) {
			a.reason = fmt.Sprintf("of what you alone may know of there, %d of %d that match are taken into account", len(docs), total)
			if q.Text != "" {
				a.reason += ": say more exactly what to find"
			}
		}
	}
	return a
}

// askFor asks one node for what one query finds, and returns how much there is of it and how
// many bytes came.
func (s *Searcher) askFor(ctx context.Context, who genesis.Principal, node genesis.NodeID, q genesis.SearchQuery) (docs []find.Document, total, size int, err error) {
	resp, err := s.Peers.Get(ctx, who, node, "/search?"+askQuery(q).Encode(), nil)
	if err != nil {
		return nil, 0, 0, err
	}
	text, err := guest.Read(ctx, string(node), resp.Body, maxAnswer)
	if err != nil {
		return nil, 0, 0, err
	}
	docs, total, err = readAnswer(node, text)
	return docs, total, len(text), err
}

// failed is the answer of a node that did not answer what it was asked.
func (s *Searcher) failed(ctx context.Context, node genesis.NodeID, err error) answer {
	why := "it cannot be asked: " + brief(err)
	if errors.Is(err, guest.ErrStranger) {
		why = guest.ErrStranger.Error()
	}
	if ctx.Err() != nil {
		why = fmt.Sprintf("it did not answer within %v", s.Wait)
	}
	if !errors.Is(ctx.Err(), context.Canceled) && (ctx.Err() != nil || isAway(err)) {
		s.resting.rest(node, why, s.Now())
	}
	return answer{asked: true, failed: true, reason: why}
}

// isAway reports whether an error says of a node that it does not answer, or nothing of use:
// then it is left alone for a while. What it says of the query or of whoever asks is about
// them: others are not to miss the node for it.
func isAway(err error) bool {
	switch genesis.KindOf(err) {
	case genesis.Unavailable, genesis.Internal, genesis.Canceled:
		return true
	}
	return errors.Is(err, guest.ErrTooLong)
}

// brief is an error in one short line.
func brief(err error) string { return briefly(err.Error()) }

func briefly(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// readAnswer reads what a node answers. It may speak of itself alone, and of nothing twice.
func readAnswer(node genesis.NodeID, text []byte) (docs []find.Document, total int, err error) {
	bad := func(msg string, err error) ([]find.Document, int, error) {
		return nil, 0, &genesis.Error{Op: "read answer", Kind: genesis.Unavailable, Subject: string(node), Msg: msg, Err: err}
	}
	var r struct {
		Hits []struct {
			Listing genesis.Listing `json:"listing"`
		} `json:"hits"`
		Total int `json:"total"`
	}
	if err := genesis.CheckLists(text, maxList, maxAnswer/8); err != nil {
		return bad("it takes too much memory", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return bad("it is not what was asked for", err)
	}
	if len(r.Hits) > maxTaken || r.Total < 0 {
		return bad("it has more hits than were asked for", nil)
	}
	for _, h := range r.Hits {
		if err := h.Listing.CheckOf(node); err != nil {
			return bad(err.Error(), err)
		}
		d := find.Document{Listing: h.Listing}
		if err := d.Check(); err != nil {
			return bad(err.Error(), err)
		}
		docs = append(docs, d)
	}
	return docs, r.Total, nil
}

func (a *asked) put(node genesis.NodeID, what answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bytes+what.bytes > maxAll {
		what = answer{asked: true, failed: true, reason: "others answered so much that there was no room left for it: say more exactly what to find"}
	}
	a.bytes += what.bytes
	a.answers[node] = what
}

// documents waits, and returns what the nodes told, in order of node.
func (a *asked) documents() []find.Document {
	if a == nil {
		return nil
	}
	<-a.done
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []find.Document
	for _, what := range a.answers {
		all = append(all, what.docs...)
	}
	slices.SortFunc(all, func(a, b find.Document) int {
		return strings.Compare(string(a.Node)+"\x00"+string(a.Name)+"\x00"+string(a.Version), string(b.Node)+"\x00"+string(b.Name)+"\x00"+string(b.Version))
	})
	return all
}

// tell adds who answered to what is told of nodes.
func (a *asked) tell(of map[genesis.NodeID]*genesis.NodeCoverage) {
	if a == nil {
		return
	}
	<-a.done
	a.mu.Lock()
	defer a.mu.Unlock()
	for node, c := range of {
		what := a.answers[node] // of one that has become a member since, nothing
		c.Asked, c.Answered, c.Reason = what.asked, what.asked && !what.failed, what.reason
	}
}

// resting are nodes that did not answer lately: they are not waited for.
type resting struct {
	mu    sync.Mutex
	nodes map[genesis.NodeID]rested
}

type rested struct {
	until time.Time
	why   string
}

func (r *resting) rest(node genesis.NodeID, why string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.nodes == nil || len(r.nodes) > 10_000 {
		r.nodes = map[genesis.NodeID]rested{}
	}
	r.nodes[node] = rested{now.Add(restFor), why}
}

// why says why a node is not asked now, or "".
func (r *resting) why(node genesis.NodeID, now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.nodes[node]
	if wait := at.until.Sub(now); ok && wait > 0 && wait <= restFor { // longer: the clock was set back
		return "not asked again yet: " + at.why
	}
	return ""
}

// size is about how many bytes a listing takes.
func size(l genesis.Listing) int {
	text, err := json.Marshal(l)
	if err != nil {
		return 0
	}
	return len(text) + 512
}
