// Package blobtest is the suite that every blob driver passes.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// Storage is a driver under test, empty at first.
type Storage struct {
	Driver blob.Driver
	// Flip changes one bit of the byte at offset off of a stored object, behind
	// the driver's back.
	Flip func(t *testing.T, key string, off int64)
}

// Run runs the suite; open returns new, empty storage.
func Run(t *testing.T, open func(t *testing.T) Storage) {
	tests := []struct {
		name string
		test func(*testing.T, *blob.Store, Storage)
	}{
		{"sizes", testSizes},
		{"ranges", testRanges},
		{"dedup", testDedup},
		{"abort", testAbort},
		{"delete", testDelete},
		{"missing", testMissing},
		{"flipped content", testFlippedContent},
		{"flipped leaf hashes", testFlippedLeaves},
		{"wrong name", testWrongName},
		{"cancel", testCancel},
		{"concurrent", testConcurrent},
		{"flipped while open", testFlippedWhileOpen},
		{"sweep", testSweep},
		{"sweep keeps what is young", testSweepGrace},
		{"sweep is late", testSweepLate},
		{"sweep goes on", testSweepGoesOn},
		{"sweep beside writers", testSweepBesideWriters},
		{"purge", testPurge},
		{"receive", testReceive},
		{"receive what is wrong", testReceiveWrong},
		{"receive once", testReceiveOnce},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			storage := open(t)
			store := blob.Open(storage.Driver)
			t.Cleanup(func() { store.Close() })
			tt.test(t, store, storage)
		})
	}
}

const mib = 1 << 20

// Content returns n bytes that depend on seed.
func Content(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	for i := 0; i < n; i += 8 {
		v := r.Uint64()
		for j := i; j < min(i+8, n); j++ {
			b[j] = byte(v >> (8 * (j - i)))
		}
	}
	return b
}

// merkle computes the root by the recursive definition of RFC 6962, section 2.1.
func merkle(b []byte) [32]byte {
	n := (len(b) + mib - 1) / mib
	if n == 0 {
		return sha256.Sum256(nil)
	}
	if n == 1 {
		return sha256.Sum256(append([]byte{0}, b...))
	}
	k := 1
	for 2*k < n {
		k *= 2
	}
	left, right := merkle(b[:k*mib]), merkle(b[k*mib:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

func put(t *testing.T, s *blob.Store, content []byte) genesis.Blob {
	t.Helper()
	b, err := s.Put(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantKind(t *testing.T, err error, kind genesis.ErrorKind) {
	t.Helper()
	if genesis.KindOf(err) != kind {
		t.Errorf("error is %v of kind %q, want kind %q", err, genesis.KindOf(err), kind)
	}
}

func list(t *testing.T, s *blob.Store) []genesis.Digest {
	t.Helper()
	var all []genesis.Digest
	err := s.List(t.Context(), func(d genesis.Digest, _ int64) error {
		all = append(all, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func testSizes(t *testing.T, s *blob.Store, _ Storage) {
	for _, n := range []int{0, 1, mib - 1, mib, mib + 1, 2 * mib, 3*mib + 17, 5 * mib, 7 * mib} {
		content := Content(n, 1)
		b := put(t, s, content)
		root := merkle(content)
		want := genesis.Blob{Digest: genesis.DigestOf(content), Size: int64(n), Merkle: genesis.DigestSum(root[:])}
		if b != want {
			t.Errorf("%d bytes: blob is %+v, want %+v", n, b, want)
		}
		if got, err := s.Bytes(t.Context(), b.Digest, int64(n)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: Bytes gives other content, error %v", n, err)
		}
		if got, err := s.Stat(t.Context(), b.Digest); err != nil || got != want {
			t.Errorf("%d bytes: Stat gives %+v, %v", n, got, err)
		}
		if damage, err := s.Verify(t.Context(), b); err != nil || damage != nil {
			t.Errorf("%d bytes: Verify gives %v, %v", n, damage, err)
		}
		r, err := s.Open(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: reading gives other content, error %v", n, err)
		}
		r.Close()
	}
	_, err := s.Bytes(t.Context(), genesis.DigestOf(Content(mib, 1)), mib-1)
	wantKind(t, err, genesis.Invalid)
}

func testRanges(t *testing.T, s *blob.Store, _ Storage) {
	content := Content(3*mib+100, 2)
	r, err := s.Open(t.Context(), put(t, s, content))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		off := rng.IntN(len(content) + 10)
		p := make([]byte, rng.IntN([]int{10, 5000, 2*mib + 5}[rng.IntN(3)]))
		n, err := r.ReadAt(p, int64(off))
		want := content[min(off, len(content)):min(off+len(p), len(content))]
		if !bytes.Equal(p[:n], want) {
			t.Fatalf("ReadAt(%d bytes, %d) gives %d other bytes", len(p), off, n)
		}
		if (n < len(p)) != errors.Is(err, io.EOF) {
			t.Fatalf("ReadAt(%d bytes, %d) gives %d bytes and error %v", len(p), off, n, err)
		}
	}
	_, err = r.ReadAt(make([]byte, 1), -1)
	wantKind(t, err, genesis.Invalid)
}

func testDedup(t *testing.T, s *blob.Store, _ Storage) {
	content := Content(mib+5, 5)
	first := put(t, s, content)
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(content, 1000) { // in other portions
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	second, err := w.Commit()
	if err != nil || second != first {
		t.Errorf("the same content again gives %v, %v, want %v", second, err, first)
	}
	if all := list(t, s); len(all) != 1 || all[0] != first.Digest {
		t.Errorf("the store lists %v, want %v alone", all, first.Digest)
	}
	if _, err := w.Write([]byte("more")); err == nil {
		t.Error("a committed writer accepts more")
	}
}

func testAbort(t *testing.T, s *blob.Store, _ Storage) {
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(Content(2*mib+1, 6)); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("an aborted writer commits")
	}
	if all := list(t, s); len(all) != 0 {
		t.Errorf("an aborted write left %v", all)
	}
}

func testDelete(t *testing.T, s *blob.Store, _ Storage) {
	keep, drop := put(t, s, Content(10, 7)), put(t, s, Content(2*mib, 8))
	if err := s.Delete(t.Context(), drop.Digest); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Has(t.Context(), drop.Digest); ok || err != nil {
		t.Errorf("Has of a deleted blob is %v, %v", ok, err)
	}
	if ok, err := s.Has(t.Context(), keep.Digest); !ok || err != nil {
		t.Errorf("Has of another blob is %v, %v", ok, err)
	}
	wantKind(t, s.Delete(t.Context(), drop.Digest), genesis.NotFound)
}

func testMissing(t *testing.T, s *blob.Store, _ Storage) {
	b := genesis.Blob{Digest: genesis.DigestOf([]byte("x")), Size: 1, Merkle: genesis.DigestOf(nil)}
	_, err := s.Open(t.Context(), b)
	wantKind(t, err, genesis.NotFound)
	_, err = s.Bytes(t.Context(), b.Digest, 10)
	wantKind(t, err, genesis.NotFound)
	_, err = s.Open(t.Context(), genesis.Blob{Digest: "sha256:../../etc/passwd"})
	wantKind(t, err, genesis.Invalid)
	damage, err := s.Verify(t.Context(), b)
	if err != nil || len(damage) != 1 || damage[0].Blob != b.Digest {
		t.Errorf("Verify of a missing blob gives %v, %v", damage, err)
	}
}

// testFlippedContent flips one bit in each block in turn: it is named by reading
// and by Verify, and other blocks stay readable.
func testFlippedContent(t *testing.T, s *blob.Store, storage Storage) {
	for _, n := range []int{1, 100, 4*mib + 100} {
		content := Content(n, 9)
		b := put(t, s, content)
		for off := int64(0); off < b.Size; off += mib {
			at := min(off+77777, b.Size-1)
			storage.Flip(t, b.Digest.Hex(), at)
			t.Run(fmt.Sprintf("%d of %d", at, n), func(t *testing.T) { checkFlipped(t, s, b, content, off) })
			storage.Flip(t, b.Digest.Hex(), at) // back
		}
		if damage, err := s.Verify(t.Context(), b); err != nil || damage != nil {
			t.Errorf("after all bits are back Verify gives %v, %v", damage, err)
		}
	}
}

func checkFlipped(t *testing.T, s *blob.Store, b genesis.Blob, content []byte, off int64) {
	damage, err := s.Verify(t.Context(), b)
	if err != nil || len(damage) != 1 || damage[0].Offset != off || damage[0].Blob != b.Digest {
		t.Errorf("Verify gives %+v, %v, want the block at %d of %s", damage, err, off, b.Digest)
	}
	_, err = s.Bytes(t.Context(), b.Digest, b.Size)
	wantKind(t, err, genesis.Internal)
	r, err := s.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for start := int64(0); start < b.Size; start += mib {
		for _, length := range []int64{1, min(mib, b.Size-start)} { // a piece, then the whole block
			p := make([]byte, length)
			_, err := r.ReadAt(p, start)
			if start != off {
				if err != nil || !bytes.Equal(p, content[start:start+length]) {
					t.Errorf("the sound block at %d is not readable: %v", start, err)
				}
				continue
			}
			var e *genesis.Error
			if !errors.As(err, &e) || e.Subject != string(b.Digest) || !bytes.Contains([]byte(e.Msg), fmt.Appendf(nil, "offset %d ", off)) {
				t.Errorf("reading the damaged block gives %v, want an error that names %s and offset %d", err, b.Digest, off)
			}
		}
	}
}

func testFlippedLeaves(t *testing.T, s *blob.Store, storage Storage) {
	b := put(t, s, Content(3*mib, 10))
	for _, at := range []int64{0, 9, 17, 24, 24 + 2*32} { // magic, format, size, first and last leaf
		storage.Flip(t, b.Digest.Hex()+".tree", at)
		if _, err := s.Open(t.Context(), b); err == nil {
			t.Errorf("with byte %d of the leaf hashes flipped the blob opens", at)
		}
		if damage, err := s.Verify(t.Context(), b); err != nil || len(damage) != 1 {
			t.Errorf("with byte %d of the leaf hashes flipped Verify gives %v, %v", at, damage, err)
		}
		storage.Flip(t, b.Digest.Hex()+".tree", at)
	}
	storage.Flip(t, b.Digest.Hex()+".tree", 24)
	if again := put(t, s, Content(3*mib, 10)); again != b {
		t.Errorf("the same content has another name: %v, %v", again, b)
	}
	if damage, err := s.Verify(t.Context(), b); err != nil || damage != nil {
		t.Errorf("writing the content again does not mend it: %v, %v", damage, err)
	}
}

// testWrongName asks for a blob with size or root of another.
func testWrongName(t *testing.T, s *blob.Store, _ Storage) {
	small, large := put(t, s, Content(10, 11)), put(t, s, Content(2*mib, 12))
	for _, b := range []genesis.Blob{
		{Digest: large.Digest, Size: large.Size - 1, Merkle: large.Merkle},
		{Digest: large.Digest, Size: large.Size, Merkle: small.Merkle},
		{Digest: large.Digest, Size: large.Size},
		{Digest: small.Digest, Size: 1 << 60, Merkle: small.Merkle},
	} {
		if _, err := s.Open(t.Context(), b); err == nil {
			t.Errorf("%+v opens", b)
		}
		if damage, err := s.Verify(t.Context(), b); err != nil || len(damage) == 0 {
			t.Errorf("Verify(%+v) gives %v, %v", b, damage, err)
		}
	}
	r, err := s.Open(t.Context(), genesis.Blob{Digest: small.Digest, Size: small.Size, Merkle: large.Merkle})
	if err == nil {
		_, err = r.ReadAt(make([]byte, 1), 0)
		r.Close()
	}
	wantKind(t, err, genesis.Internal)
}

func testCancel(t *testing.T, s *blob.Store, _ Storage) {
	b := put(t, s, Content(2*mib, 13))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Open(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := s.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	cancel()
	_, err = r.ReadAt(make([]byte, 1), 0)
	wantKind(t, err, genesis.Canceled)
	_, err = w.Write(Content(2*mib, 14))
	wantKind(t, err, genesis.Canceled)
	_, err = w.Commit()
	wantKind(t, err, genesis.Canceled)
	_, err = s.Verify(ctx, b)
	wantKind(t, err, genesis.Canceled)
}

func testConcurrent(t *testing.T, s *blob.Store, _ Storage) {
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			content := Content(mib+i%3, uint64(i%3)) // some write the same
			b, err := s.Put(t.Context(), content)
			if err != nil {
				t.Error(err)
				return
			}
			r, err := s.Open(t.Context(), b)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			var readers sync.WaitGroup
			for j := range 4 {
				readers.Go(func() {
					p := make([]byte, 1000)
					off := int64(j) * 200_000
					if _, err := r.ReadAt(p, off); err != nil || !bytes.Equal(p, content[off:off+1000]) {
						t.Errorf("concurrent read at %d: %v", off, err)
					}
				})
			}
			readers.Wait()
		})
	}
	all.Wait()
	if n := len(list(t, s)); n != 3 {
		t.Errorf("%d blobs, want 3", n)
	}
}
