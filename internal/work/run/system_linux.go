package run

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// niceness lets a node answer while its workers compute.
const niceness = 2

// slack is what Go maps beyond what it holds: arenas of 64 MiB, tables of pages.
const slack = 256 << 20

// ownGroup makes a child the leader of a process group, which Ctrl-C in a
// terminal does not reach, and has the system kill it when its parent dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// confine limits this process: to memory bytes of writable mappings, with some
// slack, and to no core dump, which would hold people's data.
func confine(memory int64) error {
	err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	if memory > 0 {
		most := uint64(memory + memory/4 + slack)
		err = errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: most, Max: most}))
	}
	// All threads there are; those to come inherit it.
	return errors.Join(err, syscall.Setpriority(syscall.PRIO_PGRP, 0, niceness))
}

// residentMemory returns the bytes that a process holds of its own, without
// mapped files.
func residentMemory(pid int) (int64, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	_, rest, ok := bytes.Cut(b, []byte("\nRssAnon:"))
	if !ok {
		return 0, false
	}
	number, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" kB"))
	kb, err := strconv.ParseInt(string(number), 10, 64)
	return kb << 10, err == nil
}

// machineMemory returns the bytes of memory there are.
func machineMemory() int64 {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 8 << 30
	}
	return int64(info.Totalram) * int64(info.Unit)
}
