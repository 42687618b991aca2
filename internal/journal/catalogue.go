package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
)

// Statement says that a record of a published version holds. Peers follow the
// log of statements; the log itself shows only salted digests of them.
type Statement struct {
	ID      string         `json:"id"` // as [Event.ID]
	Time    time.Time      `json:"time"`
	Name    genesis.Name   `json:"name"`
	Version genesis.Digest `json:"version"`
	Record  string         `json:"record"` // kind of the record: "card", "publish", "withdraw"
	Digest  genesis.Digest `json:"digest"` // of the record's text
}

// Witnessed is a statement with what proves that it is an entry of the log.
type Witnessed struct {
	Place int64           `json:"place"`
	Text  json.RawMessage `json:"text"` // the statement
	Salt  []byte          `json:"salt"`
}

// RecordPublic records a statement that everybody may know of, in the transaction
// that makes it true. Errors: Invalid.
func RecordPublic(ctx context.Context, tx *sql.Tx, s Statement) error {
	event := Event{ID: s.ID, Time: s.Time, Act: s.Record, Subject: string(s.Name), Version: s.Version, Rule: string(s.Digest)}
	if err := check(&event); err != nil { // the same limits
		return err
	}
	s.ID, s.Time = event.ID, event.Time
	text, err := genesis.CanonicalJSON(s)
	if err != nil {
		return err
	}
	return put(ctx, tx, publicLog, s.ID, text)
}

// catalogueEntry is an entry of a catalogue log.
type catalogueEntry struct {
	Epoch     *declaration `json:"epoch"`
	Format    int          `json:"format"`
	ID        string       `json:"id"`
	Statement string       `json:"statement"` // salted digest
}

// encode returns the one text of an entry, as [entry.encode].
func (e *catalogueEntry) encode() []byte {
	b := []byte{'{'}
	if e.Epoch != nil {
		b = e.Epoch.encode(b)
	}
	b = strconv.AppendInt(name(b, "format"), int64(e.Format), 10)
	b = member(b, "id", e.ID)
	b = member(b, "statement", e.Statement)
	return append(b, '}')
}

func statementDigest(salt, text []byte) string { return salted(salt, "genesis statement 1\n", text) }

// CheckStatement reports whether an entry of a catalogue log is the statement
// that it is said to be.
func CheckStatement(text []byte, w Witnessed) error {
	e, err := decodeCatalogue(text)
	if err == nil && (e.Statement == "" || e.Statement != statementDigest(w.Salt, w.Text)) {
		err = errors.New("the entry is not of this statement")
	}
	if err != nil {
		return &genesis.Error{Op: "check statement", Kind: genesis.Invalid, Msg: err.Error(), Err: err}
	}
	return nil
}

func decodeCatalogue(text []byte) (catalogueEntry, error) {
	var e catalogueEntry
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&e)
	if e.Format > Format {
		return e, errNewer
	}
	if err == nil && (e.Format != Format || !bytes.Equal(e.encode(), text)) {
		err = errors.New("it is not in the form in which entries are written")
	}
	return e, err
}

// catalogue is the log of what everybody may know of.
type catalogue struct {
	log     *series
	private *private
	db      *store.DB
	current *statements // on its way, as sequencer.current
}

// statements are on their way into the log.
type statements struct {
	at     int64
	places []int64 // of the outbox
	texts  [][]byte
	rows   [][]any
	logged bool
}

// open drops statements that did not reach the log.
func (c *catalogue) open(ctx context.Context, p *private, db *store.DB) error {
	c.private, c.db = p, db
	return p.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM statements WHERE log = $1 AND place >= $2", publicLog, c.log.size())
		return err
	})
}

// drain brings the statements of the outbox into the log.
func (c *catalogue) drain(ctx context.Context) error {
	for {
		if c.current == nil {
			s, err := c.gather(ctx)
			if err != nil || s == nil {
				return err
			}
			c.current = s
		}
		if err := c.commit(ctx, c.current); err != nil {
			return err
		}
		c.current = nil
	}
}

func (c *catalogue) gather(ctx context.Context) (*statements, error) {
	rows, err := outbox(ctx, c.db, publicLog, maxOutbox)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	s := &statements{at: c.log.size()}
	for _, r := range rows {
		var st Statement
		if err := json.Unmarshal(r.text, &st); err != nil {
			return nil, &genesis.Error{Op: "read outbox", Kind: genesis.Internal, Msg: "a statement that waits for the log is damaged", Err: err}
		}
		s.places = append(s.places, r.place)
		there, err := c.has(ctx, st.ID)
		if err != nil {
			return nil, err
		}
		if !there {
			s.add(st.ID, r.text)
		}
	}
	return s, nil
}

func (c *catalogue) has(ctx context.Context, id string) (bool, error) {
	var n int
	err := c.private.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM statements WHERE log = $1 AND id = $2", publicLog, id).Scan(&n)
	return n > 0, store.Error("read journal", "", err)
}

func (s *statements) add(id string, text []byte) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	e := catalogueEntry{Format: Format, ID: id, Statement: statementDigest(salt, text)}
	s.rows = append(s.rows, []any{publicLog, s.at + int64(len(s.texts)), id, salt, text})
	s.texts = append(s.texts, e.encode())
}

// commit does the steps by which statements enter the log, as
// [sequencer.commit].
func (c *catalogue) commit(ctx context.Context, s *statements) error {
	if len(s.texts) > 0 && !s.logged {
		err := c.private.db.Tx(ctx, func(tx *sql.Tx) error {
			return bulk(ctx, tx, `INSERT INTO statements (log, place, id, salt, body) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (log, place) DO UPDATE SET id = excluded.id, salt = excluded.salt, body = excluded.body`, s.rows)
		})
		if err != nil {
			return err
		}
		if err := c.log.append(s.at, s.texts); err != nil {
			return err
		}
		s.logged = true
	}
	return taken(ctx, c.db, s.places)
}

// beginEpoch begins the next epoch, unless there is nothing in the log.
func (c *catalogue) beginEpoch() error {
	if c.log.size() == 0 {
		return nil
	}
	e := catalogueEntry{Epoch: c.log.declare(), Format: Format, ID: newID(time.Now())}
	return c.log.begin(e.encode())
}

// Public returns the catalogue log of what everybody may know of, in its present
// epoch: its checkpoint and tiles are what peers follow.
func (j *Journal) Public() *tile.Log { return j.catalogue.log.last().log }

// Statements returns statements in the public log's order, from a place on, with
// what proves each. Places run through all epochs.
func (j *Journal) Statements(ctx context.Context, from int64, limit int) ([]Witnessed, error) {
	rows, err := j.private.db.Read().QueryContext(ctx, `SELECT place, salt, body FROM statements
		WHERE log = $1 AND place >= $2 AND place < $3 ORDER BY place LIMIT $4`, publicLog, from, j.catalogue.log.size(), min(max(limit, 0), 1000))
	if err != nil {
		return nil, store.Error("read journal", "", err)
	}
	defer rows.Close()
	var all []Witnessed
	for rows.Next() {
		var w Witnessed
		if err := rows.Scan(&w.Place, &w.Salt, &w.Text); err != nil {
			return nil, store.Error("read journal", "", err)
		}
		all = append(all, w)
	}
	return all, store.Error("read journal", "", rows.Err())
}
