package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/journal/tile"
)

// series is a log through its epochs: each has an origin and a tree of its own,
// and its first entry says where the one before ended. Entries are numbered
// through.
type series struct {
	name string
	dir  string
	node genesis.NodeID
	key  key
	disk disk.Disk

	mu     sync.RWMutex
	epochs []epoch
}

// epoch is one log of a series.
type epoch struct {
	number int
	base   int64 // entries in those before
	log    *tile.Log
}

// end is the number after the epoch's last entry.
func (e epoch) end() int64 { return e.base + e.log.Size() }

// origin names a log of a node among all logs: "nrel/audit/1".
func (s *series) origin(number int) string { return fmt.Sprintf("%s/%s/%d", s.node, s.name, number) }

// open opens all epochs. One that has no entry though it is not the first was
// not begun: it is left aside.
func (s *series) open() error {
	numbers, err := s.numbers()
	if err != nil {
		return err
	}
	for i, n := range numbers {
		if n != i+1 {
			return s.damaged(n, fmt.Sprintf("epoch %d is missing", i+1))
		}
		e, err := s.openEpoch(n)
		if err != nil {
			return err
		}
		if n == 1 || e.log.Size() > 0 {
			s.epochs = append(s.epochs, e)
		} else if i != len(numbers)-1 {
			return s.damaged(n, "it is empty, and there is one after it")
		}
	}
	return nil
}

func (s *series) damaged(number int, msg string) error {
	return &genesis.Error{Op: "open journal", Kind: genesis.Internal, Subject: s.origin(number), Msg: msg,
		Hint: "compare the journal with a backup of the home"}
}

// numbers lists the epochs, 1 where there are none.
func (s *series) numbers() ([]int, error) {
	found, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, disk.Error("open journal", s.dir, err)
	}
	var numbers []int
	for _, f := range found {
		if n, err := strconv.Atoi(f.Name()); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	if len(numbers) == 0 {
		return []int{1}, nil
	}
	return numbers, nil
}

// openEpoch opens the log of an epoch, under the origin it was begun with.
func (s *series) openEpoch(number int) (epoch, error) {
	dir := filepath.Join(s.dir, strconv.Itoa(number))
	origin := s.origin(number)
	if msg, err := os.ReadFile(filepath.Join(dir, "checkpoint")); err == nil {
		first, rest, _ := strings.Cut(string(msg), "\n")
		switch {
		case first != origin && strings.HasPrefix(rest, "0\n") && s.name != auditLog:
			// Nothing stands in it: it is begun under the node's name. A catalogue log of
			// another name would be one that nobody follows.
			if err := s.disk.Remove(filepath.Join(dir, "checkpoint")); err != nil {
				return epoch{}, disk.Error(operating, dir, err)
			}
		case strings.HasSuffix(first, fmt.Sprintf("/%s/%d", s.name, number)):
			origin = first // the node had another name; that the key signed it is checked
		}
	}
	signer, verifier, err := s.key.pair(origin)
	if err != nil {
		return epoch{}, err
	}
	log, err := tile.Open(tile.Config{Dir: dir, Origin: origin, Signer: signer, Verify: verifier, Disk: s.disk})
	if err != nil {
		return epoch{}, err
	}
	e := epoch{number: number, log: log}
	if n := len(s.epochs); n > 0 {
		e.base = s.epochs[n-1].end()
	}
	return e, nil
}

// all returns the epochs, oldest first.
func (s *series) all() []epoch {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.epochs
}

// last returns the epoch that is written to.
func (s *series) last() epoch {
	all := s.all()
	return all[len(all)-1]
}

// size is the number of entries in all epochs.
func (s *series) size() int64 { return s.last().end() }

// renamed reports whether the last epoch was begun under another name of the
// node.
func (s *series) renamed() bool {
	e := s.last()
	return e.log.Origin() != s.origin(e.number)
}

// append appends entries, the first of which has the number at.
func (s *series) append(at int64, all [][]byte) error {
	e := s.last()
	return e.log.Append(at-e.base, all)
}

// declare returns what the first entry of the next epoch has to say.
func (s *series) declare() *declaration {
	e := s.last()
	c := e.log
	return &declaration{Origin: c.Origin(), Root: c.Root().String(), Size: c.Size()}
}

// begin begins the next epoch with its first entry.
func (s *series) begin(first []byte) error {
	e, err := s.openEpoch(s.last().number + 1)
	if err != nil {
		return err
	}
	if e.log.Size() == 0 { // else an earlier try got as far as this
		if err := e.log.Append(0, [][]byte{first}); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs = append(slices.Clone(s.epochs), e)
	return nil
}

// bundle returns entries that stand together, among them number seq, and the
// number of the first.
func (s *series) bundle(seq int64) (int64, [][]byte, error) {
	for _, e := range s.all() {
		if seq >= e.base && seq < e.end() {
			n := (seq - e.base) / tile.Width
			all, err := e.log.Entries(n)
			return e.base + n*tile.Width, all, err
		}
	}
	return 0, nil, &genesis.Error{Op: "read journal", Kind: genesis.NotFound, Subject: fmt.Sprintf("entry %d", seq), Msg: "the log is not that long"}
}

// scan shows the entries from one on.
func (s *series) scan(from int64, each func(seq int64, text []byte) error) error {
	for size := s.size(); from < size; {
		first, all, err := s.bundle(from)
		if err != nil {
			return err
		}
		for _, text := range all[from-first:] {
			if err := each(from, text); err != nil {
				return err
			}
			from++
		}
	}
	return nil
}
