// Package catalog knows the node's assets: their versions, the records about
// them, what was made from what, and how to find them.
//
// A version is the SHA-256 of its content manifest. The manifest's canonical
// bytes lie in the blob store under that very digest, so that whoever holds the
// digest can check the manifest, and through it all content. Everything else is
// rows of one SQL database (package store), and every change of them commits
// with its journal event in one transaction: [Catalog.Commit], which adds a
// draft, [Catalog.PutRecord] and [Edit], which say something new about a
// version, [Catalog.Publish], which numbers it.
//
// An asset's current version is what its bare name means: the latest published
// one, else the draft that was committed last. It gives the asset its title and
// the words by which [Catalog.Search] finds it.
//
// Records are JSON with a format number and a digest that is checked when they
// are read. A new one does not overwrite: the one before it stays, with the time
// at which it was superseded ([Catalog.History]).
//
// The catalogue decides nothing about who may see what. Its callers ask package
// access first.
package catalog
