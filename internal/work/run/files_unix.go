//go:build linux || darwin

package run

import "syscall"

// inheritFiles lets children have as many files open as this process may. Go
// gives them the limit with which the program was started, usually 1024, unless
// the program sets it itself; a child that begins with more files than it may
// open cannot even be loaded.
func inheritFiles() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil {
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}
