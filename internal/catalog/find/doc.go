// Package find is the search index over listings, a node's own and those that it
// mirrors. It knows nothing of HTTP or policy: a [Document] is a listing with the classes
// that may know of it, and an [Asker] brings the classes that they belong to and what
// they may name beside. To an asker, all else does not exist: hits, counts, facets,
// order, suggestions and likeness are those of an index without it, byte for byte
// (worlds_test.go). docs/search.md says what is found and in which order,
// docs/decisions/0011-search.md why it is made so.
//
// # Segments
//
// An [Index] is a folder of segments (segment.go), files that are mapped and never
// change, and a manifest (manifest.go), one file that says which segments count and
// what of them was deleted since. A batch ([Index.Apply]) becomes a segment (build.go);
// eight segments of like size become one in the background (compact.go, merge.go). The
// manifest is replaced as a whole, so that a crash leaves the index of before or after.
// All of it is derived: pages are held against checksums when they are first looked at
// (file.go), what does not hold is an error, never an answer, and an index that cannot
// be opened begins empty, with the [Index.Mark] of one that has to be filled again.
//
// # A query
//
// A [snapshot] is the segments at one time; readers hold one while batches go on. Of it
// an asker has a [view] (view.go): a bit for each document, set for those versions that
// are shown to them. A query (parse.go) is clauses, each a set of documents in blocks of
// 65,536: sets are cut with the view first, and everything else is counted, ranked and
// told from what is left (search.go, match.go). So nothing can be forgotten to be
// hidden. Within a segment documents are in the order of their keys, node and name,
// which is how hits of the same score are ordered.
//
// What documents have to do with each other is settled when they come (flags.go): which
// versions of an asset nobody sees any more because of later ones, which are
// seen by some, and which versions lie at several places.
package find
