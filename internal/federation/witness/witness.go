// Package witness makes nodes each other's witnesses.
//
// # Checkpoints
//
// Whoever has a node's signing key can write its audit log anew, and it verifies. So
// every node keeps the checkpoints of the others' audit logs. A [Witness] asks each
// member hourly for the state of its log (look.go), checks that the log grew from the
// state that is kept (prove.go), and keeps the new one: the newest, and one a day
// (kept.go). A log that did not grow from what was signed before is evidence: both
// checkpoints are kept, and an entry says so. A node that was restored from a backup
// declares it by a new epoch, and is followed; what was lost by it is kept on record.
//
// [Witness.AuditPeers] asks the other way round: which checkpoints do they keep of this
// node's log, and does the log hold against them?
//
// # Acts of two nodes
//
// When somebody of one node acts at another, both have it in their journals: a token that
// one gave and the other exchanged, a message that one sent and the other took.
// [Witness.Reconcile] compares (reconcile.go, compare.go). Each side tells the other of
// such acts alone, by ids that the other knows if it took part ([Witness.SharedActs]).
//
// Everything that comes from a peer is bounded in bytes, numbers and time, and checked
// for its order; what is not as it must be ends the question, and is told.
package witness

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// Peer answers as the API of another node does to this node.
type Peer interface {
	// Get returns the body of what is at a path below the version of the API, such as "/audit/state". Errors:
	// NotFound, Unavailable, Permission.
	Get(ctx context.Context, path string) (io.ReadCloser, error)
}

// Journal is this node's own. internal/journal is.
type Journal interface {
	AuditState(epoch int, size int64) (*genesis.AuditState, error)
	Compare(checkpoint []byte) (genesis.AuditPoint, journal.Verdict, string, error)
	Acts(context.Context, journal.ActQuery) ([]genesis.AuditEntry, error)
	Append(context.Context, journal.Event) error
	Settle(context.Context) error
}

// Config is what a Witness works with.
type Config struct {
	DB      *store.DB
	Self    genesis.NodeID
	Journal Journal
	Member  func(genesis.NodeID) (genesis.Member, bool) // of the charter, as it is now
	// MayLook decides whether somebody may read the audit log. Errors: Permission.
	MayLook func(context.Context, genesis.Principal) error
	// Taken reports whether there is a receipt of a message that this node sent.
	Taken    func(ctx context.Context, message string) (bool, error)
	Interval time.Duration    // between looks; default an hour
	Timeout  time.Duration    // of one answer; default 30 s
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// atOnce is how many members are asked at once.
const atOnce = 4

// Witness keeps checkpoints of other nodes' audit logs. It is safe for concurrent use.
type Witness struct {
	Config
	nudged  chan struct{}
	stop    context.CancelFunc
	running sync.WaitGroup

	mu    sync.Mutex
	peers map[genesis.NodeID]*peer
}

// peer is a member whose log is followed.
type peer struct {
	id   genesis.NodeID
	turn sync.Mutex // held by who asks it

	mu     sync.Mutex
	member genesis.Member
	way    Peer
	from   time.Time // when next was set
	next   time.Time // when it is asked next
	fails  int
	err    error // why it could not be asked
}

// New returns a Witness that asks nobody before [Witness.Start].
func New(c Config) *Witness {
	if c.Interval <= 0 {
		c.Interval = time.Hour
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Witness{Config: c, nudged: make(chan struct{}, 1), stop: func() {}, peers: map[genesis.NodeID]*peer{}}
}

// Start asks members in the background until Close.
func (w *Witness) Start() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.running.Go(func() { w.run(ctx) })
}

// Close ends what goes on.
func (w *Witness) Close() error {
	w.stop()
	w.running.Wait()
	return nil
}

// Follow keeps the checkpoints of a member's log from now on. Of one that is followed
// already it takes keys and way.
func (w *Witness) Follow(m genesis.Member, way Peer) {
	if m.ID == w.Self {
		return
	}
	w.mu.Lock()
	p := w.peers[m.ID]
	if p == nil {
		p = &peer{id: m.ID, next: w.Now(), member: m, way: way} // whole, before a round finds it
		w.peers[m.ID] = p
	}
	w.mu.Unlock()
	p.mu.Lock()
	p.member, p.way = m, way
	p.mu.Unlock()
	select {
	case w.nudged <- struct{}{}:
	default:
	}
}

// Unfollow asks a node no more. What is kept of its log stays: when it is a member again,
// by the same key, the log has to have grown from there. To leave undoes nothing.
func (w *Witness) Unfollow(ctx context.Context, node genesis.NodeID) error {
	w.mu.Lock()
	p := w.peers[node]
	delete(w.peers, node)
	w.mu.Unlock()
	if p != nil {
		p.turn.Lock()
		defer p.turn.Unlock()
	}
	err := w.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE witness_logs SET strikes = 0 WHERE node = $1", string(node))
		return err
	})
	return store.Error("unfollow node", string(node), err)
}

// find returns a member that is followed.
func (w *Witness) find(node genesis.NodeID) (*peer, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.peers[node]; p != nil {
		return p, nil
	}
	e := &genesis.Error{Op: "ask node", Kind: genesis.NotFound, Subject: string(node), Msg: "is no other member that this node asks",
		Hint: "`genesis members` lists members; a node asks them while it serves others: genesis serve"}
	if node == w.Self {
		e.Msg = "is this node"
	}
	return nil, e
}

func (w *Witness) all() []*peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*peer, 0, len(w.peers))
	for _, p := range w.peers {
		all = append(all, p)
	}
	return all
}

// run asks those whose time has come.
func (w *Witness) run(ctx context.Context) {
	for {
		w.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.pause()):
		case <-w.nudged:
		}
	}
}

// pause is until when nobody is due, a minute at most: clocks may be set.
func (w *Witness) pause() time.Duration {
	now, pause := w.Now(), time.Minute
	for _, p := range w.all() {
		p.mu.Lock()
		pause = min(pause, p.next.Sub(now))
		p.mu.Unlock()
	}
	return max(pause, 100*time.Millisecond)
}

// round asks all that are due, some at once.
func (w *Witness) round(ctx context.Context) {
	slots := make(chan struct{}, atOnce)
	var asked sync.WaitGroup
	for _, p := range w.all() {
		if !p.due(w.Now()) {
			continue
		}
		slots <- struct{}{}
		asked.Go(func() {
			defer func() { <-slots }()
			_, err := w.Look(ctx, p.id)
			if err != nil && ctx.Err() == nil {
				w.Log.Warn("a node's audit log could not be looked at", "node", p.id, "error", err)
			}
			p.schedule(w.Now(), w.Interval)
		})
	}
	asked.Wait()
}

func (p *peer) met() (genesis.Member, Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.member, p.way
}

func (p *peer) due(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !now.Before(p.next) || now.Before(p.from) // before: the clock was set back
}

// went notes how asking went.
func (p *peer) went(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err = err; err == nil {
		p.fails = 0
	} else {
		p.fails++
	}
}

// schedule says when the member is asked next, give or take a quarter.
func (p *peer) schedule(now time.Time, interval time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := interval
	if p.err != nil {
		wait = min(interval, soon(p.fails))
	}
	p.from, p.next = now, now.Add(wait*3/4+rand.N(wait/2+1))
}

// failed is why a member could not be asked, or nil.
func (p *peer) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// keys are those with which the member signs its logs now.
func (w *Witness) keys(p *peer) []ed25519.PublicKey {
	m, _ := p.met()
	return public(m.CurrentKeys(genesis.KeyLog, w.Now()))
}

// signedBy reports whether a state was signed with a key of the member, whenever that counted.
// If not, it is of another log: the node came back as somebody else.
func (p *peer) signedBy(s state) bool {
	m, _ := p.met()
	ever := slices.DeleteFunc(slices.Clone(m.Keys), func(k genesis.NodeKey) bool { return k.Use != genesis.KeyLog })
	_, err := signed(p.id, public(ever), s.note)
	return err == nil
}

func public(all []genesis.NodeKey) (keys []ed25519.PublicKey) {
	for _, k := range all {
		if len(k.Public) == ed25519.PublicKeySize {
			keys = append(keys, k.Public)
		}
	}
	return keys
}
