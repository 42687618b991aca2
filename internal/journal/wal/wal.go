package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

const (
	segmentSize = 16 << 20 // after so many bytes a new segment begins
	maxGroup    = 4 << 20  // bytes that wait for one sync
)

// Config is what a write-ahead log needs.
type Config struct {
	Dir  string
	Disk disk.Disk // nil: [disk.OS]
	// Deliver is given the values of each group once it is durable, in order and
	// before the writers are told.
	Deliver func(segment uint64, values []any)
}

// WAL is a write-ahead log. It is safe for concurrent use.
type WAL struct {
	cfg  Config
	work chan struct{} // holds something when there is work
	done chan struct{} // closed when the committer has ended

	mu      sync.Mutex
	next    *group // gathers
	closed  bool
	state   error  // why the last group was not written
	segment uint64 // that is, or will be, written to

	// of the committer
	file disk.File
	size int64
}

// group is the records that one sync makes durable.
type group struct {
	records [][]byte
	values  []any
	bytes   int
	rotate  bool // begin a new segment, also without a record
	probe   bool // sync, also without a record
	done    chan struct{}
	err     error // once done is closed
}

func newGroup() *group { return &group{done: make(chan struct{})} }

// Open reads the segments of a folder, which is made if it is missing, and
// begins to write behind them. The segments stay until [WAL.Remove]. Errors:
// Internal, naming segment and byte, when a record that was acknowledged cannot
// be read; Unsupported (newer format); Unavailable.
func Open(cfg Config) (*WAL, []Segment, error) {
	if cfg.Disk == nil {
		cfg.Disk = disk.OS
	}
	if err := disk.MkdirAll(cfg.Disk, cfg.Dir); err != nil {
		return nil, nil, disk.Error("open write-ahead log", cfg.Dir, err)
	}
	old, err := readSegments(cfg.Dir)
	if err != nil {
		return nil, nil, err
	}
	w := &WAL{cfg: cfg, work: make(chan struct{}, 1), done: make(chan struct{}), next: newGroup(), segment: 1}
	if n := len(old); n > 0 {
		w.segment = old[n-1].Number + 1
	}
	go w.commit()
	return w, old, nil
}

// Append makes a record durable and delivers value. Errors: Invalid (longer than
// [MaxRecord]); Unavailable, when it cannot be written or the log is closed;
// Canceled, after which the record may be durable or not.
func (w *WAL) Append(ctx context.Context, payload []byte, value any) error {
	if len(payload) > MaxRecord {
		return &genesis.Error{Op: "write ahead", Kind: genesis.Invalid, Msg: fmt.Sprintf("a record has %d bytes, and %d is the most", len(payload), MaxRecord)}
	}
	for {
		g, joined, err := w.join(payload, value)
		if err != nil {
			return err
		}
		select {
		case <-g.done:
		case <-ctx.Done():
			return &genesis.Error{Op: "write ahead", Kind: genesis.Canceled, Err: ctx.Err()}
		}
		if joined {
			return g.err
		}
	}
}

// join adds a record to the group that gathers, unless that is full.
func (w *WAL) join(payload []byte, value any) (*group, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, false, &genesis.Error{Op: "write ahead", Kind: genesis.Unavailable, Msg: "the node is stopping"}
	}
	g := w.next
	if g.bytes > maxGroup {
		return g, false, nil
	}
	g.records = append(g.records, payload)
	g.values = append(g.values, value)
	g.bytes += frameSize + len(payload)
	w.wake()
	return g, true, nil
}

func (w *WAL) wake() {
	select {
	case w.work <- struct{}{}:
	default:
	}
}

// Healthy reports why records cannot be written, or nil. When they could not be,
// it tries whether they can now.
func (w *WAL) Healthy() error {
	w.mu.Lock()
	if w.state == nil || w.closed {
		defer w.mu.Unlock()
		return w.state
	}
	g := w.next
	g.probe = true
	w.wake()
	w.mu.Unlock()
	<-g.done
	return g.err
}

// Rotate begins a new segment and returns its number: those before it are
// written to no more.
func (w *WAL) Rotate() (uint64, error) {
	w.mu.Lock()
	if w.closed {
		defer w.mu.Unlock()
		return w.segment, nil
	}
	g := w.next
	g.rotate = true
	w.wake()
	w.mu.Unlock()
	<-g.done
	return w.Active(), g.err
}

// Active returns the number of the segment that is written to.
func (w *WAL) Active() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.segment
}

// Remove removes the segments before one, the oldest first.
func (w *WAL) Remove(before uint64) error {
	numbers, err := listSegments(w.cfg.Dir)
	if err != nil {
		return err
	}
	removed := false
	for _, n := range numbers {
		if n >= min(before, w.Active()) {
			break
		}
		if err := w.cfg.Disk.Remove(filepath.Join(w.cfg.Dir, segmentName(n))); err != nil {
			return disk.Error("remove segment", segmentName(n), err)
		}
		removed = true
	}
	if !removed {
		return nil
	}
	return disk.Error("remove segment", w.cfg.Dir, w.cfg.Disk.SyncDir(w.cfg.Dir))
}

// Close writes what waits and ends. The segments stay.
func (w *WAL) Close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.work)
	}
	w.mu.Unlock()
	<-w.done
	return nil
}

// commit writes group after group.
func (w *WAL) commit() {
	defer close(w.done)
	for range w.work {
		w.mu.Lock()
		g := w.next
		w.next = newGroup()
		w.mu.Unlock()
		w.finish(g, w.write(g))
	}
	w.finish(w.next, w.write(w.next)) // who came just before the end
	if w.file != nil {
		w.leave() // so that it can be removed
	}
}

// finish tells the writers of a group.
func (w *WAL) finish(g *group, err error) {
	g.err = err
	w.mu.Lock()
	w.state = err
	segment := w.segment
	w.mu.Unlock()
	if err == nil && len(g.values) > 0 {
		w.cfg.Deliver(segment, g.values)
	}
	close(g.done)
}

// write makes a group durable.
func (w *WAL) write(g *group) error {
	if len(g.records) == 0 && !g.rotate && !g.probe {
		return nil
	}
	if w.file != nil && (w.size > segmentSize || g.rotate) {
		w.leave()
	}
	if w.file == nil {
		if err := w.begin(); err != nil {
			return disk.Error("write ahead", w.cfg.Dir, err)
		}
	}
	b := make([]byte, 0, g.bytes)
	for _, r := range g.records {
		b = appendFrame(b, w.segment, w.size+int64(len(b)), record, r)
	}
	_, err := w.file.Write(b)
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil {
		w.size += int64(len(b))
		// The mark needs no sync of its own: it has to be there when this
		// process is killed, and not when the power goes.
		b = appendFrame(nil, w.segment, w.size, mark, nil)
		_, err = w.file.Write(b)
		w.size += int64(len(b))
	}
	if err != nil {
		w.leave()
		return disk.Error("write ahead", w.cfg.Dir, err)
	}
	return nil
}

// leave gives the segment up.
func (w *WAL) leave() {
	w.file.Close() // what is to be kept of it was synced
	w.file = nil
	w.mu.Lock()
	w.segment++
	w.mu.Unlock()
}

// begin makes the segment that is written to.
func (w *WAL) begin() error {
	path := filepath.Join(w.cfg.Dir, segmentName(w.segment))
	f, err := w.cfg.Disk.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(binary.BigEndian.AppendUint64(bytes.Clone(header), w.segment))
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = w.cfg.Disk.SyncDir(w.cfg.Dir)
	}
	if err != nil {
		f.Close()
		w.cfg.Disk.Remove(path) // best effort: the next try empties it
		return err
	}
	w.file, w.size = f, headerSize
	return nil
}
