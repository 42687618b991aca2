// Package split assigns the rows of a table to training, validation and test,
// or to folds, so that nothing known in one part gives away the others.
//
// # Identity
//
// A row is known by an [Identity] of 16 bytes, which whoever reads the rows
// makes: the hash of its declared id where it has one, else of its raw source
// cells (docs/formats.md, "Row identity").
//
// # Random and group
//
// The row's number is u = XXH3-64(seed; identity) / 2⁶⁴, where seed is the
// split's seed and the identity its 16 bytes, big-endian high half first, as
// XXH3 writes its canonical form. With fractions f₁ f₂ f₃ the row is in
// training if u < f₁, in validation if u < f₁+f₂, else in test; with k folds it
// is in fold ⌊u·k⌋. A group split uses the identity of the group's value in place
// of the row's ([KeyOf]), so a group never straddles. Either way the place of a
// row depends on nothing but itself, and rows appended later move no old one.
//
// Exact duplicates land on one side. Without a declared id they have one
// identity and so one number. With one, a row whose other cells equal those of
// an earlier row (in row order) follows that row; a row appended later is never
// the earlier one, so old rows still do not move, and a row that is corrected
// keeps its place unless it was or becomes a duplicate.
//
// # Time
//
// Rows are ordered by time and cut at the first boundary between different times
// at or after where the fractions fall, so that every training row is before
// every validation row and that before every test row. The cuts are part of the split:
// for each part after the first, the earliest time in it. Folds are consecutive.
// Rows without a time are in no part, and so are rows without a group.
//
// # Stratify
//
// Every class of the column, or every tenth of its values when it has more
// than twenty different numbers, is divided in the same proportions: its rows
// in order of u are cut where the fractions fall, with the rounding carried from
// one stratum to the next. The assignment is stored, since rows appended later
// would change it.
//
// # Import
//
// Published splits come as lists of row numbers (index_train_0.txt, from 0, in
// source order) or as files of rows (train0.csv). Rows of files are matched to
// the table's by content and multiplicity: by the hash of their typed values
// ([HashRows]), where numbers are compared to twelve significant digits; or,
// with "import:DIR?by=COL", by the values of some columns alone, and then all
// rows of the table that share them go where the file says. A row that is not in
// the table, or is claimed by two parts, is an error that names file and row.
//
// # Leak checks
//
// Every split reports whether equal rows, rows of one group, or rows equal in
// all features stand in different parts, whether parts overlap in time, and
// whether a part is empty ([Watcher]). Above a million rows the checks look at a
// sample chosen by hash, which keeps equal rows together, and say so.
//
// Memory is one byte per row and per split, and a budget beyond which keys are
// sorted on disk (package spill).
package split
