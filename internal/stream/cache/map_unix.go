//go:build linux || darwin

package cache

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

// willNeed has the pages of a part read ahead. That they come is a wish: errors are none.
func willNeed(mapped []byte, from, to int) {
	page := os.Getpagesize()
	if from = from / page * page; from < to {
		_ = unix.Madvise(mapped[from:to], unix.MADV_WILLNEED)
	}
}

// mapMemory returns memory in large pages, where the system has them.
func mapMemory(n int) ([]byte, error) {
	const large = 2 << 20
	b, err := unix.Mmap(-1, 0, (n+large-1)&^(large-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	largePages(b)
	return b[:n:len(b)], nil
}

func unmapMemory(b []byte) { _ = unix.Munmap(b[:cap(b)]) }
