package journal

import (
	"context"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Copy calls add for each file of a copy of the journal, with where to read it
// now and its name in the journal's folder. Everything that was acknowledged
// before Copy was called is in the copy. temp is an empty folder for a copy of
// private.db. The index is left out: it is made anew from the log.
//
// A log grows by replacing its checkpoint and its partial tiles, and write-ahead
// segments go once their events are in it: those are copied while the sequencer
// stands still. Nobody waits for that, since events are acknowledged by the
// write-ahead log. Full tiles never change. private.db comes last, so that it
// knows every entry; what it knows of later ones is dropped when the copy is
// opened. Errors: those of add; Internal, Unavailable, Canceled.
func (j *Journal) Copy(ctx context.Context, temp string, add func(from, name string) error) error {
	var full []string
	// Not the caller's context: the job must have ended when this returns.
	err := j.seq.do(context.WithoutCancel(ctx), "copy journal", func(context.Context) error {
		moving, lasting, err := j.files()
		full = lasting
		for _, name := range moving {
			if err == nil {
				err = add(filepath.Join(j.dir, filepath.FromSlash(name)), name)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range full {
		if err := add(filepath.Join(j.dir, filepath.FromSlash(name)), name); err != nil {
			return err
		}
	}
	private := filepath.Join(temp, privateFile)
	if err := j.private.db.Copy(ctx, private); err != nil {
		return err
	}
	return add(private, privateFile)
}

// files lists the files of a copy: those that may be replaced or removed, the
// write-ahead log first, and full tiles.
func (j *Journal) files() (moving, full []string, err error) {
	tops := []string{walFolder, auditLog}
	for _, one := range j.catalogues.all() {
		tops = append(tops, one.log.name)
	}
	for _, top := range tops {
		root := filepath.Join(j.dir, top)
		err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(p) == disk.Temporary {
				return err
			}
			name := path.Join(top, filepath.ToSlash(strings.TrimPrefix(p, root)))
			if top == walFolder || !isFullTile(name) {
				moving = append(moving, name)
			} else {
				full = append(full, name)
			}
			return nil
		})
		if err != nil {
			return nil, nil, disk.Error("copy journal", root, err)
		}
	}
	return moving, full, nil
}

// isFullTile reports whether a file of a log is a tile or bundle that is full.
func isFullTile(name string) bool {
	return strings.Contains(name, "/tile/") && !strings.Contains(name, ".p/")
}
