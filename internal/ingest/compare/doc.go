// Package compare says how two versions of a dataset differ: in their tables
// and columns, row by row, and in the distributions of their values.
//
// Columns are matched by name. What is stated about them comes from the
// manifests and the stored profiles alone: other types, units, roles or missing
// codes, other means and ranges, and the shift of a distribution, the
// Kolmogorov–Smirnov statistic sup|F−G| of the two distribution functions drawn
// linearly through the stored quantiles.
//
// Rows are matched by the id column when both versions declare the same one,
// else by their whole content with multiplicity: two equal rows against one are
// one unchanged and one removed. Compared is what both versions have: the
// columns of the same name and a comparable type. Integers and floats compare by
// value, so a column that became a float is not a change in every row. Rows of
// one id are paired equal ones first; what is left over on both sides is
// changed. A row without an id is matched by content.
//
// A table whose columns all have the same digests is not read at all. Else each
// row becomes a hash of 16 bytes (XXH3-128), or two with an id, and these are
// sorted within a memory budget, on disk beyond it (package spill). When rows
// changed, the columns that differ are read again, 32 at a time, to count in how
// many rows each did; cells are compared there by 32 bits of their hash.
package compare
