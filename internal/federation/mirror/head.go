package mirror

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"golang.org/x/mod/sumdb/tlog"
)

// head is the state in which an epoch of a log is, or was when it ended.
type head struct {
	origin string
	tree   tlog.Tree
	note   []byte // the signed checkpoint that says so, or from which it follows
}

// heads finds the states of the epochs from one on. That of the latest is signed; how
// each before ended is declared by the first entry of the one after, so that the signature
// covers it, too, and it does not matter which keys counted then.
func (l *log) heads(ctx context.Context, first, latest int) (map[int]head, error) {
	h, err := l.checkpoint(ctx, latest)
	if err != nil {
		return nil, err
	}
	all := map[int]head{latest: h}
	for epoch := latest; epoch > first; epoch-- {
		before, err := l.declared(ctx, epoch, all[epoch])
		if err != nil {
			return nil, err
		}
		all[epoch-1] = before
	}
	return all, nil
}

// checkpoint fetches the state of an epoch. Errors: errSignature, if it is not signed.
func (l *log) checkpoint(ctx context.Context, epoch int) (head, error) {
	msg, err := l.get.get(ctx, l.path(epoch)+"checkpoint", maxNote)
	if err != nil {
		return head{}, err
	}
	origin := l.origin(epoch)
	var keys []ed25519.PublicKey
	for _, k := range l.member.CurrentKeys(genesis.KeyLog, l.m.cfg.Now()) {
		if len(k.Public) == ed25519.PublicKeySize {
			keys = append(keys, k.Public)
		}
	}
	h, err := openHead(msg, origin, keys)
	if err != nil {
		return head{note: msg}, &unsigned{msg, err}
	}
	return h, nil
}

// unsigned is the error of a checkpoint whose signature does not hold.
type unsigned struct {
	note []byte
	err  error
}

func (u *unsigned) Error() string { return u.err.Error() }
func (u *unsigned) Unwrap() error { return u.err }

// openHead reads a checkpoint that one of the keys signed under an origin. Errors: Invalid.
func openHead(msg []byte, origin string, keys []ed25519.PublicKey) (head, error) {
	c, err := tile.OpenCheckpoint(msg, origin, keys)
	switch {
	case err != nil:
		return head{}, err
	case c.Size > maxSize:
		return head{}, wrong(origin, "the log is longer than any that is followed", nil)
	}
	return head{origin, tlog.Tree{N: c.Size, Hash: c.Root}, msg}, nil
}

// declared reads how the epoch before ended from the first entry of one.
func (l *log) declared(ctx context.Context, epoch int, h head) (head, error) {
	what := l.origin(epoch)
	if h.tree.N == 0 {
		return head{}, wrong(what, "the epoch was not begun: nothing stands in it", nil)
	}
	all, _, err := l.bundle(ctx, l.tiles(ctx, epoch), epoch, h.tree, 0)
	if err != nil {
		return head{}, err
	}
	d, err := journal.ReadDeclared(all[0])
	switch {
	case err != nil:
		return head{}, wrong(what, "its first entry cannot be read", err)
	case d == nil:
		return head{}, wrong(what, "its first entry does not say how the epoch before ended", nil)
	case d.Size > maxSize:
		return head{}, wrong(what, "the log before is longer than any that is followed", nil)
	}
	return head{d.Origin, tlog.Tree{N: d.Size, Hash: d.Root}, h.note}, nil
}

// bundle fetches the entries of a bundle and holds them against the tree.
func (l *log) bundle(ctx context.Context, t *tiles, epoch int, tree tlog.Tree, n int64) ([][]byte, []tlog.Hash, error) {
	width := int(min(tree.N-n*tile.Width, tile.Width))
	path := l.path(epoch) + tile.Path(-1, n, width)
	b, err := l.get.get(ctx, path, maxBundle)
	if err != nil {
		return nil, nil, err
	}
	all, whole := tile.SplitBundle(b, width)
	if !whole {
		return nil, nil, wrong(path, fmt.Sprintf("it does not hold %d entries", width), nil)
	}
	indexes := make([]int64, width)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, n*tile.Width+int64(i))
	}
	hashes, err := tlog.TileHashReader(tree, t).ReadHashes(indexes)
	if err != nil {
		return nil, nil, inTiles(path, err)
	}
	for i, entry := range all {
		if tlog.RecordHash(entry) != hashes[i] {
			return nil, nil, wrong(path, fmt.Sprintf("entry %d is not the one that is in the log", n*tile.Width+int64(i)), nil)
		}
	}
	return all, hashes, nil
}

// inTiles is the error of tiles that could not be fetched, or do not check.
func inTiles(what string, err error) error {
	if genesis.KindOf(err) != "" && genesis.KindOf(err) != genesis.Internal {
		return err
	}
	return wrong(what, "its tiles do not have the hashes that its checkpoint says", err)
}
