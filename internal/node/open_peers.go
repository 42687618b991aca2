package node

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation"
	"github.com/opengenesis/genesis/internal/federation/mirror"
	"github.com/opengenesis/genesis/internal/federation/nodekey"
	"github.com/opengenesis/genesis/internal/federation/post"
	"github.com/opengenesis/genesis/internal/federation/witness"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/work"
)

// What a node has to do with others is put together in three steps: the charter before
// what decides ([works.openFederation]), what work needs of others before it
// ([works.openPeers]), and what needs work after it ([works.meetPeers]). Then they begin
// ([works.startPeers]).

// openFederation opens the charter, which decides who is vouched for, and the keys with
// which this node vouches. It stands before what decides, and is told afterwards whom to
// tell of changes.
func (w *works) openFederation(h *Home, c *work.Config, opt *Options) error {
	d := opt.disk
	if d == nil {
		d = disk.OS
	}
	clock := opt.now
	if clock == nil {
		clock = time.Now
	}
	keys, err := nodekey.Open(h.Keys(), d, clock)
	if err != nil {
		return err
	}
	w.fed, err = federation.Open(federation.Config{
		Dir: h.Federation(), Disk: d, Keys: keys, LogKey: c.Journal.PublicKey(), DB: w.db, Journal: c.Journal, Log: w.log, Now: clock, Peers: opt.peers,
		Self:       genesis.Member{ID: h.Config.Node, Institution: h.Config.Institution, Sector: h.Config.Sector, URL: h.Config.URL},
		MayOperate: func(ctx context.Context, who genesis.Principal) error { return w.MayOperate(ctx, who) },
	})
	if err != nil {
		return err
	}
	w.closeLast(w.fed.Close)
	w.Federator, c.Charter = w.fed, w.fed
	if opt.charter != nil {
		c.Charter = opt.charter
	}
	if opt.token == nil {
		opt.token = w.tokenKey
	}
	return nil
}

// openPeers opens what work reaches other nodes by: messages, the mirror of their
// catalogues, and the ways of this node's people.
func (w *works) openPeers(h *Home, c *work.Config, opt Options) {
	w.post = w.newPost(c, opt)
	c.Post, c.Nodes = w.post, w.fed
	w.mirror = mirror.New(mirror.Config{DB: w.db, Self: h.Config.Node, Log: w.log, Now: opt.now, Room: c.Blobs.Room, Report: w.fed.Accuse, Reported: w.post.Wake})
	w.closeLast(w.mirror.Close)
	c.Mirror = w.mirror
	c.Peers = w.fed.People(func(ctx context.Context, who genesis.Principal, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error) {
		return c.Identity.PeerToken(ctx, who, genesis.PeerTokenRequest{Audience: audience, Key: thumbprint})
	}, func(ctx context.Context, who genesis.Principal) (string, error) {
		return c.Identity.Memberships(ctx, who.Person())
	})
}

// meetPeers has work act upon messages of other nodes, and opens what keeps the checkpoints
// of their audit logs and shows them this node's.
func (w *works) meetPeers(h *Home, c *work.Config) {
	w.post.Handle, w.post.Undelivered, w.post.Changed = w.Service.Handlers(), w.Service.Undelivered, w.messaged
	w.post.Handle["evidence"] = w.fed.HearEvidence
	w.witness = witness.New(witness.Config{DB: w.db, Self: h.Config.Node, Journal: c.Journal, Member: c.Charter.Member, MayLook: w.MayLook, Now: c.Now, Log: w.log,
		Taken: func(ctx context.Context, message string) (bool, error) { return post.Taken(ctx, w.db, message) }})
	w.Witness = w.witness
	w.closeLast(w.witness.Close)
}

// startPeers begins to follow other nodes, and to send what waits for them.
func (w *works) startPeers(ctx context.Context, c *work.Config) error {
	w.fed.Mirrors(w.mirror, c.Identity.NodeToken)
	w.fed.Witnesses(w.witness, c.Identity.NodeToken)
	w.witness.Start()
	w.background.Go(func() { w.fed.Run(ctx) })
	w.background.Go(func() { w.FollowChanges(ctx) })
	w.fed.Messages(w.post)
	w.closeLast(w.post.Close)
	if err := w.post.Start(ctx); err != nil {
		return err
	}
	w.background.Go(func() { w.KeepMemberships(ctx) })
	return nil
}

// newPost carries messages between nodes. Those of a node that serves one command wait
// for one that others can reach.
func (w *works) newPost(c *work.Config, opt Options) *post.Post {
	return post.New(post.Config{Pauses: opt.pauses, DB: w.db, Node: c.Node, Charter: c.Charter, Send: w.fed.Send, Format: w.fed.MessageFormat, Formats: w.fed.Speaks.Formats,
		Now: c.Now, Log: w.log, Key: func() (ed25519.PrivateKey, error) {
			k, err := w.fed.Key(genesis.KeyMessage)
			return k.Private, err
		}})
}

// messaged is told that a message of another node was acted upon, or one to it given up:
// that may have put others.
func (w *works) messaged(kind string) {
	w.Told(kind)
	w.Look()
}

// tokenKey is the key with which this node vouches for its people now, and its id.
func (w *works) tokenKey() (string, ed25519.PrivateKey) {
	if w.fed.Fresh().IsZero() { // there is nobody to vouch to
		return "", nil
	}
	k, err := w.fed.Key(genesis.KeyToken)
	if err != nil { // the charter has one that is not here: nobody would believe another
		w.log.Error("nobody is vouched for", "error", err)
		return "", nil
	}
	return k.ID(), k.Private
}
