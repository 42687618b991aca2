package mirror

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// format is the format number of the states that this program keeps.
const format = 1

// state is how far a log is followed.
type state struct {
	id       int64 // 0: it is not in the database yet
	node     genesis.NodeID
	class    genesis.Class
	origin   string // "" until the epoch's first checkpoint was taken
	epoch    int
	base     int64     // entries in the epochs before
	tree     tlog.Tree // that was verified last
	note     []byte    // the checkpoint that says so
	applied  int64     // entries of the tree that are in the mirror
	fresh    time.Time // when it was last known to be all
	standing Standing
	reason   string
	strikes  int
	skipped  int64 // statements that the program could not use
	pin      pin
}

// pin is what was verified of a log before it was begun anew: it must still have grown
// from that.
type pin struct {
	epoch int // 0: nothing
	tree  tlog.Tree
}

// emptyTree is the state of a log in which nothing stands.
var emptyTree = tlog.Tree{Hash: tile.Root(func(func(tlog.Hash) bool) {})}

// begin makes a state that of a log of which nothing is known.
func (s *state) begin() {
	s.origin, s.epoch, s.base, s.tree, s.note, s.applied, s.skipped = "", 1, 0, emptyTree, nil, 0, 0
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// readState reads the state of a log, nil where there is none.
func readState(ctx context.Context, q querier, node genesis.NodeID, class genesis.Class) (*state, error) {
	s := &state{node: node, class: class}
	var number int
	var root, pinned string
	var fresh int64
	err := q.QueryRowContext(ctx, `SELECT id, format, origin, epoch, base, size, root, note, applied, fresh, standing, reason, strikes, skipped, pin_epoch, pin_size, pin_root FROM mirror_logs
		WHERE node = $1 AND class = $2`, string(node), string(class)).Scan(&s.id, &number, &s.origin, &s.epoch, &s.base, &s.tree.N, &root, &s.note, &s.applied,
		&fresh, &s.standing, &s.reason, &s.strikes, &s.skipped, &s.pin.epoch, &s.pin.tree.N, &pinned)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil && number != format {
		return nil, &genesis.Error{Op: "follow log", Kind: genesis.Unsupported, Subject: string(node), Msg: fmt.Sprintf("its state has format %d, and this program knows %d", number, format)}
	}
	if err == nil {
		s.tree.Hash, err = tlog.ParseHash(root)
	}
	if err == nil && s.pin.epoch != 0 {
		s.pin.tree.Hash, err = tlog.ParseHash(pinned)
	}
	if fresh != 0 {
		s.fresh = store.TimeAt(fresh)
	}
	return s, store.Error("read mirror", string(node), err)
}

// save writes the state of a log.
func (s *state) save(ctx context.Context, tx *sql.Tx) error {
	if s.id == 0 {
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM mirror_logs").Scan(&s.id); err != nil {
			return err
		}
	}
	fresh := int64(0)
	if !s.fresh.IsZero() {
		fresh = store.Time(s.fresh)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO mirror_logs (id, node, class, format, origin, epoch, base, size, root, note, applied, fresh, standing, reason, strikes, skipped, pin_epoch, pin_size, pin_root)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
		ON CONFLICT (id) DO UPDATE SET origin = excluded.origin, epoch = excluded.epoch, base = excluded.base, size = excluded.size, root = excluded.root, note = excluded.note,
			applied = excluded.applied, fresh = excluded.fresh, standing = excluded.standing, reason = excluded.reason, strikes = excluded.strikes, skipped = excluded.skipped,
			pin_epoch = excluded.pin_epoch, pin_size = excluded.pin_size, pin_root = excluded.pin_root`,
		s.id, string(s.node), string(s.class), format, s.origin, s.epoch, s.base, s.tree.N, s.tree.Hash.String(), notNull(s.note), s.applied,
		fresh, string(s.standing), s.reason, s.strikes, s.skipped, s.pin.epoch, s.pin.tree.N, s.pin.tree.Hash.String())
	return err
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// clear forgets what is mirrored of a log, and begins it anew.
func (s *state) clear(ctx context.Context, tx *sql.Tx) error {
	for _, table := range []string{"mirror_listings", "mirror_hashes"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE log = $1", s.id); err != nil {
			return err
		}
	}
	if err := catalog.Touch(ctx, tx, catalog.TakenBack, find.ID{Node: s.node}); err != nil {
		return err
	}
	if s.epoch > s.pin.epoch || s.epoch == s.pin.epoch && s.tree.N > s.pin.tree.N {
		s.pin = pin{s.epoch, s.tree}
	}
	s.begin()
	s.fresh = time.Time{} // nothing of it is known any more
	return s.save(ctx, tx)
}

// rootAt is the root hash of the first entries of the present epoch, of those that were
// applied.
func (s *state) rootAt(ctx context.Context, q querier, size int64) (tlog.Hash, error) {
	rows, err := q.QueryContext(ctx, "SELECT tile, hashes FROM mirror_hashes WHERE log = $1 AND epoch = $2 AND tile * $3 < $4 ORDER BY tile", s.id, s.epoch, tile.Width, size)
	if err != nil {
		return tlog.Hash{}, store.Error("read mirror", string(s.node), err)
	}
	defer rows.Close()
	left := size
	root := tile.Root(hashesOf(rows, &left, &err))
	if err == nil {
		err = rows.Err()
	}
	if err == nil && left > 0 {
		err = &genesis.Error{Op: "read mirror", Kind: genesis.Internal, Subject: string(s.node), Msg: "hashes of what it said are missing", Hint: "restore the database from a backup"}
	}
	return root, store.Error("read mirror", string(s.node), err)
}

// hashesOf yields hashes from rows until none are left to be read.
func hashesOf(rows *sql.Rows, left *int64, failed *error) iter.Seq[tlog.Hash] {
	return func(yield func(tlog.Hash) bool) {
		for *left > 0 && rows.Next() {
			var n int64
			var b []byte
			if *failed = rows.Scan(&n, &b); *failed != nil {
				return
			}
			for ; len(b) >= tlog.HashSize && *left > 0; b = b[tlog.HashSize:] {
				*left--
				if !yield(tlog.Hash(b[:tlog.HashSize])) {
					return
				}
			}
		}
	}
}

// addHashes keeps the hashes of entries that follow those that were applied.
func (s *state) addHashes(ctx context.Context, tx *sql.Tx, hashes []tlog.Hash) error {
	for at := s.applied; len(hashes) > 0; {
		n, some := at/tile.Width, int(min(tile.Width-at%tile.Width, int64(len(hashes))))
		var b []byte
		if at%tile.Width > 0 {
			if err := tx.QueryRowContext(ctx, "SELECT hashes FROM mirror_hashes WHERE log = $1 AND epoch = $2 AND tile = $3", s.id, s.epoch, n).Scan(&b); err != nil {
				return err
			}
			b = b[:min(len(b), int(at%tile.Width)*tlog.HashSize)]
		}
		for _, h := range hashes[:some] {
			b = append(b, h[:]...)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO mirror_hashes (log, epoch, tile, hashes) VALUES ($1, $2, $3, $4)
			ON CONFLICT (log, epoch, tile) DO UPDATE SET hashes = excluded.hashes`, s.id, s.epoch, n, b)
		if err != nil {
			return err
		}
		at, hashes = at+int64(some), hashes[some:]
	}
	return nil
}
