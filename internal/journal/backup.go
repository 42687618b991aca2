package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Backup copies the logs and what is kept beside them to a folder, from which a
// journal opens. The index is left out: it is made anew. The signing key is not
// part of it. Copy the catalogue's database before: an event that its outbox
// still has then is found in the log by its id, and none falls between the two.
// After a restore, begin a [Journal.NewEpoch]. Errors: Exists (the folder has a
// log already); Unavailable; Canceled.
func (j *Journal) Backup(ctx context.Context, to string) error {
	if _, err := os.Stat(filepath.Join(to, auditLog)); err == nil {
		return &genesis.Error{Op: "back up journal", Kind: genesis.Exists, Subject: to, Msg: "there is a journal already"}
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return disk.Error("back up journal", to, err)
	}
	// Full tiles never change: they are copied while the journal goes on.
	logs := []*series{j.audit, j.catalogue.log}
	for _, s := range logs {
		if err := copyLog(ctx, s.dir, filepath.Join(to, s.name), false); err != nil {
			return err
		}
	}
	return j.seq.do(ctx, "back up journal", func(ctx context.Context) error {
		if err := j.seq.drain(ctx); err != nil {
			return err
		}
		for _, s := range logs {
			if err := copyLog(ctx, s.dir, filepath.Join(to, s.name), true); err != nil {
				return err
			}
		}
		return j.private.db.Backup(ctx, filepath.Join(to, privateFile))
	})
}

// copyLog copies the files of a log that are not there yet: its full tiles, and
// at the end those that change, too.
func copyLog(ctx context.Context, from, to string, end bool) error {
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, from)
		changes := filepath.Base(name) == "checkpoint" || strings.Contains(name, ".p") || strings.Contains(name, "checkpoints")
		switch {
		case err != nil && !end && errors.Is(err, fs.ErrNotExist):
			return nil // a partial tile that became full
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		case strings.HasSuffix(name, disk.Temporary) || changes && !end:
			return nil
		}
		if _, err := os.Stat(filepath.Join(to, name)); err == nil {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return disk.Replace(disk.OS, filepath.Join(to, name), b)
	})
	if ctx.Err() != nil {
		return &genesis.Error{Op: "back up journal", Kind: genesis.Canceled, Err: ctx.Err()}
	}
	return disk.Error("back up journal", to, err)
}
