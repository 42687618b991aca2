package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"github.com/opengenesis/genesis"
)

// checkLog looks for damage in the write-ahead log that a crash left. The engine
// takes the log as far as its checksums hold. That is right where the last write was
// torn, but would silently forget what was committed after a frame that the disk
// changed. The two can be told apart: every commit was flushed before the next
// transaction wrote, so a torn write is in the last transaction, and where a commit
// follows the one whose frame is bad, it is damage. In the last transaction a bad
// frame is damage where one other bit would make it good, and else counts as torn.
//
// The rule holds for one crash: what one left must not lie in the log behind what is
// written next, lest a second crash looks like damage. So the caller empties a log
// of which checkLog reports that its end is torn.
//
// A log that somebody else begins again meanwhile looks damaged, too, but not for long.
func checkLog(path string) (torn bool, err error) {
	for try := range 4 {
		time.Sleep(time.Duration(try) * 5 * time.Millisecond)
		if torn, err = scanLog(path); err == nil {
			return torn, nil
		}
	}
	return false, err
}

func scanLog(path string) (torn bool, err error) {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, Error("open database", path, err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(r, header); err != nil || isZero(header) {
		return false, nil // nothing was written yet
	}
	scan := logScan{big: isBig(header), salt: header[16:24]}
	if scan.sum = (logSum{}).add(header[:24], scan.big); scan.sum != sumAt(header[24:]) {
		return false, badLog(path, "its header is damaged") // 32 bytes are not torn
	}
	frame := make([]byte, frameLen)
	for !scan.damaged() {
		if _, err := io.ReadFull(r, frame); err != nil {
			return scan.torn, nil
		}
		scan.next(frame)
	}
	return false, badLog(path, fmt.Sprintf("frame %d of it is damaged, and not by a crash", scan.bad))
}

func badLog(path, msg string) error {
	return &genesis.Error{Op: "open database", Kind: genesis.Internal, Subject: path,
		Msg: "the write-ahead log " + filepath.Base(path) + "-wal cannot be trusted: " + msg, Hint: "restore the database from a backup"}
}

// logScan goes through the frames of a log.
type logScan struct {
	big    bool
	salt   []byte // of the frames written since the log was begun again
	sum    logSum
	number int
	bad    int  // the first frame that does not hold; 0: none yet
	bit    bool // it is bad by one bit
	torn   bool // frames that are bad, or after one, are of this use of the log
	ends   int  // transactions that end with or after it
}

// damaged reports whether no crash can have left what was seen.
func (s *logScan) damaged() bool { return s.ends > 1 || s.bit && s.ends > 0 }

func (s *logScan) next(frame []byte) {
	s.number++
	wrong := s.wrongBits(frame)
	if s.bad == 0 {
		before := s.sum
		s.sum = before.over(frame, s.big)
		if wrong == 0 && s.sum == sumAt(frame[16:]) {
			return
		}
		s.bad = s.number
		s.bit = wrong == 1 && s.sum == sumAt(frame[16:]) || wrong == 0 && mend(frame, before, s.big)
		if wrong == 1 { // it is not of an earlier use of the log
			wrong = 0
		}
	}
	if wrong > 0 { // of an earlier use: it says nothing of this one
		return
	}
	s.torn = true
	if binary.BigEndian.Uint32(frame[4:]) != 0 {
		s.ends++
	}
}

// over goes on with a frame.
func (s logSum) over(frame []byte, big bool) logSum {
	return s.add(frame[:8], big).add(frame[frameHeader:], big)
}

// mend looks for one bit of a frame that makes it good when it is the other way
// round, and turns it. A write that a crash tore differs in more.
func mend(frame []byte, before logSum, big bool) bool {
	want, got := sumAt(frame[16:]), before.over(frame, big)
	if bits.OnesCount32(want[0]^got[0])+bits.OnesCount32(want[1]^got[1]) == 1 {
		return true // in the checksum
	}
	for i := range frame {
		if i >= 8 && i < frameHeader {
			continue
		}
		for bit := range 8 {
			frame[i] ^= 1 << bit
			if before.over(frame, big) == want {
				return true
			}
			frame[i] ^= 1 << bit
		}
	}
	return false
}

// wrongBits returns in how many bits the frame's salt differs.
func (s *logScan) wrongBits(frame []byte) (n int) {
	for i, b := range s.salt {
		n += bits.OnesCount8(b ^ frame[8+i])
	}
	return n
}
