package format

import (
	"io"
	"os"

	"github.com/opengenesis/genesis"
)

// Raw is one raw file as it was handed over: random access to its bytes.
type Raw struct {
	Name string // as the person wrote it
	Size int64
	At   io.ReaderAt
	Path string // where the node can open it again; "" when it was handed over open
}

// OpenRaw opens the file at path. The closer ends access to it. It returns
// *genesis.Error of kind NotFound, Permission or Invalid (a folder).
func OpenRaw(path string) (*Raw, io.Closer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, openError(path, err)
	}
	raw, err := NewRaw(path, f)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	if spooled, ok := raw.At.(*spooledFile); ok {
		f.Close()
		return raw, spooled, nil
	}
	return raw, f, nil
}

// NewRaw makes a Raw of an open file. A regular file is read in place; what
// cannot be read twice (a pipe, a terminal) is copied to a temporary file
// first, which vanishes when Raw.At, an io.Closer then, is closed.
func NewRaw(name string, f *os.File) (*Raw, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, openError(name, err)
	}
	if info.IsDir() {
		return nil, &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: name, Msg: "is a folder",
			Hint: "name the files inside it"}
	}
	if info.Mode().IsRegular() {
		return &Raw{Name: name, Size: info.Size(), At: f}, nil
	}
	spooled, size, err := spool(f, "", 0, name)
	if err != nil {
		return nil, err
	}
	return &Raw{Name: name, Size: size, At: spooled}, nil
}

func openError(name string, err error) error {
	e := &genesis.Error{Op: "read", Kind: genesis.Internal, Subject: name, Err: err}
	switch {
	case os.IsNotExist(err):
		e.Kind, e.Msg = genesis.NotFound, "there is no such file"
	case os.IsPermission(err):
		e.Kind, e.Msg = genesis.Permission, "may not be read by this user"
	}
	return e
}

// spooledFile is a temporary copy that is removed when it is closed.
type spooledFile struct{ *os.File }

// Close closes and removes the copy.
func (s *spooledFile) Close() error {
	err := s.File.Close()
	if rm := os.Remove(s.Name()); err == nil {
		err = rm
	}
	return err
}

// spool copies r into a temporary file in dir; max > 0 limits its size.
func spool(r io.Reader, dir string, max int64, name string) (*spooledFile, int64, error) {
	f, err := os.CreateTemp(dir, "genesis-spool-*")
	if err != nil {
		return nil, 0, &genesis.Error{Op: "spool", Kind: genesis.Internal, Subject: name, Err: err}
	}
	s := &spooledFile{f}
	if max > 0 {
		r = io.LimitReader(r, max+1)
	}
	n, err := io.Copy(f, r)
	if err == nil && max > 0 && n > max {
		err = &genesis.Error{Op: "spool", Kind: genesis.Invalid, Subject: name,
			Msg: "is larger than the space set aside for it once unpacked"}
	}
	if err != nil {
		s.Close()
		return nil, 0, err
	}
	return s, n, nil
}
