package journal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/journal/wal"
	"github.com/opengenesis/genesis/internal/store"
)

// What lies in a journal. The names of the logs are parts of their origins, too.
const (
	auditLog    = "audit"
	walFolder   = "wal"
	indexFile   = "index.db"
	privateFile = "private.db"

	// remakeIndex is what to do about an index that is not what the log is.
	remakeIndex = "stop the node, remove journal/" + indexFile + " and start the node: the index is made from the log"

	operating  = "open journal"
	defaultLag = 200 * time.Millisecond
)

// Config is what a journal needs.
type Config struct {
	Dir  string         // where the logs lie
	Keys string         // folder of the signing key; default: Dir
	DB   *store.DB      // where [Record] leaves events
	Node genesis.NodeID // whose journal this is
	Log  *slog.Logger   // default: none

	Disk     disk.Disk     // default: [disk.OS]
	Interval time.Duration // between checkpoints, default 200 ms
	Window   time.Duration // of [Journal.Share], default one minute
}

func (c *Config) fill() {
	if c.Keys == "" {
		c.Keys = c.Dir
	}
	if c.Node == "" {
		c.Node = "local"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Disk == nil {
		c.Disk = disk.OS
	}
	if c.Interval <= 0 {
		c.Interval = defaultLag
	}
	if c.Window <= 0 {
		c.Window = time.Minute
	}
}

// Journal is the logs of a node. It is safe for concurrent use.
type Journal struct {
	dir  string
	node genesis.NodeID
	db   *store.DB
	log  *slog.Logger
	key  key

	audit      *series
	catalogues *catalogues
	private    *private
	index      *index
	wal        *wal.WAL
	queue      *queue
	seq        *sequencer
	shares     *shares
	removed    uint64 // segments before it are gone; of the sequencer
	closing    sync.Once
}

// Open opens the journal in a folder, and makes it if there is none. Events that
// were acknowledged before a crash go into the log; entries of a home from
// before there were logs go first. Only one process may have a journal open.
// Errors: Internal, naming what is damaged; Unsupported (newer format);
// Unavailable.
func Open(ctx context.Context, cfg Config) (*Journal, error) {
	cfg.fill()
	j := &Journal{dir: cfg.Dir, node: cfg.Node, db: cfg.DB, log: cfg.Log, queue: newQueue()}
	if err := j.open(ctx, cfg); err != nil {
		j.closeFiles()
		return nil, err
	}
	j.seq = &sequencer{j: j, jobs: make(chan job), nudged: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	j.shares = newShares(cfg.Window, j.Append, j.log)
	go j.seq.run(cfg.Interval)
	if j.audit.renamed() || j.catalogues.renamed() {
		if err := j.NewEpoch(ctx, "the node has another name"); err != nil {
			j.Close()
			return nil, err
		}
	}
	return j, nil
}

// open opens the parts, in the order in which one is checked against another.
func (j *Journal) open(ctx context.Context, cfg Config) error {
	if err := disk.MkdirAll(cfg.Disk, cfg.Dir); err != nil {
		return disk.Error(operating, cfg.Dir, err)
	}
	if err := j.openLogs(cfg); err != nil {
		return err
	}
	var err error
	if j.private, err = openPrivate(ctx, cfg.Dir); err != nil {
		return err
	}
	if err := j.private.drop(ctx, j.audit.size()); err != nil {
		return err
	}
	j.catalogues.private = j.private
	if err := j.catalogues.openAll(ctx); err != nil {
		return err
	}
	if err := j.openIndex(ctx, filepath.Join(cfg.Dir, indexFile)); err != nil {
		return err
	}
	if err := moveChain(ctx, j.db); err != nil {
		return err
	}
	return j.openWAL(cfg)
}

func (j *Journal) openLogs(cfg Config) error {
	_, err := os.Stat(filepath.Join(cfg.Dir, auditLog))
	if j.key, err = openKey(cfg.Keys, cfg.Disk, errors.Is(err, os.ErrNotExist)); err != nil {
		return err
	}
	logs := func(name string) *series {
		return &series{name: name, dir: filepath.Join(cfg.Dir, name), node: j.node, key: j.key, disk: cfg.Disk}
	}
	j.audit = logs(auditLog)
	j.catalogues = &catalogues{dir: cfg.Dir, db: j.db, make: logs, byName: map[string]*catalogue{}}
	return j.audit.open()
}

// openIndex opens the index and brings it up to the log. One that is damaged, or
// is not of this log, is made anew.
func (j *Journal) openIndex(ctx context.Context, path string) error {
	var err error
	if j.index, err = openIndex(ctx, path); err == nil {
		err = j.fitIndex(ctx)
	}
	if err == nil || genesis.KindOf(err) == genesis.Unavailable || genesis.KindOf(err) == genesis.Canceled {
		return err
	}
	j.log.Warn("the journal's index is made anew", "cause", err)
	if j.index == nil {
		j.index = &index{path: path}
	}
	return j.index.replace(ctx, func(x *index) error { return j.catchUp(ctx, x) })
}

// fitIndex checks that the index is of this log and indexes what is missing.
func (j *Journal) fitIndex(ctx context.Context) error {
	if err := j.index.drop(ctx, j.audit.size()); err != nil {
		return err
	}
	if last := j.index.size.Load() - 1; last >= 0 {
		rows, err := j.index.read(ctx, "seq = $1", last)
		if err != nil {
			return err
		}
		e, err := j.entry(last)
		if err != nil {
			return err
		}
		if len(rows) != 1 || rows[0] != columnsOf(last, &e) {
			return errors.New("it is of another log")
		}
	}
	return j.catchUp(ctx, j.index)
}

// openWAL reads what was acknowledged and may not be in the log.
func (j *Journal) openWAL(cfg Config) error {
	w, old, err := wal.Open(wal.Config{Dir: filepath.Join(cfg.Dir, walFolder), Disk: cfg.Disk, Deliver: j.deliver})
	if err != nil {
		return err
	}
	j.wal = w
	for _, s := range old {
		for _, r := range s.Records {
			e, err := readEvent(r)
			if err != nil {
				return err
			}
			j.queue.push([]item{{event: e, bytes: len(r), segment: s.Number}})
		}
	}
	return nil
}

// entry reads one entry of the audit log.
func (j *Journal) entry(seq int64) (entry, error) {
	first, all, err := j.audit.bundle(seq)
	if err != nil {
		return entry{}, err
	}
	e, err := decode(all[seq-first])
	if err != nil {
		return e, badEntry(seq, err)
	}
	return e, nil
}

// badEntry is the error of an entry that has its hash and cannot be read.
func badEntry(seq int64, err error) error {
	e := &genesis.Error{Op: "read journal", Kind: genesis.Internal, Subject: fmt.Sprintf("entry %d", seq), Msg: err.Error(), Err: err}
	if errors.Is(err, errNewer) {
		e.Kind, e.Hint = genesis.Unsupported, "use the program that wrote it, or a newer one"
	}
	return e
}

// Append records e and returns once it is durable, before it is in the log.
// Errors: Invalid, as [Record]; Unavailable, when it cannot be written, and what
// it is the evidence of must not happen; Canceled.
func (j *Journal) Append(ctx context.Context, e Event) error {
	if err := check(&e); err != nil {
		return err
	}
	if err := j.queue.room(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return &genesis.Error{Op: "record event", Kind: genesis.Invalid, Subject: e.Act, Err: err}
	}
	return j.wal.Append(ctx, text, item{event: e, bytes: len(text), fresh: e.minted})
}

// deliver takes what the write-ahead log has made durable.
func (j *Journal) deliver(segment uint64, values []any) {
	items := make([]item, len(values))
	for i, v := range values {
		items[i] = v.(item)
		items[i].segment = segment
	}
	if j.queue.push(items) >= nudgeAfter {
		j.seq.nudge()
	}
}

// Share records reads of one person that belong together: see [Shared]. The
// opening entry is durable when it returns. Errors: those of [Journal.Append].
func (j *Journal) Share(ctx context.Context, e Event) (Shared, error) {
	return j.shares.share(ctx, e)
}

// Healthy reports why events cannot be recorded, or nil. When they could not be,
// it tries whether they can now.
func (j *Journal) Healthy() error {
	if err := j.wal.Healthy(); err != nil {
		return err
	}
	_, _, _, stalled := j.queue.state()
	return stalled
}

// Settle waits until everything that was recorded, with its act or by Append, is
// in the log and the index. Errors: Unavailable, Internal (why it cannot be
// brought there); Canceled.
func (j *Journal) Settle(ctx context.Context) error {
	return j.seq.do(ctx, "settle journal", j.seq.drain)
}

// Checkpoint returns the latest signed checkpoint of the audit log.
func (j *Journal) Checkpoint(context.Context) ([]byte, error) {
	return j.audit.last().log.Checkpoint(), nil
}

// Audit returns the audit log in its present epoch.
func (j *Journal) Audit() *tile.Log { return j.audit.last().log }

// VerifierKey returns the public key of the audit log's checkpoints, as
// golang.org/x/mod/sumdb/note writes them.
func (j *Journal) VerifierKey() string { return j.key.verifier(j.audit.last().log.Origin()) }

// PublicKey is the public half of the key that signs the checkpoints of all logs.
func (j *Journal) PublicKey() ed25519.PublicKey { return j.key.private.Public().(ed25519.PublicKey) }

// NewEpoch begins a log with a new origin, as after a restore from a backup. Its
// first entry says how long the log before was, and its root hash, so that who
// followed that one can tell a restore from a rewriting.
func (j *Journal) NewEpoch(ctx context.Context, reason string) error {
	return j.seq.do(ctx, "begin epoch", func(ctx context.Context) error {
		if err := j.seq.drain(ctx); err != nil {
			return err
		}
		if err := j.beginEpoch(ctx, reason); err != nil {
			return err
		}
		return j.catalogues.beginEpoch()
	})
}

func (j *Journal) beginEpoch(ctx context.Context, reason string) error {
	detail, err := json.Marshal(map[string]string{"reason": reason})
	if err != nil {
		return &genesis.Error{Op: "begin epoch", Kind: genesis.Invalid, Err: err}
	}
	event := Event{Act: "epoch", Detail: detail}
	if err := check(&event); err != nil {
		return err
	}
	salts := make([]byte, saltSize)
	rand.Read(salts)
	e := entryOf(event)
	e.Epoch = j.audit.declare()
	b := &batch{at: j.audit.size()}
	b.add(e, secret{salt: salts, body: bodyOf(event)})
	if err := j.private.hide(ctx, b.hidden); err != nil {
		return err
	}
	if err := j.audit.begin(b.texts[0]); err != nil {
		return err
	}
	return j.index.add(ctx, b.index)
}

// Forget destroys what tells who a person is: the salt of their pseudonym, the
// purposes and details of their entries, and those of others in which they are
// named by their id. Their entries stay, and the log holds.
func (j *Journal) Forget(ctx context.Context, person genesis.PersonID) error {
	person = whole(person, j.node)
	if person == "" {
		return &genesis.Error{Op: "forget person", Kind: genesis.Invalid, Msg: "nobody is named"}
	}
	if err := j.Append(ctx, Event{Act: "forget", Subject: "person:" + string(person)}); err != nil {
		return err
	}
	// What was recorded before is brought out of the write-ahead log, too.
	if _, err := j.wal.Rotate(); err != nil {
		return err
	}
	return j.seq.do(ctx, "forget person", func(ctx context.Context) error {
		if err := j.seq.drain(ctx); err != nil {
			return err
		}
		return j.forget(ctx, person)
	})
}

func (j *Journal) forget(ctx context.Context, person genesis.PersonID) error {
	name, known, err := j.private.find(ctx, person)
	if err != nil {
		return err
	}
	if !known {
		return j.forgetStated(ctx, person)
	}
	rows, err := j.index.read(ctx, "actor = $1", name)
	if err != nil {
		return err
	}
	more, err := j.index.read(ctx, "owner = $1", name)
	if err != nil {
		return err
	}
	var seqs []int64
	for _, c := range append(rows, more...) {
		seqs = append(seqs, c.seq)
	}
	if err := j.private.forget(ctx, person, j.node, seqs); err != nil {
		return err
	}
	return j.forgetStated(ctx, person)
}

// forgetStated destroys what was stated of things that are named after a person and does
// not hold any more: what does is in their name for as long as it is there.
func (j *Journal) forgetStated(ctx context.Context, person genesis.PersonID) error {
	own := string(genesis.OwnName(person, j.node, ""))
	return j.destroy(ctx, func(s Statement) bool { return strings.HasPrefix(string(s.Name), own) }, own)
}

// Close writes the closing entries of what is shared, brings everything into the
// log if it can, and closes the journal.
func (j *Journal) Close() error {
	var err error
	j.closing.Do(func() { err = j.close() })
	return err
}

func (j *Journal) close() error {
	j.shares.close()
	err := j.wal.Close()
	close(j.seq.stop)
	<-j.seq.ended
	if _, pushed, popped, stalled := j.queue.state(); pushed == popped && stalled == nil {
		err = errors.Join(err, j.wal.Remove(j.wal.Active()))
	}
	return errors.Join(err, j.closeFiles())
}

func (j *Journal) closeFiles() error {
	var err error
	if j.wal != nil {
		err = j.wal.Close()
	}
	if j.index != nil && j.index.db != nil {
		err = errors.Join(err, j.index.close())
	}
	if j.private != nil && j.private.db != nil {
		err = errors.Join(err, j.private.db.Close())
	}
	return err
}
