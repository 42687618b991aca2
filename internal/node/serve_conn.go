//go:build linux || darwin

package node

import (
	"context"
	"net"

	"golang.org/x/sys/unix"

	"github.com/opengenesis/genesis/internal/api/edge"
)

// maxUnsent bounds what a connection has written and the kernel has not sent yet. It
// does not bound what is under way, and so not the speed (see TCP_NOTSENT_LOWAT in
// tcp(7)). Without it up to 4 MB lie there for a slow reader: a whole answer, of which
// the node would be done, and which nothing could call back.
const maxUnsent = 128 << 10

// keepConn is the ConnContext of servers on the network.
func keepConn(ctx context.Context, c net.Conn) context.Context {
	tcp := c
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		tcp = over.NetConn()
	}
	if tcp, ok := tcp.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { // a kernel without it sends as before
				_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
			})
		}
	}
	return edge.WithConn(ctx, c)
}
