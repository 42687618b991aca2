package tile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Append appends entries to a log of at entries. When it returns nil they are
// durable and under the checkpoint. After an error, which is Unavailable, it may
// be called again with the same entries and no others, any number of times: the
// checkpoint may have been put in place though the disk did not say so. Only one
// caller may append at a time. Errors: Conflict, when the log has another size;
// Invalid, for an entry longer than [MaxEntry].
func (l *Log) Append(at int64, all [][]byte) error {
	now, _ := l.now()
	if now.size != at {
		return &genesis.Error{Op: "append to log", Kind: genesis.Conflict, Subject: l.cfg.Origin,
			Msg: fmt.Sprintf("it has %d entries and not %d", now.size, at)}
	}
	grown := now.clone()
	var files []file
	for _, e := range all {
		if len(e) > MaxEntry {
			return &genesis.Error{Op: "append to log", Kind: genesis.Invalid, Subject: l.cfg.Origin,
				Msg: fmt.Sprintf("an entry has %d bytes, and %d is the most", len(e), MaxEntry)}
		}
		grown.add(e, func(f file) { files = append(files, f) })
	}
	if len(all) == 0 {
		return nil
	}
	if err := l.write(append(files, grown.partial()...)); err != nil {
		return disk.Error("append to log", l.cfg.Origin, err)
	}
	l.edge.Lock()
	defer l.edge.Unlock()
	if err := l.publish(grown); err != nil {
		return err
	}
	l.sweep(now, grown)
	return nil
}

// write writes files durably, names included.
func (l *Log) write(files []file) error {
	dirs := map[string]bool{}
	for _, f := range files {
		name := l.path(f.path())
		dir := filepath.Dir(name)
		if !l.made[dir] {
			if err := disk.MkdirAll(l.cfg.Disk, dir); err != nil {
				return err
			}
			l.made[dir] = true
		}
		dirs[dir] = true
		if err := disk.Replace(l.cfg.Disk, name, f.data); err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := l.cfg.Disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// publish signs the checkpoint of a tree whose files are durable, and puts it in
// place.
func (l *Log) publish(t tree) error {
	c := Checkpoint{Origin: l.cfg.Origin, Size: t.size, Root: t.root()}
	msg, err := c.sign(l.cfg.Signer)
	if err != nil {
		return &genesis.Error{Op: "sign checkpoint", Kind: genesis.Internal, Subject: l.cfg.Origin, Err: err}
	}
	err = disk.Replace(l.cfg.Disk, l.path("checkpoint"), msg)
	if err == nil {
		err = l.cfg.Disk.SyncDir(l.cfg.Dir)
	}
	if err != nil {
		return disk.Error("sign checkpoint", l.cfg.Origin, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tree, l.checkpoint = t, msg
	l.keep(c, msg)
	return nil
}

// keep keeps a checkpoint to check the log against later: when the log has
// doubled, or the last one is a day old. That it is not written harms nothing.
func (l *Log) keep(c Checkpoint, msg []byte) {
	if c.Size < 2*l.kept.Size && time.Since(l.keptAt) < 24*time.Hour || c.Size == l.kept.Size && c.Size > 0 {
		return
	}
	name := l.path(keptName(c.Size))
	if err := disk.Replace(l.cfg.Disk, name, msg); err == nil {
		l.kept, l.keptAt = c, time.Now()
	}
}

// keptName sorts by size.
func keptName(size int64) string { return fmt.Sprintf("checkpoints/%020d", size) }

// keptSizes returns the sizes for which a checkpoint was kept, ascending, and
// names that are none.
func (l *Log) keptSizes() (sizes []int64, strange []string, err error) {
	found, err := os.ReadDir(l.path("checkpoints"))
	if err != nil {
		return nil, nil, l.damaged("checkpoints", "the folder cannot be read", err)
	}
	for _, f := range found {
		size, err := strconv.ParseInt(f.Name(), 10, 64)
		switch {
		case filepath.Ext(f.Name()) == disk.Temporary:
		case err != nil || "checkpoints/"+f.Name() != keptName(size):
			strange = append(strange, "checkpoints/"+f.Name())
		default:
			sizes = append(sizes, size)
		}
	}
	return sizes, strange, nil
}

// latestKept finds the latest checkpoint that was kept.
func (l *Log) latestKept() error {
	sizes, _, err := l.keptSizes()
	if err != nil || len(sizes) == 0 {
		return err
	}
	l.kept.Size = sizes[len(sizes)-1]
	if info, err := os.Stat(l.path(keptName(l.kept.Size))); err == nil {
		l.keptAt = info.ModTime()
	}
	return nil
}

// sweep removes the partial files that others have taken the place of. What it
// cannot remove lies there unused.
func (l *Log) sweep(before, after tree) {
	current := map[string]bool{}
	for _, f := range after.partial() {
		current[f.path()] = true
	}
	for _, f := range before.partial() {
		if !current[f.path()] {
			l.cfg.Disk.Remove(l.path(f.path()))
		}
		if f.n < after.size>>(8*(max(f.level, 0)+1)) { // it is full now
			l.removeAll(Path(f.level, f.n, Width) + ".p")
		}
	}
}

// removeAll removes a folder of partial files, with what crashes left in it.
func (l *Log) removeAll(dir string) {
	found, err := os.ReadDir(l.path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, f := range found {
		l.cfg.Disk.Remove(filepath.Join(l.path(dir), f.Name()))
	}
	l.cfg.Disk.Remove(l.path(dir))
	delete(l.made, l.path(dir))
}
