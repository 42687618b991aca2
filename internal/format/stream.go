package format

import (
	"errors"
	"io"

	"github.com/opengenesis/genesis"
)

// HeadOf returns the first [HeadSize] bytes of the stream's content, fewer when
// it is shorter.
func HeadOf(s *Stream) ([]byte, error) {
	r, err := s.OpenRead()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	head := make([]byte, HeadSize)
	n, err := io.ReadFull(r, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// A truncated packing reports itself as a *genesis.Error, never as one of
		// these two.
		err = nil
	}
	return head[:n], err
}

// Spool gives random access to the content: in place for a plain file, else by
// a temporary copy in dir of at most max bytes (0: no limit). The function
// returned releases the copy.
func (s *Stream) Spool(dir string, max int64) (io.ReaderAt, int64, func() error, error) {
	if s.At != nil {
		return s.At, s.Size, func() error { return nil }, nil
	}
	r, err := s.OpenRead()
	if err != nil {
		return nil, 0, nil, err
	}
	defer r.Close()
	f, n, err := spool(r, dir, max, s.Name)
	if err != nil {
		return nil, 0, nil, err
	}
	return f, n, f.Close, nil
}

// plainStream is a raw file read as it is.
func plainStream(raw *Raw) *Stream {
	return &Stream{
		Name: raw.Name, Size: raw.Size, At: raw.At,
		OpenRead: func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(raw.At, 0, raw.Size)), nil
		},
		Warnings: noWarnings,
	}
}

func noWarnings() []genesis.Finding { return nil }
