package run

import "syscall"

const rlimitData = syscall.RLIMIT_CORE

const slack = 0
