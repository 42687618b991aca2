package access

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Resource is what is acted upon: one version of an asset, as the catalogue knows
// it. With an empty Name it is the node itself, and only Part counts.
type Resource struct {
	Name    genesis.Name
	Version genesis.Digest
	State   genesis.State // empty counts as draft
	Kind    genesis.Kind
	Creator genesis.PersonID // who made the version
	Part    Part             // of the node
}

// Part is a part of the node itself. To Operate the Machine is an operator's act
// (accounts, limits, backup); to Operate the Office is an officer's (vetting, the
// audit log, purging); to Steward the Machine is to do what is of no single asset; to
// Operate the Figures is to have the report made, for whoever has a duty.
type Part string

const (
	Machine Part = ""
	Office  Part = "office"
	Figures Part = "figures" // of the report
)

// Ask is the question. The principal's Institution, Sector and Projects are not
// read: they are looked up. But for projects of other nodes, "nrel/wind": of those it is
// the principal that tells, as package identity verified it.
type Ask struct {
	Principal genesis.Principal
	Action    genesis.Action
	Resource  Resource
	At        time.Time // zero: now
	Outside   bool      // bytes would leave the node: true for every remote caller's read
	Project   string    // for which it is done: the asker has to be in it; "": for none
}

// Decision is the answer. Its Principal is as it was decided for, with institution,
// sector and projects, which is what belongs in the journal.
type Decision struct {
	Ask
	Allowed      bool
	Discoverable bool      // the asker may know that the resource exists
	Rule         string    // the policy that decided, or "default": nothing permits it
	Reason       string    // in words, safe for whoever may discover the resource
	Hint         string    // refused: what would be accepted, if the asker may know of it
	Grant        string    // id of the grant that lets them, when one does
	Project      string    // for which it is done; else the one by which alone they may: to which the grant was made, or for which the thing was
	Reads        bool      // may also read all of it: else the limits of training without reading apply
	Until        time.Time // it may change by itself from then on; zero: it will not
}

// Rules that are no policies.
const (
	ruleDefault = "default"       // nothing permits it
	ruleBroken  = "broken-policy" // a policy could not be evaluated
	ruleProject = "project"       // it is done for a project that they are not in
)

// Config is what a Decider decides with.
type Config struct {
	DB        *store.DB
	Node      genesis.NodeID // may be empty before the node has joined a federation
	Charter   Charter
	PolicyDir string           // the institution's own *.cedar files; empty: none
	Now       func() time.Time // nil: time.Now
	// Live returns a principal as it is now: vetting, duties, whether the token
	// they came with still holds. Watch asks it; nil: principals stay as they came.
	Live alive
	// Lasting is Live of what outlives the token that it was begun with (WatchLasting);
	// nil: Live.
	Lasting alive
	// State returns the state that a version is in now: it may be withdrawn. Watch asks
	// it; nil: states stay as they came.
	State func(context.Context, Resource) (genesis.State, error)
}

// Bounds of what is kept in memory.
const (
	cachedDecisions = 32 << 10
	cachedAssets    = 16 << 10
	longestKey      = 4 << 10
)

// Decider decides. It is safe for concurrent use.
type Decider struct {
	db        *store.DB
	node      genesis.NodeID
	charter   Charter
	policyDir string
	now       func() time.Time
	live      alive
	lasting   alive
	state     func(context.Context, Resource) (genesis.State, error)
	room      int // for grants in force

	gen        atomic.Uint64 // moves on with every change
	purposeful atomic.Bool   // a grant in force looks at the purpose
	fromCache  atomic.Uint64 // answers
	workedOut  atomic.Uint64
	decisions  *cache[string, *answer]
	assets     *cache[assetKey, *asset]

	mu       sync.RWMutex // of what follows
	policies *policies
	index    *index

	bell sync.Mutex // of rung
	rung chan struct{}
}

// Open returns a Decider over the database. Errors: Invalid (an institution's
// policy; with file and line), Unavailable, Internal.
func Open(ctx context.Context, c Config) (*Decider, error) {
	set, err := loadPolicies(c.PolicyDir)
	if err != nil {
		return nil, err
	}
	d := &Decider{db: c.DB, node: c.Node, charter: c.Charter, policyDir: c.PolicyDir, now: c.Now, live: c.Live, lasting: c.Lasting, state: c.State, policies: set, index: newIndex(), room: maxGrants,
		decisions: newCache[string, *answer](cachedDecisions), assets: newCache[assetKey, *asset](cachedAssets), rung: make(chan struct{})}
	if d.now == nil {
		d.now = time.Now
	}
	if err := d.load(ctx); err != nil {
		return nil, store.Error("open policy", "", err)
	}
	return d, nil
}

// Changed tells that something decisions are made from has changed: every answer
// is worked out anew, and those who watch ask again. Whoever changes terms, grants,
// sources or projects calls it after the commit, and so does who changes the
// charter, a person's vetting or a token.
func (d *Decider) Changed() {
	d.gen.Add(1)
	d.bell.Lock()
	defer d.bell.Unlock()
	close(d.rung)
	d.rung = make(chan struct{})
}

// Stats are figures for whoever watches the node.
type Stats struct {
	FromCache, WorkedOut uint64 // answers since Open
	Kept                 int    // answers in the cache, also those that no longer count
	Grants               int    // in force, some ended by themselves within the hour
}

// Stats returns the figures.
func (d *Decider) Stats() Stats {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return Stats{FromCache: d.fromCache.Load(), WorkedOut: d.workedOut.Load(), Kept: d.decisions.len(), Grants: len(d.index.byID)}
}

// answer is a decision without what differs between askers of the same question.
type answer struct {
	decision Decision
	gen      uint64
	from     time.Time
}

// Decide answers a question. Nil means yes; a refusal is an error, so that who
// forgets the decision refuses, too, and the decision to record comes with it.
// Errors: Private (refused to somebody who may not know of the resource),
// Permission (refused), Invalid (an action that does not exist), Canceled,
// Unavailable and Internal (what decisions are made from cannot be read).
func (d *Decider) Decide(ctx context.Context, ask Ask) (Decision, error) {
	if err := check(ctx, ask); err != nil {
		return Decision{Ask: ask, Rule: ruleDefault}, err
	}
	gen, now, purposeful := d.gen.Load(), ask.At, d.purposeful.Load()
	key := ""
	if now.IsZero() {
		now = d.now()
		key = ask.key(purposeful)
	}
	if a, ok := d.decisions.find(key); ok && a.holds(gen, now) {
		d.fromCache.Add(1)
		return a.to(ask)
	}
	d.workedOut.Add(1)
	decision, general, err := d.decide(ctx, ask, now, gen)
	if err != nil {
		return Decision{Ask: ask, Rule: ruleDefault}, err
	}
	a := &answer{decision: decision, gen: gen, from: now}
	if key != "" && (general || purposeful) {
		d.decisions.put(key, a)
	}
	return a.to(ask)
}

func check(ctx context.Context, ask Ask) error {
	if err := ctx.Err(); err != nil {
		return &genesis.Error{Op: "decide", Kind: genesis.Canceled, Subject: string(ask.Resource.Name), Msg: "stopped", Err: err}
	}
	if !slices.Contains(genesis.Actions, ask.Action) {
		return &genesis.Error{Op: "decide", Kind: genesis.Invalid, Subject: string(ask.Action), Msg: "is not an action"}
	}
	return nil
}

// holds reports whether the answer is still that at a time of a generation.
func (a *answer) holds(gen uint64, now time.Time) bool {
	return a.gen == gen && !now.Before(a.from) && (a.decision.Until.IsZero() || now.Before(a.decision.Until))
}

// to gives the answer to one who asks.
func (a *answer) to(ask Ask) (Decision, error) {
	decision := a.decision
	decision.At, decision.Principal.Purpose, decision.Principal.Credential = ask.At, ask.Principal.Purpose, ask.Principal.Credential
	return decision, decision.refusal()
}

// key names everything that the answer to a question depends on, each part with
// its length before it; the purpose where it matters. It is empty for a question
// that is too long to keep.
func (ask Ask) key(purposeful bool) string {
	p, r := &ask.Principal, &ask.Resource
	b := make([]byte, 0, 512)
	b = part(b, p.Subject, string(p.Node), string(p.Assurance), string(p.Vetting), string(p.Citizenship))
	b = part(b, string(r.Name), string(r.Version), string(r.State), string(r.Kind), string(r.Creator), string(r.Part), string(ask.Action), ask.Project)
	for _, is := range []bool{p.Student, ask.Outside, p.Scopes == nil} {
		b = strconv.AppendBool(b, is)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Duties)))
	for _, duty := range p.Duties {
		b = part(b, string(duty))
	}
	b = binary.AppendUvarint(b, uint64(len(p.Scopes)))
	for _, scope := range p.Scopes {
		b = part(b, string(scope))
	}
	b = binary.AppendUvarint(b, uint64(len(p.Projects)))
	for _, project := range p.Projects {
		b = part(b, project)
	}
	if purposeful {
		b = part(b, p.Purpose)
	}
	if len(b) > longestKey {
		return ""
	}
	return string(b)
}

func part(b []byte, texts ...string) []byte {
	for _, s := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return b
}

// refusal returns nil when the act is allowed.
func (d Decision) refusal() error {
	if d.Allowed {
		return nil
	}
	e := &genesis.Error{Op: string(d.Action), Kind: genesis.Permission, Subject: string(d.Resource.Name), Msg: d.Reason, Hint: d.Hint}
	if !d.Discoverable {
		e.Kind, e.Msg, e.Hint = genesis.Private, "there is no such thing here", ""
	}
	return e
}
