//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/node/backup"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work"
)

// copier makes backups of a home while it is served.
//
// The order makes the copy consistent without stopping anybody. First the SQL
// database, as it is at one moment. Then the journal: what was acknowledged up to
// that moment is in it, and what came later does no harm, because entries are
// known by their ids. Then the blobs: those that the moment refers to were there
// before it, and blobs never change. What somebody erases meanwhile may be
// missing: then the backup says so instead of looking whole.
type copier struct {
	home    *Home
	db      *store.DB
	blobs   *blob.Store
	journal *journal.Journal
	one     sync.Mutex // one backup at a time
}

// backUpOf returns the function by which work makes backups.
func backUpOf(h *Home, c *work.Config) func(context.Context, genesis.BackupRequest, genesis.Progress) (*genesis.Backup, error) {
	return (&copier{home: h, db: c.DB, blobs: c.Blobs, journal: c.Journal}).backUp
}

// backUp copies the home to req.Path. Errors: Invalid (a path in the home),
// Exists, Conflict (another backup is being made; something was erased
// meanwhile), Internal (the home is damaged), Unavailable (no room), Permission.
func (c *copier) backUp(ctx context.Context, req genesis.BackupRequest, p genesis.Progress) (*genesis.Backup, error) {
	if !c.one.TryLock() {
		return nil, backupError(req.Path, genesis.Conflict, "another backup of this home is being made", "wait for it to end")
	}
	defer c.one.Unlock()
	to, err := c.destination(req.Path)
	if err != nil {
		return nil, err
	}
	w, err := backup.Create(to, c.home.Path)
	if err != nil {
		return nil, err
	}
	r := &backupRun{copier: c, ctx: ctx, req: req, w: w, p: p, manifest: genesis.BackupManifest{
		Software: genesis.Build().String(), Node: c.home.Config.Node, Home: c.home.Path, HomeFormat: HomeFormat, Keys: !req.NoKeys,
		Checkpoints: map[string]string{},
	}}
	done, err := r.run()
	if err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return &done, nil
}

// destination returns path without symbolic links, if a backup may go there.
func (c *copier) destination(given string) (string, error) {
	to := filepath.Clean(given)
	if !filepath.IsAbs(to) {
		return "", backupError(given, genesis.Invalid, "is not an absolute path", "")
	}
	above := existing(to)
	real, err := filepath.EvalSymlinks(above)
	if err != nil {
		return "", backupError(given, genesis.Invalid, "cannot be found: "+plain(err), "")
	}
	to = filepath.Join(real, strings.TrimPrefix(to, above))
	if within(c.home.Path, to) || within(to, c.home.Path) {
		return "", backupError(given, genesis.Invalid, "lies in the home, or the home in it", "name a place outside of the home, best on another disk")
	}
	return to, nil
}

// within reports whether path is dir or lies in it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func backupError(subject string, kind genesis.ErrorKind, msg, hint string) error {
	return &genesis.Error{Op: "back up", Kind: kind, Subject: subject, Msg: msg, Hint: hint}
}

// backupRun is one backup being made.
type backupRun struct {
	*copier
	ctx      context.Context
	req      genesis.BackupRequest
	w        *backup.Writer
	p        genesis.Progress
	manifest genesis.BackupManifest
	done     int64
	total    int64
}

func (r *backupRun) run() (genesis.Backup, error) {
	temp, err := r.temp()
	if err != nil {
		return genesis.Backup{}, err
	}
	defer os.RemoveAll(temp)
	sql := filepath.Join(temp, "catalog.db")
	r.p.Send(genesis.Event{Stage: "copying the catalogue", Unit: "bytes"})
	r.manifest.Taken = time.Now().UTC()
	if err := r.db.Copy(r.ctx, sql); err != nil {
		return genesis.Backup{}, err
	}
	for _, step := range []func() error{
		func() error { return r.file(sql, "catalog.db") },
		func() error { return r.copyJournal(temp) },
		r.rest,
		func() error { return r.content(sql) },
	} {
		if err := step(); err != nil {
			return genesis.Backup{}, err
		}
	}
	return r.w.Commit(r.manifest)
}

// temp makes a folder for the copy of the database, and removes those of
// backups that were killed.
func (r *backupRun) temp() (string, error) {
	old, _ := filepath.Glob(filepath.Join(r.home.Temp(), "backup-*")) // the pattern is sound
	for _, dir := range old {
		if err := os.RemoveAll(dir); err != nil {
			return "", backupError(dir, genesis.Internal, plain(err), "")
		}
	}
	if err := os.MkdirAll(r.home.Temp(), 0o700); err != nil {
		return "", backupError(r.home.Temp(), genesis.Internal, plain(err), "")
	}
	dir, err := os.MkdirTemp(r.home.Temp(), "backup-")
	if err != nil {
		return "", backupError(r.home.Temp(), genesis.Internal, plain(err), "is there room on the disk?")
	}
	return dir, nil
}

// transient reports whether a file of a home is not part of a backup: work in
// progress, sockets, the lock, what is derived from the rest, and what is
// copied in another way.
func transient(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	switch {
	case top == "tmp" || top == "lock" || top == "restoring" || top == "lost+found":
		return true
	case strings.HasSuffix(top, ".sock") || strings.HasPrefix(top, ".genesis-") || strings.HasPrefix(top, "catalog.db-") || strings.HasPrefix(top, "catalog.db."):
		return true
	case name == "journal/"+restoredMark || strings.HasPrefix(name, "journal/index.db"):
		return true
	}
	return false
}

// apart reports whether a file of a home is copied by a step of its own.
func apart(name string) bool {
	top, _, _ := strings.Cut(name, "/")
	return top == "catalog.db" || top == "journal"
}

// isShard reports whether a folder is one of those the blobs lie in.
func isShard(name string) bool { return strings.HasPrefix(name, "blobs/") }

// rest copies what no other step does: format, configuration, keys, and what
// later versions may keep in a home.
func (r *backupRun) rest() error {
	return walk(r.home.Path, "", func(name string) error {
		if apart(name) || r.req.NoKeys && strings.HasPrefix(name, "keys/") {
			return nil
		}
		return r.file(filepath.Join(r.home.Path, name), name)
	})
}

// walk calls visit for every regular file under a folder of a home that belongs
// to a backup. Links are followed: a home may have its journal or its keys on
// another disk. What is removed meanwhile is passed over.
func walk(home, name string, visit func(name string) error) error {
	entries, err := os.ReadDir(filepath.Join(home, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return backupError(name, genesis.Internal, plain(err), "")
	}
	for _, e := range entries {
		child := path.Join(name, e.Name())
		if transient(child) {
			continue
		}
		if err := walkEntry(home, child, visit); err != nil {
			return err
		}
	}
	return nil
}

func walkEntry(home, name string, visit func(name string) error) error {
	info, err := os.Stat(filepath.Join(home, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return backupError(name, genesis.Internal, plain(err), "")
	case info.IsDir() && strings.Count(name, "/") > 30:
		return backupError(name, genesis.Invalid, "lies too deep: does a link lead back up?", "")
	case info.IsDir() && !isShard(name):
		return walk(home, name, visit)
	case info.Mode().IsRegular():
		return visit(name)
	}
	return nil
}

// file copies one file as long as it is now: it may grow meanwhile.
func (r *backupRun) file(from, name string) error {
	f, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return backupError(name, genesis.Internal, plain(err), "")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return backupError(name, genesis.Internal, plain(err), "")
	}
	return r.w.Add(r.ctx, backup.File{Path: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return f, nil }}, nil)
}

// copyJournal copies the logs. What was acknowledged before the moment that the
// database's copy shows is in them.
func (r *backupRun) copyJournal(temp string) error {
	r.p.Send(genesis.Event{Stage: "copying the journal", Unit: "bytes"})
	return r.journal.Copy(r.ctx, temp, func(from, name string) error {
		name = "journal/" + name
		if path.Base(name) == "checkpoint" {
			return r.checkpoint(from, name)
		}
		return r.file(from, name)
	})
}

// maxCheckpoint bounds what backup.json repeats of a checkpoint.
const maxCheckpoint = 16 << 10

func (r *backupRun) checkpoint(from, name string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return backupError(name, genesis.Internal, plain(err), "")
	}
	if len(b) <= maxCheckpoint {
		r.manifest.Checkpoints[name] = string(b)
	}
	return r.w.Add(r.ctx, backup.File{Path: name, Size: int64(len(b)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}, nil)
}
