// Package cache keeps tables in a form that any row can be read from at once: records
// of one width in a file that is mapped into memory, so that a true random order
// of the rows costs a look into memory per row, and the operating system decides
// what of it stays there.
//
// A [Store] is a folder of such tables, bounded in size with what is being made; what was not used for
// longest goes first. A [Table] is made from the table's Parquet files by [Build],
// once, and is never changed. What is in the folder is derived data: it is
// checked, block by block, when it is first looked at ([Sealed]), and what does not hold is
// made again. Files that belong to nobody any more, after a crash for instance, are
// removed when the Store is opened.
//
// A record holds 8 bytes for an integer, a number or a time, 4 for a date or the
// code of a category, 12 for a text that lies in a file of its own, 1 for a truth
// value, and a bit for each column that misses values.
package cache
