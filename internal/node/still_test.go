//go:build linux || darwin

package node

import (
	"sync"

	"github.com/opengenesis/genesis/internal/journal/disk"
)

// still is a disk that stands still while it is copied, so that the copy is what was
// there at one moment. It does not sync: kill -9 is no power cut.
type still struct {
	disk.Disk
	mu sync.RWMutex // held for writing while it is copied
}

func newStill() *still { return &still{Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}} }

func (s *still) Create(name string) (disk.File, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, err := s.Disk.Create(name)
	return &stillFile{f, s}, err
}

func (s *still) Mkdir(dir string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.Disk.Mkdir(dir)
}

func (s *still) Rename(from, to string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.Disk.Rename(from, to)
}

func (s *still) Remove(name string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.Disk.Remove(name)
}

type stillFile struct {
	disk.File
	disk *still
}

func (f *stillFile) Write(b []byte) (int, error) {
	f.disk.mu.RLock()
	defer f.disk.mu.RUnlock()
	return f.File.Write(b)
}
