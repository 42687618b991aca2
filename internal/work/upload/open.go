package upload

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
)

// Names reports whether a reference names an upload or a path at the node.
func Names(ref genesis.FileRef) bool {
	return strings.HasPrefix(ref.Token, genesis.UploadToken) || strings.HasPrefix(ref.Token, genesis.PathToken)
}

// Open opens what a reference names: a complete upload of who, or a regular file
// under one of the roots. Errors: NotFound, Conflict (not complete), Permission (a
// path, for who is no steward, or outside the roots), Invalid, Internal (the file is
// not as it was).
func (s *Store) Open(ctx context.Context, who genesis.Principal, ref genesis.FileRef) (*os.File, error) {
	if id, ok := strings.CutPrefix(ref.Token, genesis.UploadToken); ok {
		return s.openUpload(ctx, who, id)
	}
	if path, ok := strings.CutPrefix(ref.Token, genesis.PathToken); ok {
		return s.openPath(ctx, who, path)
	}
	return nil, &genesis.Error{Op: "open file", Kind: genesis.Invalid, Subject: ref.Path, Msg: "is named by neither an upload nor a path"}
}

func (s *Store) openUpload(ctx context.Context, who genesis.Principal, id string) (*os.File, error) {
	u, err := s.of(ctx, who, id)
	if err != nil {
		return nil, err
	}
	if !u.Complete {
		return nil, &genesis.Error{Op: "open upload", Kind: genesis.Conflict, Subject: id, Msg: "is not complete", Hint: "bring the rest first"}
	}
	f, err := os.Open(s.path(id))
	if err != nil {
		return nil, fault("open upload", id, err)
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != u.Offset) {
		err = errors.New("size or kind differ from what was uploaded")
	}
	if err != nil {
		f.Close()
		return nil, &genesis.Error{Op: "open upload", Kind: genesis.Internal, Subject: id, Msg: "is damaged on the node's disk", Hint: "upload it again", Err: err}
	}
	return f, nil
}

// openPath opens a file under a root. An answer never says what is outside the
// roots.
func (s *Store) openPath(ctx context.Context, who genesis.Principal, path string) (*os.File, error) {
	e := &genesis.Error{Op: "open file", Kind: genesis.Permission, Subject: path}
	if !who.Has(genesis.DutySteward) || s.MayName == nil {
		e.Msg, e.Hint = "only stewards may name files at the node", "upload the file"
		return nil, e
	}
	if err := s.MayName(ctx, who, path); err != nil {
		return nil, err
	}
	e.Msg, e.Hint = "lies under none of the folders this node reads from", "the operator lists them in config.yaml: paths"
	for _, root := range s.Roots {
		if rel, ok := within(root, path); ok {
			return openIn(root, rel, path)
		}
	}
	return nil, e
}

// within returns a path below root, from there.
func within(root, path string) (string, bool) {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return "", false
	}
	rel, err := filepath.Rel(root, path)
	return rel, err == nil && rel != "." && filepath.IsLocal(rel)
}

// openIn opens a regular file below root. os.Root resolves every part of the way
// inside root: a link that leads out is an error, also one that is put there
// meanwhile.
func openIn(root, rel, path string) (*os.File, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, pathError(path, err)
	}
	defer r.Close()
	f, err := r.OpenFile(rel, os.O_RDONLY|dontBlock, 0)
	if err != nil {
		return nil, pathError(path, err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		return f, nil
	}
	f.Close()
	return nil, &genesis.Error{Op: "open file", Kind: genesis.Invalid, Subject: path, Msg: "is not a regular file", Err: err}
}

func pathError(path string, err error) error {
	e := &genesis.Error{Op: "open file", Kind: genesis.Permission, Subject: path, Msg: "cannot be read by the node", Err: err}
	if errors.Is(err, fs.ErrNotExist) {
		e.Kind, e.Msg = genesis.NotFound, "there is no such file"
	}
	return e
}
