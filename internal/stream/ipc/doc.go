// Package ipc writes Arrow's stream format (https://arrow.apache.org/docs/format/Columnar.html,
// "Serialization and Interprocess Communication"), as much of it as streams need:
// a schema of flat columns and lists of one length, dictionaries, record batches.
//
// A message is its metadata, a flatbuffer, and its body. The body is filled by whoever
// has the values, in place, at the offsets that [Layout] gives out; nothing is
// copied on the way to the connection. [Message.AppendPrefix] gives what stands before
// the body in a stream; over Arrow Flight metadata and body travel as they are.
package ipc
