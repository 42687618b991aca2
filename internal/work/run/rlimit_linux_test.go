package run

import "syscall"

const rlimitData = syscall.RLIMIT_DATA
