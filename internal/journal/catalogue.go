package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

// Statement says what holds of a published version from now on, to a class of people.
// Who follows the log of the class is told it for as long as it holds; the log itself
// shows only salted digests. Where a version leaves the class, it names the thread of the
// statements about it and no version, so that who begins to follow later learns nothing of
// what was hidden.
type Statement struct {
	ID      string         `json:"id"` // as [Event.ID]
	Time    time.Time      `json:"time"`
	Name    genesis.Name   `json:"name,omitempty"`
	Version genesis.Digest `json:"version,omitempty"`
	Record  string         `json:"record"`           // what it is about, see below
	Digest  genesis.Digest `json:"digest,omitempty"` // of the listing's JSON
	Thread  string         `json:"thread,omitempty"` // what all statements about the version have in common since it entered the class
	Ends    string         `json:"ends,omitempty"`   // thread of the statements that no longer hold
}

// What statements are about. Older ones were about single records, and none of these
// holds any more.
const (
	StatedListing = "listing"
	StatedHide    = "hide" // the version goes on, and no longer for this class
	StatedGone    = "withdraw"
	StatedErased  = "erase"
)

// Witnessed is a statement with what proves that it is an entry of the log.
type Witnessed struct {
	Place int64           `json:"place"`
	Text  json.RawMessage `json:"text"` // the statement
	Salt  []byte          `json:"salt"`
}

// ReadStatement reads the text of a statement about a listing, or of one that ends such.
// Errors: Invalid; Unsupported (about something else).
func ReadStatement(text []byte) (Statement, error) {
	var s Statement
	bad := func(kind genesis.ErrorKind, msg string, err error) (Statement, error) {
		return s, &genesis.Error{Op: "read statement", Kind: kind, Msg: msg, Err: err}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return bad(genesis.Invalid, "it is not a statement", err)
	}
	if len(s.ID) > maxText || s.ID == "" {
		return bad(genesis.Invalid, "it has no id", nil)
	}
	switch s.Record {
	case StatedListing:
		if err := genesis.CheckName(s.Name); err != nil {
			return s, err
		}
		if s.Thread == "" || len(s.Thread) > maxText {
			return bad(genesis.Invalid, "it has no thread", nil)
		}
		_, err1 := genesis.ParseDigest(string(s.Version))
		_, err2 := genesis.ParseDigest(string(s.Digest))
		return s, errors.Join(err1, err2)
	case StatedHide, StatedGone, StatedErased:
		if s.Ends == "" || len(s.Ends) > maxText {
			return bad(genesis.Invalid, "it does not say what it ends", nil)
		}
		return s, nil
	}
	return bad(genesis.Unsupported, "it is about something that this program does not know", nil)
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

// Declared is how the first entry of an epoch speaks of the log before.
type Declared struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// ReadDeclared returns what an entry of a catalogue log declares, nil where it is a
// statement. Errors: Invalid; Unsupported (a newer format).
func ReadDeclared(text []byte) (*Declared, error) {
	e, err := decodeCatalogue(text)
	if err != nil {
		kind := genesis.Invalid
		if errors.Is(err, errNewer) {
			kind = genesis.Unsupported
		}
		return nil, &genesis.Error{Op: "read entry", Kind: kind, Msg: err.Error(), Err: err}
	}
	return e.Epoch.declared()
}

// ReadEpoch returns what an entry of an audit log declares, nil where it is no first entry
// of an epoch. Errors: as [ReadDeclared].
func ReadEpoch(text []byte) (*Declared, error) {
	e, err := decode(text)
	if err != nil {
		kind := genesis.Invalid
		if errors.Is(err, errNewer) {
			kind = genesis.Unsupported
		}
		return nil, &genesis.Error{Op: "read entry", Kind: kind, Msg: err.Error(), Err: err}
	}
	return e.Epoch.declared()
}

// declared is a declaration as it is used.
func (d *declaration) declared() (*Declared, error) {
	if d == nil {
		return nil, nil
	}
	out := &Declared{Origin: d.Origin, Size: d.Size}
	b, err := base64.StdEncoding.DecodeString(d.Root)
	if err != nil || len(b) != len(out.Root) || d.Size < 0 {
		return nil, &genesis.Error{Op: "read entry", Kind: genesis.Invalid, Msg: "what it declares is not a log", Err: err}
	}
	copy(out.Root[:], b)
	return out, nil
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

// catalogue is the log of what a class of people may know of.
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

// open opens the log, and drops statements that did not reach it.
func (c *catalogue) open(ctx context.Context) error {
	if err := c.log.open(); err != nil {
		return err
	}
	return c.private.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM statements WHERE log = $1 AND place >= $2", c.log.name, c.log.size())
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
	rows, err := outbox(ctx, c.db, c.log.name, maxOutbox)
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
			s.add(c.log.name, st.ID, r.text)
		}
	}
	return s, nil
}

func (c *catalogue) has(ctx context.Context, id string) (bool, error) {
	var n int
	err := c.private.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM statements WHERE log = $1 AND id = $2", c.log.name, id).Scan(&n)
	return n > 0, store.Error("read journal", "", err)
}

func (s *statements) add(log, id string, text []byte) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	e := catalogueEntry{Format: Format, ID: id, Statement: statementDigest(salt, text)}
	s.rows = append(s.rows, []any{log, s.at + int64(len(s.texts)), id, salt, text})
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

// kept is a statement as it is kept beside the log. One that was destroyed has neither
// text nor salt.
type kept struct {
	Witnessed
	id string
}

// kept reads what is kept of the entries from a place on.
func (c *catalogue) kept(ctx context.Context, from int64, limit int) ([]kept, error) {
	rows, err := c.private.db.Read().QueryContext(ctx, `SELECT place, id, salt, body FROM statements
		WHERE log = $1 AND place >= $2 AND place < $3 ORDER BY place`, c.log.name, from, min(from+int64(limit), c.log.size()))
	if err != nil {
		return nil, store.Error("read journal", "", err)
	}
	defer rows.Close()
	var all []kept
	for rows.Next() {
		var k kept
		if err := rows.Scan(&k.Place, &k.id, &k.Salt, &k.Text); err != nil {
			return nil, store.Error("read journal", "", err)
		}
		all = append(all, k)
	}
	return all, store.Error("read journal", "", rows.Err())
}
