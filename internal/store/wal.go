package store

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The write-ahead log is a header of 32 bytes and then frames: a header of 24 bytes
// and a page. A frame's header ends in a checksum over its first 8 bytes and the page,
// which goes on from that of the frame before it
// (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
const (
	logHeader   = 32
	frameHeader = 24
	frameLen    = frameHeader + pageSize
)

// logSum is a checksum of the log.
type logSum [2]uint32

// add goes on with b, whose length is a multiple of 8.
func (s logSum) add(b []byte, big bool) logSum {
	if big {
		for ; len(b) >= 8; b = b[8:] {
			s[0] += binary.BigEndian.Uint32(b) + s[1]
			s[1] += binary.BigEndian.Uint32(b[4:]) + s[0]
		}
		return s
	}
	x, y := s[0], s[1]
	for ; len(b) >= 8; b = b[8:] {
		x += binary.LittleEndian.Uint32(b) + y
		y += binary.LittleEndian.Uint32(b[4:]) + x
	}
	return logSum{x, y}
}

// sumAt reads a checksum.
func sumAt(b []byte) logSum {
	return logSum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

// isBig tells the byte order of the words that are summed, by the log's header.
func isBig(header []byte) bool { return binary.BigEndian.Uint32(header)&1 == 1 }

// walWriter knows which frames a connection wrote anew in the midst of a
// transaction: the engine writes the page alone, leaves salt and checksum of further
// frames empty, and sums all when it commits. Until then nobody but this connection
// reads them.
type walWriter struct {
	mu     sync.Mutex
	header int64          // offset of the frame whose header was written last
	stale  map[int64]bool // by offset of the frame
}

// wrote notes what was written.
func (w *walWriter) wrote(amount int32, offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case offset < logHeader:
		w.stale, w.header = nil, 0
	case amount == frameHeader:
		delete(w.stale, offset)
		w.header = offset
	case offset-frameHeader != w.header:
		if w.stale == nil {
			w.stale = map[int64]bool{}
		}
		w.stale[offset-frameHeader] = true
	}
}

func (w *walWriter) isStale(offset int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stale[offset]
}

func writeLog(tls *libc.TLS, file, buf uintptr, amount int32, offset int64) int32 {
	rc := fn[ioFunc](originalOf(file).FxWrite)(tls, file, buf, amount, offset)
	if f, ok := layer.files.Load(file); ok {
		f.(*openFile).log.wrote(amount, offset)
	}
	return rc
}

// readLog reads from the log. What is no page is read by the engine after a crash,
// which then looks at the checksums itself. Of a page all that its checksum depends on
// is read at once: what is before it, up to the checksum that it goes on from.
func readLog(tls *libc.TLS, file, buf uintptr, amount int32, offset int64) int32 {
	read := fn[ioFunc](originalOf(file).FxRead)
	frame := offset - frameHeader
	if amount != pageSize || (frame-logHeader)%frameLen != 0 || isStale(file, frame) {
		return read(tls, file, buf, amount, offset)
	}
	const room = 2 * frameLen
	p := tls.Alloc(room)
	defer tls.Free(room)
	start, from := frame-frameLen, 16
	if frame == logHeader {
		start, from = 0, 24
	}
	all := unsafe.Slice(at[byte](p), frame+frameLen-start)
	rc := read(tls, file, p, int32(len(all)), start)
	if rc != lib.SQLITE_OK {
		return rc
	}
	own := all[frame-start:]
	copy(unsafe.Slice(at[byte](buf), amount), own[frameHeader:])
	before, want := sumAt(all[from:]), sumAt(own[16:])
	if isZero(own[8:frameHeader]) || before.over(own, bigEndian) == want { // or not summed yet
		return lib.SQLITE_OK
	}
	// The log may have been begun on a machine of the other byte order.
	rc = read(tls, file, p, logHeader, 0)
	big := isBig(all) // own lies behind it
	if rc == lib.SQLITE_OK && big != bigEndian && before.over(own, big) == want {
		return lib.SQLITE_OK
	}
	return damaged(file, fmt.Sprintf("frame %d", (frame-logHeader)/frameLen+1))
}

// isStale reports whether a frame was written anew and not summed yet.
func isStale(file uintptr, frame int64) bool {
	f, ok := layer.files.Load(file)
	return ok && f.(*openFile).log.isStale(frame)
}

// bigEndian is this machine's byte order, in which the engine sums a log that it begins.
var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
