// Package format is how raw files become batches of cells. A raw format is a
// [Driver]: it says whether a file is of its kind, by content and not by name,
// and reads it as batches. Each driver is a subpackage, listed in
// internal/node/formats.go; the next format is one new folder and one line
// there.
//
// What drivers yield is close to the bytes. Text formats (delimited text,
// JSON, XLSX) yield cells of [Text], spelled as the source spells them:
// deciding that "-9999" is a missing value or "12 kW" a number with a unit is
// the work of internal/ingest, from every row. Parquet, whose columns are
// typed, yields typed vectors. The same [Batch] also carries the typed rows of
// stored versions (internal/stream).
//
// Everything here treats its input as hostile: sizes are checked before
// allocation, depth and expansion are limited ([Limits]), and a damaged file
// ends in a *genesis.Error, never in a panic or a short table that looks whole.
package format
