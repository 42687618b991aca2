package edge

import (
	"net"

	"golang.org/x/sys/unix"
)

// holdsUnsent reports whether the kernel holds bytes that it has not sent yet.
func holdsUnsent(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false // it is closed
	}
	unsent := 0
	if err := raw.Control(func(fd uintptr) { unsent, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) }); err != nil {
		return false
	}
	return unsent > 0 || err != nil
}
