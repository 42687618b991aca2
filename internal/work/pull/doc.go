// Package pull brings a version of another node here: what its owner says of it
// ([ReadBundle]), and the bytes of its blobs ([Fetcher]).
//
// The owner may lie. What it says is bounded before it is read, and checked before anything
// follows from it. Every block of a blob is checked against the blob's Merkle root before
// it is kept, the blob against its digest before it is one, and the manifest against the
// digest of the version; whether the values are those that the manifest names is checked
// by whoever commits the copy, with everything at hand. Nothing is taken for the version's
// because its bytes are here already: they may be here for somebody else, and their digest
// is no secret.
//
// A transfer that breaks off goes on at the first block that is missing, after a crash of
// the node, too. While the owner does not answer it is asked again, for a while.
package pull
