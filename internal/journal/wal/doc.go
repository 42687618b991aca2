// Package wal keeps entries durable until they are in the log: a write-ahead
// file, cut into segments. [WAL.Append] returns when its record is on disk.
//
// Writers share syncs. While one group of records is being written and synced,
// those who come meanwhile gather in the next group: one sync acknowledges them
// all, and the more writers there are, the less each sync costs.
//
// A segment is a header and frames. A frame is either a record or a mark. A mark
// is written after every sync that succeeded, before anybody is told: it says
// "all before this is on disk". So a bad frame before a mark is damage, and
// [Open] names it; a bad frame after the last mark is a write that a crash tore,
// which nobody was told of, and it is cut off. The checksum of a frame covers its
// segment and its place, so that no frame can stand in for another.
//
// After a sync that failed the segment is given up: what the system then holds in
// memory and what is on disk can differ, and a second sync would not tell. The
// writers of that group are refused, though their records may turn up when the
// segment is read again after a crash. The next group goes to a new segment.
package wal
