package mirror

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// apply brings what was verified of the present epoch into the mirror, a page of
// statements in a transaction. The next page is fetched and checked meanwhile. more says
// that the time of the round is over before all is done.
func (l *log) apply(ctx context.Context) (more bool, err error) {
	if l.st.applied == l.st.tree.N {
		return false, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page, 1)
	ahead, st := *l, *l.st // what is read does not depend on how far it is applied
	ahead.st = &st
	go ahead.read(ctx, pages)
	defer func() {
		cancel()
		for range pages { // until it has ended
		}
	}()
	for p := range pages {
		if p.err == nil {
			p.err = l.commit(ctx, p.batch)
		}
		if p.err != nil {
			return false, p.err
		}
		if time.Now().After(l.deadline) {
			break
		}
	}
	return l.st.applied < l.st.tree.N, ctx.Err()
}

// page is a page of statements that was checked, or why there is none.
type page struct {
	batch *batch
	err   error
}

// read reads and checks the pages that are not applied yet. It closes pages when there
// are no more, after an error, or when ctx ends.
func (l *log) read(ctx context.Context, pages chan<- page) {
	defer close(pages)
	ctx, cancel := context.WithCancel(ctx)
	said := make(chan saying, 1)
	go l.hear(ctx, said)
	defer func() {
		cancel()
		for range said { // until it has ended
		}
	}()
	r := &reader{log: l, tiles: l.tiles(ctx, l.st.epoch), number: -1}
	for s := range said {
		var p page
		if p.err = s.err; p.err == nil {
			p.batch, p.err = r.page(ctx, s)
		}
		select {
		case pages <- p:
		case <-ctx.Done():
			return
		}
		if p.err != nil {
			return
		}
	}
}

// saying is what is said to stand from a place on, or why nothing is. Nothing of it was
// checked.
type saying struct {
	at  int64
	all []genesis.Stated
	err error
}

// hear gets what is said of the entries that are not applied yet, a page ahead of what is
// checked: the other node prepares a page while this one checks the one before. It closes
// said when there is no more, after an error, or when ctx ends.
func (l *log) hear(ctx context.Context, said chan<- saying) {
	defer close(said)
	for at := l.st.applied; at < l.st.tree.N; {
		s := saying{at: at}
		s.all, s.err = l.get.page(ctx, l.class, l.st.base+at)
		s.all = s.all[:min(int64(len(s.all)), l.st.tree.N-at)]
		select {
		case said <- s:
		case <-ctx.Done():
			return
		}
		if s.err != nil {
			return
		}
		at += int64(len(s.all))
	}
}

// reader reads entries in order.
type reader struct {
	*log
	tiles   *tiles
	number  int64 // of the bundle at hand
	entries [][]byte
	hashes  []tlog.Hash
}

// page holds what is said against the entries.
func (r *reader) page(ctx context.Context, s saying) (*batch, error) {
	b := &batch{log: r.log}
	for i, said := range s.all {
		entry, hash, err := r.entry(ctx, s.at+int64(i))
		if err == nil {
			err = b.add(entry, hash, said)
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (r *reader) entry(ctx context.Context, i int64) ([]byte, tlog.Hash, error) {
	if n := i / tile.Width; n != r.number {
		var err error
		if r.entries, r.hashes, err = r.bundle(ctx, r.tiles, r.st.epoch, r.st.tree, n); err != nil {
			return nil, tlog.Hash{}, err
		}
		r.number = n
	}
	return r.entries[i%tile.Width], r.hashes[i%tile.Width], nil
}

// batch is what a page of statements changes.
type batch struct {
	*log
	hashes  []tlog.Hash
	changes []change
	skipped int64
}

// change is what one statement changes: a listing, or the end of what a statement said.
type change struct {
	thread  string
	ends    string
	listing genesis.Listing
	body    []byte
}

// add holds what is said to be an entry against it. What is authentic and of no use here,
// because a newer program stated it, or a broken one, is passed over.
func (b *batch) add(entry []byte, hash tlog.Hash, said genesis.Stated) error {
	b.hashes = append(b.hashes, hash)
	what := fmt.Sprintf("%s, place %d", b.origin(b.st.epoch), said.Place)
	if said.Text == nil {
		if said.Salt != nil || said.Listing != nil { // who withholds a statement has nothing to prove
			return wrong(what, "what proves a statement is there, and the statement is not", nil)
		}
		return nil // it does not hold, or is not for us
	}
	if err := journal.CheckStatement(entry, journal.Witnessed{Place: said.Place, Text: said.Text, Salt: said.Salt}); err != nil {
		return wrong(what, "what is said to stand there does not", err)
	}
	s, err := journal.ReadStatement(said.Text)
	if err != nil {
		b.skipped++
		return nil
	}
	if s.Ends != "" {
		b.changes = append(b.changes, change{ends: s.Ends})
		return nil
	}
	if genesis.DigestOf(said.Listing) != s.Digest {
		return wrong(what, "the listing is not the one that was stated", nil)
	}
	l, err := parseListing(said.Listing, b.member.ID, s)
	if err != nil {
		b.m.cfg.Log.Warn("a listing is passed over", "log", what, "error", err)
		b.skipped++
		b.changes = append(b.changes, change{listing: genesis.Listing{Node: b.member.ID, Name: s.Name, Version: s.Version}}) // what stood there before does not hold
		return nil
	}
	b.changes = append(b.changes, change{thread: s.Thread, listing: l, body: said.Listing})
	return nil
}

// parseListing reads a listing that was stated by a node. Errors: Invalid; Unsupported (a
// newer format).
func parseListing(body []byte, node genesis.NodeID, s journal.Statement) (genesis.Listing, error) {
	var l genesis.Listing
	bad := func(kind genesis.ErrorKind, msg string, err error) (genesis.Listing, error) {
		return l, &genesis.Error{Op: "read listing", Kind: kind, Subject: string(node) + "/" + string(s.Name), Msg: msg, Err: err}
	}
	if len(body) > genesis.MaxListing {
		return bad(genesis.Invalid, "it is too long", nil)
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return bad(genesis.Invalid, "it is not a listing", err)
	}
	if err := l.CheckOf(node); err != nil {
		return l, err
	}
	if l.Name != s.Name || l.Version != s.Version {
		return bad(genesis.Invalid, "it is of something else than its statement", nil)
	}
	return l, nil
}

// spare is how much of the disk is left free: a node without room for its own evidence does
// nothing any more, and another has no end of things to say.
const spare = 1 << 30

// fits refuses a page that would fill the disk. One that only takes back needs no room.
func (l *log) fits(ctx context.Context, b *batch) error {
	need := int64(0)
	for _, c := range b.changes {
		need += int64(len(c.body))
	}
	if l.m.cfg.Room == nil || need == 0 {
		return nil
	}
	left, err := l.m.cfg.Room(ctx)
	if err != nil || left < 0 || left-need >= spare {
		return err
	}
	return &genesis.Error{Op: "follow log", Kind: genesis.Unavailable, Subject: l.origin(l.st.epoch), Msg: fmt.Sprintf("the disk of this node has no room for it: %d bytes are left", left),
		Hint: "what is mirrored of whom says `genesis federation show --refresh`"}
}

// commit writes what a page changes, with how far it goes, and notes it for the search.
func (l *log) commit(ctx context.Context, b *batch) error {
	if err := l.fits(ctx, b); err != nil {
		return err
	}
	var next state
	var out outcome
	err := l.m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		next, out = *l.st, outcome{at: map[Key]int{}}
		var err error
		// Prepared once: to read the statement takes longer than to write the row.
		out.insert, err = tx.PrepareContext(ctx, `INSERT INTO mirror_listings (log, name, version, thread, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (log, name, version) DO UPDATE SET thread = excluded.thread, body = excluded.body`)
		if err != nil {
			return err
		}
		defer out.insert.Close()
		if next.id == 0 {
			if err := next.save(ctx, tx); err != nil {
				return err
			}
		}
		for _, c := range b.changes {
			if err := out.write(ctx, tx, next, c); err != nil {
				return err
			}
		}
		if err := out.touch(ctx, tx); err != nil {
			return err
		}
		if err := next.addHashes(ctx, tx, b.hashes); err != nil {
			return err
		}
		next.applied += int64(len(b.hashes))
		next.skipped += b.skipped
		return next.save(ctx, tx)
	})
	if err != nil {
		return store.Error("follow log", l.origin(l.st.epoch), err)
	}
	*l.st = next
	return nil
}

// outcome is what a page comes to, version by version.
type outcome struct {
	keys     []Key
	listings []*genesis.Listing // nil: it is removed
	at       map[Key]int
	insert   *sql.Stmt
}

// write writes one change.
func (o *outcome) write(ctx context.Context, tx *sql.Tx, of state, c change) error {
	switch {
	case c.ends != "":
		return o.remove(ctx, tx, of, "thread = $2", c.ends)
	case c.body == nil:
		return o.remove(ctx, tx, of, "name = $2 AND version = $3", string(c.listing.Name), string(c.listing.Version))
	}
	_, err := o.insert.ExecContext(ctx, of.id, string(c.listing.Name), string(c.listing.Version), c.thread, c.body)
	o.note(Key{of.node, c.listing.Name, c.listing.Version}, &c.listing)
	return err
}

func (o *outcome) remove(ctx context.Context, tx *sql.Tx, of state, where string, args ...any) error {
	rows, err := tx.QueryContext(ctx, "DELETE FROM mirror_listings WHERE log = $1 AND "+where+" RETURNING name, version", append([]any{of.id}, args...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		k := Key{Node: of.node}
		if err := rows.Scan(&k.Name, &k.Version); err != nil {
			return err
		}
		o.note(k, nil)
	}
	return rows.Err()
}

// note keeps the last that was said of a version.
func (o *outcome) note(k Key, l *genesis.Listing) {
	i, there := o.at[k]
	if !there {
		i = len(o.keys)
		o.at[k] = i
		o.keys, o.listings = append(o.keys, k), append(o.listings, nil)
	}
	o.listings[i] = l
}
