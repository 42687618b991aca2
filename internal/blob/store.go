package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opengenesis/genesis"
)

const treeSuffix = ".tree"

// Store is a content-addressed store over a driver. It is safe for concurrent
// use.
type Store struct {
	driver Driver
}

// Open returns the store whose bytes d keeps.
func Open(d Driver) *Store { return &Store{driver: d} }

// Close closes the driver.
func (s *Store) Close() error { return s.driver.Close() }

// Temp returns a local folder for temporary files of this process, in the file
// system of the blobs where they are files. What is left in it is removed after
// the process has ended.
func (s *Store) Temp() string { return s.driver.Temp() }

// Put keeps b. Errors as [Writer.Write].
func (s *Store) Put(ctx context.Context, b []byte) (genesis.Blob, error) {
	w, err := s.Create(ctx)
	if err != nil {
		return genesis.Blob{}, err
	}
	defer w.Abort()
	if _, err := w.Write(b); err != nil {
		return genesis.Blob{}, err
	}
	return w.Commit()
}

// Bytes returns the whole of a blob of at most max bytes, checked against its
// digest. Errors: NotFound, Invalid (larger than max), Internal (damaged).
func (s *Store) Bytes(ctx context.Context, d genesis.Digest, max int64) ([]byte, error) {
	o, err := s.object(ctx, d)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	if o.Size() > max {
		return nil, &genesis.Error{Op: "read blob", Kind: genesis.Invalid, Subject: string(d),
			Msg: fmt.Sprintf("is %d bytes long, and at most %d are accepted here", o.Size(), max)}
	}
	b := make([]byte, o.Size())
	if _, err := io.ReadFull(io.NewSectionReader(o, 0, o.Size()), b); err != nil {
		return nil, unreadable(d, 0, err)
	}
	if genesis.DigestOf(b) != d {
		return nil, &genesis.Error{Op: "read blob", Kind: genesis.Internal, Subject: string(d),
			Msg: "its bytes are damaged: they no longer match its digest", Hint: mend}
	}
	return b, nil
}

// Stat returns size and Merkle root of a blob known by its digest alone, as
// the store has them: they are only as good as the disk until a reader or
// [Store.Verify] has checked the content. NotFound.
func (s *Store) Stat(ctx context.Context, d genesis.Digest) (genesis.Blob, error) {
	o, err := s.object(ctx, d)
	if err != nil {
		return genesis.Blob{}, err
	}
	defer o.Close()
	if o.Size() <= BlockSize {
		b, err := s.Bytes(ctx, d, BlockSize)
		if err != nil {
			return genesis.Blob{}, err
		}
		var h hasher
		h.small(b)
		t := tree{size: h.size, leaves: h.leaves}
		return genesis.Blob{Digest: d, Size: t.size, Merkle: t.merkle()}, nil
	}
	t, err := s.tree(ctx, d)
	if err != nil {
		return genesis.Blob{}, err
	}
	if t.size != o.Size() {
		return genesis.Blob{}, damaged(d, 0, fmt.Sprintf("it is %d bytes long instead of %d", o.Size(), t.size))
	}
	return genesis.Blob{Digest: d, Size: t.size, Merkle: t.merkle()}, nil
}

// Size returns how many bytes of a blob are there, whatever they are worth. NotFound.
func (s *Store) Size(ctx context.Context, d genesis.Digest) (int64, error) {
	o, err := s.object(ctx, d)
	if err != nil {
		return 0, err
	}
	return o.Size(), o.Close()
}

// Has reports whether the blob is there.
func (s *Store) Has(ctx context.Context, d genesis.Digest) (bool, error) {
	o, err := s.object(ctx, d)
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, o.Close()
}

// Delete removes a blob. NotFound.
func (s *Store) Delete(ctx context.Context, d genesis.Digest) error {
	_, err := s.remove(ctx, d, Removal{})
	return err
}

// remove removes content first, then leaf hashes: what a crash leaves between is
// leaf hashes that no one can ask for.
func (s *Store) remove(ctx context.Context, d genesis.Digest, how Removal) (bool, error) {
	if _, err := genesis.ParseDigest(string(d)); err != nil {
		return false, err
	}
	removed, err := s.driver.Remove(ctx, d.Hex(), how)
	if err != nil || !removed {
		return false, named(err, d)
	}
	_, err = s.driver.Remove(ctx, d.Hex()+treeSuffix, how)
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		err = nil // small blobs have none
	}
	return true, named(err, d)
}

// Keep makes sure that a blob is there and stays for the time of grace, as if it
// had just been written. NotFound.
func (s *Store) Keep(ctx context.Context, d genesis.Digest) error {
	if _, err := genesis.ParseDigest(string(d)); err != nil {
		return err
	}
	return named(s.driver.Touch(ctx, d.Hex()), d)
}

// Pin notes that a write begins, of which nothing that is written, or kept, from now
// on is to be swept before release is called or the process ends. Whoever makes a
// version pins first, and releases after the commit.
func (s *Store) Pin(ctx context.Context) (release func() error, err error) {
	return s.driver.Pin(ctx)
}

// Clean removes what processes that are gone left in their temporary folders.
func (s *Store) Clean(ctx context.Context) error {
	_, err := s.driver.Pinned(ctx)
	return err
}

// List calls yield for every blob, in no particular order, and stops at the
// first error, which it returns.
func (s *Store) List(ctx context.Context, yield func(d genesis.Digest, size int64) error) error {
	for shard := range 256 {
		err := s.driver.List(ctx, fmt.Sprintf("%02x", shard), func(e Entry) error {
			if strings.HasSuffix(e.Key, treeSuffix) {
				return nil
			}
			d, err := genesis.ParseDigest("sha256:" + e.Key)
			if err != nil {
				return err
			}
			return yield(d, e.Size)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// object opens a blob's content.
func (s *Store) object(ctx context.Context, d genesis.Digest) (Object, error) {
	if err := canceled(ctx, "read blob"); err != nil {
		return nil, err
	}
	if _, err := genesis.ParseDigest(string(d)); err != nil {
		return nil, err
	}
	o, err := s.driver.Open(ctx, d.Hex())
	if err != nil {
		return nil, named(err, d)
	}
	return o, nil
}

// tree reads the leaf hashes kept beside a blob.
func (s *Store) tree(ctx context.Context, d genesis.Digest) (tree, error) {
	o, err := s.driver.Open(ctx, d.Hex()+treeSuffix)
	if err != nil {
		return tree{}, named(err, d)
	}
	defer o.Close()
	t, err := readTree(o, o.Size())
	if err != nil {
		return tree{}, named(err, d)
	}
	return t, nil
}

const mend = "`genesis verify` names all damage; preparing the same sources again writes the same bytes anew"

// named gives an error of the driver the blob's digest as its subject.
func named(err error, d genesis.Digest) error {
	var e *genesis.Error
	if errors.As(err, &e) {
		e.Subject = string(d)
	}
	return err
}

func canceled(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &genesis.Error{Op: op, Kind: genesis.Canceled, Msg: "stopped", Err: err}
	}
	return nil
}
