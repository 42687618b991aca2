package work

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/work/abroad"
)

// Bundle returns what a version consists of but the bytes of its blobs, and what a copy of
// it owes, to who may read it.
func (s *Service) Bundle(ctx context.Context, who genesis.Principal, ref string) (*genesis.Bundle, error) {
	v, d, err := s.enter(ctx, who, genesis.Read, ref)
	if err != nil {
		return nil, besideIt(err, d.Rule, ref)
	}
	seen := s.sight(ctx, who)
	told, err := s.Catalog.Describe(ctx, v, seen.visible)
	if err = seen.or(err); err != nil {
		return nil, err
	}
	b := &genesis.Bundle{Format: genesis.BundleFormat, Node: s.Node, Version: v, Card: told.Card, Recipe: told.Recipe, Profile: told.Profile, Readiness: told.Readiness,
		Splits: told.Splits, Findings: told.Findings, Provenance: told.Provenance, Report: told.Report}
	if b.Owes, err = s.Access.Owed(ctx, d.Ask); err != nil {
		return nil, err
	}
	if err := s.handsOut(ctx, who, b.Owes); err != nil {
		return nil, err
	}
	in, err := s.remembered.of(ctx, s, v)
	if err != nil {
		return nil, err
	}
	if b.Layout, b.Bytes = in.layout, in.bytes; len(in.own) > genesis.MaxBundleBlobs {
		return nil, &genesis.Error{Op: "bundle", Kind: genesis.Unsupported, Subject: ref, Msg: "it has too many columns and splits to be copied in one piece"}
	}
	for _, digest := range in.own {
		b.Blobs = append(b.Blobs, in.blobs[digest])
	}
	e := s.event(d)
	b.ID = strings.ToLower(rand.Text())
	e.Act, e.Detail = "pull", inSession(detail(map[string]any{"pull": b.ID, "bytes": b.Bytes, "grant": d.Grant}), s.session(who))
	return b, s.Journal.Append(ctx, e) // that a copy may be made, before anything of it goes
}

// handsOut keeps that a copy at somebody's home will stand on grants, so that it hears of
// their end: whom they were made to does not always say whose home that is.
func (s *Service) handsOut(ctx context.Context, who genesis.Principal, owes []genesis.Owed) error {
	if s.home(who) {
		return nil
	}
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		for _, id := range grantsOf(owes) {
			if err := s.abroad.Hands(ctx, tx, who.Node, abroad.OfGrant+id); err != nil {
				return err
			}
		}
		return nil
	})
}

// grantsOf are the grants by which somebody has leaves, each once.
func grantsOf(owes []genesis.Owed) []string {
	var all []string
	for _, o := range owes {
		for _, l := range o.Leaves {
			if l.Grant != "" {
				all = append(all, l.Grant)
			}
		}
	}
	return sortedOnce(all)
}

// besideIt says what can be done with what is restricted instead of copying it.
func besideIt(err error, rule, ref string) error {
	var e *genesis.Error
	if rule != "restricted" || !errors.As(err, &e) || e.Kind != genesis.Permission {
		return err
	}
	told := *e
	told.Msg, told.Hint = "it is restricted: its bytes never leave this node, with whatever grant", "work beside it: `genesis train "+ref+" --at` this node, and what is allowed of the result comes out"
	return &told
}

// contents are the blobs that a version consists of.
type contents struct {
	layout genesis.Layout
	own    []genesis.Digest // those that the layout does not name: the manifest first
	blobs  map[genesis.Digest]genesis.Blob
	bytes  int64
}

// lists are what the contents of a version follow from.
type lists struct {
	Version    genesis.Digest
	Layout     genesis.Layout
	Splits     []genesis.Split // the only records but layouts that name blobs
	Agreements []genesis.Digest
}

// lists reads those of a version.
func (s *Service) lists(ctx context.Context, v genesis.Version) (lists, error) {
	l := lists{Version: v.Digest}
	for kind, into := range map[genesis.RecordKind]any{genesis.RecordSplits: &l.Splits, genesis.RecordLayout: &l.Layout} {
		if err := s.Catalog.Record(ctx, v, kind, into); err != nil && genesis.KindOf(err) != genesis.NotFound {
			return l, err
		}
	}
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return l, err
	}
	owed, err := s.Access.Constraints(ctx, v.Name, v.Digest)
	if err != nil {
		return l, err
	}
	for _, c := range append(owed, genesis.Constraint{Terms: terms}) {
		if a := c.Terms.Agreement; a != nil {
			l.Agreements = append(l.Agreements, a.Digest)
		}
	}
	return l, nil
}

// contents gathers the blobs that lists name.
func (s *Service) contents(ctx context.Context, v genesis.Version, l lists) (*contents, error) {
	in := &contents{layout: l.Layout, blobs: map[genesis.Digest]genesis.Blob{}}
	err := layout.Each(ctx, s.Blobs, in.layout, func(b genesis.Blob) error {
		in.add(b)
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	text, err := s.Blobs.Bytes(ctx, v.Digest, catalog.MaxManifest)
	if err != nil {
		return nil, err
	}
	pages, err := catalog.Pages(v, text)
	if err != nil {
		return nil, err
	}
	own := append([]genesis.Digest{v.Digest}, pages...)
	for _, sp := range l.Splits {
		if sp.Assignment.Digest != "" {
			own = append(own, sp.Assignment.Digest)
		}
	}
	for _, d := range append(own, l.Agreements...) {
		if _, there := in.blobs[d]; there {
			continue
		}
		b, err := s.Blobs.Stat(ctx, d)
		if err != nil {
			return nil, err
		}
		in.add(b)
		in.own = append(in.own, d)
	}
	return in, nil
}

func (in *contents) add(b genesis.Blob) {
	if _, there := in.blobs[b.Digest]; !there {
		in.blobs[b.Digest] = b
		in.bytes += b.Size
	}
}

// VersionBlob returns the bytes of one blob of a version, to who may read it, for as long
// as they may. They can be read at any offset. Many reads are few entries of the journal,
// which count them.
func (s *Service) VersionBlob(ctx context.Context, who genesis.Principal, ref string, d genesis.Digest) (io.ReadCloser, genesis.Blob, error) {
	v, decided, err := s.enter(ctx, who, genesis.Read, ref)
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	b, err := s.member(ctx, v, d)
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	shared, err := s.Journal.Share(ctx, s.event(decided)) // of the entry that the decision left
	if err != nil {
		return nil, genesis.Blob{}, err
	}
	ctx, stop := s.Access.Watch(ctx, decided.Ask)
	var r *blob.Reader
	if r, err = s.Blobs.Open(ctx, b); err != nil {
		stop()
		return nil, genesis.Blob{}, withdrawn(ctx, err)
	}
	return &watchedTable{watched: watched{r, ctx, stop}, shared: shared}, b, nil
}

// BlobLeaves returns the leaf hashes of one blob of a version, one after the other, to who
// may read it.
func (s *Service) BlobLeaves(ctx context.Context, who genesis.Principal, ref string, d genesis.Digest) ([]byte, error) {
	v, _, err := s.enter(ctx, who, genesis.Read, ref)
	if err != nil {
		return nil, err
	}
	b, err := s.member(ctx, v, d)
	if err != nil {
		return nil, err
	}
	return s.Blobs.Leaves(ctx, b)
}

// member finds a blob of a version.
func (s *Service) member(ctx context.Context, v genesis.Version, d genesis.Digest) (genesis.Blob, error) {
	in, err := s.remembered.of(ctx, s, v)
	if err != nil {
		return genesis.Blob{}, err
	}
	b, ok := in.blobs[d]
	if !ok {
		return b, inside{&genesis.Error{Op: "get blob", Kind: genesis.NotFound, Subject: string(d), Msg: "is no blob of " + v.Ref().String()}}
	}
	return b, nil
}

// keptMembers bounds how many blobs of versions are known by heart: a copy asks for one
// after the other, and finding out what a version consists of takes reading all its lists.
const keptMembers = 200_000

// memory has the contents of the versions that were asked for last.
type memory struct {
	mu   sync.Mutex
	kept []remembered // the latest last
	size int
}

type remembered struct {
	key string
	*contents
}

// of returns the contents of a version.
func (m *memory) of(ctx context.Context, s *Service, v genesis.Version) (*contents, error) {
	l, err := s.lists(ctx, v)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	key := string(genesis.DigestOf(text))
	if in := m.find(key); in != nil {
		return in, nil
	}
	in, err := s.contents(ctx, v, l)
	if err != nil {
		return nil, err
	}
	m.keep(remembered{key, in})
	return in, nil
}

func (m *memory) find(key string) *contents {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.kept, func(r remembered) bool { return r.key == key })
	if i < 0 {
		return nil
	}
	found := m.kept[i]
	m.kept = append(slices.Delete(m.kept, i, i+1), found)
	return found.contents
}

func (m *memory) keep(r remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = append(m.kept, r)
	m.size += len(r.blobs)
	for m.size > keptMembers && len(m.kept) > 1 {
		m.size -= len(m.kept[0].blobs)
		m.kept = slices.Delete(m.kept, 0, 1)
	}
}
