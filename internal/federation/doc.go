// Package federation makes a node a member among others: it keeps the charter current,
// signs it where the node is a holder, and changes it.
//
// A [Federation] is the charter that package access asks with every decision: a lookup
// reads one pointer. Whatever changes the charter goes through one place, adopt: the
// entry of the journal is durable, then the file in the home is replaced, then the
// pointer; a crash in between leaves the charter before, and the next refresh brings
// the one after.
//
// Nobody is asked to trust whoever sends a charter. [Federation.Refresh] takes from any
// member what is newer and verifies it (package charter); [Federation.Run] does that in the
// background, and on a holder's node signs every day that the charter is current.
// When it is not, people of other nodes are vouched for no more, and nothing else
// changes.
//
// Members change by drafts: an operator of a holder's node makes one, the others
// sign it at their own nodes, and where it was made it is finished. A node signs one
// draft of a version and no other, so that half of the holders cannot agree to one
// thing and half to another.
//
// Keys are in package nodekey, what nodes say to each other in package jws.
package federation
