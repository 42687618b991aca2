package journal

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Presence is what the logs of the catalogue are to say of a version from now on.
type Presence struct {
	Name     genesis.Name
	Version  genesis.Digest
	Listings map[genesis.Class][]byte // its listing for each class that may know of it
	Leaves   string                   // how it leaves other classes: [StatedHide], [StatedGone], [StatedErased]
	Time     time.Time                // zero: now
}

// Restate makes the logs say what holds of a version, in the transaction that makes it
// true: what enters a class, or is another than it was told, is stated; what leaves is
// ended. Nothing is stated twice. Errors: Invalid.
func Restate(ctx context.Context, tx *sql.Tx, p Presence) error {
	was, err := presentTx(ctx, tx, p.Name, p.Version)
	if err != nil {
		return store.Error("state version", string(p.Name), err)
	}
	for _, class := range slices.Sorted(maps.Keys(was)) {
		if _, stays := p.Listings[class]; stays {
			continue
		}
		if err := p.leave(ctx, tx, class, was[class]); err != nil {
			return store.Error("state version", string(p.Name), err)
		}
	}
	for _, class := range slices.Sorted(maps.Keys(p.Listings)) {
		digest := genesis.DigestOf(p.Listings[class])
		if was[class].digest == digest {
			continue
		}
		if err := p.enter(ctx, tx, class, was[class], digest); err != nil {
			return store.Error("state version", string(p.Name), err)
		}
	}
	return nil
}

// listed is what the log of a class says of a version.
type listed struct {
	thread string
	digest genesis.Digest
}

// presentTx is what the logs say of a version, by class.
func presentTx(ctx context.Context, tx *sql.Tx, name genesis.Name, version genesis.Digest) (map[genesis.Class]listed, error) {
	rows, err := tx.QueryContext(ctx, "SELECT class, thread, digest FROM listed WHERE name = $1 AND version = $2", string(name), string(version))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	was := map[genesis.Class]listed{}
	for rows.Next() {
		var class genesis.Class
		var one listed
		if err := rows.Scan(&class, &one.thread, &one.digest); err != nil {
			return nil, err
		}
		was[class] = one
	}
	return was, rows.Err()
}

// leave ends what the log of a class says of the version.
func (p Presence) leave(ctx context.Context, tx *sql.Tx, class genesis.Class, was listed) error {
	if err := p.record(ctx, tx, class, Statement{Record: p.Leaves, Ends: was.thread}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM listed WHERE name = $1 AND version = $2 AND class = $3", string(p.Name), string(p.Version), string(class)); err != nil {
		return err
	}
	return dropListing(ctx, tx, was.digest)
}

// enter states the version's listing in the log of a class.
func (p Presence) enter(ctx context.Context, tx *sql.Tx, class genesis.Class, was listed, digest genesis.Digest) error {
	s := Statement{ID: newID(time.Now()), Name: p.Name, Version: p.Version, Record: StatedListing, Digest: digest, Thread: was.thread}
	if s.Thread == "" {
		s.Thread = newID(time.Now())
	}
	if err := p.record(ctx, tx, class, s); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO listings (digest, body) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING", string(digest), p.Listings[class]); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO listed (name, version, class, statement, thread, digest) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name, version, class) DO UPDATE SET statement = excluded.statement, digest = excluded.digest`,
		string(p.Name), string(p.Version), string(class), s.ID, s.Thread, string(digest))
	if err != nil {
		return err
	}
	return dropListing(ctx, tx, was.digest)
}

// dropListing removes the text of a listing that nothing states any more.
func dropListing(ctx context.Context, tx *sql.Tx, digest genesis.Digest) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM listings WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM listed WHERE digest = $1)", string(digest))
	return err
}

// record puts a statement into the outbox.
func (p Presence) record(ctx context.Context, tx *sql.Tx, class genesis.Class, s Statement) error {
	if err := genesis.CheckClass(class); err != nil {
		return err
	}
	event := Event{ID: s.ID, Time: p.Time, Act: s.Record, Subject: string(s.Name), Version: s.Version, Rule: string(s.Digest)}
	if err := check(&event); err != nil { // the same limits
		return err
	}
	s.ID, s.Time = event.ID, event.Time
	text, err := genesis.CanonicalJSON(s)
	if err != nil {
		return err
	}
	return put(ctx, tx, cataloguePrefix+string(class), s.ID, text)
}

// Told is an entry of a catalogue log and, as long as it holds, what it says.
type Told struct {
	Witnessed
	Statement Statement
	Listing   []byte // of a statement about one
}

// Holds reports whether what the entry says still holds.
func (t Told) Holds() bool { return t.Text != nil }

// maxTold bounds the texts of one answer of [Journal.Statements], but for one statement.
const maxTold = 2 << 20

// Statements returns entries of the log of a class from a place on, in order and without
// a gap: at most limit, and fewer where their texts are long. Places run through all
// epochs. size is that of the log. Errors: NotFound (no such log).
func (j *Journal) Statements(ctx context.Context, class genesis.Class, from int64, limit int) (all []Told, size int64, err error) {
	one := j.catalogues.find(cataloguePrefix + string(class))
	if one == nil || from < 0 {
		return nil, 0, NoLog(class)
	}
	size = one.log.size()
	limit = int(min(int64(min(max(limit, 0), 1000)), max(size-from, 0)))
	rows, err := one.kept(ctx, from, limit)
	if err != nil {
		return nil, 0, err
	}
	texts := 0
	var ready []Told // of the next rows
	for place := from; place < from+int64(limit) && texts < maxTold; place++ {
		if len(ready) == 0 && len(rows) > 0 {
			n := min(len(rows), tellBatch)
			if ready, err = j.tell(ctx, rows[:n]); err != nil {
				return nil, 0, err
			}
			rows = rows[n:]
		}
		told := Told{Witnessed: Witnessed{Place: place}}
		if len(ready) > 0 && ready[0].Place == place { // else it declares an epoch
			told, ready = ready[0], ready[1:]
		}
		texts += len(told.Text) + len(told.Listing)
		all = append(all, told)
	}
	return all, size, nil
}

// tellBatch is of how many statements the listings are looked up at once: one by one,
// asking takes longer than finding.
const tellBatch = 32

var tellQuery = "SELECT d.statement, l.body FROM listed d JOIN listings l ON l.digest = d.digest WHERE d.statement IN (" + placeholders(1, tellBatch) + ")"

// tell adds to statements, at most tellBatch, what they are about, or takes away what no
// longer holds.
func (j *Journal) tell(ctx context.Context, all []kept) ([]Told, error) {
	told, ids := make([]Told, len(all)), make([]any, tellBatch)
	for i := range ids {
		ids[i] = ""
	}
	for i, k := range all {
		told[i].Witnessed = Witnessed{Place: k.Place}
		s, err := ReadStatement(k.Text)
		if err != nil { // destroyed, or of an earlier program
			continue
		}
		told[i].Witnessed, told[i].Statement = k.Witnessed, s
		if s.Record == StatedListing {
			ids[i] = s.ID
		}
	}
	rows, err := j.db.Read().QueryContext(ctx, tellQuery, ids...)
	if err != nil {
		return nil, store.Error("read listings", "", err)
	}
	defer rows.Close()
	bodies := make(map[string][]byte, len(all))
	for rows.Next() {
		var id string
		var body []byte
		if err := rows.Scan(&id, &body); err != nil {
			return nil, store.Error("read listings", "", err)
		}
		bodies[id] = body
	}
	if err := rows.Err(); err != nil {
		return nil, store.Error("read listings", "", err)
	}
	for i, t := range told {
		if ids[i] == "" {
			continue
		}
		if told[i].Listing = bodies[t.Statement.ID]; told[i].Listing == nil {
			told[i] = Told{Witnessed: Witnessed{Place: t.Place}}
		}
	}
	return told, nil
}

// Destroy destroys what was stated of a version, so that nobody can tell any more what
// the entries were: they stay, and the logs hold. What is stated at present stays, too.
func (j *Journal) Destroy(ctx context.Context, name genesis.Name, version genesis.Digest) error {
	return j.seq.do(ctx, "destroy statements", func(ctx context.Context) error {
		if err := j.seq.drain(ctx); err != nil {
			return err
		}
		return j.destroy(ctx, func(s Statement) bool { return s.Name == name && s.Version == version }, string(version))
	})
}

// destroy destroys the statements of a kind that do not hold, which have a word in their
// texts.
func (j *Journal) destroy(ctx context.Context, of func(Statement) bool, word string) error {
	rows, err := j.private.db.Read().QueryContext(ctx, "SELECT log, place, body FROM statements WHERE instr(body, $1) > 0", []byte(word))
	if err != nil {
		return store.Error("read journal", "", err)
	}
	defer rows.Close()
	var doomed [][]any
	for rows.Next() {
		var log string
		var place int64
		var text []byte
		if err := rows.Scan(&log, &place, &text); err != nil {
			return store.Error("read journal", "", err)
		}
		s, _ := ReadStatement(text) // what an earlier program stated has a name, too
		if !of(s) {
			continue
		}
		var holds bool
		if err := j.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM listed WHERE statement = $1)", s.ID).Scan(&holds); err != nil {
			return store.Error("read journal", "", err)
		}
		if !holds {
			doomed = append(doomed, []any{log, place})
		}
	}
	if err := rows.Err(); err != nil || len(doomed) == 0 {
		return store.Error("read journal", "", err)
	}
	err = j.private.db.Tx(ctx, func(tx *sql.Tx) error {
		return bulk(ctx, tx, "UPDATE statements SET salt = zeroblob(0), body = zeroblob(0) WHERE log = $1 AND place = $2", doomed)
	})
	if err != nil {
		return err
	}
	return j.private.db.Flush(ctx)
}
