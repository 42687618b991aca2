package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
)

// oldKeys is for how long a key counts after it was replaced, so that what is under way
// arrives.
const oldKeys = 24 * time.Hour

// RemoveMember takes a member out: from then on no key of it counts.
func (f *Federation) RemoveMember(ctx context.Context, who genesis.Principal, id genesis.NodeID) (*genesis.CharterChange, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	if id == f.Self.ID {
		return nil, refusal("remove member", genesis.Invalid, string(id), "that is this node", "genesis federation leave")
	}
	f.catchUp(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.change(ctx, who, charter.Change{Remove: id}, "")
}

// SetHolders changes who holds the charter, and how many of them it takes.
func (f *Federation) SetHolders(ctx context.Context, who genesis.Principal, req genesis.HoldersRequest) (*genesis.CharterChange, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	f.catchUp(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.held("change holders")
	if err != nil {
		return nil, err
	}
	for _, id := range req.Remove {
		if !c.Holds(id) {
			return nil, refusal("change holders", genesis.NotFound, string(id), "it is not a holder", "")
		}
	}
	all := slices.DeleteFunc(append(c.Holders(), req.Add...), func(id genesis.NodeID) bool { return slices.Contains(req.Remove, id) })
	return f.change(ctx, who, charter.Change{Holders: orEmpty(all), Threshold: req.Threshold}, "")
}

// RotateKeys replaces keys of this node. The new ones sign once the charter has them.
func (f *Federation) RotateKeys(ctx context.Context, who genesis.Principal, req genesis.RotateRequest) (*genesis.CharterChange, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	if len(req.Uses) == 0 {
		req.Uses = []genesis.KeyUse{genesis.KeyToken, genesis.KeyMessage, genesis.KeyCharter}
	}
	f.catchUp(ctx)
	c, err := f.joined("rotate keys")
	if err != nil {
		return nil, err
	}
	keys, err := f.nextKeys(req.Uses)
	if err != nil {
		return nil, err
	}
	if c.Holds(f.Self.ID) {
		f.mu.Lock()
		defer f.mu.Unlock()
		own := f.Own()
		own.Keys = replaced(own.Keys, keys, f.Now())
		return f.change(ctx, who, charter.Change{Put: &own}, "")
	}
	if err := f.record(ctx, who, c, "rotate"); err != nil {
		return nil, err
	}
	done, at, err := f.askHolders(ctx, c, "keys", keys)
	if m, ok := c.Member(at); ok && err == nil && done.Done {
		_, err = f.take(ctx, m)
	}
	return done, err
}

// nextKeys are this node's next keys for some uses, and the log's if the charter does
// not have it.
func (f *Federation) nextKeys(uses []genesis.KeyUse) ([]genesis.NodeKey, error) {
	own := f.Own()
	var keys []genesis.NodeKey
	for _, use := range uses {
		if use == genesis.KeyLog || !slices.Contains(genesis.KeyUses, use) {
			return nil, refusal("rotate keys", genesis.Invalid, string(use), "is not the use of a key that is replaced", "token, message, charter; the log's key stays, its checkpoints would not verify")
		}
		k, err := f.Keys.Next(use, own)
		if err != nil {
			return nil, err
		}
		keys = append(keys, genesis.NodeKey{ID: k.ID(), Use: use, Public: k.Public()})
	}
	log := genesis.NodeKey{ID: genesis.KeyID(f.LogKey), Use: genesis.KeyLog, Public: f.LogKey}
	if len(f.LogKey) > 0 && !slices.ContainsFunc(own.Keys, func(k genesis.NodeKey) bool { return k.ID == log.ID }) {
		keys = append(keys, log)
	}
	return keys, nil
}

// replaced are the keys of an entry with others in place of those of their uses. The old
// ones count for another day.
func replaced(keys, by []genesis.NodeKey, now time.Time) []genesis.NodeKey {
	now = now.UTC().Truncate(time.Second)
	all := slices.Clone(keys)
	for _, k := range by {
		if slices.ContainsFunc(keys, func(o genesis.NodeKey) bool { return o.ID == k.ID && o.Use == k.Use && o.Until.IsZero() }) {
			continue // it was replaced by this one already
		}
		for i := range all {
			if all[i].Use == k.Use && all[i].Until.IsZero() {
				all[i].Until = now.Add(oldKeys)
			}
		}
		all = append(all, genesis.NodeKey{ID: k.ID, Use: k.Use, Public: k.Public, From: now})
	}
	return all
}

// LeaveFederation takes this node out. Without a federation left it is alone again.
func (f *Federation) LeaveFederation(ctx context.Context, who genesis.Principal) (*genesis.CharterChange, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	v := f.view.Load()
	c := v.charter
	switch {
	case c == nil:
		return nil, refusal("leave federation", genesis.Conflict, string(f.Self.ID), "this node is in no federation", "")
	case !v.member || len(c.Members()) == 1:
		return &genesis.CharterChange{Done: true, Versions: c.Versions()}, f.forget(ctx, who, c)
	}
	if others := slices.DeleteFunc(c.Holders(), func(id genesis.NodeID) bool { return id == f.Self.ID }); len(others) == 0 {
		return nil, refusal("leave federation", genesis.Conflict, c.Name(), "this node is the only holder, and nobody could change the charter any more", "make another one: genesis federation holders --add ID")
	}
	if err := f.record(ctx, who, c, "leave"); err != nil {
		return nil, err
	}
	done, at, err := f.askHolders(ctx, c, "leave", nil)
	if err != nil {
		return nil, err
	}
	if !done.Done && c.Holds(f.Self.ID) && done.Draft != nil { // to leave is to agree to it
		done.Draft.At = at
		if done, err = f.signAt(ctx, who, *done.Draft); err != nil {
			return nil, err
		}
	}
	if done.Done {
		err = f.forget(ctx, who, c)
	}
	return done, err
}

// forget makes the node alone again.
func (f *Federation) forget(ctx context.Context, who genesis.Principal, c *charter.Charter) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.record(ctx, who, c, "left"); err != nil {
		return err
	}
	if err := f.keepDesk(desk{}); err != nil {
		return err
	}
	if err := charter.Remove(f.Disk, f.Dir); err != nil {
		return err
	}
	f.show(nil)
	return nil
}

// askHolders asks one holder after the other for a change of this node's entry, until
// one takes it on.
func (f *Federation) askHolders(ctx context.Context, c *charter.Charter, kind string, keys []genesis.NodeKey) (*genesis.CharterChange, genesis.NodeID, error) {
	var errs []error
	for _, id := range c.Holders() {
		m, ok := c.Member(id)
		if !ok || id == f.Self.ID {
			continue
		}
		text, err := f.say(ctx, kind, m, keys)
		var done genesis.CharterChange
		if err == nil {
			done, err = askJSON[genesis.CharterChange](ctx, f, question{method: http.MethodPost, base: m.URL, path: "/federation/requests", body: genesis.MessageRequest{Message: text}})
		}
		if err == nil {
			return &done, id, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", id, err))
	}
	first := errors.Join(errs...)
	e := &genesis.Error{Op: kind, Kind: genesis.KindOf(first), Subject: c.Name(), Msg: "no holder took it on: " + first.Error(), Hint: "try again later", Err: first}
	return nil, "", e
}

// Hear takes what a member asks of a holder: to leave, or to have its keys replaced.
// Both are its own to decide; the holders' signatures make it so.
func (f *Federation) Hear(ctx context.Context, req genesis.MessageRequest) (*genesis.CharterChange, error) {
	m, from, err := f.hear(req.Message, "leave", "keys")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.held(m.Kind)
	if err != nil {
		return nil, err
	}
	ch := charter.Change{Remove: from.ID}
	if m.Kind == "keys" {
		if ch, err = f.keysAsked(c, m, from); err != nil {
			return nil, err
		}
	}
	if o := f.desk.Draft; o != nil && asks(o.Change, ch) {
		if told, err := f.told(c, o); err == nil {
			return &genesis.CharterChange{Versions: c.Versions(), Draft: told}, nil
		}
	}
	return f.change(ctx, nobody, ch, "")
}

// asks reports whether a draft that waits is what is asked for again.
func asks(waits, ch charter.Change) bool {
	if ch.Put == nil {
		return waits.Put == nil && waits.Remove == ch.Remove && waits.Holders == nil
	}
	return waits.Put != nil && waits.Put.ID == ch.Put.ID
}

func (f *Federation) keysAsked(c *charter.Charter, m message, from genesis.Member) (charter.Change, error) {
	if c.Holds(from.ID) {
		return charter.Change{}, refusal("keys", genesis.Permission, string(from.ID), "a holder replaces its keys at its own node: its charter key has to sign", "")
	}
	if len(m.Keys) == 0 || len(m.Keys) > len(genesis.KeyUses) {
		return charter.Change{}, refusal("keys", genesis.Invalid, string(from.ID), "it names no keys, or too many", "")
	}
	next := from
	next.Keys = replaced(from.Keys, m.Keys, f.Now())
	return charter.Change{Put: &next}, charter.CheckMember(next)
}

func isReason(err error, r charter.Reason) bool { return errors.Is(err, r) }
