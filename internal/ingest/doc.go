// Package ingest makes dataset versions from raw files.
//
// A source is read twice. The first pass ([scan]) shows every cell of every
// column to a decider, which finds out what the column is: its type, its unit,
// which spellings mean "no value". What it decides becomes a recipe, laid over
// by the recipe a person gave, if any. The second pass ([encode]) does what the
// recipe says and nothing else: it converts cells, derives and filters, sets
// aside what breaks a rule, and writes columns as Parquet while it digests and
// profiles them. Only the second pass decides what a version is, so the same
// sources and the same recipe give the same version.
//
// Both passes hold a few batches of about 1 MiB of raw text at a time. What
// grows with the rows (identities of rows, for duplicates and splits) goes to
// temporary files beyond a budget.
//
// The parts: unit (UCUM), infer (deciding and converting one column), recipe
// (the text), profile, split, readiness and compare. This package is the spine
// that runs them.
package ingest
