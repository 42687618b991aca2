//go:build unix

package upload

import "syscall"

// dontBlock keeps opening a pipe from waiting for somebody who writes.
const dontBlock = syscall.O_NONBLOCK
