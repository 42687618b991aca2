// Package stream reads the tables of stored versions back: in row order, the
// columns asked for, as typed batches of bounded size.
//
// A version's manifest says which columns a table has and what they hold; its
// layout says in which Parquet files, in row order, the values lie; package
// blob hands out those files' bytes and checks every one of them against its
// digest. [Open] joins the three and compares them: a file that lacks a column,
// holds it with another type or has another number of rows than the layout says
// is an error, never a shorter or an emptier table. [OpenAt] begins at any row: it
// finds the file by the layout's index, of which it reads no more than it needs.
//
// [Load] puts a whole table into memory for learning, [WriteCSV] and
// [WriteParquet] write it for others, and [PutAssignment] and [Assignment] keep
// where a split puts each row. docs/formats.md specifies what is stored.
package stream
