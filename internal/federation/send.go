package federation

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/post"
	"github.com/opengenesis/genesis/internal/guest"
)

// Messages has the messages of a post go to other members and come from them.
func (f *Federation) Messages(p *post.Post) { f.post = p }

// MessageFormat is the format in which a member is written to, as of package post: the
// latest that both nodes read.
func (f *Federation) MessageFormat(ctx context.Context, to genesis.Member) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	p, err := f.speaks(ctx, to)
	if err != nil { // it may be updated while the message waits
		return 0, away(err)
	}
	return p.format, nil
}

// Send brings a signed message to a member and returns its receipt, as of package post: where
// no node looks at the message, the error is [post.ErrAway].
func (f *Federation) Send(ctx context.Context, to genesis.Member, message []byte) ([]byte, error) {
	if err := f.mayReach(to.URL); err != nil {
		return nil, away(err)
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	p, err := f.speaks(ctx, to)
	if err != nil {
		return nil, away(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL+p.path(messagesPath), bytes.NewReader(message))
	if err != nil {
		return nil, away(refusal("send message", genesis.Invalid, to.URL, "is not the URL of a node", ""))
	}
	req.Header.Set("Content-Type", genesis.PeerMessageType)
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, away(unreached(to.URL, err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, f.notTaken(ctx, to, p, resp)
	}
	receipt, err := guest.Read(ctx, string(to.ID), resp.Body, maxProblem)
	if err != nil {
		return nil, unavailable(err)
	}
	return receipt, nil
}

const messagesPath = "/messages"

// notTaken is why a node did not take a message. What does not come from a node that
// looked at it (a proxy's answer, a node that is older, or busy) is worth another try.
func (f *Federation) notTaken(ctx context.Context, to genesis.Member, spoke protocol, resp *http.Response) error {
	err := problem(to.ID, to.URL, resp)
	unknown := resp.StatusCode == http.StatusNotFound || genesis.KindOf(err) == genesis.Unsupported
	switch {
	case unknown && f.speaksOtherwise(ctx, to, spoke):
		return unavailable(err)
	case resp.StatusCode == http.StatusTooManyRequests || resp.Header.Get("Content-Type") != "application/problem+json":
		return away(err)
	case resp.StatusCode >= 500:
		return unavailable(err)
	}
	return err
}

// away is unavailable of a node that looked at nothing: other messages would not get to it
// now, either.
func away(err error) error {
	return &genesis.Error{Op: "send message", Kind: genesis.Unavailable, Msg: err.Error(), Err: errors.Join(err, post.ErrAway)}
}

// unavailable makes an error one that is worth another try: a charter may change.
func unavailable(err error) error {
	return &genesis.Error{Op: "send message", Kind: genesis.Unavailable, Msg: err.Error(), Err: err}
}

// TakeMessage takes a message of another node and returns the receipt.
func (f *Federation) TakeMessage(ctx context.Context, message []byte) ([]byte, error) {
	if f.post == nil {
		return nil, refusal("take message", genesis.Unavailable, string(f.Self.ID), "this node takes no messages now", "")
	}
	return f.post.Receive(ctx, message)
}
