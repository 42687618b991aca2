// Package genesis is the vocabulary of Genesis, a federated platform for
// AI-ready science. It holds the words every other package speaks: what an
// [Asset], a [Version], a [Column] or a [Card] is. It imports nothing but the
// standard library, and everything else imports it.
//
// The path of one command, `genesis prepare turbines.csv --name turbines`:
//
//  1. cmd/genesis parses the flags, opens the file and asks package client to
//     reach the node whose home it was given. If no node serves that home, the
//     command takes the home's lock and serves it itself, for as long as it or
//     others need it (internal/node).
//  2. client hands the open file to the node over the home's Unix socket and
//     posts a [PrepareRequest]; progress comes back as events.
//  3. internal/api finds out who calls. internal/work asks internal/access whether
//     they may make versions of that name, and queues a [Run], which a process of
//     its own computes (internal/work/run).
//  4. There, internal/format recognises the file by its content and reads it as
//     batches of raw cells. internal/ingest reads all of it once and decides
//     types, units and missing values, which become the lines of a recipe;
//     it reads it a second time to encode, validate, profile and split.
//  5. Columns are written as Parquet into internal/blob, where bytes are known
//     by their SHA-256. The content [Manifest], which names each column by the
//     digest of its values, gives the version its identity.
//  6. internal/catalog commits the version with its records (card, recipe,
//     profile, readiness, splits, provenance), internal/journal the event, and the
//     run ends, in one transaction.
//
// `genesis train` follows the same path through internal/stream and
// internal/learn, and what it makes is again a version of an asset, which carries
// the constraints of what it was made from.
//
// What a version is open to is said by its [Terms] and by a [Grant]; one function
// decides (internal/access), and its answers are kept (internal/journal) before the
// first byte they allow.
package genesis
