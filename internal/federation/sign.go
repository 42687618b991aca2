package federation

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
)

// Drafts lists the drafts that wait: to another member's node, which proves who it is and
// may be a holder once the draft is done, this node's own; to an operator, those of all
// holders.
func (f *Federation) Drafts(ctx context.Context, who genesis.Principal, proof string) (*genesis.DraftList, error) {
	list := &genesis.DraftList{Drafts: []genesis.CharterDraft{}}
	if proof != "" {
		if _, _, err := f.hear(proof, "drafts"); err != nil {
			return nil, err
		}
		return list, f.ownDraft(list)
	}
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	if _, err := f.joined("list drafts"); err != nil {
		return nil, err
	}
	if err := f.ownDraft(list); err != nil {
		return nil, err
	}
	f.draftsElsewhere(ctx, list)
	slices.SortFunc(list.Drafts, func(a, b genesis.CharterDraft) int { return a.Made.Compare(b.Made) })
	return list, nil
}

func (f *Federation) ownDraft(list *genesis.DraftList) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, c := f.desk.Draft, f.view.Load().charter
	if o == nil || c == nil {
		return nil
	}
	d, err := f.told(c, o)
	if err == nil {
		list.Drafts = append(list.Drafts, *d)
	}
	return nil // one that was overtaken is none
}

// draftsElsewhere asks the other holders at once. What they answer is read as a draft
// of this charter: what it says is worked out here.
func (f *Federation) draftsElsewhere(ctx context.Context, list *genesis.DraftList) {
	c := f.view.Load().charter
	var wait sync.WaitGroup
	var mu sync.Mutex
	for _, id := range c.Holders() {
		if m, ok := c.Member(id); ok && id != f.Self.ID {
			wait.Go(func() {
				found, err := f.draftsAt(ctx, c, m)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					f.Log.Warn("a holder's drafts cannot be listed", "holder", id, "error", err)
					list.Missing = append(list.Missing, id)
				}
				list.Drafts = append(list.Drafts, found...)
			})
		}
	}
	wait.Wait()
	slices.Sort(list.Missing)
}

func (f *Federation) draftsAt(ctx context.Context, c *charter.Charter, m genesis.Member) ([]genesis.CharterDraft, error) {
	proof, err := f.say(ctx, "drafts", m, nil)
	if err != nil {
		return nil, err
	}
	answer, err := askJSON[genesis.DraftList](ctx, f, question{method: http.MethodGet, base: m.URL, path: "/federation/drafts", proof: proof})
	if err != nil {
		return nil, err
	}
	var all []genesis.CharterDraft
	for i, x := range answer.Drafts {
		d, err := c.ReadDraft(x.Parts, f.Now())
		if i > 0 || err != nil {
			return all, err // a node has one
		}
		all = append(all, genesis.CharterDraft{ID: d.ID(), At: m.ID, Made: x.Made.UTC().Truncate(time.Second), Says: d.Says(), Signed: orEmpty(d.Signed()), Needs: d.Needs(), Parts: x.Parts})
	}
	return all, nil
}

// SignDraft signs a draft for this node, here or at the holder's node where it was made.
func (f *Federation) SignDraft(ctx context.Context, who genesis.Principal, id string) (*genesis.CharterChange, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	f.catchUp(ctx)
	list, err := f.Drafts(ctx, who, "")
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list.Drafts, func(d genesis.CharterDraft) bool { return d.ID == id })
	if i < 0 {
		return nil, refusal("sign draft", genesis.NotFound, id, "there is no such draft, or it was overtaken", "genesis federation sign lists those that wait")
	}
	return f.signAt(ctx, who, list.Drafts[i])
}

// signAt signs a draft, and takes what comes of it.
func (f *Federation) signAt(ctx context.Context, who genesis.Principal, x genesis.CharterDraft) (*genesis.CharterChange, error) {
	c, parts, err := f.signedParts(ctx, who, x)
	if err != nil {
		return nil, err
	}
	if x.At == f.Self.ID {
		return f.addSignatures(ctx, who, x.ID, parts)
	}
	m, ok := c.Member(x.At)
	if !ok {
		return nil, refusal("sign draft", genesis.Conflict, x.ID, "the node where it was made is no member any more", "")
	}
	parts.Members = nil // which that node has
	done, err := askJSON[genesis.CharterChange](ctx, f, question{method: http.MethodPost, base: m.URL, path: "/federation/drafts/" + url.PathEscape(x.ID) + "/signatures", body: parts})
	if err == nil && done.Done {
		_, err = f.take(ctx, m)
	}
	return &done, err
}

// signedParts signs a draft. That it did, and which, is durable before the signature
// leaves the node.
func (f *Federation) signedParts(ctx context.Context, who genesis.Principal, x genesis.CharterDraft) (*charter.Charter, genesis.DraftParts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.joined("sign draft")
	if err != nil {
		return nil, genesis.DraftParts{}, err
	}
	d, err := c.ReadDraft(x.Parts, f.Now())
	if err == nil && !d.Awaits(f.Self.ID) {
		err = refusal("sign draft", genesis.Conflict, d.ID(), "this node is not a holder, neither before nor after", "")
	}
	if err == nil {
		err = f.maySign(d)
	}
	if err == nil {
		err = f.record(ctx, who, c, "sign "+d.ID()+": "+says(d))
	}
	if err == nil {
		next := f.desk
		next.Signed = &signed{d.Versions().Targets, d.ID()}
		err = f.keepDesk(next)
	}
	if err == nil {
		err = d.Sign(f.holderKeys()...)
	}
	if err != nil {
		return nil, genesis.DraftParts{}, err
	}
	parts, err := d.Parts()
	return c, parts, err
}

// AddSignatures takes a holder's signatures of this node's draft. Whoever brings them
// need not say who they are: the signatures do.
func (f *Federation) AddSignatures(ctx context.Context, id string, parts genesis.DraftParts) (*genesis.CharterChange, error) {
	return f.addSignatures(ctx, nobody, id, parts)
}

func (f *Federation) addSignatures(ctx context.Context, who genesis.Principal, id string, parts genesis.DraftParts) (*genesis.CharterChange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gone := refusal("sign draft", genesis.NotFound, id, "there is no such draft, or it was overtaken", "genesis federation sign lists those that wait")
	o, c := f.desk.Draft, f.view.Load().charter
	if o == nil || c == nil || o.ID != id {
		return nil, gone
	}
	d, err := c.ReadDraft(o.Parts, f.Now())
	if err != nil {
		return nil, gone
	}
	fresh, err := d.Add(parts, f.Now())
	if err != nil {
		return nil, err
	}
	if !fresh && d.Needs() > 0 { // one that has all was cut off before it was finished
		told, err := f.told(c, o)
		return &genesis.CharterChange{Versions: c.Versions(), Draft: told}, err
	}
	return f.settle(ctx, who, c, d, o)
}

// DropDraft gives a draft up: this node's own, or the signature of another's.
func (f *Federation) DropDraft(ctx context.Context, who genesis.Principal, id string) error {
	if err := f.operates(ctx, who); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	next, found := f.desk, false
	invitation := ""
	if o := next.Draft; o != nil && o.ID == id {
		next.Draft, found, invitation = nil, true, o.Invitation
	}
	if s := next.Signed; s != nil && s.ID == id {
		next.Signed, found = nil, true
	}
	if !found {
		return refusal("drop draft", genesis.NotFound, id, "it is neither this node's, nor signed here", "genesis federation sign")
	}
	c, err := f.joined("drop draft")
	if err == nil {
		err = f.record(ctx, who, c, "drop "+id)
	}
	if err == nil && invitation != "" {
		err = f.spoil(ctx, invitation)
	}
	if err != nil {
		return err
	}
	return f.keepDesk(next)
}
