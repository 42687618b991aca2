package run

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const niceness = 2

// ownGroup makes a child the leader of a process group, which Ctrl-C in a
// terminal does not reach. It notices the end of its parent by its pipe.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// confine limits this process. macOS enforces no limit of mapped memory, so the
// garbage collector's is the only one.
func confine(int64) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return err
	}
	return syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness)
}

// residentMemory is not told here.
func residentMemory(int) (int64, bool) { return 0, false }

// machineMemory returns the bytes of memory there are.
func machineMemory() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return 8 << 30
	}
	return int64(n)
}
