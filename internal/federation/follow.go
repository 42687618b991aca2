package federation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

const (
	askEvery   = 5 * time.Minute
	askAtOnce  = 3 // members in a round
	catchUpFor = 5 * time.Second
	backOff    = time.Minute
	maxBackOff = time.Hour
	renewEvery = 24 * time.Hour
	renewApart = 2 * time.Hour       // between holders, so that mostly one signs
	agreeSoon  = 60 * 24 * time.Hour // before what all signed ends
)

// peers is how it went with each member.
type peers struct {
	mu sync.Mutex
	of map[genesis.NodeID]*peer
}

type peer struct {
	asked    time.Time
	fails    int
	notUntil time.Time
	etag     string // of the charter that it answered with
}

// get returns what is known of a member. The caller holds p.mu.
func (p *peers) get(id genesis.NodeID) *peer {
	if p.of == nil {
		p.of = map[genesis.NodeID]*peer{}
	}
	if p.of[id] == nil {
		p.of[id] = &peer{}
	}
	return p.of[id]
}

// due are the members to ask next: those that were not asked for longest, of those
// that answered last time or whose time has come.
func (p *peers) due(all []genesis.Member, now time.Time, most int) []genesis.Member {
	p.mu.Lock()
	defer p.mu.Unlock()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = slices.DeleteFunc(all, func(m genesis.Member) bool {
		x := p.get(m.ID)
		return !now.Before(x.asked) && now.Before(x.notUntil) // before: the clock was set back
	})
	slices.SortStableFunc(all, func(a, b genesis.Member) int { return p.get(a.ID).asked.Compare(p.get(b.ID).asked) })
	return all[:min(most, len(all))]
}

// went notes how it went.
func (p *peers) went(id genesis.NodeID, now time.Time, etag string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.get(id)
	x.asked = now
	if err == nil {
		x.fails, x.notUntil, x.etag = 0, time.Time{}, etag
		return
	}
	pause := min(backOff<<min(x.fails, 10), maxBackOff)
	x.fails++
	x.notUntil, x.etag = now.Add(jitter(pause)), ""
}

func (p *peers) etag(id genesis.NodeID) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.get(id).etag
}

// jitter is d, give or take a quarter, so that nodes that began together do not ask
// together.
func jitter(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }

// Run keeps the charter current until ctx ends.
func (f *Federation) Run(ctx context.Context) {
	next := time.After(jitter(time.Second))
	for {
		f.follow(ctx)
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			continue
		case <-next:
			next = time.After(jitter(askEvery))
		}
		_ = f.refresh(ctx, askAtOnce) // what went wrong is in the log
		if err := f.keep(ctx); err != nil && ctx.Err() == nil {
			f.Log.Error("the charter cannot be signed anew", "error", err)
		}
	}
}

// catchUp hears of the latest before something is signed that follows it. Who cannot be
// reached soon is not waited for.
func (f *Federation) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, catchUpFor)
	defer cancel()
	_ = f.refresh(ctx, askAtOnce) // what went wrong is in the log
}

// RefreshFederation asks members now, whoever was asked last.
func (f *Federation) RefreshFederation(ctx context.Context, who genesis.Principal) (*genesis.FederationInfo, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	f.peers.mu.Lock()
	for _, p := range f.peers.of {
		p.notUntil = time.Time{}
	}
	f.peers.mu.Unlock()
	err := f.refresh(ctx, 10)
	if err == nil {
		err = f.keep(ctx)
	}
	if err != nil {
		f.nudge() // whoever has the charter may be the one who is away
		return nil, err
	}
	info, err := f.FederationInfo(ctx, who)
	if err == nil {
		info.Catalogues, err = f.catalogues(ctx)
	}
	if err == nil && f.mirror != nil {
		info.Forks, err = f.forks(ctx)
	}
	if err == nil && len(info.Forks) > 0 {
		info.Advice = append(info.Advice, "a member's log contradicts itself: genesis audit query --act fork shows officers both checkpoints; ask its operator what happened")
	}
	if err == nil {
		err = f.adviseOfLogs(ctx, info)
	}
	return info, err
}

// adviseOfLogs tells of members whose audit logs are not what they were.
func (f *Federation) adviseOfLogs(ctx context.Context, info *genesis.FederationInfo) error {
	if f.witness == nil {
		return nil
	}
	all, err := f.witness.Status(ctx)
	for _, w := range all {
		if w.Standing != genesis.WitnessGood {
			info.Advice = append(info.Advice, fmt.Sprintf("the audit log of %s is %s: %s; genesis audit checkpoints", w.Node, w.Standing, w.Reason))
		}
	}
	return err
}

// refresh asks some members for their charter. Errors: that none of them answered.
func (f *Federation) refresh(ctx context.Context, most int) error {
	c := f.view.Load().charter
	if c == nil {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(c.Members()), func(m genesis.Member) bool { return m.ID == f.Self.ID })
	if len(others) == 0 {
		return nil
	}
	var errs []error
	asked := f.peers.due(others, f.Now(), most)
	for _, m := range asked {
		if _, err := f.take(ctx, m); err != nil {
			errs = append(errs, err)
			f.Log.Warn("a member's charter was not taken", "member", m.ID, "error", err)
		}
	}
	if len(errs) == len(asked) && len(errs) > 0 {
		return errors.Join(errs...)
	}
	f.mu.Lock()
	f.heard = f.Now().UTC().Truncate(time.Second)
	f.mu.Unlock()
	return nil
}

// take asks one member for its charter, and reports whether it was newer. One that has
// not heard of the latest is no error.
func (f *Federation) take(ctx context.Context, m genesis.Member) (bool, error) {
	b, etag, err := f.charterAt(ctx, m.URL, f.peers.etag(m.ID))
	newer := false
	if err == nil && b != nil {
		newer, err = f.weigh(ctx, *b)
	}
	f.peers.went(m.ID, f.Now(), etag, err)
	return newer, err
}

// weigh makes a bundle the node's charter, if it is newer.
func (f *Federation) weigh(ctx context.Context, b charter.Bundle) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.view.Load().charter
	if c == nil {
		return false, nil // it left meanwhile
	}
	next, err := f.newer(c, b)
	switch {
	case isReason(err, charter.NothingNewer), isReason(err, charter.RolledBack):
		return false, nil
	case isReason(err, charter.Forked):
		return false, errors.Join(err, f.fork(ctx, c, b, err))
	case err != nil:
		return false, err
	}
	if err := f.adopt(ctx, nobody, next, "take"); err != nil {
		return false, err
	}
	f.redraft(ctx)
	return true, nil
}

const (
	forkFile = "forked-"
	maxForks = 10 // that are kept: more tell nothing more
)

// fork notes once that holders signed two charters of one version, and keeps the
// other one as evidence.
func (f *Federation) fork(ctx context.Context, c *charter.Charter, b charter.Bundle, why error) error {
	id := genesis.DigestOf(b.Targets)
	kept, _ := filepath.Glob(filepath.Join(f.Dir, forkFile+"*")) // the pattern is sound
	path := filepath.Join(f.Dir, forkFile+id.Hex()[:16]+".json")
	if len(kept) >= maxForks || slices.Contains(kept, path) {
		return nil
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := f.record(ctx, nobody, c, line(why.Error())+"; kept in "+filepath.Base(path)); err != nil {
		return err
	}
	if err := errors.Join(disk.Replace(f.Disk, path, text), f.Disk.SyncDir(f.Dir)); err != nil {
		return disk.Error("keep charter", path, err)
	}
	return nil
}

// newer is the charter that follows: at a holder's node also one that neither is.
func (f *Federation) newer(c *charter.Charter, b charter.Bundle) (*charter.Charter, error) {
	if f.view.Load().member && c.Holds(f.Self.ID) {
		if key, err := f.signer(c); err == nil {
			return c.Merge(b, key, f.Now())
		}
	}
	return c.Update(b, f.Now())
}

// keep signs anew that the charter is current, once a day, at a holder's node: the first
// holder first, the others if that one did not.
func (f *Federation) keep(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.view.Load()
	if v.charter == nil || !v.member || !v.charter.Holds(f.Self.ID) {
		return nil
	}
	c := v.charter
	if err := f.renewAgreed(ctx, c); err != nil {
		return err
	}
	c = f.view.Load().charter
	rank := slices.Index(c.Holders(), f.Self.ID)
	if !c.Ahead(f.Now()) && f.Now().Sub(c.Signed()) < renewEvery+time.Duration(rank)*renewApart {
		return nil
	}
	key, err := f.signer(c)
	if err != nil {
		return err
	}
	next, err := c.Renew(key, f.Now())
	if err != nil {
		return err
	}
	return f.adopt(ctx, nobody, next, "renew")
}

// renewAgreed renews what all holders signed, in time, where this one is enough.
func (f *Federation) renewAgreed(ctx context.Context, c *charter.Charter) error {
	if c.Threshold() > 1 || c.Agreed().Sub(f.Now()) > agreeSoon || f.desk.Draft != nil {
		return nil
	}
	_, err := f.change(ctx, nobody, charter.Change{}, "")
	return err
}

// FederationInfo says in which federation the node is, and how it stands there; to
// operators, what waits for whom.
func (f *Federation) FederationInfo(ctx context.Context, who genesis.Principal) (*genesis.FederationInfo, error) {
	f.mu.Lock()
	info := f.info()
	f.mu.Unlock()
	if !who.Has(genesis.DutyOperator) || f.operates(ctx, who) != nil {
		return info, nil
	}
	var err error
	info.Waiting, err = f.waiting(ctx)
	return info, err
}

// info is FederationInfo. The caller holds f.mu.
func (f *Federation) info() *genesis.FederationInfo {
	v, now := f.view.Load(), f.Now()
	x := &genesis.FederationInfo{Node: f.Self.ID, Standing: genesis.StandingAlone, Heard: f.heard}
	if v.charter == nil {
		return x
	}
	told := v.charter.Federation()
	x.Federation, x.Holder = &told, v.member && v.charter.Holds(f.Self.ID)
	switch {
	case !v.member:
		x.Standing = genesis.StandingWaiting
		x.Advice = append(x.Advice, "the charter does not have this node: wait for the holders' signatures, then genesis federation show --refresh; or genesis federation leave")
	case !now.Before(v.until):
		x.Standing = genesis.StandingStale
		x.Advice = append(x.Advice, fmt.Sprintf("the charter is past its end since %s: people of other nodes are not vouched for; reach any member: genesis federation show --refresh", v.until.UTC().Format(time.RFC3339)))
	default:
		x.Standing = genesis.StandingMember
		if by := f.doubts.of(v.others); len(by) > 0 {
			x.Advice = append(x.Advice, fmt.Sprintf("%s: this node is no member, as far as is known there; either they have not heard of it yet, or it was removed: genesis federation show --refresh", joinedNodes(by)))
		}
	}
	if x.Holder && v.charter.Agreed().Sub(now) < agreeSoon {
		x.Advice = append(x.Advice, fmt.Sprintf("what the holders signed ends on %s: genesis federation holders renews it", v.charter.Agreed().UTC().Format(time.DateOnly)))
	}
	return x
}

// CharterBundle is the charter as any node may have it.
func (f *Federation) CharterBundle(context.Context) (*genesis.CharterBundle, error) {
	c := f.view.Load().charter
	if c == nil {
		return nil, refusal("read charter", genesis.NotFound, string(f.Self.ID), "this node is in no federation", "")
	}
	b := c.Bundle()
	return &b, nil
}
