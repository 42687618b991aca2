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
	c, ok := ctx.Value(connKey{}).(net.Conn)
	if !ok {
		return false
	}
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = over.NetConn() // of TLS, whose own Close says goodbye first and waits for that
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // fails where the connection is gone
	}
	_ = c.Close()
	return true
}
