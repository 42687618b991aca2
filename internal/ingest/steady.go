package ingest

import (
	"os"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// steady watches over raw files that are read more than once: types are decided
// in one pass, values stored in another, and the digest of the provenance is
// taken in a third. Only a file that stays the same meanwhile is the same in all.
type steady []watched

type watched struct {
	raw  *format.Raw
	file interface{ Stat() (os.FileInfo, error) }
	size int64
	when time.Time
}

// watch notes size and time of every raw file that is a file of the system.
// It returns an error of kind Conflict for one that changed since it was opened.
func watch(files []*format.Raw) (steady, error) {
	var all steady
	for _, raw := range files {
		f, ok := raw.At.(interface{ Stat() (os.FileInfo, error) })
		if !ok {
			continue
		}
		info, err := f.Stat()
		if err != nil || info.Size() != raw.Size {
			return nil, changed(raw.Name)
		}
		all = append(all, watched{raw: raw, file: f, size: info.Size(), when: info.ModTime()})
	}
	return all, nil
}

// check returns an error of kind Conflict when a file is no longer what it was.
func (s steady) check() error {
	for _, w := range s {
		info, err := w.file.Stat()
		if err != nil || info.Size() != w.size || !info.ModTime().Equal(w.when) {
			return changed(w.raw.Name)
		}
	}
	return nil
}

func changed(name string) error {
	return &genesis.Error{Op: "prepare", Kind: genesis.Conflict, Subject: name, Msg: "changed while it was read", Hint: "use it again once it is complete"}
}
