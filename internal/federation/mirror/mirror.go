package mirror

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Peer answers as the API of another node does to this node. It is safe for concurrent use.
type Peer interface {
	// Get returns the body of what is at a path below the version of the API, such as "/logs". Errors: NotFound,
	// Unavailable, Permission.
	Get(ctx context.Context, path string) (io.ReadCloser, error)
}

// Config is what a Mirror needs.
type Config struct {
	DB       *store.DB
	Self     genesis.NodeID
	Interval time.Duration    // between rounds; default a minute
	Timeout  time.Duration    // of one answer; default 30 s
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged

	// Room is how many bytes can still be written to the disk, -1 if nobody knows; nil: nobody
	// does.
	Room func(context.Context) (int64, error)

	// Report is told, in the transaction that keeps it, of evidence that proves itself and
	// may be shown to every member; and Reported after that. Nil: nobody.
	Report   func(context.Context, *sql.Tx, genesis.LogEvidence) error
	Reported func()
}

// atOnce is how many peers are read from at once: it bounds memory.
const atOnce = 4

// Key names a version at another node.
type Key struct {
	Node    genesis.NodeID
	Name    genesis.Name
	Version genesis.Digest
}

// Mirror is what is known of other nodes' catalogues. It is safe for concurrent use.
type Mirror struct {
	cfg    Config
	slots  chan struct{}
	sights sights

	mu        sync.Mutex
	followers map[genesis.NodeID]*follower
	closed    bool
	running   sync.WaitGroup
}

// New returns the mirror that a database holds. Nobody is followed yet.
func New(cfg Config) *Mirror {
	if cfg.Interval <= 0 {
		cfg.Interval = time.Minute
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Mirror{cfg: cfg, slots: make(chan struct{}, atOnce), followers: map[genesis.NodeID]*follower{}}
}

// Follow follows a member from now on, in the background. Of one that is followed already
// it takes keys and peer.
func (m *Mirror) Follow(member genesis.Member, p Peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || member.ID == m.cfg.Self {
		return
	}
	if f := m.followers[member.ID]; f != nil {
		f.meet(member, p)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	f := m.follower(member, p)
	f.stop = stop
	m.followers[member.ID] = f
	m.running.Go(func() {
		defer close(f.ended)
		f.run(ctx)
	})
}

// Nudge has a node that is followed looked at now.
func (m *Mirror) Nudge(node genesis.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.followers[node]; f != nil {
		f.nudge()
	}
}

// Look has all nodes looked at now, and waits until each was, or ctx ends.
func (m *Mirror) Look(ctx context.Context) {
	m.mu.Lock()
	all := slices.Collect(maps.Values(m.followers))
	m.mu.Unlock()
	var looks []<-chan struct{}
	for _, f := range all {
		looks = append(looks, f.look())
	}
	for _, look := range looks {
		select {
		case <-look:
		case <-ctx.Done():
			return
		}
	}
}

// Unfollow follows a node no more, and forgets what it said, except for evidence of
// contradictions.
func (m *Mirror) Unfollow(ctx context.Context, node genesis.NodeID) error {
	m.mu.Lock()
	f := m.followers[node]
	delete(m.followers, node)
	m.mu.Unlock()
	if f != nil {
		f.stop()
		<-f.ended
	}
	return m.forget(ctx, node)
}

// Close ends following.
func (m *Mirror) Close() error {
	m.mu.Lock()
	m.closed = true
	for _, f := range m.followers {
		f.stop()
	}
	m.mu.Unlock()
	m.running.Wait()
	return nil
}

// Listings yields everything that is mirrored, by node, class and name. It stops at the
// first error, which it yields.
func (m *Mirror) Listings(ctx context.Context) iter.Seq2[Mirrored, error] {
	return m.listings(ctx, [4]any{"", "", "", ""})
}

// listings yields what follows one.
func (m *Mirror) listings(ctx context.Context, after [4]any) iter.Seq2[Mirrored, error] {
	return func(yield func(Mirrored, error) bool) {
		for {
			page, err := m.page(ctx, &after)
			if err != nil {
				yield(Mirrored{}, err)
				return
			}
			for _, one := range page {
				if !yield(one, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// Mirrored is a listing of another node, and who may know of it.
type Mirrored struct {
	Class genesis.Class
	genesis.Listing
}

// page reads the listings that follow one. They are read in pages, so that nothing waits
// for whoever reads them.
func (m *Mirror) page(ctx context.Context, after *[4]any) ([]Mirrored, error) {
	rows, err := m.cfg.DB.Read().QueryContext(ctx, `SELECT g.node, g.class, l.name, l.version, l.body FROM mirror_listings l JOIN mirror_logs g ON g.id = l.log
		WHERE (g.node, g.class, l.name, l.version) > ($1, $2, $3, $4) ORDER BY g.node, g.class, l.name, l.version LIMIT 1000`, after[:]...)
	if err != nil {
		return nil, store.Error("read mirror", "", err)
	}
	defer rows.Close()
	var all []Mirrored
	for rows.Next() {
		var node, class, name, version string
		var body []byte
		if err := rows.Scan(&node, &class, &name, &version, &body); err != nil {
			return nil, store.Error("read mirror", "", err)
		}
		one := Mirrored{Class: genesis.Class(class)}
		if err := json.Unmarshal(body, &one.Listing); err != nil {
			return nil, &genesis.Error{Op: "read mirror", Kind: genesis.Internal, Subject: node + "/" + name, Msg: "what is mirrored of it is damaged", Err: err}
		}
		*after = [4]any{node, class, name, version}
		all = append(all, one)
	}
	return all, store.Error("read mirror", "", rows.Err())
}

// classes are the classes of which this node follows the logs.
func (m *Mirror) classes() []genesis.Class {
	return []genesis.Class{genesis.ClassPublic, genesis.ClassMembers, genesis.ClassOf(m.cfg.Self)}
}

// forget forgets the listings of a node, and what it is followed by.
func (m *Mirror) forget(ctx context.Context, node genesis.NodeID) error {
	for _, class := range m.classes() {
		err := m.cfg.DB.Tx(ctx, func(tx *sql.Tx) (err error) {
			st, err := readState(ctx, tx, node, class)
			if err != nil || st == nil {
				return err
			}
			if err = st.clear(ctx, tx); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, "DELETE FROM mirror_logs WHERE id = $1", st.id)
			return err
		})
		if err != nil {
			return store.Error("forget node", string(node), err)
		}
	}
	m.sights.forget(node)
	return nil
}

// Status is how a log of another node is followed.
type Status struct {
	Node     genesis.NodeID
	Class    genesis.Class
	Origin   string
	Epoch    int
	Size     int64     // entries that were verified, in all epochs
	Applied  int64     // of these
	Listings int64     // that hold
	Skipped  int64     // statements that this program cannot use
	Fresh    time.Time // when it was last known to be all there is
	Standing Standing
	Reason   string // for a Standing that is not good
}

// Standing is what became of following a log.
type Standing string

const (
	Good    Standing = ""
	Failing Standing = genesis.StandingFailing // it could not be read since: in no database
	Behind  Standing = "behind"                // it answers with an earlier state than it did
	Refused Standing = "refused"               // its signature does not hold
	Forked  Standing = "forked"                // it contradicts what it said: followed no further
)

// Status says how each log is followed, by node and class.
func (m *Mirror) Status(ctx context.Context) ([]Status, error) {
	rows, err := m.cfg.DB.Read().QueryContext(ctx, `SELECT node, class, origin, epoch, base + size, base + applied, skipped, fresh, standing, reason,
		(SELECT count(*) FROM mirror_listings l WHERE l.log = g.id) FROM mirror_logs g ORDER BY node, class`)
	if err != nil {
		return nil, store.Error("read mirror", "", err)
	}
	defer rows.Close()
	var all []Status
	for rows.Next() {
		var s Status
		var fresh int64
		if err := rows.Scan(&s.Node, &s.Class, &s.Origin, &s.Epoch, &s.Size, &s.Applied, &s.Skipped, &fresh, &s.Standing, &s.Reason, &s.Listings); err != nil {
			return nil, store.Error("read mirror", "", err)
		}
		if fresh != 0 {
			s.Fresh = store.TimeAt(fresh)
		}
		m.sights.of(s.Node, s.Class).tell(&s.Fresh, &s.Standing, &s.Reason)
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b Status) int { return strings.Compare(string(a.Node), string(b.Node)) })
	return all, store.Error("read mirror", "", rows.Err())
}
