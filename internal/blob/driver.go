package blob

import (
	"context"
	"io"
	"time"
)

// Driver keeps objects by key. A key is 64 hex digits, for content, or 64 hex
// digits and ".tree", for leaf hashes. Drivers check nothing about content.
// All methods are safe for concurrent use, by several processes where several can
// open the storage; errors are *genesis.Error.
type Driver interface {
	// Create starts an object that nobody can see before its Commit.
	Create(ctx context.Context) (Draft, error)
	// Open opens an object. NotFound.
	Open(ctx context.Context, key string) (Object, error)
	// Touch makes an object as young as if it had just been written. NotFound.
	Touch(ctx context.Context, key string) error
	// Remove deletes an object and reports whether it did. NotFound.
	Remove(ctx context.Context, key string, how Removal) (bool, error)
	// List calls yield for every object whose key begins with prefix, two hex
	// digits, in no particular order, and stops at the first error, which it returns.
	List(ctx context.Context, prefix string, yield func(Entry) error) error
	// Pin notes that a write begins, until release or the end of the process.
	Pin(ctx context.Context) (release func() error, err error)
	// Pinned returns when the oldest pin of any process was made, or zero. It also
	// removes what processes that are gone left in their temporary folders.
	Pinned(ctx context.Context) (time.Time, error)
	// Temp returns a local folder for temporary files of this process. What is
	// left in it is removed after the process has ended.
	Temp() string
	// Part opens what came so far of an object that is received from elsewhere, under a
	// name of its own, 64 hex digits. It outlives the process, and is open once at a
	// time. Errors: Conflict (it is open).
	Part(ctx context.Context, name, key string) (PartFile, error)
	// DropPart removes the part of a name, of an empty one all parts, to which nothing
	// was added since a time, if that is not zero. One that is open stays. Errors:
	// Conflict (the one of the name is open).
	DropPart(ctx context.Context, name string, since time.Time) error
	// Room is how many bytes can still be written; −1 if that is not known.
	Room(ctx context.Context) (int64, error)
	Close() error
}

// PartFile is an object that is received. Commit makes it visible under its key, as of
// [Draft]; Abort removes it; Close leaves it for the next time. After one of them the
// others do nothing.
type PartFile interface {
	io.ReaderAt
	io.WriterAt
	Size() int64
	Truncate(size int64) error
	Commit() error
	Abort() error
	Close() error
}

// Entry is an object as it is listed.
type Entry struct {
	Key     string
	Size    int64
	Written time.Time // or touched last
}

// Removal says how to remove an object. The zero value does so in any case.
type Removal struct {
	// Before, unless zero, keeps what was written or touched at that time or later.
	// Looking and removing are one act: nobody can write or touch between them.
	Before time.Time
	// Shred overwrites the bytes first and makes the removal durable. What a file
	// system or a disk keeps of them elsewhere is beyond it.
	Shred bool
}

// Draft is an object being written.
type Draft interface {
	io.Writer
	// Commit makes the object visible under key, whole and durable, in place of
	// one that has the key already. After an error nothing is visible.
	Commit(key string) error
	// Abort drops what was written; after Commit it does nothing.
	Abort() error
}

// Object is an object open for reading.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64
}
