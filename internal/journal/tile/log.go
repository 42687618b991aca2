package tile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Config is what a log needs.
type Config struct {
	Dir    string
	Origin string      // first line of the checkpoint; also the name of the key
	Signer note.Signer // Ed25519
	Verify note.Verifier
	Disk   disk.Disk // nil: [disk.OS]
}

// Log is a transparency log in a folder. It has one writer, and any number of
// readers at the same time.
type Log struct {
	cfg Config

	mu         sync.RWMutex // held while the fields below change
	tree       tree         // replaced, never changed
	checkpoint []byte
	kept       Checkpoint // the latest one in checkpoints/
	keptAt     time.Time

	edge sync.RWMutex // held for writing while partial files are replaced
	made map[string]bool
}

// Open opens the log in a folder, and makes it if there is none. It checks the
// signature of the checkpoint and that the files at the edge have its root; the
// rest is checked by [Log.Verify]. Errors: Internal, naming the file that is
// wrong; Unavailable.
func Open(cfg Config) (*Log, error) {
	if cfg.Disk == nil {
		cfg.Disk = disk.OS
	}
	l := &Log{cfg: cfg, made: map[string]bool{}}
	msg, err := os.ReadFile(l.path("checkpoint"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, l.create()
	}
	if err != nil {
		return nil, disk.Error("open log", l.path("checkpoint"), err)
	}
	c, err := l.read("checkpoint", msg)
	if err != nil {
		return nil, err
	}
	l.tree.size, l.checkpoint = c.Size, msg // from here on the files of this size are read
	if l.tree, err = l.treeAt(c.Size); err != nil {
		return nil, err
	}
	if l.tree.root() != c.Root {
		return nil, l.damaged("checkpoint", "the tiles at the end of the log do not have its root hash", nil)
	}
	return l, l.latestKept()
}

func (l *Log) path(name string) string { return filepath.Join(l.cfg.Dir, filepath.FromSlash(name)) }

func (l *Log) damaged(file, msg string, err error) error {
	return &genesis.Error{Op: "read log", Kind: genesis.Internal, Subject: l.path(file), Msg: msg, Err: err,
		Hint: "somebody or the disk changed it: compare it with a backup of the home"}
}

// create signs the checkpoint of an empty log. Where there are entries, somebody
// took the checkpoint away.
func (l *Log) create() error {
	if _, err := os.Stat(l.path(Path(0, 0, Width))); err == nil {
		return l.damaged("checkpoint", "it is missing, and there are entries", nil)
	}
	if all, _ := os.ReadDir(l.path("checkpoints")); len(all) > 1 {
		return l.damaged("checkpoint", "it is missing, and earlier ones are there", nil)
	}
	if err := disk.MkdirAll(l.cfg.Disk, l.path("checkpoints")); err != nil {
		return disk.Error("open log", l.cfg.Dir, err)
	}
	return l.publish(tree{})
}

// read reads a checkpoint of this log. It must be, byte for byte, what the log
// signs.
func (l *Log) read(file string, msg []byte) (Checkpoint, error) {
	c, err := ReadCheckpoint(msg, l.cfg.Verify)
	if err != nil {
		return c, l.damaged(file, err.(*genesis.Error).Msg, err)
	}
	if c.Origin != l.cfg.Origin {
		return c, l.damaged(file, fmt.Sprintf("its origin is %q and not %q", c.Origin, l.cfg.Origin), nil)
	}
	if want, err := c.sign(l.cfg.Signer); err != nil || string(want) != string(msg) {
		return c, l.damaged(file, "it is not what this node signed", err)
	}
	return c, nil
}

// treeAt reads the edge of the log as it was when it had size entries, with the
// bundle checked against its hashes.
func (l *Log) treeAt(size int64) (tree, error) {
	t := tree{size: size}
	for level := 0; size>>(8*level) > 0; level++ {
		n, width := size>>(8*(level+1)), int(size>>(8*level)%Width)
		b, err := l.prefix(level, n, width)
		if err != nil {
			return t, err
		}
		t.levels = append(t.levels, cut(b))
	}
	width := int(size % Width)
	if width == 0 {
		return t, nil
	}
	all, err := l.bundle(size/Width, width, t.levels[0])
	if err != nil {
		return t, err
	}
	for _, e := range all {
		t.bundle = append(t.bundle, byte(len(e)>>8), byte(len(e)))
		t.bundle = append(t.bundle, e...)
	}
	return t, nil
}

// prefix reads the first hashes of a tile.
func (l *Log) prefix(level int, n int64, width int) ([]byte, error) {
	if width == 0 {
		return nil, nil
	}
	b, name, err := l.stored(level, n)
	if err != nil {
		return nil, err
	}
	if len(b) < width*tlog.HashSize {
		return nil, l.damaged(name, "it is too short", nil)
	}
	return b[:width*tlog.HashSize], nil
}

// stored reads the one file in which a tile is kept: full, or as wide as it is
// now. Others that may lie there are left from a crash.
func (l *Log) stored(level int, n int64) ([]byte, string, error) {
	have := l.Size()>>(8*max(level, 0)) - n*Width
	name := Path(level, n, int(min(have, Width)))
	b, err := readFile(l.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, name, l.damaged(name, "it is missing", err)
	}
	return b, name, disk.Error("read log", l.path(name), err)
}

// maxFile is the size of the largest bundle there can be.
const maxFile = Width * (2 + MaxEntry)

// readFile reads a file that is not longer than a tile can be.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("it has %d bytes and can have %d at most", info.Size(), maxFile)
	}
	return os.ReadFile(name)
}

// bundle reads the first entries of a bundle, and checks them against their
// hashes.
func (l *Log) bundle(n int64, width int, hashes []tlog.Hash) ([][]byte, error) {
	b, name, err := l.stored(entries, n)
	if err != nil {
		return nil, err
	}
	all, _ := SplitBundle(b, width)
	for i, e := range all {
		if tlog.RecordHash(e) != hashes[i] {
			return nil, l.damaged(name, fmt.Sprintf("entry %d does not have its hash", n*Width+int64(i)), nil)
		}
	}
	if len(all) < width {
		return nil, l.damaged(name, fmt.Sprintf("entry %d cannot be read", n*Width+int64(len(all))), nil)
	}
	return all, nil
}

// Origin returns the first line of the log's checkpoints.
func (l *Log) Origin() string { return l.cfg.Origin }

// now returns the tree and the checkpoint as they are.
func (l *Log) now() (tree, []byte) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.tree, l.checkpoint
}

// Size returns the number of entries.
func (l *Log) Size() int64 {
	t, _ := l.now()
	return t.size
}

// Root returns the root hash.
func (l *Log) Root() tlog.Hash {
	t, _ := l.now()
	return t.root()
}

// Checkpoint returns the latest signed note. It is durable.
func (l *Log) Checkpoint() []byte {
	_, c := l.now()
	return c
}

// Entries returns the entries of bundle n, all that there are. Errors: NotFound;
// Internal, when they do not have their hashes.
func (l *Log) Entries(n int64) ([][]byte, error) {
	t, _ := l.now()
	switch {
	case n < 0 || n*Width >= t.size:
		return nil, &genesis.Error{Op: "read log", Kind: genesis.NotFound, Subject: l.path(Path(entries, max(n, 0), Width)), Msg: "the log is not that long"}
	case n == t.size/Width:
		all, _ := SplitBundle(t.bundle, int(t.size%Width))
		return all, nil
	}
	b, err := l.prefix(0, n, Width)
	if err != nil {
		return nil, err
	}
	return l.bundle(n, Width, cut(b))
}

// Tile returns a tile, or with level −1 a bundle of entries, as a reader asks
// for it who knows any checkpoint of the log. Errors: NotFound, Internal.
func (l *Log) Tile(level int, n int64, width int) ([]byte, error) {
	missing := &genesis.Error{Op: "read log", Kind: genesis.NotFound, Subject: "tile", Msg: "the log has no such tile"}
	if level < entries || level > 7 || n < 0 || n > 1<<48 || width < 1 || width > Width {
		return nil, missing
	}
	t, _ := l.now()
	if have := t.size>>(8*max(level, 0)) - n*Width; have < int64(width) {
		return nil, missing
	}
	if level == entries {
		all, err := l.Entries(n)
		if err != nil {
			return nil, err
		}
		var grown tree
		for _, e := range all[:width] {
			grown.bundle = append(append(grown.bundle, byte(len(e)>>8), byte(len(e))), e...)
		}
		return grown.bundle, nil
	}
	if n == t.size>>(8*(level+1)) {
		return join(t.levels[level][:width]), nil
	}
	return l.prefix(level, n, width)
}

// ReadHashes is of [tlog.HashReader]: with it, [tlog.ProveRecord] and
// [tlog.ProveTree] make proofs.
func (l *Log) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		// Below the hashes of a tile there are 2^(level mod 8) of its own.
		below := 1 << (level % 8)
		first := n * int64(below)
		b, err := l.Tile(level/8, first/Width, int(first%Width)+below)
		if err != nil {
			return nil, err
		}
		hashes[i] = subtree(cut(b)[first%Width:])
	}
	return hashes, nil
}
