package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// log is one log of another node, for one round.
type log struct {
	m        *Mirror
	get      fetcher
	member   genesis.Member
	class    genesis.Class
	deadline time.Time
	st       *state
}

func (l *log) path(epoch int) string { return fmt.Sprintf("/logs/%s/%d/", l.class, epoch) }

func (l *log) origin(epoch int) string {
	return fmt.Sprintf("%s/catalog-%s/%d", l.member.ID, l.class, epoch)
}

// round follows the log as far as it goes, through all epochs up to the latest. more says
// that there is work left.
func (l *log) round(ctx context.Context, latest int) (more bool, err error) {
	if err := l.load(ctx); err != nil {
		return false, err
	}
	st := l.st
	switch {
	case latest <= st.epoch && st.standing == Forked:
		return false, l.refusal(st.reason)
	case latest < max(st.epoch, st.pin.epoch):
		return false, l.behind(ctx, nil, fmt.Sprintf("it has no epoch %d any more", max(st.epoch, st.pin.epoch)))
	}
	heads, err := l.heads(ctx, st.epoch, latest)
	if err != nil {
		return false, l.struck(ctx, err)
	}
	for epoch := st.epoch; epoch <= latest; epoch++ {
		if epoch > st.epoch {
			if err := l.turnTo(ctx, epoch); err != nil {
				return false, err
			}
		}
		anew, err := l.grow(ctx, heads[epoch], epoch == latest)
		if err != nil || anew {
			return anew, err
		}
		more, err := l.apply(ctx)
		if over := epoch < latest && time.Now().After(l.deadline); err != nil || more || over {
			return more || over, err
		}
	}
	return false, l.settle(ctx)
}

// unlisted notes of a log that was followed that the node does not say any more that there
// is one. It is not more than that: a node that does not know this one as a member, because
// its charter is older, tells it of public logs alone.
func (l *log) unlisted(ctx context.Context) error {
	err := l.load(ctx)
	if err == nil && l.st.id != 0 && l.st.tree.N > 0 {
		l.m.sights.ended(ctx, l.member.ID, l.class, &genesis.Error{Op: "follow log", Kind: genesis.Unavailable, Subject: l.origin(l.st.epoch), Msg: "the node does not list it any more"})
	}
	return err
}

// load reads the state of the log.
func (l *log) load(ctx context.Context) error {
	st, err := readState(ctx, l.m.cfg.DB.Read(), l.member.ID, l.class)
	if st == nil && err == nil {
		st = &state{node: l.member.ID, class: l.class}
		st.begin()
	}
	l.st = st
	return err
}

// save writes the state, changed.
func (l *log) save(ctx context.Context, change func(*state)) error {
	next := *l.st
	change(&next)
	err := l.m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error { return next.save(ctx, tx) })
	if err == nil {
		*l.st = next
	}
	return store.Error("follow log", l.origin(l.st.epoch), err)
}

// noteFresh is how long it may take until the database knows when a log was seen last:
// with hundreds of nodes, writing it each time would be most of what is written.
const noteFresh = 10 * time.Minute

// settle notes that all there is was seen.
func (l *log) settle(ctx context.Context) error {
	now := l.m.cfg.Now()
	l.m.sights.saw(l.member.ID, l.class, now)
	if st := l.st; st.id != 0 && st.standing == Good && st.strikes == 0 && now.Sub(st.fresh) < noteFresh {
		return nil
	}
	return l.save(ctx, func(s *state) {
		s.fresh, s.standing, s.reason, s.strikes = now, Good, "", 0
	})
}

// turnTo goes on with the next epoch, once all of the one before was applied.
func (l *log) turnTo(ctx context.Context, epoch int) error {
	next := *l.st
	next.base += next.tree.N
	next.epoch, next.origin, next.tree, next.applied = epoch, "", emptyTree, 0
	next.standing, next.reason = Good, ""
	err := l.m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := next.save(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM mirror_hashes WHERE log = $1 AND epoch < $2", next.id, epoch)
		return err
	})
	if err == nil {
		*l.st = next
	}
	return store.Error("follow log", l.origin(epoch), err)
}

// errContradicts is the error of a state that did not grow from the one that is known.
var errContradicts = errors.New("it did not grow from the state that is known")

// grow takes a state of the present epoch, if it has grown from the one that is known. An
// epoch that is over may have ended earlier than what is known of it, as that of a node
// does which was restored from a backup: then the mirror begins anew.
func (l *log) grow(ctx context.Context, h head, latest bool) (anew bool, err error) {
	known := l.st.tree
	if err := l.pinned(ctx, h, latest); err != nil {
		return false, err
	}
	switch {
	case l.st.origin != "" && l.st.origin != h.origin:
		return false, l.forked(ctx, h, fmt.Sprintf("it says that its log was %q", h.origin), nil)
	case h.tree.N == known.N && h.tree.Hash != known.Hash:
		return false, l.forked(ctx, h, fmt.Sprintf("it has another root hash at the same size of %d", known.N), nil)
	case h.tree.N < known.N && latest:
		return false, l.shorter(ctx, h)
	case h.tree.N < known.N:
		return l.cutBack(ctx, h)
	case h.tree.N > known.N:
		if err := l.proves(ctx, h.tree, known); errors.Is(err, errContradicts) {
			return false, l.forked(ctx, h, fmt.Sprintf("its state of %d entries did not grow from that of %d", h.tree.N, known.N), err)
		} else if err != nil {
			return false, err
		}
	case l.st.origin == h.origin:
		return false, nil // nothing is new
	}
	return false, l.save(ctx, func(s *state) {
		s.origin, s.tree, s.note = h.origin, h.tree, h.note
		if s.pin.epoch <= s.epoch {
			s.pin = pin{}
		}
	})
}

// pinned holds a state against what was verified before the log was begun anew.
func (l *log) pinned(ctx context.Context, h head, latest bool) error {
	p := l.st.pin
	switch {
	case p.epoch != l.st.epoch:
		return nil
	case h.tree.N >= p.tree.N:
		err := l.proves(ctx, h.tree, p.tree)
		if h.tree.N == p.tree.N && h.tree != p.tree {
			err = errContradicts
		}
		if errors.Is(err, errContradicts) {
			return l.forked(ctx, h, fmt.Sprintf("its state of %d entries did not grow from that of %d", h.tree.N, p.tree.N), err)
		}
		return err
	case latest:
		return l.behind(ctx, h.note, fmt.Sprintf("it answers with its state of %d entries, and had %d", h.tree.N, p.tree.N))
	}
	return nil // the epoch ended before: of what came later nothing is at hand to compare
}

// proves checks, by the log's own tiles, that a tree begins with another. The tiles are
// held against the new tree first, so that what fails then is the log and not the way.
func (l *log) proves(ctx context.Context, grown, known tlog.Tree) error {
	if known.N == 0 || grown == known {
		return nil
	}
	tiles := tlog.TileHashReader(grown, l.tiles(ctx, l.st.epoch))
	p, err := tlog.ProveTree(grown.N, known.N, tiles)
	if err != nil {
		return inTiles(l.origin(l.st.epoch), err)
	}
	if tlog.CheckTree(p, grown.N, grown.Hash, known.N, known.Hash) == nil {
		return nil
	}
	prefix, err := tlog.TreeHash(known.N, tiles)
	if err != nil {
		return inTiles(l.origin(l.st.epoch), err)
	}
	return &parted{prefix, p}
}

// shorter is about a checkpoint that is signed and shorter than the one that is known. It
// may be an old one that something on the way kept; unless it never was one.
func (l *log) shorter(ctx context.Context, h head) error {
	if h.tree.N <= l.st.applied {
		root, err := l.st.rootAt(ctx, l.m.cfg.DB.Read(), h.tree.N)
		if err != nil {
			return err
		}
		if root != h.tree.Hash {
			return l.forked(ctx, h, fmt.Sprintf("it has another root hash at size %d than it had", h.tree.N), nil)
		}
	}
	return l.behind(ctx, h.note, fmt.Sprintf("it answers with its state of %d entries, and had %d", h.tree.N, l.st.tree.N))
}

// cutBack is about an epoch that ended, as the next declares, before the state that is
// known. What is known must begin with that.
func (l *log) cutBack(ctx context.Context, h head) (anew bool, err error) {
	// Beyond what was applied there is nothing of ours that it could contradict.
	common := min(h.tree.N, l.st.applied)
	root, err := l.st.rootAt(ctx, l.m.cfg.DB.Read(), common)
	if err != nil {
		return false, err
	}
	err = l.proves(ctx, h.tree, tlog.Tree{N: common, Hash: root})
	if common == h.tree.N && root != h.tree.Hash {
		err = errContradicts
	}
	switch {
	case errors.Is(err, errContradicts):
		return false, l.forked(ctx, h, fmt.Sprintf("it declares an end at %d entries that the log did not have", h.tree.N), nil)
	case err != nil:
		return false, err
	case h.tree.N >= l.st.applied:
		return false, l.save(ctx, func(s *state) { s.tree, s.note = h.tree, h.note })
	}
	l.m.cfg.Log.Info("a node went back to an earlier state, and says so: its catalogue is mirrored anew", "log", h.origin, "size", h.tree.N, "had", l.st.tree.N)
	next := *l.st
	err = l.m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		next = *l.st
		next.tree, next.pin = h.tree, pin{} // what it must have grown from now
		return next.clear(ctx, tx)
	})
	if err != nil {
		return false, store.Error("follow log", h.origin, err)
	}
	*l.st = next
	return true, nil
}
