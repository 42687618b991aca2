//go:build linux || darwin

package find

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a file into memory, to be read.
func mapFile(path string) ([]byte, func([]byte) error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.Size() == 0 {
		return nil, func([]byte) error { return nil }, nil
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	return b, unix.Munmap, err
}
