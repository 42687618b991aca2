package cache

import "golang.org/x/sys/unix"

// largePages asks for large pages. Small ones do as well.
func largePages(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
