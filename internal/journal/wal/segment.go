package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Format is the format number of the segments this program writes.
const Format = 1

// header begins every segment. The segment's number follows in 8 bytes.
var header = fmt.Appendf(nil, "genesis wal %d\n", Format)

var headerSize = int64(len(header) + 8)

// The kinds of frames.
const (
	record = 1
	mark   = 2
)

// frameSize is what a frame has before its payload: length (4 bytes, big-endian,
// of the payload), CRC-32C (4) and kind (1).
const frameSize = 9

// MaxRecord is the longest record.
const MaxRecord = 1 << 20

// maxSegment is longer than any segment this program writes.
const maxSegment = segmentSize + maxGroup + MaxRecord + 4096

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends a frame that will stand at an offset of a segment.
func appendFrame(b []byte, segment uint64, at int64, kind byte, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.BigEndian.AppendUint32(b, checksum(segment, at, kind, payload))
	return append(append(b, kind), payload...)
}

// checksum covers the frame and its place.
func checksum(segment uint64, at int64, kind byte, payload []byte) uint32 {
	var place [21]byte
	binary.BigEndian.PutUint64(place[:], segment)
	binary.BigEndian.PutUint64(place[8:], uint64(at))
	binary.BigEndian.PutUint32(place[16:], uint32(len(payload)))
	place[20] = kind
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, payload)
}

// readFrame reads the frame at an offset; ok is false where none stands.
func readFrame(b []byte, segment uint64, at int64) (kind byte, payload []byte, ok bool) {
	rest := b[at:]
	if len(rest) < frameSize {
		return 0, nil, false
	}
	size := int64(binary.BigEndian.Uint32(rest))
	if size > MaxRecord || size > int64(len(rest))-frameSize {
		return 0, nil, false
	}
	kind, payload = rest[8], rest[frameSize:frameSize+size]
	ok = checksum(segment, at, kind, payload) == binary.BigEndian.Uint32(rest[4:]) && (kind == record || kind == mark)
	return kind, payload, ok
}

// scan returns the records of a segment. damaged is the offset of a frame that
// was acknowledged and is not there any more, −1 when there is none.
func scan(b []byte, segment uint64) (records [][]byte, damaged int64) {
	at := headerSize
	for at < int64(len(b)) {
		kind, payload, ok := readFrame(b, segment, at)
		if !ok {
			if markAfter(b, segment, at) {
				return records, at
			}
			return records, -1
		}
		if kind == record {
			records = append(records, payload)
		}
		at += frameSize + int64(len(payload))
	}
	return records, -1
}

// markAfter reports whether a mark stands anywhere behind an offset.
func markAfter(b []byte, segment uint64, at int64) bool {
	for at++; at+frameSize <= int64(len(b)); at++ {
		if b[at+8] != mark {
			continue
		}
		if kind, payload, ok := readFrame(b, segment, at); ok && kind == mark && len(payload) == 0 {
			return true
		}
	}
	return false
}

// Segment is what one file held when the write-ahead log was opened.
type Segment struct {
	Number  uint64
	Records [][]byte
}

func segmentName(n uint64) string { return fmt.Sprintf("%020d", n) }

// readSegments reads all segments of a folder, oldest first.
func readSegments(dir string) ([]Segment, error) {
	numbers, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	var all []Segment
	for i, n := range numbers {
		path := filepath.Join(dir, segmentName(n))
		if i > 0 && n != numbers[i-1]+1 {
			return nil, damage(filepath.Join(dir, segmentName(numbers[i-1]+1)), "it is missing, and those before and after it are there")
		}
		s, err := readSegment(path, n)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func listSegments(dir string) ([]uint64, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, disk.Error("open write-ahead log", dir, err)
	}
	var numbers []uint64
	for _, f := range found {
		n, err := strconv.ParseUint(f.Name(), 10, 64)
		if err != nil || segmentName(n) != f.Name() {
			return nil, damage(filepath.Join(dir, f.Name()), "it is not the name of a segment")
		}
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

func readSegment(path string, n uint64) (Segment, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Segment{}, disk.Error("open write-ahead log", path, err)
	}
	if info.Size() > maxSegment {
		return Segment{}, damage(path, fmt.Sprintf("it has %d bytes, more than a segment can have", info.Size()))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Segment{}, disk.Error("open write-ahead log", path, err)
	}
	want := binary.BigEndian.AppendUint64(bytes.Clone(header), n)
	if int64(len(b)) <= headerSize {
		return Segment{Number: n}, nil // without a record; perhaps torn when it was made
	}
	if !bytes.HasPrefix(b, want) {
		return Segment{}, newer(path, b)
	}
	records, damaged := scan(b, n)
	if damaged >= 0 {
		return Segment{}, damage(path, fmt.Sprintf("the record at byte %d was acknowledged and cannot be read", damaged))
	}
	return Segment{n, records}, nil
}

// newer is the error of a segment with another header.
func newer(path string, b []byte) error {
	var format int
	if _, err := fmt.Sscanf(string(b[:min(len(b), 32)]), "genesis wal %d\n", &format); err == nil && format > Format {
		return &genesis.Error{Op: "open write-ahead log", Kind: genesis.Unsupported, Subject: path,
			Msg: fmt.Sprintf("it has format %d, and this program reads %d", format, Format), Hint: "use the program that wrote it, or a newer one"}
	}
	return damage(path, "its header is damaged")
}

func damage(path, msg string) error {
	return &genesis.Error{Op: "open write-ahead log", Kind: genesis.Internal, Subject: path, Msg: msg,
		Hint: "put the file back from a backup; or, to go on without the entries in it, keep it elsewhere and put an empty file in its place"}
}
