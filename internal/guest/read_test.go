package guest

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opengenesis/genesis"
)

// TestRead: an answer comes whole or not at all.
func TestRead(t *testing.T) {
	read := func(r io.Reader) (string, error) {
		text, err := Read(t.Context(), "nrel", io.NopCloser(r), 4)
		return string(text), err
	}
	if text, err := read(strings.NewReader("four")); text != "four" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if text, err := read(strings.NewReader("fives")); text != "" || !errors.Is(err, ErrTooLong) || genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("longer than it may be: %q, %v", text, err)
	}
	if text, err := read(io.MultiReader(strings.NewReader("tw"), iotest.ErrReader(io.ErrUnexpectedEOF))); text != "" || genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("broken off: %q, %v", text, err)
	}
}

// TestReadEnds: somebody who never ends an answer is not waited for, even behind a body
// that does not heed the context.
func TestReadEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	body, _ := io.Pipe()
	if _, err := Read(ctx, "nrel", body, 4); genesis.KindOf(err) != genesis.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
