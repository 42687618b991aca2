// Package text reads delimited text: comma, tab, semicolon, pipe and white
// space, with the habits laboratories have. It finds the header below free
// text and metadata rows, joins multi-row headers, takes a row of units apart
// from the data, and follows blocks stacked in one file: each becomes a table.
//
// Reading is a pipeline. A splitter ([splitter]) decodes the bytes to UTF-8 and
// cuts them into chunks of whole rows, which takes knowing where quotes open
// and close. Workers take chunks apart into cells ([dialect.parse]): a chunk
// whose rows all have the expected number of cells goes down a fast path that
// looks at 64 bytes at a time and writes spans column by column; any other is
// taken apart row by row. The assembler ([reader.Next]) takes chunks in order,
// on the caller's goroutine, and decides what each row is: data, header, units,
// preamble, comment, footer, or a row that does not fit, which is reported with
// its line and never shifted into place. What it decides depends on the bytes
// alone, so any number of workers yields the same batches.
//
// Cells are yielded as the source spells them, without the quotes around them
// and with doubled quotes undone; blanks around unquoted cells are kept, except
// where blanks are the delimiter.
package text
