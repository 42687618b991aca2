// Package store is the node's SQL database: one handle, its transactions and its
// schema. Catalogue and journal commit together in it, so that no act is
// without its evidence and no evidence without its act.
//
// The database is SQLite in write-ahead mode, flushed at every commit
// (synchronous=FULL): what a command was told is there after a power cut. There
// is one writer connection, so that transactions of this process queue in Go
// instead of failing with "busy", and a pool of readers that never wait for it.
// What is deleted is overwritten, so that a person who is forgotten is not to be
// found in the free pages of the file. [OpenWith] opens other databases of a home
// in the same way.
//
// The schema is the numbered files in migrations, applied at [Open]. A database
// with a newer schema is refused; one with an older schema is copied beside
// itself before it is migrated. The SQL is kept plain enough for PostgreSQL:
// parameters are $1, $2, …; keys are BIGINTs that the writer counts itself;
// times are microseconds since 1970-01-01T00:00:00Z; text compares byte by byte.
//
// Nothing that the disk changed passes for an answer. Every page ends in a checksum
// that is compared whenever it is read (page.go), frames of the write-ahead log are
// compared with theirs (wal.go), and a log in which a crash cannot have left what is
// there keeps the database from opening (crash.go). That holds for every database of a
// home, for copies and for what is read of them. Rows of the catalogue have a sum of
// their own ([RowSum]), so that what is wrong has a name. Other programs can read the
// file; one that writes it leaves pages whose checksums no longer hold. A database
// that has no checksums yet is written anew when it is opened (prepare.go).
// [DB.Check] reads all of it, [DB.Scrub] leaves nothing of deleted rows in it.
package store
