// Package json reads JSON documents and JSON Lines as tables of cells, each
// spelled as the source spells it: numbers keep their literal, strings are
// unescaped, null and a missing key are null.
//
// A source is read twice. The first pass makes the plan: it walks the whole of
// a document, but only the first 4 MiB of anything that repeats, and counts in
// a tree of nodes (shape.go) what stands at every place. From the counts it
// decides what becomes a table (decide.go). The second pass (write.go, walk.go)
// puts the values where the plan says, in memory bounded by the batch size.
//
// What becomes of a source:
//
//   - One object a line (JSON Lines), values that follow one another, or one
//     array of objects: the table "" with one row per object. In JSON Lines a
//     line that is no JSON, or not what the other lines are, is a bad row;
//     elsewhere a syntax error refuses the source, because nothing behind it
//     can be trusted. A source that ends inside a value is always refused.
//   - An array of arrays: a table of cells without a header.
//   - One object that holds tables: those tables, named by their dotted path,
//     the largest first; everything beside them goes into the preamble, one
//     "path: value" a line. Tables inside a document are arrays of objects;
//     arrays of equal length (columns) and arrays of more than 16 values; three
//     or more objects with mostly the same keys, or at least 256 numbers or
//     strings, under keys that vary: a map, whose table has the column "key";
//     objects of scalars with the same whole-number keys: a data frame written
//     column by column, as pandas does.
//   - One object without tables: one row.
//
// Within a row, nested objects are flattened with dotted names. An array whose
// size never varies and is at most 16 becomes columns, name.1, name.2, …; an
// array of objects, of numbers, or of short vectors becomes a child table named
// by its path; arrays of one record that are always equally long become one
// child table together, one column each. Any other array is kept as JSON text
// in one cell. Rows of a child table carry _parent, the _row of the table above
// (from 1), and _index, their place within it (from 1).
//
// A data dictionary in a document, {"T2m": {"units": "degree Celsius"}}, gives
// its units to the columns of those names.
//
// NaN, Infinity and -Infinity are read and reported; of a key that occurs twice
// the last value counts, and it is reported. Parallel arrays must fit into
// 256 MiB, because their rows are whole only at their end.
package json
