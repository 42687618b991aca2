package federation

import (
	"context"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/mirror"
)

// Vouches says how this node gives its word, for itself and for its people.
func (f *Federation) Vouches(itself Vouch, people PersonVouch) {
	f.vouch, f.people.vouch = itself, people
}

// Mirrors has the catalogues of all other members followed from the next Run on, as they
// come and go with the charter.
func (f *Federation) Mirrors(m *mirror.Mirror) { f.mirror = m }

// follow follows whom the charter has now, and nobody else. A charter that is past its
// end changes nothing: what is known stays, and its doors are closed.
func (f *Federation) follow(ctx context.Context) {
	v := f.view.Load()
	if f.mirror == nil || v.member && !f.Now().Before(v.until) {
		return
	}
	for id, m := range v.others {
		if id == f.Self.ID {
			continue
		}
		if f.doors[id] == nil {
			f.doors[id] = f.door(id, f.vouch)
		}
		f.mirror.Follow(m, f.doors[id])
	}
	for id := range f.doors {
		if _, still := v.others[id]; still {
			continue
		}
		if err := f.mirror.Unfollow(ctx, id); err != nil {
			f.Log.Error("what a former member said cannot be forgotten", "member", id, "error", err)
			continue // the next round tries again
		}
		delete(f.doors, id)
	}
}

// catalogues says how the catalogues of other members are followed, by node and class,
// and has them looked at now.
func (f *Federation) catalogues(ctx context.Context) ([]genesis.Followed, error) {
	if f.mirror == nil {
		return nil, nil
	}
	for _, m := range f.Members() {
		f.mirror.Nudge(m.ID)
	}
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
