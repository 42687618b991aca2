// Package node is one node: a home on disk, and whoever serves it.
//
// A [Home] is a folder with everything a node keeps (config.yaml, blobs/,
// catalog.db, journal/, keys/, runs/, uploads/) and the number of the format it is laid out in.
// At most one process serves a home at a time: the one that holds the lock.
// [Start] takes the lock, opens the service (internal/work over the stores)
// and listens on two Unix sockets in the home:
//
//   - api.sock speaks the HTTP of internal/api.
//   - hand.sock takes open files. A client that is connected to it has a
//     session: the node hands out tokens for the descriptors it receives, and
//     stays for as long as the session lasts.
//
// There is no server to be started first. A command reads the home with
// [OpenHome], tries to connect to the sockets and, if nobody answers, tries
// the lock: whoever gets it serves, for itself and for whoever comes meanwhile,
// and [Node.Leave] returns when nobody needs the node any more. Whoever does
// not get it connects again. So every command is a client of the API, and
// nothing goes round it.
//
// On these sockets, who calls is what the kernel says: the peer whose uid owns the
// home is the principal "local", steward, operator and officer of the node. Others
// are refused. [Node.Serve] listens on the network, too (`genesis serve`): there,
// who calls is what a token or a session says, and without one they are nobody.
//
// This package alone knows the list of raw formats ([Formats]) and is the only
// importer of drivers. Windows has no such sockets: there, [Start] refuses.
package node
