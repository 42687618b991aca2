// Package xlsx reads the worksheets of Office Open XML workbooks (ECMA-376, the
// .xlsx of spreadsheet programs) as tables of cells.
//
// A workbook is a zip archive of XML parts. archive.go opens its parts
// with bounds on their expansion, markup.go takes the XML apart as a stream
// (document type declarations, and with them entity attacks, are refused),
// book.go reads the list of sheets, the cell styles and the shared texts, and
// cell.go the rows.
//
// Cells are spelled as stored: numbers keep their literal, booleans are TRUE
// and FALSE, errors are spelled (#N/A). Numbers that a style shows as a time
// become ISO 8601 text (date.go), in the 1900 or 1904 system, with the day that
// 1900 did not have. A formula is its stored value.
//
// Each sheet is read twice. The survey (survey.go) cuts it into blocks
// separated by blank rows and blank columns; rows below a blank one that have
// numbers where the block above has them go on with that block. Each block is
// a table, unless it is prose about the tables (prose.go): single lines, text
// in one column, a list of properties above a larger block. That goes into the
// preamble. The heading of a block (heading.go) is the first row that fills
// most columns with text; rows above it that group columns, mostly by merged
// cells, are levels of the header, joined by a space; other rows above it are
// preamble; texts that look like units right below it, over numbers, are the
// columns' units. A block that begins with data has columns without names.
//
// The only table of a workbook is called ""; else tables are called as their
// sheet, the further ones of a sheet with .2, .3 behind. Hidden sheets and rows
// are read and reported.
package xlsx
