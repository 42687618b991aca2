package format

import "io"

// Raw is one raw file as it was handed over: random access to its bytes.
type Raw struct {
	Name string // as the person wrote it
	Size int64
	At   io.ReaderAt
}
