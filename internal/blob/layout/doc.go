// Package layout keeps the lists of a version's files, and finds a row's file in
// them without reading them all.
//
// A layout ([genesis.Layout]) is a record of the catalogue, read with each use of
// a version, and a table may have millions of files. So [Write] moves long lists
// to blobs of at most [PageEntries] files each, and where the list of those pages
// would be long, too, to pages of pages: a tree whose root is in the record. Each
// page is listed with how many rows and files are under it. [Index] goes down the
// tree by these sums, and reads a page when it is asked for something in it. [Each]
// goes through everything, for those who must know of every blob: whoever collects
// what nobody refers to, destroys, verifies or copies.
//
// A page is checked against its digest, and against what the list that names it
// says of it, each time that it is read. docs/formats.md, "Records", specifies what
// is stored.
package layout
