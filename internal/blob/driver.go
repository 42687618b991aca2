package blob

import (
	"context"
	"io"
)

// Driver keeps objects by key. A key is 64 hex digits, for content, or 64 hex
// digits and ".tree", for leaf hashes. Drivers check nothing about content.
// All methods are safe for concurrent use; errors are *genesis.Error.
type Driver interface {
	// Create starts an object that nobody can see before its Commit.
	Create(ctx context.Context) (Draft, error)
	// Open opens an object. NotFound.
	Open(ctx context.Context, key string) (Object, error)
	// Remove deletes an object. NotFound.
	Remove(ctx context.Context, key string) error
	// List calls yield for every object, in no particular order, and stops at
	// the first error, which it returns.
	List(ctx context.Context, yield func(key string, size int64) error) error
	// Temp returns a local folder for temporary files of this process. What is
	// left in it is removed after the process has ended.
	Temp() string
	Close() error
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
