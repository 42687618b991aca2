package federation

import (
	"context"
	"errors"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/federation/witness"
)

// Mirrors has the catalogues of all other members followed from the next Run on, as they
// come and go with the charter.
func (f *Federation) Mirrors(m *mirror.Mirror, vouch Vouch) { f.mirror, f.vouch = m, vouch }

// Witnesses has the checkpoints of all other members' audit logs kept from the next Run on,
// through the same doors.
func (f *Federation) Witnesses(w *witness.Witness, vouch Vouch) { f.witness, f.vouch = w, vouch }

// follow follows whom the charter has now, and nobody else. A charter that is past its
// end changes nothing: what is known stays, and its doors are closed.
func (f *Federation) follow(ctx context.Context) {
	v := f.view.Load()
	if f.mirror == nil && f.witness == nil || v.member && !f.Now().Before(v.until) {
		return
	}
	for id, m := range v.others {
		if id == f.Self.ID {
			continue
		}
		if f.doors[id] == nil {
			f.doors[id] = f.door(id, f.vouch)
		}
		if f.mirror != nil {
			f.mirror.Follow(m, f.doors[id])
		}
		if f.witness != nil {
			f.witness.Follow(m, f.doors[id])
		}
	}
	for id := range f.doors {
		if _, still := v.others[id]; still {
			continue
		}
		if err := f.unfollow(ctx, id); err != nil {
			f.Log.Error("what a former member said cannot be forgotten", "member", id, "error", err)
			continue // the next round tries again
		}
		delete(f.doors, id)
	}
}

func (f *Federation) unfollow(ctx context.Context, id genesis.NodeID) (err error) {
	if f.mirror != nil {
		err = f.mirror.Unfollow(ctx, id)
	}
	if f.witness != nil {
		err = errors.Join(err, f.witness.Unfollow(ctx, id))
	}
	return err
}

// nudge has the catalogues of other members looked at soon.
func (f *Federation) nudge() {
	if f.mirror == nil {
		return
	}
	for _, m := range f.Members() {
		f.mirror.Nudge(m.ID)
	}
}

// lookFor is how long other nodes' catalogues are waited for at most.
const lookFor = 3 * time.Second

// catalogues says how the catalogues of other members are followed, by node and class,
// and has them looked at before; for who is slow it does not wait long.
func (f *Federation) catalogues(ctx context.Context) ([]genesis.Followed, error) {
	if f.mirror == nil {
		return nil, nil
	}
	short, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	f.mirror.Look(short)
	all, err := f.mirror.Status(ctx)
	if err != nil {
		return nil, err
	}
	told := make([]genesis.Followed, len(all))
	for i, s := range all {
		told[i] = genesis.Followed{Node: s.Node, Class: s.Class, Origin: s.Origin, Entries: s.Size, Listings: s.Listings, Fresh: s.Fresh.UTC().Truncate(time.Second), Standing: string(s.Standing), Reason: s.Reason}
	}
	return told, nil
}
