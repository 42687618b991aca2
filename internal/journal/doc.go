// Package journal keeps the evidence of a node: what was done, by whom, to what,
// why, and what was refused. It is recorded before it counts, and it stands in
// logs that show when they were changed.
//
// # Two ways in
//
// [Record] puts an event into the outbox, a table of the catalogue's database, in
// the transaction of the act itself: there is no act without its evidence, and
// no evidence without its act. [Journal.Append] is for access, of which there may
// be tens of thousands in a second and which changes nothing in the database: it
// returns once the event is synced in a write-ahead log (package wal), where
// writers share syncs. What cannot be appended must not happen.
//
// [Journal.Share] lets many small reads of one version, by one person for one
// purpose, share two entries: an opening one, durable before the first byte, and
// a closing one with their number a minute later. A crash loses the closing entry
// and never the opening one.
//
// # One way through
//
// The sequencer, one goroutine, turns both into the entries of a transparency log
// (package tile), some hundred milliseconds later. A batch of events goes through
// these steps, and a crash between any two is mended when the journal is opened:
//
//  1. what could name a person goes to private.db; rows without an entry are
//     dropped at the next start
//  2. the entries go to new tiles, and the checkpoint is put in place: from now
//     on they are in the log
//  3. the index, index.db, learns of them; what is missing is read from the log
//     at the next start
//  4. their rows of the outbox, and segments of the write-ahead log, are removed;
//     what is left is found in the index by its id at the next start
//
// So every event that was acknowledged is in the log once, whenever the process
// is killed.
//
// # The logs
//
// The audit log is the node's own: peers keep its checkpoints and never see an
// entry. The catalogue has a log for each class of people who may know of
// something (catalog-public, catalog-members, catalog-to-ID), with salted digests
// of statements about published versions. [Restate] states what enters a class, and
// what leaves it, in the transaction that makes it so. Peers follow these logs by
// their tiles, and get statement, salt and listing from the node while they hold:
// [Journal.Statements], [CheckStatement]. Each log has an origin with an epoch,
// "nrel/audit/1". After a restore from a backup [Journal.NewEpoch] begins another,
// whose first entry declares origin, size and root of the one before: so an honest
// restore differs from a rewriting. Entries are numbered through all epochs.
//
// # Forgetting
//
// A log that must hold for ever and people who may ask to be forgotten go
// together only if the log does not know them. An entry names its actor, and the
// person that its subject is or belongs to, by a pseudonym: a keyed hash of their
// id under a salt of their own. Purpose and detail are free text, which may name
// anybody; the entry has a digest of them under a salt of its own. Ids, salts and
// texts lie in private.db. [Journal.Forget] destroys there the person's id and
// salt, the texts of all their entries, and those of other people's entries in
// which their id stands as a word. The entries stay, their hashes hold, and
// [Journal.Query] shows "(forgotten)". What was told about somebody in other words
// than their id is not found; nor are copies in backups. Institution, sector,
// project and act stay: the yearly report is made from them. [Journal.Destroy] does
// the same to what was stated of a version that is purged.
//
// # What shows a change
//
// [Journal.Query] takes from the index only which entries to show; what they say
// it reads from the log, and compares the rest with it. [Journal.Verify] computes
// everything anew and names the first entry that does not hold. Who has the
// signing key can rewrite log and checkpoints together: that is why peers keep
// checkpoints ([Journal.AuditState] proves to them that the log grew, [Journal.Compare]
// holds it against theirs), and why the key is in a folder of its own. Who can write
// private.db can blank texts as Forget does; the entries stay.
package journal
