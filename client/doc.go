// Package client is the Go client of a node's API. The commands of
// cmd/genesis use only this: whatever they can do, a program can.
//
// [Dial] reaches the node that serves a home on this machine, over the Unix
// sockets in the home; [New] reaches any node over HTTP. Methods mirror the
// routes of internal/api. Errors are *genesis.Error with the kind, subject and
// hint the node gave; a connection that broke is Unavailable, a context that
// was canceled is Canceled.
//
// On the home's sockets files are not copied: [Client.HandOver] passes an open
// descriptor to the node, so that the node reads what the caller may read, and
// nothing else.
package client
