// Package blob keeps bytes by their content. A blob is known by the SHA-256 of
// its bytes; writing the same bytes twice keeps them once, and what is written
// is never changed.
//
// Beside its digest a blob has a Merkle root, so that any range of it can be
// checked without reading the whole. The content is cut into blocks of 1 MiB,
// the last one shorter, and the tree over them is that of RFC 6962, section 2.1:
//
//	leaf = SHA-256(0x00 ‖ block)
//	node = SHA-256(0x01 ‖ left ‖ right)
//
// with the left subtree holding the largest power of two of leaves smaller than
// their number. A blob of at most one block has its only leaf as root, and the
// root of the empty blob is SHA-256 of nothing.
//
// The leaf hashes of a blob of more than one block are kept beside it
// ("<hex>.tree", see tree.go). A [Reader] checks the leaf hashes against the
// root that the caller asks for, each block against its leaf hash, and what it reads
// of a block later against sums it noted then: a flipped bit, even one that flips
// while the reader is open, is an error that names the blob and the block's offset,
// never data. [Store.Verify] re-hashes a whole blob and
// returns every damaged block.
//
// [Store] holds what all kinds of storage share: hashing, checking, limits.
// Where the bytes lie is the business of a [Driver] of a few methods; package
// blob/file keeps them in a folder, and package blob/blobtest holds the suite
// that every driver passes.
//
// A write becomes visible only when it is complete and on disk: leaf hashes
// first, then the content. What a crash leaves behind is temporary files, which
// the driver removes when it next opens, or at worst leaf hashes without
// content, which no one can ask for and the next write of the same content
// replaces.
//
// Blobs that nothing refers to are removed by [Store.Sweep]. It is told what is in
// use, and keeps besides whatever was written, written again or asked to be kept
// ([Store.Keep]) within a time of grace, or since the oldest write began that is
// still under way ([Store.Pin]): a version that is being made relies on bytes that
// nothing refers to yet. [Store.Purge] destroys blobs at once.
package blob
