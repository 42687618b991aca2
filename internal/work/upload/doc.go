// Package upload brings raw files to a node whose caller is somewhere else.
//
// An upload is a session: it is opened, takes bytes where the last ones ended,
// and is completed. What is on the disk for certain is the session's offset: a
// part of the file is synced before the number that says so is committed, so
// that after a crash at any byte the session goes on at its offset, and what lies
// behind it in the file is cut off. SHA-256 goes along with the bytes, and its
// state is committed with the offset. A session is complete when the caller says
// so and size and digest are those announced; only then can it be opened, so that
// no part of a file is ever taken for the whole.
//
// Sessions belong to the person who opened them, are bounded in size, number and
// age, and take bytes from one connection at a time.
//
// Files that lie at the node already, under a root that its operator lists, are
// opened by path: for stewards, and never outside the roots, whatever links and
// dots a path holds.
//
// Both are named in requests by a genesis.FileRef whose token begins with
// genesis.UploadToken or genesis.PathToken, and [Store.Open] opens them.
package upload
