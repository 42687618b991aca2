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
// root that the caller asks for, and each block against its leaf hash the first
// time it touches the block: a flipped bit is an error that names the blob and
// the block's offset, never data. [Store.Verify] re-hashes a whole blob and
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
package blob
