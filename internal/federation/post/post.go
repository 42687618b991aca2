package post

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/jws"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// mostWaiting bounds what waits for one peer.
const mostWaiting = 10_000

// Charter says who is a member.
type Charter interface {
	Member(genesis.NodeID) (genesis.Member, bool)
}

// Handler acts upon a message in the transaction that keeps it as received. Errors of
// kind Unavailable, Canceled and Internal have it sent again; others refuse it for good.
type Handler = func(ctx context.Context, tx *sql.Tx, m Message) error

// Config is what a Post works with.
type Config struct {
	DB      *store.DB
	Node    genesis.NodeID
	Charter Charter
	Key     func() (ed25519.PrivateKey, error) // with which this node signs messages now
	// Send brings a signed message to a member and returns the signed receipt. A refusal
	// comes as the error that the other node told; an error that is ErrAway says that no
	// node answered.
	Send func(ctx context.Context, to genesis.Member, message []byte) (receipt []byte, err error)
	// Format is the format in which a member is written to. nil: that in which messages are
	// kept.
	Format  func(ctx context.Context, to genesis.Member) (int, error)
	Formats []int // that this node reads; nil: that one
	// Handle has a handler for every kind of message that this node takes.
	Handle map[string]Handler
	// Undelivered is told, in the transaction that gives a message up, why: it was
	// refused, or the peer was away for too long. May be nil.
	Undelivered func(ctx context.Context, tx *sql.Tx, m Message, why error) error
	// Changed is called after a message of a kind was acted upon, or one to a peer given up.
	// May be nil.
	Changed func(kind string)
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: none
	Pauses  Pauses           // zero: a second, doubling to five minutes
}

// ErrAway is in the error of a message that met nobody: others would not, either.
var ErrAway = errors.New("nobody answers")

// Pauses are how long a peer is left alone that does not answer.
type Pauses struct{ First, Most time.Duration }

// Post carries messages. It is safe for concurrent use.
type Post struct {
	Config

	mu       sync.Mutex
	senders  map[genesis.NodeID]*sender
	taking   buckets
	refusing buckets
	stop     context.CancelFunc
	ctx      context.Context
	running  sync.WaitGroup
}

// New returns a Post that does nothing before Start.
func New(c Config) *Post {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Format == nil {
		c.Format = func(context.Context, genesis.Member) (int, error) { return Format, nil }
	}
	if c.Formats == nil {
		c.Formats = []int{Format}
	}
	if c.Pauses == (Pauses{}) {
		c.Pauses = Pauses{time.Second, 5 * time.Minute}
	}
	return &Post{Config: c, senders: map[genesis.NodeID]*sender{}, taking: buckets{}, refusing: buckets{}}
}

// NewID mints the id of a message.
func NewID() string { return strings.ToLower(rand.Text()) }

// Put keeps a message for a peer in the transaction of the act that it tells of; call
// Wake after the commit. Errors: Invalid (the body is too long), Unavailable (too much
// waits for that peer).
func (p *Post) Put(ctx context.Context, tx *sql.Tx, to genesis.NodeID, kind, about string, body any) (Message, error) {
	m := Message{Format: Format, ID: NewID(), From: p.Node, To: to, Kind: kind, About: about, At: p.Now().UTC().Truncate(time.Microsecond)}
	text, err := json.Marshal(body)
	if err != nil {
		return m, &genesis.Error{Op: "send message", Kind: genesis.Invalid, Subject: kind, Err: err}
	}
	m.Body = text
	payload, err := genesis.CanonicalJSON(m)
	if err != nil {
		return m, err
	}
	if len(payload) > MaxBytes*3/4-1024 { // as base64, with header and signature
		return m, &genesis.Error{Op: "send message", Kind: genesis.Invalid, Subject: string(to), Msg: "it is longer than a message may be"}
	}
	var waiting int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM post_out WHERE peer = $1 AND state = $2", string(to), waits).Scan(&waiting); err != nil {
		return m, store.Error("send message", string(to), err)
	}
	if waiting >= mostWaiting {
		return m, &genesis.Error{Op: "send message", Kind: genesis.Unavailable, Subject: string(to), Msg: "too many messages wait for that node", Hint: "is it still there? `genesis federation members` says since when it is not"}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO post_out (id, peer, kind, about, payload, created, state) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		m.ID, string(to), kind, about, payload, store.Time(m.At), waits)
	if err != nil {
		return m, store.Error("send message", string(to), err)
	}
	return m, p.record(ctx, tx, m, "send-message", genesis.Done, genesis.DigestOf(payload))
}

// record keeps that a message was sent or taken: the same words at both ends, by which
// they can be compared.
func (p *Post) record(ctx context.Context, tx *sql.Tx, m Message, act string, outcome genesis.Outcome, digest genesis.Digest) error {
	peer := m.To
	if peer == p.Node {
		peer = m.From
	}
	detail, err := json.Marshal(map[string]string{"message": m.ID, "kind": m.Kind, "about": m.About, "digest": string(digest)})
	if err != nil {
		return err
	}
	member, _ := p.Charter.Member(peer)
	return journal.Record(ctx, tx, journal.Event{Act: act, Outcome: outcome, Subject: "node " + string(peer),
		Institution: member.Institution, Sector: member.Sector, Detail: detail})
}

// lasting reports whether an error is worth another try.
func lasting(err error) bool {
	switch genesis.KindOf(err) {
	case "", genesis.Unavailable, genesis.Canceled, genesis.Internal:
		return false
	}
	return true
}

// Receive takes a signed message and returns the signed receipt. One that was taken
// before gets another receipt, and nothing more happens. Errors: Invalid, Unsupported,
// Unavailable (who wrote it, or the key, is not known here: this node's charter may be
// the older one, so it is worth another try; or it wrote too much lately), Permission (the signature does not hold),
// Conflict (another message had the id), and those of the handler.
func (p *Post) Receive(ctx context.Context, text []byte) ([]byte, error) {
	m, digest, err := p.read(text)
	if err != nil {
		return nil, err
	}
	handle, ok := p.Handle[m.Kind]
	if !ok {
		return nil, &genesis.Error{Op: "take message", Kind: genesis.Unsupported, Subject: m.Kind, Msg: "this node takes no messages of that kind", Hint: "it may run an earlier version"}
	}
	if !p.room(p.taking, m.From, takesEach, takesAtOnce) {
		return nil, &genesis.Error{Op: "take message", Kind: genesis.Unavailable, Subject: string(m.From), Msg: "it has sent too many messages lately", Hint: "it comes again by itself"}
	}
	fresh := false
	err = p.DB.Tx(ctx, func(tx *sql.Tx) error {
		fresh, err = p.keep(ctx, tx, m, digest)
		if err != nil || !fresh {
			return err
		}
		if err := handle(ctx, tx, m); err != nil {
			return err
		}
		return p.record(ctx, tx, m, "take-message", genesis.Done, digest)
	})
	if lasting(err) {
		return nil, p.refused(ctx, m, digest, err)
	}
	if err != nil {
		return nil, err
	}
	if fresh && p.Changed != nil {
		p.Changed(m.Kind)
	}
	return p.receipt(m, digest)
}

// Taken reports whether a database has the receipt of a message.
func Taken(ctx context.Context, db *store.DB, id string) (is bool, err error) {
	err = db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM post_out WHERE id = $1 AND state = $2)", id, taken).Scan(&is)
	return is, store.Error("read messages", id, err)
}

// read reads a message and checks who wrote it.
func (p *Post) read(text []byte) (m Message, digest genesis.Digest, err error) {
	s, err := parse(typeMessage, text)
	if err != nil {
		return m, "", err
	}
	if err := json.Unmarshal(s.Payload, &m); err != nil {
		return m, "", bad("its payload is not a message")
	}
	now := p.Now()
	if err := check(&m, p.Node, p.Formats, now); err != nil {
		return m, "", err
	}
	member, ok := p.Charter.Member(m.From)
	if !ok || m.From == p.Node {
		return m, "", &genesis.Error{Op: "take message", Kind: genesis.Unavailable, Subject: string(m.From), Msg: "is no other member of the federation as far as is known here", Hint: "the charters of both sides may differ: `genesis federation show`"}
	}
	if digest, err = digestOf(s.Payload, m.Format); err != nil {
		return m, "", err
	}
	return m, digest, verify(s, member, now)
}

// keep remembers a message as received, and reports whether it is new.
func (p *Post) keep(ctx context.Context, tx *sql.Tx, m Message, digest genesis.Digest) (bool, error) {
	var had string
	err := tx.QueryRowContext(ctx, "SELECT digest FROM post_in WHERE peer = $1 AND id = $2", string(m.From), m.ID).Scan(&had)
	switch {
	case err == nil && had == string(digest):
		return false, nil
	case err == nil:
		return false, &genesis.Error{Op: "take message", Kind: genesis.Conflict, Subject: m.ID, Msg: "another message of " + string(m.From) + " had this id"}
	case !errors.Is(err, sql.ErrNoRows):
		return false, store.Error("take message", m.ID, err)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO post_in (peer, id, kind, about, digest, received) VALUES ($1, $2, $3, $4, $5, $6)",
		string(m.From), m.ID, m.Kind, m.About, string(digest), store.Time(p.Now()))
	return true, store.Error("take message", m.ID, err)
}

// Messages of one member that are looked at, and of them those whose refusal leaves
// evidence: so many at once, and then one each so often. Beyond that it has to come again,
// so that nobody fills the disk and the log, or keeps the node from other work. What waits
// at an honest peer that was away for a month is taken at once.
const (
	takesAtOnce    = mostWaiting
	takesEach      = time.Second / 10
	refusalsAtOnce = 1000
	refusalsEach   = time.Second
)

// buckets say how much room each member has.
type buckets map[genesis.NodeID]*rate.Limiter

// refused leaves the evidence that a message was refused, and returns the refusal.
func (p *Post) refused(ctx context.Context, m Message, digest genesis.Digest, why error) error {
	if !p.room(p.refusing, m.From, refusalsEach, refusalsAtOnce) {
		return &genesis.Error{Op: "take message", Kind: genesis.Unavailable, Subject: string(m.From), Msg: "too many of its messages were refused lately", Hint: "what is refused and why is in `genesis federation members` there", Err: why}
	}
	err := p.DB.Tx(ctx, func(tx *sql.Tx) error { return p.record(ctx, tx, m, "take-message", genesis.Refused, digest) })
	if err != nil {
		p.Log.Warn("a refused message is not in the journal", "message", m.ID, "from", m.From, "refusal", why, "error", err)
	}
	return why
}

// room takes the room of one more of a member, and reports whether there was any.
func (p *Post) room(in buckets, of genesis.NodeID, each time.Duration, atOnce int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := in[of]
	if l == nil {
		l = rate.NewLimiter(rate.Every(each), atOnce)
		in[of] = l
	}
	return l.AllowN(p.Now(), 1)
}

// receipt is in the format of the message, which whoever sent that reads.
func (p *Post) receipt(m Message, digest genesis.Digest) ([]byte, error) {
	payload, err := genesis.CanonicalJSON(Receipt{Format: m.Format, ID: m.ID, From: m.From, To: m.To, Digest: digest, At: p.Now().UTC().Truncate(time.Microsecond)})
	if err != nil {
		return nil, err
	}
	return p.sign(typeReceipt, payload)
}

// sign puts a payload under this node's signature.
func (p *Post) sign(typ string, payload []byte) ([]byte, error) {
	key, err := p.Key()
	if err != nil {
		return nil, err
	}
	text, err := jws.Sign(typ, key, payload)
	return []byte(text), err
}
