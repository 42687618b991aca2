package stream

import (
	"bytes"
	"io"

	"github.com/opengenesis/genesis"
)

// BoundText bounds the texts of a batch for a test.
func BoundText(n int64) (restore func()) {
	was := maxText
	maxText = n
	return func() { maxText = was }
}

// DecodeAssignment reads what [EncodeAssignment] wrote. The error is of kind
// Invalid for anything else.
func DecodeAssignment(b []byte) ([]genesis.Part, error) {
	r, err := readAssignment(io.NopCloser(bytes.NewReader(b)))
	if err != nil {
		return nil, err
	}
	return r.all()
}
