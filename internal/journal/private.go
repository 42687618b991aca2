package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

//go:embed schema/private/*.sql schema/index/*.sql
var schemas embed.FS

// private holds what the log has only digests of: who the pseudonyms are, and
// the bodies of entries. What is taken out of it is forgotten.
type private struct {
	db *store.DB

	mu    sync.Mutex
	cache map[genesis.PersonID]string // pseudonyms of those who acted lately
}

// mostCached bounds the cache of pseudonyms.
const mostCached = 1 << 16

func openPrivate(ctx context.Context, dir string) (*private, error) {
	db, err := store.OpenWith(ctx, filepath.Join(dir, privateFile), store.Schema{Migrations: store.Sub(schemas, "schema/private")})
	return &private{db: db, cache: map[genesis.PersonID]string{}}, err
}

// drop removes bodies of entries that did not reach the log.
func (p *private) drop(ctx context.Context, size int64) error {
	return p.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM bodies WHERE seq >= $1", size)
		return err
	})
}

// name returns the pseudonyms of people, and makes those that are missing.
func (p *private) name(ctx context.Context, people []genesis.PersonID) (map[genesis.PersonID]string, error) {
	known := map[genesis.PersonID]string{"": ""}
	missing := p.cached(people, known)
	if len(missing) == 0 {
		return known, nil
	}
	err := p.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, person := range missing {
			name, err := mint(ctx, tx, person)
			if err != nil {
				return err
			}
			known[person] = name
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.cache) > mostCached {
		clear(p.cache)
	}
	for _, person := range missing {
		p.cache[person] = known[person]
	}
	return known, nil
}

// cached fills in the pseudonyms that are at hand, and returns the people of
// whom none is.
func (p *private) cached(people []genesis.PersonID, known map[genesis.PersonID]string) []genesis.PersonID {
	p.mu.Lock()
	defer p.mu.Unlock()
	var missing []genesis.PersonID
	for _, person := range people {
		if name, ok := p.cache[person]; ok {
			known[person] = name
		} else if _, ok := known[person]; !ok && !slices.Contains(missing, person) {
			missing = append(missing, person)
		}
	}
	return missing
}

// mint returns the pseudonym of a person, a new one if they have none.
func mint(ctx context.Context, tx *sql.Tx, person genesis.PersonID) (string, error) {
	var name string
	err := tx.QueryRowContext(ctx, "SELECT pseudonym FROM people WHERE person = $1", string(person)).Scan(&name)
	if !errors.Is(err, sql.ErrNoRows) {
		return name, err
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	name = pseudonym(salt, person)
	_, err = tx.ExecContext(ctx, "INSERT INTO people (pseudonym, person, salt) VALUES ($1, $2, $3)", name, string(person), salt)
	return name, err
}

// find returns the pseudonym of a person, and false if they have none.
func (p *private) find(ctx context.Context, person genesis.PersonID) (string, bool, error) {
	var name string
	err := p.db.Read().QueryRowContext(ctx, "SELECT pseudonym FROM people WHERE person = $1", string(person)).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	return name, err == nil, store.Error("look up person", "", err)
}

// Forgotten stands in for a person whose salt was destroyed.
const Forgotten = "(forgotten)"

// errAlias is the error of a row of people that was changed.
var errAlias = errors.New("the name that is kept for its pseudonym is not the one it was made from")

// person is the inverse of name. Errors: errAlias, NotFound.
func (p *private) person(ctx context.Context, alias string) (string, error) {
	if alias == "" {
		return "", nil
	}
	var who sql.NullString
	var salt []byte
	err := p.db.Read().QueryRowContext(ctx, "SELECT person, salt FROM people WHERE pseudonym = $1", alias).Scan(&who, &salt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", &genesis.Error{Op: "read journal", Kind: genesis.NotFound, Subject: alias, Msg: "nobody has this pseudonym"}
	case err != nil:
		return "", store.Error("read journal", "", err)
	case !who.Valid:
		return Forgotten, nil
	case pseudonym(salt, genesis.PersonID(who.String)) != alias:
		return "", errAlias
	}
	return who.String, nil
}

// secret is a body with its salt, as it goes into the side store.
type secret struct {
	seq        int64
	salt, body []byte
}

// hide keeps the bodies of entries that are about to go into the log.
func (p *private) hide(ctx context.Context, all []secret) error {
	if len(all) == 0 {
		return nil
	}
	rows := make([][]any, len(all))
	for i, s := range all {
		rows[i] = []any{s.seq, s.salt, s.body}
	}
	return p.db.Tx(ctx, func(tx *sql.Tx) error {
		return bulk(ctx, tx, `INSERT INTO bodies (seq, salt, body) VALUES ($1, $2, $3)
			ON CONFLICT (seq) DO UPDATE SET salt = excluded.salt, body = excluded.body`, rows)
	})
}

// bulk runs a statement for every row. One prepared statement is faster than few
// long ones: SQLite looks each numbered parameter up among all of a statement.
func bulk(ctx context.Context, tx *sql.Tx, stmt string, rows [][]any) error {
	prepared, err := tx.PrepareContext(ctx, stmt)
	if err != nil {
		return err
	}
	defer prepared.Close()
	for _, row := range rows {
		if _, err := prepared.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// bodies reads what is kept of the entries that a condition selects.
func (p *private) bodies(ctx context.Context, where string, args ...any) (map[int64]secret, error) {
	rows, err := p.db.Read().QueryContext(ctx, "SELECT seq, salt, body FROM bodies WHERE "+where, args...)
	if err != nil {
		return nil, store.Error("read journal", "", err)
	}
	defer rows.Close()
	all := map[int64]secret{}
	for rows.Next() {
		var s secret
		if err := rows.Scan(&s.seq, &s.salt, &s.body); err != nil {
			return nil, store.Error("read journal", "", err)
		}
		all[s.seq] = s
	}
	return all, store.Error("read journal", "", rows.Err())
}

// check says what is wrong with the body kept for an entry, or "". A body that
// was forgotten has no salt.
func (s secret) check(e *entry, there bool) string {
	switch {
	case e.Private == "" && there:
		return "a purpose or detail is kept for it that the log does not know of"
	case e.Private == "" || there && s.salt == nil && s.body == nil:
		return ""
	case !there:
		return "its purpose and detail are missing"
	case bodyDigest(s.salt, s.body) != e.Private:
		return "its purpose and detail are not those it was written with"
	}
	return ""
}

// forget destroys the salt and name of a person, the bodies of the entries
// given, and all others in which the person is named.
func (p *private) forget(ctx context.Context, person genesis.PersonID, home genesis.NodeID, seqs []int64) error {
	err := p.db.Tx(ctx, func(tx *sql.Tx) error {
		named, err := naming(ctx, tx, person, home)
		if err != nil {
			return err
		}
		for _, seq := range append(named, seqs...) {
			if _, err := tx.ExecContext(ctx, "UPDATE bodies SET salt = NULL, body = NULL WHERE seq = $1", seq); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE people SET person = NULL, salt = NULL, forgotten_at = $1 WHERE person = $2",
			store.Time(time.Now()), string(person))
		return err
	})
	p.mu.Lock()
	delete(p.cache, person)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	return p.db.Flush(ctx)
}

// naming finds the bodies that hold the name of a person as a word of its own.
func naming(ctx context.Context, tx *sql.Tx, person genesis.PersonID, home genesis.NodeID) ([]int64, error) {
	names := [][]byte{[]byte(person)}
	node, subject := person.Split(home)
	if node == home {
		names = append(names, []byte(`"`+subject+`"`), []byte("~"+subject), []byte("person:"+subject))
	} else {
		names = append(names, []byte("~"+subject+"+"+string(node)))
	}
	_, last := person.Split(home)
	rows, err := tx.QueryContext(ctx, "SELECT seq, body FROM bodies WHERE instr(body, $1) > 0", []byte(last))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []int64
	for rows.Next() {
		var seq int64
		var text []byte
		if err := rows.Scan(&seq, &text); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(names, func(name []byte) bool { return hasWord(text, name) }) {
			found = append(found, seq)
		}
	}
	return found, rows.Err()
}

// hasWord reports whether word stands in text without a letter, digit, '.', '_'
// or '-' right before or after it, where these could make it another name.
func hasWord(text, word []byte) bool {
	for at := 0; ; {
		i := bytes.Index(text[at:], word)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(word)
		if (at == 0 || !inName(text[at-1]) || !inName(word[0])) && (end == len(text) || !inName(text[end]) || !inName(word[len(word)-1])) {
			return true
		}
		at++
	}
}

func inName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
