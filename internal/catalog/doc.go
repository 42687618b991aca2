// Package catalog knows the node's assets: their versions, the records about
// them, what was made from what, and how to find them.
//
// A version is the SHA-256 of its content manifest. The manifest's canonical
// bytes lie in the blob store under that very digest, so that whoever holds the
// digest can check the manifest, and through it all content. Everything else is
// rows of one SQL database (package store), and every change of them commits
// with its journal event in one transaction.
//
// # The life of a version
//
// [Catalog.Stage] makes sure that the bytes are there and stay, [Catalog.CommitTx]
// adds a draft, [Catalog.PutRecordTx] and [EditTx] say something new about it,
// [Catalog.PublishTx] numbers it, [Catalog.WithdrawTx] takes it back, [Catalog.EraseTx]
// leaves a tombstone. Each works in the caller's transaction, so that terms and
// evidence commit with it; the same names without Tx have one of their own.
// [Catalog.References] tells a sweep of the blob store what is needed;
// [Catalog.Purge] destroys what an erased version alone needed.
//
// Records are JSON with a format number and a digest that is checked when they
// are read. A new one does not overwrite: the one before it stays, with the time
// at which it was superseded ([Catalog.History]). Rows have sums. [Catalog.Verify]
// checks a version, [Catalog.Check] the whole database.
//
// # Who sees what
//
// The catalogue decides nothing about who may see what. Whoever asks for somebody
// hands over what package access decided, as a [Visible], and what that hides is to
// the answer as if it did not exist. An asset has no version that is current for
// everybody: it is shown by the latest published one that may be seen, else by the
// newest draft, with the title from that version's card and the time of the oldest
// version that may be seen. Order is by name. Answers are read from the database
// first and filtered then, so that a decision may use the database, too.
//
// Package find searches; what is found follows from what is here, and is noted here until
// it is there, too (found.go).
//
// What stays visible is a number: who sees @1 and @3 can tell that there was a @2.
// Numbers are given once and for all, to everybody the same.
package catalog
