package identity

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity/vouch"
	"github.com/opengenesis/genesis/internal/store"
)

// Paths of the node by which people come back to it. They are joined to
// Config.External.
const (
	CallbackPath = "/auth/callback" // a provider sends people here: FinishOIDC
	DevicePath   = "/device"        // people enter the code of their terminal here: ApproveDevice
)

// Config is what an Identity works with. DB, Node, Record and, with providers,
// External are required.
type Config struct {
	DB        *store.DB
	Node      genesis.NodeID
	Charter   Charter
	Providers []Provider
	External  string // the node's URL as people reach it: "https://data.example.edu"
	Limits    Limits
	// Key seals what has to be read back from the database: the secrets of second
	// factors. At least 16 bytes that are kept beside the database, not in it. Without
	// it those secrets are as safe as the database file, and no safer.
	Key []byte
	// Passwords names a file of passwords that nobody may take, one a line: those that
	// are common, or leaked. "": none but the short list of this package.
	Passwords string
	Cost      Cost // of a password's hash; the zero Cost: as is usual
	Now       func() time.Time
	HTTP      *http.Client // to providers
	Log       *slog.Logger
	// Record journals an event in the transaction of the act. Its error undoes
	// the act.
	Record func(ctx context.Context, tx *sql.Tx, e Event) error
	// Changed is called after what somebody may do has changed. May be nil.
	Changed func()
	// Token is the key with which this node vouches for its people at others, and its id;
	// nil, or an empty id: it vouches for nobody.
	Token func() (id string, key ed25519.PrivateKey)
	// Projects are the ids of this node's projects that a person of it is in. May be nil.
	Projects func(context.Context, genesis.PersonID) ([]string, error)
	// Told are tokens of type project by which other nodes said lately that a person of
	// this node is in a project of theirs. It answers at once: requests ask it. May be nil.
	Told func(context.Context, genesis.PersonID) ([]string, error)
}

// Charter says which institution a node belongs to, and which keys are a node's. One that
// is signed for a time has a method Fresh() time.Time that says until when it is current.
type Charter interface {
	Member(genesis.NodeID) (genesis.Member, bool)
	Members() []genesis.Member
}

// Limits are how long credentials last. Zero fields take the default.
type Limits struct {
	Session time.Duration // from signing in to its end, whatever happens; 24 hours
	Idle    time.Duration // since a session was last used; 8 hours
	Device  time.Duration // for a terminal to be approved; 10 minutes
	Tokens  int           // unexpired ones per account; 100
}

// Event is one act, for the journal.
type Event struct {
	Time    time.Time
	Actor   genesis.PersonID // "" when nobody known
	Act     string           // "sign-in", "account", "vetting", "token", …
	Outcome genesis.Outcome
	Subject string          // whose account; "" when nobody's
	Detail  json.RawMessage // an object, or nothing
}

// Identity knows people and their credentials. It is safe for concurrent use.
type Identity struct {
	db        *store.DB
	node      genesis.NodeID
	charter   Charter
	external  string
	limits    Limits
	now       func() time.Time
	log       *slog.Logger
	record    func(context.Context, *sql.Tx, Event) error
	changed   func()
	cache     cache
	passwords *hasher
	leaked    leaked
	attempts  attempts
	providers map[string]*provider
	sealer    *sealer // for what the database holds
	cookies   *sealer // for what browsers hold
	spent     spent
	devices   devices

	token      func() (string, ed25519.PrivateKey)
	projects   func(context.Context, genesis.PersonID) ([]string, error)
	told       func(context.Context, genesis.PersonID) ([]string, error)
	nonces     *vouch.Nonces
	mostGuests struct{ person, node int } // sessions of guests that are kept

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// Open makes an Identity over a database. It asks no provider anything yet.
// Errors: Invalid (configuration).
func Open(ctx context.Context, c Config) (*Identity, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	i := &Identity{db: c.DB, node: c.Node, charter: c.Charter, external: strings.TrimRight(c.External, "/"),
		limits: c.Limits.withDefaults(), now: c.Now, log: c.Log, record: c.Record, changed: c.Changed,
		cache: newCache(), passwords: newHasher(c.Cost), providers: map[string]*provider{}, devices: newDevices(),
		token: c.Token, projects: c.Projects, told: c.Told}
	i.mostGuests.person, i.mostGuests.node = mostOfPerson, mostOfNode
	if i.now == nil {
		i.now = time.Now
	}
	if i.log == nil {
		i.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if i.changed == nil {
		i.changed = func() {}
	}
	var err error
	if i.sealer, err = newSealer(c.Key); err != nil {
		return nil, err
	}
	if i.cookies, err = newSealer(randomBytes(32)); err != nil {
		return nil, err
	}
	i.attempts, i.nonces = newAttempts(), vouch.NewNonces(i.now(), func() int { return len(i.charter.Members()) })
	if i.leaked, err = openLeaked(c.Passwords); err != nil {
		return nil, err
	}
	if err := i.addProviders(c.Providers, c.HTTP); err != nil {
		return nil, err
	}
	i.start(ctx)
	return i, nil
}

func (c Config) check() error {
	bad := func(msg string) error {
		return &genesis.Error{Op: "open identity", Kind: genesis.Invalid, Subject: string(c.Node), Msg: msg}
	}
	switch {
	case c.DB == nil:
		return bad("there is no database")
	case c.Node == "":
		return bad("the node has no id")
	case c.Record == nil:
		return bad("nothing records what happens")
	case len(c.Key) > 0 && len(c.Key) < 16:
		return bad("the key is shorter than 16 bytes")
	case len(c.Providers) > 0 && !secureURL(c.External):
		return bad("providers need the node's external URL, and that begins with https://")
	}
	return nil
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Session: cmp.Or(l.Session, 24*time.Hour),
		Idle:    cmp.Or(l.Idle, 8*time.Hour),
		Device:  cmp.Or(l.Device, 10*time.Minute),
		Tokens:  cmp.Or(l.Tokens, 100),
	}
}

// start runs what goes on in the background: once a minute, times of use are
// written; once an hour, what expired long ago is deleted.
func (i *Identity) start(ctx context.Context) {
	ctx, i.stop = context.WithCancel(context.WithoutCancel(ctx))
	i.stopped.Go(func() {
		use, prune := time.NewTicker(time.Minute), time.NewTicker(time.Hour)
		defer use.Stop()
		defer prune.Stop()
		for {
			var err error
			select {
			case <-ctx.Done():
				return
			case <-use.C:
				err = i.writeUse(ctx)
			case <-prune.C:
				err = i.prune(ctx)
			}
			if err != nil && ctx.Err() == nil {
				i.log.Warn("identity: housekeeping", "error", err)
			}
		}
	})
}

// Close writes the times of last use and ends the background work. The database
// stays open.
func (i *Identity) Close() error {
	i.stop()
	i.stopped.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return i.writeUse(ctx)
}

// event records an act in tx.
func (i *Identity) event(ctx context.Context, tx *sql.Tx, actor genesis.PersonID, act string, outcome genesis.Outcome, subject string, detail any) error {
	e := Event{Time: i.now().UTC(), Actor: actor, Act: act, Outcome: outcome, Subject: subject}
	if detail != nil {
		text, err := json.Marshal(detail)
		if err != nil {
			return fault(act, subject, err)
		}
		e.Detail = text
	}
	return i.record(ctx, tx, e)
}

// person names somebody of this node.
func (i *Identity) person(subject string) genesis.PersonID { return genesis.PersonOf(i.node, subject) }

// actor names who acts. Principals of this node may come without its name.
func (i *Identity) actor(by genesis.Principal) genesis.PersonID {
	return genesis.PersonOf(cmp.Or(by.Node, i.node), by.Subject)
}

// home reports whether p is of this node.
func (i *Identity) home(p genesis.Principal) bool { return p.Node == "" || p.Node == i.node }

// refuse returns an error of kind Permission.
func refuse(op, subject, msg string) error {
	return &genesis.Error{Op: op, Kind: genesis.Permission, Subject: subject, Msg: msg}
}

// invalid returns an error of kind Invalid.
func invalid(op, subject, msg string) error {
	return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: subject, Msg: msg}
}

// fault returns an error for what should not happen.
func fault(op, subject string, err error) error {
	return &genesis.Error{Op: op, Kind: genesis.Internal, Subject: subject, Msg: "something is broken on this node", Err: err}
}
