package upload

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Config says where uploads lie and what they may cost.
type Config struct {
	DB     *store.DB
	Node   genesis.NodeID               // whose people these are; of another node all people are one for what they may keep
	Dir    string                       // of the files; for this package alone
	Roots  []string                     // folders at the node whose files stewards may name by path
	Max    int64                        // bytes of one file
	Quota  int64                        // bytes of one person's uploads together
	Expire time.Duration                // after the last bytes; sooner for people of other nodes
	Held   func(genesis.PersonID) int64 // bytes that are kept for a person's runs and count, too; nil: none
	Now    func() time.Time

	// MayName decides whether a steward may name a file at the node, and keeps that
	// they did. nil: nobody may.
	MayName func(ctx context.Context, who genesis.Principal, path string) error
}

const (
	// maxSessions bounds the uploads of one person, or of all people of another node.
	maxSessions = 1000

	// guestExpire is how long the uploads of people of other nodes stay: what is due is
	// swept some minutes later, and what was promised is [genesis.KeepSent].
	guestExpire = genesis.KeepSent - 5*time.Minute

	// checkpoint is how many bytes come in between two commits of the offset:
	// what a crash costs at most.
	checkpoint = 8 << 20
)

// Store holds uploads. It is safe for concurrent use.
type Store struct {
	Config
	mu   sync.Mutex
	busy map[string]bool // sessions that take bytes now
}

// Open returns the store in cfg.Dir, which it makes. Files that belong to no
// session are what a crash left, and go.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{Config: cfg, busy: map[string]bool{}}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fault("open uploads", cfg.Dir, err)
	}
	return s, s.removeOrphans(ctx)
}

func (s *Store) removeOrphans(ctx context.Context) error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return fault("open uploads", s.Dir, err)
	}
	for _, e := range entries {
		if _, err := s.find(ctx, s.DB.Read(), e.Name()); genesis.KindOf(err) == genesis.NotFound {
			err = os.Remove(s.path(e.Name()))
			if err != nil {
				return fault("open uploads", e.Name(), err)
			}
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) path(id string) string { return filepath.Join(s.Dir, id) }

// session is a row of uploads.
type session struct {
	genesis.Upload
	person genesis.PersonID
	state  string
}

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const columns = `id, person, name, byte_size, sha256, byte_offset, hash_state, complete, created_at, expires_at`

func scan(row interface{ Scan(...any) error }) (session, error) {
	var u session
	var size sql.NullInt64
	var created, expires int64
	err := row.Scan(&u.ID, &u.person, &u.Name, &size, &u.SHA256, &u.Offset, &u.state, &u.Complete, &created, &expires)
	if size.Valid {
		u.Size = &size.Int64
	}
	u.Created, u.Expires = store.TimeAt(created), store.TimeAt(expires)
	return u, err
}

// find returns a session, whoever's it is.
func (s *Store) find(ctx context.Context, q querier, id string) (session, error) {
	u, err := scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM uploads WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return u, noUpload(id)
	}
	return u, store.Error("find upload", id, err)
}

// of returns a session of who. One that is over, or somebody else's, is not
// there.
func (s *Store) of(ctx context.Context, who genesis.Principal, id string) (session, error) {
	u, err := s.find(ctx, s.DB.Read(), id)
	if err == nil && (!who.SignedIn() || u.person != who.Person() || !s.Now().Before(u.Expires)) {
		return session{}, noUpload(id)
	}
	return u, err
}

func noUpload(id string) error {
	return &genesis.Error{Op: "find upload", Kind: genesis.NotFound, Subject: id, Msg: "is no upload of yours, or its time is over"}
}

// Create opens a session. Errors: Permission (nobody signed in, or over the
// quota), Invalid (a size or digest that cannot be).
func (s *Store) Create(ctx context.Context, who genesis.Principal, req genesis.UploadRequest) (*genesis.Upload, error) {
	if err := s.check(who, req); err != nil {
		return nil, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	u := genesis.Upload{ID: strings.ToLower(rand.Text()), Name: req.Name, Size: req.Size, SHA256: req.SHA256, Created: now, Expires: now.Add(s.life(who.Person()))}
	var size sql.NullInt64
	if req.Size != nil {
		size = sql.NullInt64{Int64: *req.Size, Valid: true}
	}
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.checkQuota(ctx, tx, who.Person(), "", size.Int64, 1); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (`+columns+`) VALUES ($1, $2, $3, $4, $5, 0, $6, 0, $7, $8)`,
			u.ID, who.Person(), u.Name, size, u.SHA256, newBlocks().state(), store.Time(u.Created), store.Time(u.Expires))
		return err
	})
	return &u, err
}

// life is how long an upload of somebody stays after its last bytes.
func (s *Store) life(person genesis.PersonID) time.Duration {
	if _, guest := s.guest(person); guest {
		return min(s.Expire, guestExpire)
	}
	return s.Expire
}

// guest returns the node of somebody, and whether it is another one than this.
func (s *Store) guest(person genesis.PersonID) (genesis.NodeID, bool) {
	node, _ := person.Split(s.Node)
	return node, s.Node != "" && node != "" && node != s.Node
}

func (s *Store) check(who genesis.Principal, req genesis.UploadRequest) error {
	e := &genesis.Error{Op: "open upload", Kind: genesis.Invalid, Subject: req.Name}
	switch {
	case !who.SignedIn():
		e.Kind, e.Msg, e.Hint = genesis.Permission, "only people who signed in may upload", "genesis login"
	case req.Name == "" || len(req.Name) > 1000:
		e.Msg = "is not a name of 1 to 1000 bytes"
	case req.Size != nil && *req.Size < 0:
		e.Msg = "has a negative size"
	case req.Size != nil && *req.Size > s.Max:
		e.Msg, e.Hint = "is larger than one upload may be", "the operator may raise uploads.max"
	case req.SHA256 != "":
		_, err := genesis.ParseDigest(string(req.SHA256))
		return err
	default:
		return nil
	}
	if e.Msg == "" {
		return nil
	}
	return e
}

// checkQuota refuses what takes a person over the quota, with size bytes for the
// session id, or more sessions than one may have. A session counts with its
// announced size, so that who has begun can end. People of another node have one person's
// together: how many they are is that node's word.
func (s *Store) checkQuota(ctx context.Context, tx *sql.Tx, person genesis.PersonID, id string, size int64, more int) error {
	from, to := string(person), string(person)
	if node, guest := s.guest(person); guest {
		from, to = string(node)+"/", string(node)+"0" // '0' follows '/'
	}
	var used int64
	var sessions int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN byte_size IS NULL THEN byte_offset ELSE byte_size END), 0)
		FROM uploads WHERE (person = $1 OR person > $1 AND person < $2) AND id <> $3`, from, to, id).Scan(&sessions, &used)
	if s.Held != nil {
		used += s.Held(person)
	}
	switch {
	case err != nil:
		return err
	case sessions+more > maxSessions:
		return overQuota("you have more uploads than one person may")
	case size > s.Quota-used:
		return overQuota("your uploads would be larger together than one person's may")
	}
	return nil
}

func overQuota(msg string) error {
	return &genesis.Error{Op: "upload", Kind: genesis.Permission, Msg: msg, Hint: "remove uploads that are not needed any more, or wait until they expire"}
}

// Find returns a session of who. Errors: NotFound.
func (s *Store) Find(ctx context.Context, who genesis.Principal, id string) (*genesis.Upload, error) {
	u, err := s.of(ctx, who, id)
	return &u.Upload, err
}

// List returns the sessions of who, oldest first.
func (s *Store) List(ctx context.Context, who genesis.Principal) ([]genesis.Upload, error) {
	rows, err := s.DB.Read().QueryContext(ctx, `SELECT `+columns+` FROM uploads
		WHERE person = $1 AND expires_at > $2 ORDER BY created_at, id LIMIT $3`, who.Person(), store.Time(s.Now()), maxSessions)
	if err != nil {
		return nil, store.Error("list uploads", "", err)
	}
	defer rows.Close()
	all := []genesis.Upload{}
	for rows.Next() {
		u, err := scan(rows)
		if err != nil {
			return nil, store.Error("list uploads", "", err)
		}
		all = append(all, u.Upload)
	}
	return all, store.Error("list uploads", "", rows.Err())
}

// Abort ends a session and removes its bytes. Who has the file open reads on.
func (s *Store) Abort(ctx context.Context, who genesis.Principal, id string) error {
	u, err := s.of(ctx, who, id)
	if err != nil {
		return err
	}
	if !s.take(u.ID) {
		return taken(u.ID)
	}
	defer s.free(u.ID)
	return s.remove(ctx, u.ID)
}

// remove forgets the session first: a file without one goes at the next start, a
// session without its file would lie.
func (s *Store) remove(ctx context.Context, id string) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return err
	}
	return removeFile(s.Dir, id)
}

// Sweep removes the sessions whose time is over and returns their number.
func (s *Store) Sweep(ctx context.Context) (n int, err error) {
	ids, err := store.Column[string](ctx, s.DB.Read(), `SELECT id FROM uploads WHERE expires_at <= $1`, store.Time(s.Now()))
	if err != nil {
		return 0, store.Error("sweep uploads", "", err)
	}
	for _, id := range ids {
		if !s.take(id) {
			continue // bytes still come in: they renew it
		}
		err := s.remove(ctx, id)
		s.free(id)
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// take makes a session this caller's alone, until free.
func (s *Store) take(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[id] {
		return false
	}
	s.busy[id] = true
	return true
}

func (s *Store) free(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.busy, id)
}

func taken(id string) error {
	return &genesis.Error{Op: "upload", Kind: genesis.Conflict, Subject: id, Msg: "another connection brings bytes of this upload", Hint: "ask for the offset again when it is over"}
}
