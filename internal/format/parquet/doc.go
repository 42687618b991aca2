// Package parquet reads Parquet files that strangers send and writes the ones
// that stored tables are made of. Both sides are our own and know columns, not
// rows: docs/decisions/0002-parquet-library.md says why and by what measurement.
//
// Writing. A [Writer] takes typed batches and gathers a row group; when that is
// full its columns are encoded by several goroutines while the next is filled.
// Integers and times are written as differences (DELTA_BINARY_PACKED), floats
// and text by a dictionary where one pays and else plain or with their lengths
// apart (DELTA_LENGTH_BYTE_ARRAY); pages are zstd with a CRC. Equal content gives
// equal bytes, however it is batched.
//
// Reading. [OpenFile] reads the footer and compares what it says with the
// file's size before anything is allocated for it; [File.Read] gives batches of
// the columns asked for. A column's pages are decoded a few rows at a time, so
// that memory is bounded by the pages that are open (within a budget) and one
// batch, whatever a page claims to hold. Every checksum that is there is
// compared, every size checked against the bytes that are left.
//
// [Driver] offers that as a raw format. How stored types become kinds:
//
//   - integers, signed to 64 bits and unsigned to 32: Int. Unsigned of 64 bits and
//     decimals of more than 15 digits become text spelled in decimal, not
//     typed: what they are is inferred from all values, like a text file's.
//   - float, double, float16, decimals to 15 digits: Float, correctly rounded.
//   - timestamps of any unit and INT96: Timestamp. What is finer than a
//     microsecond is cut, with a finding that counts it.
//   - times of the day: Int, with their unit.
//   - strings, enums, JSON, UUIDs, and bytes that are UTF-8: Text. Cells of other
//     bytes are left empty, with a finding that counts them.
//   - structs are flattened with dotted names. Lists and maps are left out, with
//     a finding, but their levels are checked like everything else.
//
// Files: thrift.go and format.go (the metadata's encoding and numbers); writer,
// column, chunk_write, encode, dictionary, bounds (writing); meta, schema,
// interpret (what a file says it holds); page, compress, decode, decode_delta,
// column_read, levels_check (pages to vectors); file, driver (what others use).
package parquet
