package tile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opengenesis/genesis"
	"golang.org/x/mod/sumdb/tlog"
)

// Broken is the error of a log that does not hold.
type Broken struct {
	Entry int64  // the first entry that does not hold
	Msg   string // why, in one sentence without a full stop
}

func (b *Broken) Error() string { return fmt.Sprintf("entry %d: %s", b.Entry, b.Msg) }

// Verified is what was checked.
type Verified struct {
	Checkpoint Checkpoint // the latest one
	Checked    int64      // entries whose hashes were computed anew
}

// Verify computes the tree anew from the entries, from number since on, and
// compares it with every tile, with the latest checkpoint and with those kept
// before. each, if not nil, is shown every entry and may refuse it with a
// *Broken. Errors: *Broken, naming the first entry that does not hold; Canceled.
func (l *Log) Verify(ctx context.Context, since int64, each func(i int64, entry []byte) error) (Verified, error) {
	v := verifier{log: l, ctx: ctx, each: each}
	var done Verified
	if err := v.start(since); err != nil {
		return done, err
	}
	done.Checkpoint = v.last
	for v.tree.size < v.last.Size {
		if ctx.Err() != nil {
			return done, &genesis.Error{Op: "verify log", Kind: genesis.Canceled, Subject: l.cfg.Origin, Err: ctx.Err()}
		}
		err := v.bundle()
		done.Checked = v.tree.size - v.since
		if err != nil {
			return done, err
		}
	}
	return done, v.finish()
}

// verifier is one run of Verify.
type verifier struct {
	log   *Log
	ctx   context.Context
	each  func(int64, []byte) error
	since int64
	tree  tree
	last  Checkpoint
	kept  map[int64]Checkpoint
	edge  map[string][]byte // the partial files, as they lay on disk
}

// start reads what must be read at one moment, and the tree before since.
func (v *verifier) start(since int64) error {
	l := v.log
	l.edge.RLock()
	defer l.edge.RUnlock()
	t, _ := l.now()
	v.last = Checkpoint{Origin: l.cfg.Origin, Size: t.size, Root: t.root()}
	v.edge = map[string][]byte{}
	for _, f := range t.partial() {
		b, err := readFile(l.path(f.path()))
		if err != nil {
			return &Broken{f.first(), fmt.Sprintf("%s cannot be read", f.path())}
		}
		v.edge[f.path()] = b
	}
	if err := v.checkpoints(); err != nil {
		return err
	}
	return v.before(min(max(since, 0), t.size) / Width * Width)
}

// before takes the tree over the entries that are not computed anew from the
// tiles, which must agree with the checkpoints kept of them.
func (v *verifier) before(since int64) error {
	for size, c := range v.kept {
		if size > since {
			continue
		}
		if t, err := v.log.treeAt(size); err != nil || t.root() != c.Root {
			return &Broken{v.covered(size), fmt.Sprintf("the tiles are not those of which a checkpoint of %d entries was signed", size)}
		}
	}
	var err error
	v.since = since
	if v.tree, err = v.log.treeAt(since); err != nil {
		return &Broken{since, "the tiles before it cannot be read: " + err.Error()}
	}
	return nil
}

// first is the first entry whose hash is in f.
func (f file) first() int64 { return f.n << (8 * (max(f.level, 0) + 1)) }

// checkpoints reads the latest checkpoint and those kept. What a checkpoint says
// that is wrong may be wrong of every entry that the last good one does not cover.
func (v *verifier) checkpoints() error {
	l := v.log
	sizes, strange, err := l.keptSizes()
	if err != nil {
		return &Broken{0, err.Error()}
	}
	if len(strange) > 0 {
		return &Broken{0, fmt.Sprintf("%s is not the name of a checkpoint", strange[0])}
	}
	v.kept = map[int64]Checkpoint{}
	covered := int64(0)
	for _, size := range sizes {
		c, err := v.checkpoint(keptName(size))
		if err == nil && c.Size != size {
			err = fmt.Errorf("%s speaks of %d entries", keptName(size), c.Size)
		}
		if err == nil && size > v.last.Size {
			return &Broken{v.last.Size, fmt.Sprintf("it is missing: a checkpoint of %d entries was signed", size)}
		}
		if err != nil {
			return &Broken{covered, err.Error()}
		}
		v.kept[size] = c
		covered = size
	}
	c, err := v.checkpoint("checkpoint")
	if err == nil && c != v.last {
		err = errors.New("the checkpoint is not the one this node signed last")
	}
	if err != nil {
		return &Broken{covered, err.Error()}
	}
	return nil
}

func (v *verifier) checkpoint(name string) (Checkpoint, error) {
	msg, err := os.ReadFile(v.log.path(name))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%s cannot be read", name)
	}
	c, err := v.log.read(name, msg)
	var e *genesis.Error
	if errors.As(err, &e) {
		return c, fmt.Errorf("%s: %s", name, e.Msg)
	}
	return c, nil
}

// bundle adds the entries of the next bundle.
func (v *verifier) bundle() error {
	n := v.tree.size / Width
	width := int(min(v.last.Size-v.tree.size, Width))
	name := Path(entries, n, width)
	b, err := v.file(name)
	if err != nil {
		return &Broken{n * Width, fmt.Sprintf("%s cannot be read", name)}
	}
	hashes, err := v.file(Path(0, n, width))
	if err != nil {
		return &Broken{n * Width, fmt.Sprintf("%s cannot be read", Path(0, n, width))}
	}
	all, whole := SplitBundle(b, width)
	for _, e := range all {
		if err := v.add(e, hashes); err != nil {
			return err
		}
	}
	if !whole {
		return &Broken{min(v.tree.size, n*Width+int64(width)-1), fmt.Sprintf("%s is damaged from there on", name)}
	}
	return nil
}

// file reads a file as it is now, or as it was at the start if it is at the edge.
func (v *verifier) file(name string) ([]byte, error) {
	if b, ok := v.edge[name]; ok {
		return b, nil
	}
	return readFile(v.log.path(name))
}

// add adds one entry, whose hash must be in the tile, and compares the files
// that become full.
func (v *verifier) add(entry, tile []byte) error {
	i := v.tree.size
	h := tlog.RecordHash(entry)
	at := int(i%Width) * tlog.HashSize
	if len(tile) < at+tlog.HashSize || !bytes.Equal(tile[at:at+tlog.HashSize], h[:]) {
		return &Broken{i, "it does not have the hash that the log keeps of it"}
	}
	if v.each != nil {
		if err := v.each(i, entry); err != nil {
			return err
		}
	}
	var err error
	v.tree.add(entry, func(f file) {
		if err == nil {
			err = v.compare(f)
		}
	})
	if err != nil {
		return err
	}
	if c, ok := v.kept[v.tree.size]; ok && v.tree.root() != c.Root {
		return &Broken{v.covered(c.Size), fmt.Sprintf("the log is not the one of which a checkpoint of %d entries was signed", c.Size)}
	}
	return nil
}

// covered is the size of the last kept checkpoint before size.
func (v *verifier) covered(size int64) int64 {
	best := int64(0)
	for s := range v.kept {
		if s < size {
			best = max(best, s)
		}
	}
	return best
}

// compare compares a file that the entries yield with the one that is there.
func (v *verifier) compare(f file) error {
	have, err := v.file(f.path())
	if err != nil {
		return &Broken{f.first(), fmt.Sprintf("%s cannot be read", f.path())}
	}
	if bytes.Equal(have, f.data) {
		return v.above(f)
	}
	same := 0
	for same < min(len(have), len(f.data)) && have[same] == f.data[same] {
		same++
	}
	if f.level == entries {
		return &Broken{f.first(), fmt.Sprintf("%s is not made of its entries", f.path())}
	}
	first := (f.n*Width + min(int64(same/tlog.HashSize), int64(f.width)-1)) << (8 * f.level)
	return &Broken{first, fmt.Sprintf("the hash over it in %s is another", f.path())}
}

// above compares the hash of a full tile with the one that the tile above keeps
// of it, at once and not when that is full itself, so that what is named is near.
func (v *verifier) above(f file) error {
	if f.level == entries || f.width < Width {
		return nil
	}
	name := Path(f.level+1, f.n/Width, int(min(v.last.Size>>(8*(f.level+1))-f.n/Width*Width, Width)))
	b, err := v.file(name)
	at := int(f.n%Width) * tlog.HashSize
	h := subtree(cut(f.data))
	if err != nil || len(b) < at+tlog.HashSize || !bytes.Equal(b[at:at+tlog.HashSize], h[:]) {
		return &Broken{f.first(), fmt.Sprintf("the hash over it in %s is another: it, or one after it in %s, was changed", name, f.path())}
	}
	return nil
}

// finish compares the edge and the root.
func (v *verifier) finish() error {
	for _, f := range v.tree.partial() {
		if err := v.compare(f); err != nil {
			return err
		}
	}
	if v.tree.root() != v.last.Root {
		return &Broken{v.covered(v.last.Size), "the entries do not have the root hash of the checkpoint"}
	}
	return nil
}
