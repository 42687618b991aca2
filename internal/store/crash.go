package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"time"

	"github.com/opengenesis/genesis"
)

// checkLog looks for damage in the write-ahead log that a crash left. The engine
// takes the log as far as its checksums hold. That is right where the last write was
// torn, but would silently forget what was committed after a frame that the disk
// changed. The two can be told apart: every commit was flushed before the next
// transaction wrote, so a torn write is in the last transaction, and where a commit
// follows the one whose frame is bad, it is damage. In the last transaction a bad
// frame could be either, and counts as torn.
//
// A log that somebody else begins again meanwhile looks damaged, too, but not for long.
func checkLog(path string) (err error) {
	for try := range 5 {
		time.Sleep(time.Duration(try) * 20 * time.Millisecond)
		if err = scanLog(path); err == nil {
			return nil
		}
	}
	return err
}

func scanLog(path string) error {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return Error("open database", path, err)
	}
	defer f.Close()
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(f, header); err != nil || isZero(header) {
		return nil // nothing was written yet
	}
	scan := logScan{order: orderOf(header), salt: header[16:24]}
	if scan.sum = (logSum{}).add(header[:24], scan.order); scan.sum != sumAt(header[24:]) {
		return badLog(path, "its header is damaged") // 32 bytes are not torn
	}
	frame := make([]byte, frameHeader+binary.BigEndian.Uint32(header[8:]))
	for scan.ends < 2 {
		if _, err := io.ReadFull(f, frame); err != nil {
			return nil
		}
		scan.next(frame)
	}
	return badLog(path, fmt.Sprintf("frame %d of it is damaged, and transactions were committed after it", scan.bad))
}

func badLog(path, msg string) error {
	return &genesis.Error{Op: "open database", Kind: genesis.Internal, Subject: path,
		Msg: "the write-ahead log cannot be trusted: " + msg, Hint: "restore the database from a backup"}
}

// logScan goes through the frames of a log.
type logScan struct {
	order  binary.ByteOrder
	salt   []byte // of the frames written since the log was begun again
	sum    logSum
	number int
	bad    int // the first frame that does not hold; 0: none yet
	ends   int // transactions that end with or after it
}

func (s *logScan) next(frame []byte) {
	s.number++
	wrong := s.wrongBits(frame)
	s.sum = s.sum.add(frame[:8], s.order).add(frame[frameHeader:], s.order)
	if s.bad == 0 && (wrong > 0 || s.sum != sumAt(frame[16:])) {
		s.bad = s.number
		if wrong > 1 { // of an earlier use of the log: it says nothing of this one
			return
		}
		wrong = 0
	}
	if commits := binary.BigEndian.Uint32(frame[4:]) != 0; s.bad > 0 && commits && wrong == 0 {
		s.ends++
	}
}

// wrongBits returns in how many bits the frame's salt differs.
func (s *logScan) wrongBits(frame []byte) (n int) {
	for i, b := range s.salt {
		n += bits.OnesCount8(b ^ frame[8+i])
	}
	return n
}
