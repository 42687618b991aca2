package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// request is how many bytes are asked for at once: so few that a session outlasts them.
const request = 64 << 20

// maxLeaves bounds the leaf hashes of a blob, in bytes: those of 2 TiB.
const maxLeaves = 64 << 20

// segment is a reference as one segment of a path.
func segment(r genesis.Ref) string { return url.PathEscape(r.String()) }

// bring brings one blob here, unless it is.
func (t *fetching) bring(ctx context.Context, b genesis.Blob) error {
	mine, err := t.Mine(ctx, b)
	if mine && err == nil {
		t.tell(b.Size)
	}
	if mine || err != nil {
		return err
	}
	if blob.LeafBytes(b.Size) > maxLeaves { // they are held in memory, as many as it says there are
		return t.wrong(fmt.Sprintf("a blob of it has %d bytes, which is more than are copied", b.Size))
	}
	leaves, err := t.leaves(ctx, b)
	if err != nil {
		return err
	}
	p, err := t.Blobs.Receive(ctx, t.Scope, b, leaves)
	if err != nil {
		return err
	}
	defer p.Close()
	if left, err := t.Blobs.Room(ctx); err != nil {
		return err
	} else if left >= 0 {
		if err := t.enough(left, b.Size-p.Offset()); err != nil {
			return err
		}
	}
	t.tell(p.Offset())
	if err := t.receive(ctx, p, b); err != nil {
		return err
	}
	return p.Commit(func() error { return t.Whole(ctx, b.Digest) })
}

// leaves asks for the leaf hashes of a blob. That of a single block is the root itself.
func (t *fetching) leaves(ctx context.Context, b genesis.Blob) (raw []byte, err error) {
	if b.Size == 0 {
		return nil, nil
	}
	if b.Size <= blob.BlockSize {
		sum, err := b.Merkle.Sum()
		return sum[:], err
	}
	size := blob.LeafBytes(b.Size)
	err = t.patiently(ctx, func() (progress bool, err error) {
		ctx, _, stop := t.watched(ctx)
		defer stop()
		resp, err := t.Get(ctx, t.path+string(b.Digest)+"/leaves", nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		raw, err = io.ReadAll(counted{io.LimitReader(resp.Body, size+1), t})
		if err == nil && int64(len(raw)) != size {
			err = t.wrong(fmt.Sprintf("the leaf hashes of a blob of %d bytes are %d bytes long", b.Size, len(raw)))
		}
		return false, err
	})
	return raw, err
}

// receive has the blocks come that are missing.
func (t *fetching) receive(ctx context.Context, p *blob.Part, b genesis.Blob) error {
	for p.Offset() < b.Size {
		err := t.patiently(ctx, func() (bool, error) {
			from := p.Offset()
			err := t.some(ctx, p, b)
			return p.Offset() > from, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// some has the next blocks come by one request.
func (t *fetching) some(ctx context.Context, p *blob.Part, b genesis.Blob) error {
	ctx, moved, stop := t.watched(ctx)
	defer stop()
	from, to := p.Offset(), min(p.Offset()+request, b.Size)
	part := fmt.Sprintf("bytes %d-%d/%d", from, to-1, b.Size)
	resp, err := t.Get(ctx, t.path+string(b.Digest), http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", from, to-1)}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	whole := from == 0 && to == b.Size && resp.StatusCode == http.StatusOK
	if got := resp.Header.Get("Content-Range"); !whole && (resp.StatusCode != http.StatusPartialContent || got != part) {
		return t.wrong(fmt.Sprintf("asked for %s its node sends %q", part, got))
	}
	body := counted{resp.Body, t}
	for p.Offset() < to {
		if err := t.block(p, body); err != nil {
			return err
		}
		moved()
	}
	return nil
}

// block has one block come.
func (t *fetching) block(p *blob.Part, body io.Reader) error {
	room, err := p.Block()
	if err != nil {
		return err
	}
	if n, err := io.ReadFull(body, room); err != nil {
		p.Give(room)
		return &genesis.Error{Op: "pull", Kind: genesis.Unavailable, Subject: t.ref.String(), Msg: fmt.Sprintf("its node sends %d bytes of a block of %d: %v", n, len(room), err), Hint: "try again", Err: err}
	}
	n := int64(len(room))
	if err := p.Add(room); err != nil {
		return err
	}
	t.tell(n)
	return nil
}

// counted counts what comes.
type counted struct {
	io.Reader
	t *fetching
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.t.moved.Add(int64(n))
	return n, err
}

var errStall = errors.New("nothing comes any more")

// watched returns a context that ends when no block came for a while, however slowly its
// bytes do; moved says that one came.
func (t *fetching) watched(ctx context.Context) (_ context.Context, moved, stop func()) {
	stall := t.Stall
	if stall <= 0 {
		stall = time.Minute
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(stall, func() { cancel(errStall) })
	return ctx, func() { timer.Reset(stall) }, func() {
		timer.Stop()
		cancel(nil)
	}
}

// patiently does something again while the owner does not answer, until that has lasted
// too long. Something that made progress begins to count anew.
func (t *fetching) patiently(ctx context.Context, do func() (progress bool, err error)) error {
	const first, longest = 250 * time.Millisecond, 15 * time.Second
	patience := t.Patience
	if patience <= 0 {
		patience = 2 * time.Minute
	}
	since, pause := time.Now(), first
	for {
		progress, err := do()
		if err == nil || ctx.Err() != nil || genesis.KindOf(err) != genesis.Unavailable {
			return err
		}
		if progress {
			since, pause = time.Now(), first
		}
		if time.Since(since)+pause > patience {
			return err
		}
		t.Progress.Send(genesis.Event{Log: fmt.Sprintf("%s: asking again in %s", err, pause)})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		pause = min(2*pause, longest)
	}
}
