// Package abroad keeps what concerns this node's people at other nodes: the requests that
// they made there, the grants that reach them and the projects that they are in, each as
// the other node said last ([Store]); and, the other way round, which word about what this
// node said last to whom ([Store.Next]).
//
// Words about one thing have turns, so that one that is late or repeated changes nothing
// that a later one said. What another node may say is bounded here: only what is its own,
// only of people of this node, and no more of it than a node has room for. The messages
// are those of docs/federation.md; package work puts and takes them.
package abroad
