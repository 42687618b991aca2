// Package charter is the signed list of a federation's members: who makes it, who
// may change it, and how a node tells a true one from another.
//
// A [Bundle] is the charter as it travels and as it is kept: the metadata of The
// Update Framework (https://theupdateframework.github.io/specification/latest/) and
// the list itself, each as its exact bytes. [Open] checks a bundle against the digest
// by which the federation is known, and returns a [Charter], which is true and never
// changes. [Charter.Update] takes a newer bundle, or says why it does not; a
// [Reason] is in the chain of every such error.
//
// Changes are made in the same way by every holder: [Charter.Draft] writes what would
// be signed, [Draft.Sign] adds a holder's signatures, and [Charter.Finish] makes it the
// next charter once there are enough. [Charter.Renew] signs anew what says that the
// charter is current.
//
// Whatever comes from outside is measured before it is parsed, and its shape is
// checked before go-tuf sees it: that library follows the specification and is not
// meant for metadata that has holes.
package charter
