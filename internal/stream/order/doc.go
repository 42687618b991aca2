// Package order is the order of training streams: which row of a part comes at
// which position, as a pure function of the stream's key, and which positions a
// worker's batches have. It reads and writes nothing.
//
// docs/streams.md specifies it, with test vectors, so that others can implement
// it; a change of what is computed here is a new format number.
package order
