package federation

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

const (
	deskFile   = "drafts.json"
	deskFormat = 1
)

// desk is what waits at a holder's node: at most one draft of its own, and which
// draft it signed of the version that comes next. The latter is durable before a
// signature leaves the node.
type desk struct {
	Format int     `json:"format"`
	Draft  *ours   `json:"draft,omitempty"`
	Signed *signed `json:"signed,omitempty"`
}

// ours is a draft that is finished here. The change is kept beside it, so that it can
// be drafted anew when another one was faster.
type ours struct {
	ID         string             `json:"id"`
	Made       time.Time          `json:"made"`
	Change     charter.Change     `json:"change"`
	Parts      genesis.DraftParts `json:"parts"`
	Invitation string             `json:"invitation,omitempty"` // the hash of its secret, if it admits somebody
}

// signed is the draft that the node signed of a version of the list.
type signed struct {
	Version int64  `json:"version"`
	ID      string `json:"id"`
}

func (f *Federation) loadDesk() (desk, error) {
	path := filepath.Join(f.Dir, deskFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return desk{Format: deskFormat}, nil
	}
	if err != nil {
		return desk{}, disk.Error("open federation", path, err)
	}
	var d desk
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&d); err != nil {
		return d, refusal("open federation", genesis.Internal, path, "it is damaged", "put it back from a backup, or remove it: drafts that wait are made anew")
	}
	if d.Format != deskFormat {
		return d, refusal("open federation", genesis.Unsupported, path, fmt.Sprintf("its format is %d, and this program knows %d", d.Format, deskFormat), "use the program that wrote it, or a newer one")
	}
	return d, nil
}

// keepDesk makes d the desk, durably.
func (f *Federation) keepDesk(d desk) error {
	d.Format = deskFormat
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	path := filepath.Join(f.Dir, deskFile)
	if err = disk.MkdirAll(f.Disk, f.Dir); err == nil {
		err = disk.Replace(f.Disk, path, text)
	}
	if err == nil {
		err = f.Disk.SyncDir(f.Dir)
	}
	if err == nil {
		f.desk = d
	}
	return disk.Error("keep draft", path, err)
}

// change drafts a change at this holder's node, signs it, and finishes it where that is
// enough. The caller holds f.mu.
func (f *Federation) change(ctx context.Context, who genesis.Principal, ch charter.Change, invitation string) (*genesis.CharterChange, error) {
	c, err := f.held("change charter")
	if err != nil {
		return nil, err
	}
	if f.desk.Draft != nil {
		if d, err := c.ReadDraft(f.desk.Draft.Parts, f.Now()); err == nil {
			return nil, refusal("change charter", genesis.Conflict, d.ID(), fmt.Sprintf("another change waits here for %d signatures: %s", d.Needs(), d.Says()[0]),
				"have it signed, or drop it: genesis federation sign --drop "+d.ID())
		}
	}
	d, err := c.Draft(ch, f.Now())
	if err != nil {
		return nil, err
	}
	if err := f.maySign(d); err != nil {
		return nil, err
	}
	if err := d.Sign(f.holderKeys()...); err != nil {
		return nil, err
	}
	return f.settle(ctx, who, c, d, &ours{Made: f.Now().UTC().Truncate(time.Second), Change: ch, Invitation: invitation})
}

// held returns the charter, if this node is a holder of it.
func (f *Federation) held(op string) (*charter.Charter, error) {
	c, err := f.joined(op)
	if err == nil && !c.Holds(f.Self.ID) {
		err = refusal(op, genesis.Conflict, string(f.Self.ID), "this node is not a holder of the charter", "ask one of these: "+joinedNodes(c.Holders()))
	}
	return c, err
}

// holderKeys are all charter keys of the node: the one in the root, and the next.
func (f *Federation) holderKeys() []ed25519.PrivateKey {
	var all []ed25519.PrivateKey
	for _, k := range f.Keys.All(genesis.KeyCharter) {
		all = append(all, k.Private)
	}
	return all
}

// signer is the key with which this node says that the charter c is current.
func (f *Federation) signer(c *charter.Charter) (ed25519.PrivateKey, error) {
	own, _ := c.Member(f.Self.ID)
	for _, k := range own.CurrentKeys(genesis.KeyCharter, f.Now()) {
		if !k.Until.IsZero() {
			continue
		}
		for _, mine := range f.Keys.All(genesis.KeyCharter) {
			if mine.ID() == k.ID {
				return mine.Private, nil
			}
		}
	}
	return nil, refusal("sign charter", genesis.Internal, "node-charter.key", "the key that the charter has is not in it", "put it back from a backup of the home, or have the other holders replace this node")
}

// maySign refuses a second draft of a version: half of the holders must not agree to
// one thing and half to another.
func (f *Federation) maySign(d *charter.Draft) error {
	version := d.Versions().Targets
	if s := f.desk.Signed; s != nil && s.Version == version && s.ID != d.ID() {
		return refusal("sign draft", genesis.Conflict, d.ID(), "this node signed another draft of the same version: "+s.ID,
			"wait until that one is finished; if it was given up, take the signature back: genesis federation sign --drop "+s.ID)
	}
	return nil
}

// settle finishes a draft of this node if it has its signatures, else keeps it.
func (f *Federation) settle(ctx context.Context, who genesis.Principal, c *charter.Charter, d *charter.Draft, o *ours) (*genesis.CharterChange, error) {
	var err error
	o.ID = d.ID()
	if o.Parts, err = d.Parts(); err != nil {
		return nil, err
	}
	// Draft and signature in one: a crash leaves both, or neither.
	if err := f.keepDesk(desk{Draft: o, Signed: &signed{d.Versions().Targets, o.ID}}); err != nil {
		return nil, err
	}
	if d.Needs() > 0 {
		if err := f.record(ctx, who, c, "draft "+o.ID+": "+says(d)); err != nil {
			return nil, err
		}
		told, err := f.told(c, o)
		return &genesis.CharterChange{Versions: c.Versions(), Draft: told}, err
	}
	if err := f.finish(ctx, who, c, d); err != nil {
		return nil, err
	}
	return &genesis.CharterChange{Done: true, Versions: f.view.Load().charter.Versions()}, nil
}

// says is what a draft changes, as the journal keeps it.
func says(d *charter.Draft) string {
	all := d.Says()
	text := all[0]
	for _, s := range all[1:] {
		text += "; " + s
	}
	if len(text) > 4000 {
		text = text[:4000]
	}
	return text
}

// finish makes a draft with its signatures the charter.
func (f *Federation) finish(ctx context.Context, who genesis.Principal, c *charter.Charter, d *charter.Draft) error {
	next, err := f.finished(c, d)
	if err != nil {
		return err
	}
	if err := f.adopt(ctx, who, next, says(d)); err != nil {
		return err
	}
	left := f.desk
	left.Draft = nil
	return f.keepDesk(left)
}

func (f *Federation) finished(c *charter.Charter, d *charter.Draft) (*charter.Charter, error) {
	var err error
	for _, key := range f.holderKeys() { // the one that the next root has
		var next *charter.Charter
		if next, err = c.Finish(d, key, f.Now()); err == nil || !errors.Is(err, charter.NotHolder) {
			return next, err
		}
	}
	return nil, err
}

// redraft makes this node's draft anew after another change came first. One that
// cannot be any more is dropped.
func (f *Federation) redraft(ctx context.Context) {
	o, c := f.desk.Draft, f.view.Load().charter
	if o == nil || c == nil {
		return
	}
	if _, err := c.ReadDraft(o.Parts, f.Now()); err == nil {
		return
	}
	left := f.desk
	left.Draft = nil
	err := f.keepDesk(left)
	if err == nil && !c.Is(o.ID) && c.Holds(f.Self.ID) {
		_, err = f.change(ctx, nobody, o.Change, o.Invitation)
	}
	if err != nil {
		f.Log.Warn("a draft was overtaken and cannot be made anew", "draft", o.ID, "error", err)
	}
}

// told is this node's draft for those who are to sign.
func (f *Federation) told(c *charter.Charter, o *ours) (*genesis.CharterDraft, error) {
	d, err := c.ReadDraft(o.Parts, f.Now())
	if err != nil {
		return nil, err
	}
	return &genesis.CharterDraft{ID: o.ID, At: f.Self.ID, Made: o.Made, Says: d.Says(), Signed: orEmpty(d.Signed()), Needs: d.Needs(), Parts: o.Parts}, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return slices.Clone(list)
}

func joinedNodes(all []genesis.NodeID) string {
	words := make([]string, len(all))
	for i, id := range all {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}
