package edge

import (
	"context"
	"net"
)

type connKey struct{}

// WithConn keeps the connection that requests come by, for [Sever]:
// http.Server.ConnContext calls it.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Sever ends the connection that a request came by, at once and not in order: a Write
// that waits returns, and of what the kernel holds nothing more is sent (SO_LINGER of
// 0 s, the ABORT of RFC 9293, section 3.10.5). Over HTTP/2 other requests of the same
// connection end with it: what is written of one stream lies among the bytes of the
// others, in the kernel and in TLS records, and cannot be taken back alone. What was
// written to a Unix socket is at the other end already. Sever reports whether it knows
// the connection.
func Sever(ctx context.Context) bool {
	c, ok := connOf(ctx)
	if !ok {
		return false
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails where the connection is gone
	}
	_ = c.Close()
	return true
}

// SeverSlow is Sever where the kernel holds bytes that it has not sent, as it does for
// a slow reader.
func SeverSlow(ctx context.Context) {
	c, ok := connOf(ctx)
	if !ok {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok && holdsUnsent(tcp) {
		Sever(ctx)
	}
}

// connOf is the connection that a request came by, without its TLS, whose Close says
// goodbye first and waits for that.
func connOf(ctx context.Context) (net.Conn, bool) {
	c, ok := ctx.Value(connKey{}).(net.Conn)
	if over, secured := c.(interface{ NetConn() net.Conn }); secured {
		c = over.NetConn()
	}
	return c, ok
}
