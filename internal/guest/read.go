package guest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opengenesis/genesis"
)

// ErrTooLong is in the error of an answer that is longer than it may be.
var ErrTooLong = errors.New("the answer is too long")

// ErrStranger is in the error of an answer to a node that the one that answers does not know
// as a member: it has not heard of it yet, or it was removed.
var ErrStranger = errors.New("it does not know this node as a member, or not yet")

// Read reads and closes the body of what somebody answers, of at most so many bytes, until
// the context ends. An answer that is longer is an error and never cut, so that nobody
// takes a part for the whole. Errors: Invalid (it is longer), Unavailable (it broke off, or
// there was no more time).
func Read(ctx context.Context, from string, body io.ReadCloser, most int64) ([]byte, error) {
	defer body.Close()
	stop := context.AfterFunc(ctx, func() { body.Close() }) // what is behind it may not heed the context
	defer stop()
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	failed := &genesis.Error{Op: "ask node", Kind: genesis.Unavailable, Subject: from, Hint: "try again later"}
	switch {
	case ctx.Err() != nil:
		failed.Msg, failed.Err = "it takes too long to answer", ctx.Err()
	case err != nil:
		failed.Msg, failed.Err = "its answer broke off", err
	case int64(len(text)) > most:
		failed.Kind, failed.Msg, failed.Err = genesis.Invalid, fmt.Sprintf("its answer is longer than %d bytes", most), ErrTooLong
		failed.Hint = "tell its operator: no node of this protocol answers so much"
	default:
		return text, nil
	}
	return nil, failed
}
