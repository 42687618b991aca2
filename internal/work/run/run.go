package run

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Limits bound what runs may cost. Zero fields mean the default.
type Limits struct {
	Concurrent int           // runs at once; one per two cores, two at least
	Queue      int           // runs that wait for their turn; 100
	Memory     int64         // bytes a run may hold; three quarters of the machine's, shared by those at once
	Time       time.Duration // one try of a run may take; 24 h
	Tries      int           // of a run whose process is killed; 3
	Keep       time.Duration // an ended run and its log stay; 90 days
	KeepLast   int           // runs that stay however old they are; 100
}

// leastMemory is what every run may hold however small the machine.
const leastMemory = 1 << 30

// withDefaults fills the zero fields.
func (l Limits) withDefaults() Limits {
	if l.Concurrent <= 0 {
		l.Concurrent = max(2, runtime.NumCPU()/2) // beside a long one others go on
	}
	if l.Queue <= 0 {
		l.Queue = 100
	}
	if l.Memory <= 0 {
		l.Memory = max(leastMemory, machineMemory()/4*3/int64(l.Concurrent))
	}
	if l.Time <= 0 {
		l.Time = 24 * time.Hour
	}
	if l.Tries <= 0 {
		l.Tries = 3
	}
	if l.Keep <= 0 {
		l.Keep = 90 * 24 * time.Hour
	}
	if l.KeepLast <= 0 {
		l.KeepLast = 100
	}
	return l
}

// Config is what a Manager works with.
type Config struct {
	DB     *store.DB
	Node   genesis.NodeID // whose own people each count for themselves; those of another node do so together, too; "": nobody does
	Dir    string         // a folder of the manager's own
	Limits Limits

	// Uploads is a folder whose files never change: what a run has to keep of them
	// is linked, not copied. Quota bounds the bytes kept for one person; 0: nothing does.
	Uploads string
	Quota   int64

	// Worker is the command of a child; nil: runs compute in this process, where
	// memory is not enforced. Env is added to a child's environment.
	Worker []string
	Env    []string

	// Settings are what every child is told, Soft the bytes its garbage collector
	// should keep to; it is enforced at Limits.Memory.
	Settings any
	Soft     int64

	// Plan returns the task of a try: all that computing needs to know. pinned is
	// what the request came to when it was allowed.
	Plan func(ctx context.Context, r genesis.Run, pinned json.RawMessage) (task any, err error)

	// Fetch brings here, before a try is planned, what its process could not: one that
	// computes reaches no other node. Nil: nothing is needed.
	Fetch func(ctx context.Context, r genesis.Run, pinned json.RawMessage, p genesis.Progress) error

	// Compute does a task in this process. A child does the same by [Serve].
	Compute Compute

	// Commit checks an outcome and returns the act that commits it.
	Commit func(ctx context.Context, r genesis.Run, pinned, outcome json.RawMessage) (Act, error)

	// Ended is told, in the transaction that ends it, of every run that ends. Nil: nobody is.
	Ended func(ctx context.Context, tx *sql.Tx, r genesis.Run) error

	// Watch returns a context derived from ctx that ends when the asker's access
	// does, with the reason as its cause, and a function to stop watching. It is
	// called for the time in the queue, and again for every try. Nil: nobody
	// watches.
	Watch func(ctx context.Context, r genesis.Run, pinned json.RawMessage) (context.Context, func())

	// Hold keeps what a try writes until release is called. Nil: nothing is needed.
	Hold func(ctx context.Context) (release func(), err error)

	// ResumeAttached makes a start after a crash try again also runs whose caller
	// waited for them: right for a server, while the next command of a terminal
	// should not wait for a dead one's work.
	ResumeAttached bool

	// Changed is called after a run's state changed, or may have. It must not block. Nil:
	// nobody asks.
	Changed func(genesis.Run)

	Log *slog.Logger // nil: nothing is logged
}

// Act is what commits an outcome. Tx does so in a transaction and returns the
// result that the asker gets; it may be called more than once. Done, if there is
// one, is called when that is durable.
type Act struct {
	Tx   func(ctx context.Context, tx *sql.Tx) (result any, err error)
	Done func()
}

// Compute does a job on its files and returns the outcome.
type Compute func(ctx context.Context, job Job, files []*os.File, p genesis.Progress) (outcome any, err error)

// Manager keeps and executes runs. It is safe for concurrent use.
type Manager struct {
	cfg  Config
	base context.Context
	stop context.CancelCauseFunc
	work sync.WaitGroup

	mu       sync.Mutex
	active   map[string]*active // queued and running
	queue    queue
	running  int
	places   map[genesis.PersonID]int   // of those that run, by who shares them
	kept     map[genesis.PersonID]int64 // by who shares it
	reserved int                        // places of runs being submitted
	claims   map[string]chan struct{}   // ids being submitted
	closed   bool
}

// Open returns a Manager over the runs in cfg.DB. Those that a crash left
// unfinished are queued again or failed.
func Open(ctx context.Context, cfg Config) (*Manager, error) {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Changed == nil {
		cfg.Changed = func(genesis.Run) {}
	}
	if cfg.Worker != nil {
		inheritFiles()
	}
	m := &Manager{cfg: cfg, active: map[string]*active{}, places: map[genesis.PersonID]int{}, kept: map[genesis.PersonID]int64{}, claims: map[string]chan struct{}{}}
	m.base, m.stop = context.WithCancelCause(context.Background())
	for _, dir := range []string{m.logs(), m.works()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, broken("open runs", cfg.Dir, err)
		}
	}
	if err := m.recover(ctx); err != nil {
		return nil, err
	}
	m.start()
	return m, nil
}

// Close stops all runs. Those that can go on are queued for the next start.
func (m *Manager) Close() error {
	m.mu.Lock()
	m.closed = true
	waiting := m.queue.all()
	m.queue = queue{}
	m.mu.Unlock()
	m.stop(errClosing)
	for _, a := range waiting {
		m.end(a, errClosing)
		m.forget(a)
	}
	m.work.Wait()
	return nil
}

// The manager's folder: a log for every run, and a folder of files for those
// that are not ended.
func (m *Manager) logs() string           { return filepath.Join(m.cfg.Dir, "logs") }
func (m *Manager) works() string          { return filepath.Join(m.cfg.Dir, "work") }
func (m *Manager) logOf(id string) string { return filepath.Join(m.logs(), id+".log") }
func (m *Manager) workOf(id string) string {
	return filepath.Join(m.works(), id)
}

// Limits returns the limits in force.
func (m *Manager) Limits() Limits { return m.cfg.Limits }

// NewID mints the id of a run.
func NewID() string { return strings.ToLower(rand.Text()) }

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{15,63}$`)

func checkID(id string) error {
	if idPattern.MatchString(id) {
		return nil
	}
	return &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: id, Msg: "is not the id of a run",
		Hint: "use 16 to 64 of a-z, 0-9 and '-', or none to get one"}
}

func broken(op, subject string, err error) error {
	var known *genesis.Error
	if errors.As(err, &known) {
		return err
	}
	return &genesis.Error{Op: op, Kind: genesis.Internal, Subject: subject, Msg: "the folder of the runs cannot be used",
		Hint: "is there room on the disk, and may this user write there?", Err: err}
}

// NotFound is the error of a run that is not there, or that somebody may not know of.
func NotFound(id string) error {
	return &genesis.Error{Op: "find run", Kind: genesis.NotFound, Subject: id, Msg: "there is no such run here", Hint: "`genesis runs` lists them"}
}
