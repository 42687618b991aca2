//go:build linux || darwin

package node

import (
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/node/backup"
	"github.com/opengenesis/genesis/internal/store"
)

// content copies the blobs: all that are there after the moment that sql shows,
// so that whatever it refers to is among them. Blobs that nothing refers to are
// copied, too: `genesis gc` removes them, here and where they are restored.
func (r *backupRun) content(sql string) error {
	blobs, err := r.blobsNow()
	if err != nil {
		return err
	}
	needed, err := r.needed(sql, blobs)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := r.blob(b, needed); err != nil {
			return err
		}
	}
	return nil
}

// stored is a blob as the store lists it.
type stored struct {
	digest genesis.Digest
	size   int64
}

func (r *backupRun) blobsNow() ([]stored, error) {
	var all []stored
	err := r.blobs.List(r.ctx, func(d genesis.Digest, size int64) error {
		all = append(all, stored{d, size})
		r.total += size
		return nil
	})
	slices.SortFunc(all, func(a, b stored) int { return strings.Compare(string(a.digest), string(b.digest)) })
	return all, err
}

// needed returns the blobs that the versions in sql consist of, and refuses
// when one is missing.
func (r *backupRun) needed(sql string, blobs []stored) (map[genesis.Digest]bool, error) {
	db, err := store.OpenCopy(sql)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	there := make(map[genesis.Digest]bool, len(blobs))
	for _, b := range blobs {
		there[b.digest] = true
	}
	needed := map[genesis.Digest]bool{}
	err = catalog.Needs(r.ctx, db, r.blobs, func(ref genesis.Ref, d genesis.Digest) error {
		if !there[d] {
			return &genesis.Error{Op: "back up", Kind: genesis.Internal, Subject: ref.String(), Msg: "has lost the blob " + string(d),
				Hint: "`genesis verify` names all damage; restore the blob from an earlier backup, or erase the version"}
		}
		needed[d] = true
		return nil
	})
	return needed, err
}

func (r *backupRun) blob(b stored, needed map[genesis.Digest]bool) error {
	name := "blobs/" + b.digest.Hex()[:2] + "/" + b.digest.Hex()
	err := r.w.Add(r.ctx, backup.File{Path: name, Size: b.size, Digest: b.digest,
		Open: func() (io.ReadCloser, error) { return r.openBlob(b.digest) }}, r.tick)
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		if !needed[b.digest] {
			return nil
		}
		return backupError(string(b.digest), genesis.Conflict, "was erased while the backup was made", "make the backup again")
	}
	if err != nil || b.size <= blob.BlockSize {
		return err
	}
	return r.file(filepath.Join(r.home.Path, name+".tree"), name+".tree")
}

// openBlob opens a blob so that its blocks are checked against its leaf hashes
// while it is read: both are copied, and must fit.
func (r *backupRun) openBlob(d genesis.Digest) (io.ReadCloser, error) {
	b, err := r.blobs.Stat(r.ctx, d)
	if err != nil {
		return nil, err
	}
	return r.blobs.Open(r.ctx, b)
}

func (r *backupRun) tick(n int64) {
	r.done += n
	r.p.Send(genesis.Event{Stage: "copying blobs", Done: r.done, Total: r.total, Unit: "bytes"})
}
