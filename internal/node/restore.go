//go:build linux || darwin

package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node/backup"
)

// CheckBackup reads a backup from end to end and keeps nothing. Unless want is
// empty, backup.json must have that digest. Errors as [backup.Extract].
func CheckBackup(ctx context.Context, from string, want genesis.Digest, p genesis.Progress) (*genesis.Restored, error) {
	m, digest, err := backup.Extract(ctx, from, homePaths{backup.Discard{}}, p)
	if err == nil {
		err = checkRestored(from, m, digest, want)
	}
	if err != nil {
		return nil, err
	}
	return restored(from, m, digest), nil
}

func restored(from string, m genesis.BackupManifest, digest genesis.Digest) *genesis.Restored {
	return &genesis.Restored{From: from, Digest: digest, Node: m.Node, Taken: m.Taken, Keys: m.Keys, Files: m.Count, Bytes: m.Bytes}
}

// Restore makes the home at path from a backup. The home must not exist, or be
// empty. Everything is copied beside it and checked; then the home appears by
// one rename. Errors as [CheckBackup]; Exists (something is there).
func Restore(ctx context.Context, from, home string, want genesis.Digest, p genesis.Progress) (*genesis.Restored, error) {
	home, err := vacant(home)
	if err != nil {
		return nil, err
	}
	s, err := newStage(home)
	if err != nil {
		return nil, err
	}
	defer s.close()
	m, digest, err := backup.Extract(ctx, from, homePaths{s}, p)
	if err == nil {
		err = checkRestored(from, m, digest, want)
	}
	if err == nil {
		err = s.finish(m, digest)
	}
	if err != nil {
		return nil, err
	}
	done := restored(from, m, digest)
	done.Home = home
	return done, nil
}

// checkRestored refuses a backup that is sound but is not what was asked for,
// or that this program cannot serve.
func checkRestored(from string, m genesis.BackupManifest, digest, want genesis.Digest) error {
	named := map[string]bool{}
	for _, f := range m.Files {
		named[f.Path] = true
	}
	switch {
	case want != "" && digest != want:
		return restoreError(from, genesis.Invalid, "is another backup: the digest of its manifest is "+string(digest), "")
	case m.HomeFormat > HomeFormat:
		return restoreError(from, genesis.Unsupported, fmt.Sprintf("is of a home of format %d, and this program knows %d", m.HomeFormat, HomeFormat),
			"use the Genesis that wrote it ("+m.Software+"), or a newer one")
	case !named["format"] || !named["catalog.db"]:
		return restoreError(from, genesis.Invalid, "is not the backup of a home: it has no format or catalog.db", "")
	}
	return nil
}

// vacant returns path, absolute, when a home can be put there.
func vacant(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", restoreError(path, genesis.Invalid, plain(err), "")
	}
	if err := checkFileSystem(abs); err != nil {
		return "", err
	}
	info, err := os.Lstat(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return abs, nil
	}
	if err != nil {
		return "", restoreError(path, genesis.Invalid, plain(err), "")
	}
	if !info.IsDir() {
		return "", occupied(path)
	}
	entries, err := os.ReadDir(abs)
	if err != nil || len(entries) > 0 {
		return "", occupied(path)
	}
	return abs, nil
}

func occupied(path string) error {
	return restoreError(path, genesis.Exists, "is not empty", "name a new folder with --home; restore never writes over what is there")
}

func restoreError(subject string, kind genesis.ErrorKind, msg, hint string) error {
	return &genesis.Error{Op: "restore", Kind: kind, Subject: subject, Msg: msg, Hint: hint}
}

// homePaths lets through the paths that a backup of a home has.
type homePaths struct{ backup.Sink }

func (h homePaths) Create(name string) (io.WriteCloser, error) {
	if transient(name) {
		return nil, restoreError(name, genesis.Invalid, "is not a file that a backup of a home has", "")
	}
	return h.Sink.Create(name)
}

// unfinished is the name of a file that keeps a stage from being taken for a
// home: [Home.checkForeign] does not know it.
const unfinished = "restoring"

// stage is a home being restored, in a folder beside its place. It holds the
// lock of the home it will be, so that a stage without a locked lock is one
// whose restore was killed.
type stage struct {
	home string
	path string
	root *os.Root
	lock *os.File
	dirs map[string]bool
}

func newStage(home string) (*stage, error) {
	parent := filepath.Dir(home)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, restoreError(parent, genesis.Invalid, "cannot be made: "+plain(err), "")
	}
	prefix := "." + filepath.Base(home) + ".restore-"
	removeStages(parent, prefix)
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, restoreError(parent, genesis.Permission, "cannot be written to: "+plain(err), "")
	}
	s := &stage{home: home, path: dir, dirs: map[string]bool{".": true}}
	if s.lock, err = (&Home{Path: dir}).takeLock(); err == nil {
		s.root, err = os.OpenRoot(dir)
	}
	if err == nil {
		err = s.write(unfinished, []byte("a backup is being restored here\n"))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// removeStages removes what restores that were killed left. What cannot be
// removed is in nobody's way.
func removeStages(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(parent, e.Name())
		if !strings.HasPrefix(e.Name(), prefix) || checkOwner(path) != nil {
			continue
		}
		lock, err := (&Home{Path: path}).takeLock()
		if err != nil {
			continue
		}
		_ = os.RemoveAll(path)
		lock.Close()
	}
}

// Create makes a file, and the folders it lies in.
func (s *stage) Create(name string) (io.WriteCloser, error) {
	if dir := path.Dir(name); !s.dirs[dir] {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		for ; !s.dirs[dir]; dir = path.Dir(dir) {
			s.dirs[dir] = true
		}
	}
	mode := fs.FileMode(0o600)
	if strings.HasPrefix(name, "blobs/") && name != "blobs/format" {
		mode = 0o400
	}
	f, err := s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return nil, err
	}
	return syncedFile{f}, nil
}

// syncedFile is on disk when it is closed.
type syncedFile struct{ *os.File }

func (f syncedFile) Close() error { return errors.Join(f.Sync(), f.File.Close()) }

func (s *stage) write(name string, b []byte) error {
	w, err := s.Create(name)
	if err != nil {
		return restoreError(name, genesis.Internal, plain(err), "")
	}
	_, err = w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		return restoreError(name, genesis.Internal, plain(err), "")
	}
	return nil
}

// finish puts the home in its place.
func (s *stage) finish(m genesis.BackupManifest, digest genesis.Digest) error {
	mark, err := json.Marshal(RestoredMark{Format: 1, Restored: time.Now().UTC(), Backup: digest, Taken: m.Taken, Checkpoints: m.Checkpoints})
	if err != nil {
		return err
	}
	if err := s.write("journal/"+restoredMark, append(mark, '\n')); err != nil {
		return err
	}
	for _, dir := range []string{"blobs", "keys", "tmp"} {
		if err := s.root.MkdirAll(dir, 0o700); err != nil {
			return restoreError(dir, genesis.Internal, plain(err), "")
		}
	}
	for dir := range s.dirs {
		if err := syncDir(filepath.Join(s.path, dir)); err != nil {
			return restoreError(dir, genesis.Internal, plain(err), "")
		}
	}
	if err := s.root.Remove(unfinished); err != nil {
		return restoreError(unfinished, genesis.Internal, plain(err), "")
	}
	// The place may be an empty folder, which goes: Remove takes no other.
	err = os.Remove(s.home)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = os.Rename(s.path, s.home)
	}
	switch {
	case errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, fs.ErrExist):
		return occupied(s.home)
	case err != nil:
		return restoreError(s.home, genesis.Internal, "cannot be put in place: "+err.Error(), "name a folder that is no mount point")
	}
	s.path = ""
	return syncDir(filepath.Dir(s.home))
}

// close removes what is left of a stage that did not become a home.
func (s *stage) close() {
	if s.root != nil {
		s.root.Close()
	}
	if s.path != "" {
		_ = os.RemoveAll(s.path)
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// restoredMark is a file in journal/ that says that the home was restored and
// has not been served since.
const restoredMark = "restored"

// RestoredMark is what that file says. When a node starts over a home that has
// it, the logs begin a new epoch that declares the last size they share with
// the old one, so that honest recovery differs from rewriting.
type RestoredMark struct {
	Format      int               `json:"format"`
	Restored    time.Time         `json:"restored"`
	Backup      genesis.Digest    `json:"backup"`                // of backup.json
	Taken       time.Time         `json:"taken"`                 // the moment the backup shows
	Checkpoints map[string]string `json:"checkpoints,omitempty"` // the last ones in it, by path
}

// DeclareRestored calls newEpoch with the reason when the home was restored and
// nobody declared it yet. The mark goes after newEpoch succeeded, so a crash
// between the two declares the same restore twice rather than never.
func (h *Home) DeclareRestored(ctx context.Context, newEpoch func(ctx context.Context, reason string) error) error {
	path := filepath.Join(h.Journal(), restoredMark)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var m RestoredMark
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return restoreError("journal/"+restoredMark, genesis.Internal, "cannot be read: "+plain(err), "restore the backup again")
	}
	reason := fmt.Sprintf("restored at %s from backup %s, which shows %s",
		m.Restored.Format(time.RFC3339), m.Backup, m.Taken.Format(time.RFC3339Nano))
	if err := newEpoch(ctx, reason); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return restoreError("journal/"+restoredMark, genesis.Internal, plain(err), "")
	}
	return syncDir(h.Journal())
}
