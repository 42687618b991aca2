package cache

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"syscall"

	"github.com/zeebo/xxh3"

	"github.com/opengenesis/genesis"
)

// A sealed file is data, cut into blocks, then the XXH3-64 of each block, then a
// trailer of 40 bytes: the mark, and as 8 little-endian bytes each the length of the
// data, the size of a block and the XXH3-64 of all that stands between the data and it.
// It is made once and tells what of it is damaged.
const (
	sealedMark = "genesis cache 1\n"
	trailer    = len(sealedMark) + 24
)

// Sealed is an open sealed file. It is safe for concurrent use.
type Sealed struct {
	data   []byte // mapped
	all    []byte // with sums and trailer
	block  int64
	sums   []byte
	sound  []atomic.Uint64 // a bit for each block that was checked
	left   atomic.Int64    // blocks that were not
	unmap  func([]byte) error
	closed atomic.Bool
}

// sealedWriter writes a sealed file. Blocks end where write's callers say by the
// size of a block: pieces may be of any size.
type sealedWriter struct {
	file  *os.File
	out   *bufio.Writer
	hash  xxh3.Hasher
	block int64
	size  int64
	sums  []byte
}

func createSealed(path string, block int64) (*sealedWriter, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &sealedWriter{file: f, out: bufio.NewWriterSize(f, 1<<20), block: block}, nil
}

func (w *sealedWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		room := w.block - w.size%w.block
		piece := p[done:min(len(p), done+int(min(room, 1<<30)))]
		_, _ = w.hash.Write(piece)
		if _, err := w.out.Write(piece); err != nil {
			return done, err
		}
		done += len(piece)
		if w.size += int64(len(piece)); w.size%w.block == 0 {
			w.seal()
		}
	}
	return done, nil
}

// seal ends a block.
func (w *sealedWriter) seal() {
	w.sums = binary.LittleEndian.AppendUint64(w.sums, w.hash.Sum64())
	w.hash.Reset()
}

// Close writes the sums and closes the file.
func (w *sealedWriter) Close() error {
	if w.size%w.block != 0 {
		w.seal()
	}
	end := append(w.sums, sealedMark...)
	end = binary.LittleEndian.AppendUint64(end, uint64(w.size))
	end = binary.LittleEndian.AppendUint64(end, uint64(w.block))
	end = binary.LittleEndian.AppendUint64(end, xxh3.Hash(end))
	_, err := w.out.Write(end)
	if err == nil {
		err = w.out.Flush()
	}
	if e := w.file.Close(); err == nil {
		err = e
	}
	return err
}

// openSealed maps a sealed file. Errors: of the file system, or one of kind
// Internal for a file that is none.
func openSealed(path string) (*Sealed, error) {
	whole, unmap, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	s := &Sealed{all: whole, unmap: unmap}
	if err := guard(s.readTrailer); err != nil {
		_ = unmap(whole)
		return nil, err
	}
	return s, nil
}

func (s *Sealed) readTrailer() error {
	n := len(s.all)
	if n < trailer || string(s.all[n-trailer:n-24]) != sealedMark {
		return damaged("does not end as one of format 1")
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(s.all[n-24+8*i:]) }
	size, block := word(0), word(1)
	if size > uint64(n) || block == 0 || block > 1<<40 {
		return damaged("is cut off")
	}
	blocks := (size + block - 1) / block
	if size+8*blocks+uint64(trailer) != uint64(n) {
		return damaged("has another length than it says")
	}
	s.data, s.sums, s.block = s.all[:size:size], s.all[size:size+8*blocks], int64(block)
	if xxh3.Hash(s.all[size:n-8]) != word(2) {
		return damaged("has sums that do not hold")
	}
	s.sound = make([]atomic.Uint64, (blocks+63)/64)
	s.left.Store(int64(blocks))
	return nil
}

// Check holds the bytes from … to−1 to their sums, unless that was done before.
// The error is of kind Internal.
func (s *Sealed) Check(from, to int64) error {
	for k := from / s.block; k*s.block < to; k++ {
		if s.sound[k>>6].Load()>>(k&63)&1 != 0 {
			continue
		}
		if err := s.checkBlock(k); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sealed) checkBlock(k int64) error {
	block := s.data[k*s.block : min(int64(len(s.data)), (k+1)*s.block)]
	if xxh3.Hash(block) != binary.LittleEndian.Uint64(s.sums[8*k:]) {
		return damaged(fmt.Sprintf("block %d does not hold", k))
	}
	if s.sound[k>>6].Or(1<<(k&63))>>(k&63)&1 == 0 {
		s.left.Add(-1)
	}
	return nil
}

// whole reports whether every block was checked.
func (s *Sealed) whole() bool { return s.left.Load() == 0 }

// Close unmaps the file: nothing of its data may be looked at afterwards.
func (s *Sealed) Close() error {
	if s == nil || s.closed.Swap(true) {
		return nil
	}
	return s.unmap(s.all)
}

// guard runs f, which looks at mapped files. A page that the disk does not give, or what
// points to nowhere, is an error of f instead of the end of the program.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch v := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			err = &genesis.Error{Op: "read cache", Kind: genesis.Internal, Msg: "the disk did not give a page of it", Err: fmt.Errorf("%w: fault at %#x", errDamaged, v.Addr())}
		case runtime.Error:
			err = &genesis.Error{Op: "read cache", Kind: genesis.Internal, Msg: "a file of it holds what cannot be", Err: fmt.Errorf("%w: %w\n%s", errDamaged, v, debug.Stack())}
		default:
			panic(v)
		}
	}()
	return f()
}

func damaged(why string) error {
	return &genesis.Error{Op: "read cache", Kind: genesis.Internal, Msg: "a file of it " + why, Hint: "ask again: what is damaged is made anew", Err: errDamaged}
}

var errDamaged = errors.New("damaged")

// Damaged reports whether an error says that an item is damaged: whoever holds it drops
// it then, so that it is made anew.
func Damaged(err error) bool { return errors.Is(err, errDamaged) }

// opensNever tells an item that cannot be opened, for it is damaged, from a system that
// has no more files or memory to give.
func opensNever(err error) bool {
	return !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) && !errors.Is(err, syscall.ENOMEM)
}
