package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/api"
	"github.com/opengenesis/genesis/internal/federation/post"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// Service is what a node serves, and how it is closed.
type Service interface {
	api.Service
	io.Closer
}

// Options change how a node starts. The zero value is the real thing.
type Options struct {
	// Open opens the service over a home whose lock is held; nil: internal/work
	// over the home's stores.
	Open func(context.Context, *Home) (Service, error)
	Log  *slog.Logger // nil: nothing is logged
	// Network says that Serve will follow.
	Network bool

	// disk is what the journal writes to; nil: the machine's. Tests break it.
	disk disk.Disk

	// charter and token are the federation's charter and the node's token key; nil: those
	// of the home. Tests give others.
	charter access.Charter
	token   func() (string, ed25519.PrivateKey)

	// peers carries what this node asks of others; nil: the network. now is its clock; nil:
	// the machine's. Tests break the one and set the other.
	peers http.RoundTripper
	now   func() time.Time

	// pauses are how long messages wait for a node that does not answer; zero: as is usual.
	pauses post.Pauses

	// cost is what a password's hash takes to compute; zero: as is usual.
	cost identity.Cost

	// peer tells the uid of the process at the other end; nil: the kernel's word.
	peer func(net.Conn) (uint32, error)
}

// ErrBusy says that another process serves the home, or is about to.
var ErrBusy = errors.New("another process holds the home's lock")
