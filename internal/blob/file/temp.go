package file

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// A temporary folder is named PID-BOOT-N: the process, a word drawn when it
// started, because process ids come round again (in a container always the
// same), and a number within it.
var (
	boot    = strings.ToLower(rand.Text())
	tempSeq atomic.Int64
)

// newTemp makes the temporary folder of one open store.
func newTemp(dir string) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("%d-%s-%d", os.Getpid(), boot, tempSeq.Add(1)))
	return path, os.Mkdir(path, 0o700)
}

// sweep removes temporary folders whose process is gone. What it cannot remove
// is tried again next time.
func sweep(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if abandoned(entry.Name()) {
			os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
}

// abandoned reports whether a temporary folder belongs to a process that is
// gone. Of names it did not make it says no.
func abandoned(name string) bool {
	parts := strings.Split(name, "-")
	if len(parts) != 3 {
		return false
	}
	pid, err := strconv.Atoi(parts[0])
	if err != nil || pid < 1 {
		return false
	}
	if pid == os.Getpid() {
		return parts[1] != boot
	}
	return !alive(pid)
}
