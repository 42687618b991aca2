package charter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

const (
	stateFile   = "charter.json"
	stateFormat = 1
)

// state is what a home keeps of a charter, in one file: it is replaced as a whole, so
// that a crash leaves the one before or the one after.
type state struct {
	Format int            `json:"format"`
	Root   genesis.Digest `json:"root"` // what the federation is
	Bundle Bundle         `json:"bundle"`
}

// Save keeps a charter in a folder of a home.
func Save(d disk.Disk, dir string, c *Charter) error {
	text, err := json.Marshal(state{Format: stateFormat, Root: c.id, Bundle: c.bundle})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, stateFile)
	if err = disk.MkdirAll(d, dir); err == nil {
		err = disk.Replace(d, path, text)
	}
	if err == nil {
		err = d.SyncDir(dir)
	}
	return disk.Error("keep charter", path, err)
}

// Load returns the charter that a folder keeps, nil where there is none, and removes what
// a crash left half-written. Errors: Internal (damaged), Unsupported (a newer format).
func Load(d disk.Disk, dir string) (*Charter, error) {
	path := filepath.Join(dir, stateFile)
	if err := d.Remove(path + disk.Temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, disk.Error("read charter", path, err)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, disk.Error("read charter", path, err)
	}
	damaged := func(err error) error {
		return &genesis.Error{Op: "read charter", Kind: genesis.Internal, Subject: path, Msg: "it is damaged: " + err.Error(),
			Hint: "put it back from a backup, or move it away and join again with a new invitation", Err: err}
	}
	var s state
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&s); err != nil {
		return nil, damaged(err)
	}
	if s.Format != stateFormat {
		return nil, &genesis.Error{Op: "read charter", Kind: genesis.Unsupported, Subject: path, Msg: fmt.Sprintf("its format is %d, and this program knows %d", s.Format, stateFormat),
			Hint: "use the program that wrote it, or a newer one"}
	}
	c, err := Open(s.Bundle, s.Root)
	if err != nil {
		return nil, damaged(err)
	}
	return c, nil
}

// Remove forgets the charter that a folder keeps.
func Remove(d disk.Disk, dir string) error {
	path := filepath.Join(dir, stateFile)
	err := d.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.SyncDir(dir)
	}
	return disk.Error("forget charter", path, err)
}
