package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Event is an entry of the audit log, as it is given to the journal.
type Event struct {
	// ID makes recording twice recording once: of two events with the same id
	// the first is kept. Empty: one is made, by which events sort in time.
	ID      string           `json:"id"`
	Time    time.Time        `json:"time"`              // to the microsecond; zero: now
	Actor   genesis.PersonID `json:"actor,omitempty"`   // "nrel/ada"; a bare subject is of this node; "": nobody signed in
	Act     string           `json:"act"`               // "read", "train", "grant", "sign-in", "commit", "publish"
	Outcome genesis.Outcome  `json:"outcome"`           // "": Done
	Subject string           `json:"subject,omitempty"` // name of an asset, "nrel/ada" or "person:ada" for a person (a bare name is an asset's, and stands in clear), id of a run
	Version genesis.Digest   `json:"version,omitempty"`
	Rule    string           `json:"rule,omitempty"` // what decided

	Purpose     string          `json:"purpose,omitempty"` // in the words of the asker
	Institution string          `json:"institution,omitempty"`
	Sector      genesis.Sector  `json:"sector,omitempty"`
	Project     string          `json:"project,omitempty"`
	Challenge   string          `json:"challenge,omitempty"`
	Student     bool            `json:"student,omitempty"`
	Detail      json.RawMessage `json:"detail,omitempty"` // JSON, at most 64 KiB

	minted bool // ID was made by check: no other event has it
}

// eventFormat is the format number of events in the outbox and in the
// write-ahead log.
const eventFormat = 1

const (
	maxDetail  = 64 << 10
	maxPurpose = 4 << 10
	maxText    = 512 // of every other field: an entry with all of them fits in a log
)

// check refuses an event that could not be read back, and fills in what is
// missing.
func check(e *Event) error {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if e.Outcome == "" {
		e.Outcome = genesis.Done
	}
	if why := faults(e); why != "" {
		return &genesis.Error{Op: "record event", Kind: genesis.Invalid, Subject: strings.ToValidUTF8(e.Act, "?"), Msg: why}
	}
	if e.ID == "" {
		e.ID, e.minted = newID(e.Time), true
	}
	return nil
}

// faults says why e is no event, or "". It compacts the detail.
func faults(e *Event) string {
	for _, f := range [...]struct{ name, text string }{{"id", e.ID}, {"actor", string(e.Actor)}, {"act", e.Act}, {"subject", e.Subject},
		{"version", string(e.Version)}, {"rule", e.Rule}, {"institution", e.Institution}, {"sector", string(e.Sector)},
		{"project", e.Project}, {"challenge", e.Challenge}, {"purpose", e.Purpose}} {
		switch most := limit(f.name); {
		case len(f.text) > most:
			return fmt.Sprintf("its %s is longer than %d bytes", f.name, most)
		case !utf8.ValidString(f.text):
			return fmt.Sprintf("its %s is not UTF-8", f.name)
		}
	}
	switch {
	case e.Act == "":
		return "it does not say what was done"
	case !slices.Contains([]genesis.Outcome{genesis.Allowed, genesis.Refused, genesis.Done}, e.Outcome):
		return fmt.Sprintf("it ends as %q, which is no outcome", e.Outcome)
	case e.Time.Year() < 1 || e.Time.Year() > 9999:
		return "its time is beyond the calendar"
	case len(e.Detail) > maxDetail:
		return fmt.Sprintf("its detail is longer than %d bytes", maxDetail)
	case len(e.Detail) == 0:
		e.Detail = nil
		return ""
	}
	var compact bytes.Buffer
	if !utf8.Valid(e.Detail) || json.Compact(&compact, e.Detail) != nil {
		return "its detail is not JSON"
	}
	e.Detail = compact.Bytes()
	return ""
}

func limit(field string) int {
	if field == "purpose" {
		return maxPurpose
	}
	return maxText
}

var idEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// newID returns an id that nobody else makes: 26 digits, of which the first ten
// are the time in milliseconds, so that ids sort in time.
func newID(t time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.UnixMilli())<<16)
	rand.Read(b[6:])
	return idEncoding.EncodeToString(b[:])
}

// Record records e in the transaction of the act itself: both are durable, or
// neither is. It reaches the log a moment later. Errors: Invalid (an event
// without an act; a text that is too long or not UTF-8; a detail that is no JSON).
func Record(ctx context.Context, tx *sql.Tx, e Event) error {
	if err := check(&e); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return &genesis.Error{Op: "record event", Kind: genesis.Invalid, Subject: e.Act, Err: err}
	}
	return put(ctx, tx, auditLog, e.ID, text)
}

// put puts a row into the outbox, unless one with its id waits already.
func put(ctx context.Context, tx *sql.Tx, log, id string, text []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO outbox (place, log, id, format, event)
		SELECT coalesce(max(place), 0) + 1, $1, $2, $3, $4 FROM outbox WHERE true ON CONFLICT (log, id) DO NOTHING`,
		log, id, eventFormat, string(text))
	return store.Error("record event", "", err)
}

// waiting is a row of the outbox.
type waiting struct {
	place int64
	text  []byte
}

// outbox reads rows that wait for a log, oldest first.
func outbox(ctx context.Context, db *store.DB, log string, limit int) ([]waiting, error) {
	rows, err := db.Read().QueryContext(ctx, "SELECT place, format, event FROM outbox WHERE log = $1 ORDER BY place LIMIT $2", log, limit)
	if err != nil {
		return nil, store.Error("read outbox", "", err)
	}
	defer rows.Close()
	var all []waiting
	for rows.Next() {
		var w waiting
		var format int
		if err := rows.Scan(&w.place, &format, &w.text); err != nil {
			return nil, store.Error("read outbox", "", err)
		}
		if format != eventFormat {
			return nil, &genesis.Error{Op: "read outbox", Kind: genesis.Unsupported, Subject: fmt.Sprintf("row %d", w.place),
				Msg: fmt.Sprintf("it has format %d, and this program reads %d", format, eventFormat)}
		}
		all = append(all, w)
	}
	return all, store.Error("read outbox", "", rows.Err())
}

// taken removes rows of the outbox whose events are in their log.
func taken(ctx context.Context, db *store.DB, places []int64) error {
	if len(places) == 0 {
		return nil
	}
	return db.Tx(ctx, func(tx *sql.Tx) error {
		for chunk := range slices.Chunk(places, 500) {
			args := make([]any, len(chunk))
			for i, p := range chunk {
				args[i] = p
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM outbox WHERE place IN ("+placeholders(1, len(chunk))+")", args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// placeholders returns "$first, …" for n parameters.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}

// Pending returns the events that were recorded with their act and are not in
// the audit log yet, oldest first.
func Pending(ctx context.Context, db *store.DB) ([]Event, error) {
	rows, err := outbox(ctx, db, auditLog, -1)
	if err != nil {
		return nil, err
	}
	all := make([]Event, len(rows))
	for i, r := range rows {
		if all[i], err = readEvent(r.text); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readEvent reads an event that check let through.
func readEvent(text []byte) (Event, error) {
	var e Event
	err := json.Unmarshal(text, &e)
	if err == nil {
		err = check(&e)
	}
	if err != nil {
		return e, &genesis.Error{Op: "read event", Kind: genesis.Internal, Msg: "an event that waits for the log is damaged", Err: err}
	}
	return e, nil
}
