package api

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/upload"
)

const (
	// maxFiles bounds the files of one request over the home's socket.
	maxFiles = 100_000

	// maxRemoteFiles bounds them over the network, where each costs its caller a few
	// bytes, and the node a descriptor.
	maxRemoteFiles = 1000

	// maxOpen bounds the files that one person's requests over the network hold open
	// together: runs that are waited for keep theirs while they wait.
	maxOpen = 2 * maxRemoteFiles
)

// opened counts the files that people's requests over the network hold open.
type opened struct {
	mu sync.Mutex
	by map[genesis.PersonID]int
}

// add takes n more for a person, unless those are too many.
func (o *opened) add(person genesis.PersonID, n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if n > maxOpen-o.by[person] {
		return false
	}
	if o.by == nil {
		o.by = map[genesis.PersonID]int{}
	}
	if o.by[person] += n; o.by[person] == 0 {
		delete(o.by, person)
	}
	return true
}

// SessionInput is the header that goes with handed-over files.
type SessionInput struct {
	Session string `header:"Genesis-Session" doc:"the session that handed the files over"`
}

// take turns file references into bytes at random access. done closes the
// files and is never nil: a descriptor lives no longer than its request.
func (s *server) take(ctx context.Context, who genesis.Principal, op, session string, refs []genesis.FileRef) (raws []*format.Raw, done func(), err error) {
	var open []*os.File
	free := func() {}
	done = func() {
		for _, f := range open {
			f.Close()
		}
		free()
	}
	if err := checkRefs(op, refs, edge.Socket(ctx)); err != nil {
		return nil, done, err
	}
	if person := who.Person(); !edge.Socket(ctx) {
		if !s.opened.add(person, len(refs)) {
			return nil, done, &genesis.Error{Op: op, Kind: genesis.Unavailable, Msg: fmt.Sprintf("your requests would hold more than %d files open", maxOpen), Hint: "try again when some of them have ended"}
		}
		free = func() { s.opened.add(person, -len(refs)) }
	}
	for _, ref := range refs {
		f, raw, err := s.takeOne(ctx, who, op, session, ref)
		if err != nil {
			return nil, done, err
		}
		open = append(open, f)
		raws = append(raws, raw)
	}
	return raws, done, nil
}

// checkRefs refuses more files than a request may name, and one that is named twice:
// every mention would be opened, copied and read.
func checkRefs(op string, refs []genesis.FileRef, socket bool) error {
	most := maxRemoteFiles
	if socket {
		most = maxFiles
	}
	if len(refs) > most {
		return &genesis.Error{Op: op, Kind: genesis.Invalid, Msg: fmt.Sprintf("names more than %d files", most), Hint: "put them into a ZIP or tar archive"}
	}
	seen := make(map[string]bool, len(refs))
	for _, ref := range refs {
		token := ref.Token
		if at, ok := strings.CutPrefix(token, genesis.PathToken); ok {
			token = genesis.PathToken + filepath.Clean(at)
		}
		if seen[token] {
			return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: ref.Path, Msg: "names a file that another one in the request names, too", Hint: "name each file once"}
		}
		seen[token] = true
	}
	return nil
}

func (s *server) takeOne(ctx context.Context, who genesis.Principal, op, session string, ref genesis.FileRef) (*os.File, *format.Raw, error) {
	ref, err := s.called(ctx, who, ref)
	if err != nil {
		return nil, nil, named(op, ref.Token, err)
	}
	f, err := s.fileOf(ctx, who, session, ref)
	if err != nil {
		return nil, nil, named(op, ref.Path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &genesis.Error{Kind: genesis.Invalid, Msg: "is not a regular file"}
	}
	if err != nil {
		f.Close()
		return nil, nil, named(op, ref.Path, err)
	}
	return f, &format.Raw{Name: ref.Path, Size: info.Size(), At: f}, nil
}

// called gives a reference that does not say how its file is called its upload's name,
// or the last part of its path: where in the node it lies is nobody else's business.
func (s *server) called(ctx context.Context, who genesis.Principal, ref genesis.FileRef) (genesis.FileRef, error) {
	if ref.Path != "" {
		return ref, nil
	}
	if path, ok := strings.CutPrefix(ref.Token, genesis.PathToken); ok {
		ref.Path = filepath.Base(path)
		return ref, nil
	}
	id, ok := strings.CutPrefix(ref.Token, genesis.UploadToken)
	if !ok {
		return ref, &genesis.Error{Kind: genesis.Invalid, Msg: "has no path, which says how the file is called"}
	}
	if s.Uploads == nil {
		return ref, noFiles()
	}
	u, err := s.Uploads.Find(ctx, who, id)
	if err == nil {
		ref.Path = u.Name
	}
	return ref, err
}

func noFiles() error {
	return &genesis.Error{Kind: genesis.Unsupported, Msg: "this node takes no files over this connection"}
}

// fileOf finds what a reference names: an upload, a path at the node, or a
// descriptor that was handed over.
func (s *server) fileOf(ctx context.Context, who genesis.Principal, session string, ref genesis.FileRef) (*os.File, error) {
	switch {
	case upload.Names(ref) && s.Uploads != nil:
		return s.Uploads.Open(ctx, who, ref)
	case upload.Names(ref) || s.Files == nil:
		return nil, noFiles()
	}
	return s.Files.Take(session, ref.Token)
}

// named puts op and subject on an error that comes without.
func named(op, subject string, err error) error {
	e := &genesis.Error{Op: op, Kind: genesis.KindOf(err), Subject: subject, Err: err}
	if g, ok := err.(*genesis.Error); ok {
		e.Msg, e.Hint = g.Msg, g.Hint
	}
	return e
}
