package federation

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/federation/nodekey"
	"github.com/opengenesis/genesis/internal/federation/post"
	"github.com/opengenesis/genesis/internal/federation/witness"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
)

// Config is what a Federation works with.
type Config struct {
	Dir     string         // the home's folder for it
	Self    genesis.Member // the node as its configuration has it, without keys
	Keys    *nodekey.Ring
	LogKey  ed25519.PublicKey // of the journal
	DB      *store.DB         // invitations
	Journal recorder

	// MayOperate decides whether somebody may operate the node. Errors: Permission.
	MayOperate func(context.Context, genesis.Principal) error

	Speaks genesis.Speaks    // zero: what this program speaks
	Peers  http.RoundTripper // carries what is asked of other nodes; nil: the network
	Disk   disk.Disk         // nil: the machine's
	Now    func() time.Time  // nil: the clock
	Log    *slog.Logger      // nil: none
}

// recorder keeps evidence. internal/journal does.
type recorder interface {
	Append(context.Context, journal.Event) error
}

func (c *Config) fill() {
	if c.Speaks.APIs == nil {
		c.Speaks = genesis.Spoken
	}
	if c.Disk == nil {
		c.Disk = disk.OS
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Self.Institution == "" {
		c.Self.Institution = string(c.Self.ID)
	}
}

// Federation is a node's federation. It is safe for concurrent use.
type Federation struct {
	Config
	view  atomic.Pointer[view]
	bell  atomic.Pointer[func()]
	ends  *time.Timer // when the view does
	peers peers
	wake  chan struct{} // the charter is another

	http    *http.Client // for other nodes
	hearsay hearsay
	doubts  doubts
	mirror  *mirror.Mirror   // nil: no catalogue is followed
	witness *witness.Witness // nil: no audit log is
	post    *post.Post       // nil: no messages
	vouch   Vouch
	doors   map[genesis.NodeID]*door // to whom is followed; of Run
	ways    ways

	mu    sync.Mutex // of what changes the charter, and of what follows
	desk  desk
	heard time.Time
}

// view is the charter as lookups read it. It never changes.
type view struct {
	charter *charter.Charter // nil: none
	own     genesis.Member
	member  bool                              // the node is one
	others  map[genesis.NodeID]genesis.Member // who is vouched for, until then
	until   time.Time
}

// Open reads what the home keeps. Errors: Internal (damaged), Unsupported (a newer
// format), Unavailable.
func Open(c Config) (*Federation, error) {
	c.fill()
	f := &Federation{Config: c, http: newHTTP(c.Peers), wake: make(chan struct{}, 1), doors: map[genesis.NodeID]*door{}}
	if err := f.mend(); err != nil {
		return nil, err
	}
	kept, err := charter.Load(c.Disk, c.Dir)
	if err != nil {
		return nil, err
	}
	if f.desk, err = f.loadDesk(); err != nil {
		return nil, err
	}
	if o := f.desk.Draft; o != nil && kept != nil && kept.Is(o.ID) { // it was finished, and then there was a crash
		if err := f.keepDesk(desk{Signed: f.desk.Signed}); err != nil {
			return nil, err
		}
	}
	f.show(kept)
	return f, nil
}

// mend removes files that a crash left half-written.
func (f *Federation) mend() error {
	left, _ := filepath.Glob(filepath.Join(f.Dir, "*"+disk.Temporary)) // the pattern is sound
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return disk.Error("open federation", path, err)
		}
	}
	return nil
}

// Close ends what waits for the charter's end.
func (f *Federation) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ends != nil {
		f.ends.Stop()
	}
	return nil
}

// Member returns a member that is vouched for. The node itself always is: what is done
// at home does not depend on the charter.
func (f *Federation) Member(id genesis.NodeID) (genesis.Member, bool) {
	v := f.view.Load()
	if id == v.own.ID {
		return v.own, true
	}
	m, ok := v.others[id]
	return m, ok && f.Now().Before(v.until)
}

// Members are those that are vouched for, by id.
func (f *Federation) Members() []genesis.Member {
	v := f.view.Load()
	if v.charter == nil || !v.member || !f.Now().Before(v.until) {
		return []genesis.Member{v.own}
	}
	return slices.Clone(v.charter.Members())
}

// Fresh is until when people of other nodes are vouched for; zero where there are none.
func (f *Federation) Fresh() time.Time { return f.view.Load().until }

// Own is the node's own entry.
func (f *Federation) Own() genesis.Member { return f.view.Load().own }

// Key is the node's key for a use that counts now.
func (f *Federation) Key(use genesis.KeyUse) (nodekey.Key, error) {
	own := genesis.Member{}
	if v := f.view.Load(); v.member {
		own = v.own
	}
	return f.Keys.Current(use, own, f.Now())
}

// show makes a charter the one that lookups read; nil is that of a node alone.
func (f *Federation) show(c *charter.Charter) {
	v := &view{charter: c, own: f.self()}
	if c != nil {
		if m, ok := c.Member(f.Self.ID); ok && f.isMine(m) {
			v.own, v.member, v.until = m, true, c.Fresh()
			v.others = make(map[genesis.NodeID]genesis.Member, len(c.Members()))
			for _, m := range c.Members() {
				v.others[m.ID] = m
			}
		}
	}
	if f.ends != nil {
		f.ends.Stop()
	}
	f.view.Store(v)
	f.changed()
	if v.member {
		if err := f.Keys.Prune(v.own, f.Now()); err != nil {
			f.Log.Warn("old keys of the node cannot be removed", "error", err)
		}
		f.ends = time.AfterFunc(v.until.Sub(f.Now()), func() {
			f.Log.Error("the charter is past its end: people of other nodes are not vouched for", "federation", c.Name(), "since", c.Fresh())
			f.changed()
		})
	}
}

// Tell says who is told when other members are vouched for than before.
func (f *Federation) Tell(changed func()) { f.bell.Store(&changed) }

func (f *Federation) changed() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
	if ring := f.bell.Load(); ring != nil {
		(*ring)()
	}
}

// isMine reports whether an entry of the charter is of this node, and not of another
// that has its name: it has the node's message key.
func (f *Federation) isMine(m genesis.Member) bool {
	return slices.ContainsFunc(f.Keys.All(genesis.KeyMessage), func(k nodekey.Key) bool {
		return slices.ContainsFunc(m.Keys, func(n genesis.NodeKey) bool { return n.Use == genesis.KeyMessage && n.ID == k.ID() })
	})
}

// self is the node as it describes itself while no charter has it.
func (f *Federation) self() genesis.Member {
	m := f.Self
	m.Keys = nil
	for _, use := range nodekey.Uses {
		if k, err := f.Keys.Current(use, genesis.Member{}, f.Now()); err == nil {
			m.Keys = append(m.Keys, genesis.NodeKey{ID: k.ID(), Use: use, Public: k.Public(), From: k.Made})
		}
	}
	if len(f.LogKey) == ed25519.PublicKeySize {
		from := f.Now().UTC().Truncate(time.Second)
		if len(m.Keys) > 0 {
			from = m.Keys[0].From
		}
		m.Keys = append(m.Keys, genesis.NodeKey{ID: genesis.KeyID(f.LogKey), Use: genesis.KeyLog, Public: f.LogKey, From: from})
	}
	return m
}

// adopt makes c the node's charter: evidence, file, lookups, in this order. The caller
// holds f.mu.
func (f *Federation) adopt(ctx context.Context, who genesis.Principal, c *charter.Charter, what string) error {
	before := f.view.Load().charter
	if before == nil || before.ID() != c.ID() || before.Versions().Targets != c.Versions().Targets || before.Versions().Root != c.Versions().Root {
		if err := f.record(ctx, who, c, what); err != nil {
			return err
		}
	}
	if err := charter.Save(f.Disk, f.Dir, c); err != nil {
		return err
	}
	f.show(c)
	return nil
}

// record makes an act of the federation evidence.
func (f *Federation) record(ctx context.Context, who genesis.Principal, c *charter.Charter, what string) error {
	detail, err := json.Marshal(map[string]any{"what": what, "root": c.ID(), "versions": c.Versions()})
	if err != nil {
		return err
	}
	return f.Journal.Append(ctx, f.event(who, "charter", "federation "+c.Name(), detail))
}

func (f *Federation) event(who genesis.Principal, act, subject string, detail json.RawMessage) journal.Event {
	e := journal.Event{Actor: who.Person(), Act: act, Subject: subject, Purpose: who.Purpose, Student: who.Student, Detail: detail}
	if m, ok := f.Member(who.Node); ok && who.SignedIn() {
		e.Institution, e.Sector = m.Institution, m.Sector
	}
	return e
}

// nobody makes what the node does by itself.
var nobody genesis.Principal

// operates decides whether who may act on the federation.
func (f *Federation) operates(ctx context.Context, who genesis.Principal) error {
	return f.MayOperate(ctx, who)
}

func refusal(op string, kind genesis.ErrorKind, subject, msg, hint string) error {
	return &genesis.Error{Op: op, Kind: kind, Subject: subject, Msg: msg, Hint: hint}
}

// joined returns the charter, or why there is none.
func (f *Federation) joined(op string) (*charter.Charter, error) {
	v := f.view.Load()
	switch {
	case v.charter == nil:
		return nil, refusal(op, genesis.Conflict, string(f.Self.ID), "this node is in no federation", "genesis federation create, or genesis federation join")
	case !v.member:
		return nil, refusal(op, genesis.Conflict, string(f.Self.ID), "this node is not, or not yet, a member of "+v.charter.Name(), "genesis federation show")
	}
	return v.charter, nil
}
