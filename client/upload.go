package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	// uploadTries is how often an upload is tried again while nothing more
	// arrives.
	uploadTries = 10

	firstPause = 250 * time.Millisecond
	maxPause   = 30 * time.Second
)

// Upload brings size bytes of r to a node anywhere and returns the complete
// upload, whose Ref names the file in requests. A connection that breaks, or a
// node that is busy or away, is tried again where it left off, ten times without
// a byte more arriving. r is read once, from its start, and again only where the
// node lost what came last. What was begun is removed when Upload gives up.
func (c *Client) Upload(ctx context.Context, r io.ReaderAt, size int64, name string, p genesis.Progress) (*genesis.Upload, error) {
	up := &uploading{c: c, ctx: ctx, src: &hashing{r: r, h: sha256.New()}, size: size, p: p}
	err := up.insist(func() error { return up.create(name) })
	if err != nil {
		return nil, err
	}
	if err := up.insist(up.send); err != nil {
		up.abandon()
		return nil, err
	}
	if got := genesis.DigestSum(up.src.h.Sum(nil)); up.is.SHA256 != got {
		up.abandon()
		return nil, &genesis.Error{Op: "upload", Kind: genesis.Internal, Subject: name, Msg: "arrived with other bytes than were sent"}
	}
	return &up.is, nil
}

// Uploads lists one's own uploads, oldest first.
func (c *Client) Uploads(ctx context.Context) ([]genesis.Upload, error) {
	page, err := get[genesis.UploadPage](ctx, c, "/v1/uploads", nil)
	if err != nil {
		return nil, err
	}
	return page.Uploads, nil
}

// RemoveUpload ends an upload and removes its bytes at the node.
func (c *Client) RemoveUpload(ctx context.Context, id string) error {
	_, err := quick[struct{}](ctx, c, http.MethodDelete, uploadPath(id), nil, nil)
	return err
}

func uploadPath(id string) string { return "/v1/uploads/" + url.PathEscape(id) }

// uploading is one upload under way.
type uploading struct {
	c    *Client
	ctx  context.Context
	src  *hashing
	size int64
	p    genesis.Progress
	is   genesis.Upload
	key  string // of the request that creates it
}

// insist calls do until it succeeds, is refused for good, or makes no headway.
func (u *uploading) insist(do func() error) error {
	tries, before := 0, int64(-1)
	for {
		err := do()
		if err == nil || !passing(err) || u.ctx.Err() != nil {
			return err
		}
		if u.is.ID == "" && errors.Is(err, syscall.ECONNREFUSED) { // nothing is begun that could be lost
			return err
		}
		if u.is.Offset > before {
			tries, before = 0, u.is.Offset
		}
		if tries++; tries > uploadTries {
			return err
		}
		u.p.Send(genesis.Event{Stage: "waiting for the node"})
		if waitErr := pause(u.ctx, tries); waitErr != nil {
			return waitErr
		}
	}
}

// passing reports whether an error may be gone later: the node is away or busy,
// or has not noticed yet that the connection before is broken.
func passing(err error) bool {
	kind := genesis.KindOf(err)
	return kind == genesis.Unavailable || kind == genesis.Conflict
}

func pause(ctx context.Context, tries int) error {
	d := min(firstPause<<(tries-1), maxPause)
	d = d/2 + mrand.N(d/2)
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return broken(ctx, ctx.Err())
	}
}

func (u *uploading) create(name string) error {
	if u.key == "" {
		u.key = rand.Text()
	}
	req, err := u.c.request(u.ctx, http.MethodPost, "/v1/uploads", nil, genesis.UploadRequest{Name: name, Size: &u.size})
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", u.key)
	return u.ask(req)
}

// send brings the rest. It asks first where the rest begins, unless that is
// certain.
func (u *uploading) send() error {
	if u.src.sent > 0 || u.is.Offset > 0 {
		is, err := get[genesis.Upload](u.ctx, u.c, uploadPath(u.is.ID), nil)
		if err != nil {
			return err
		}
		u.is = *is
	}
	if u.is.Complete {
		return u.src.upTo(u.size)
	}
	if u.is.Offset < u.size {
		body := &section{u: u, at: u.is.Offset}
		err := u.append(body, u.size-u.is.Offset, "")
		if err := errors.Join(body.end(), err); err != nil {
			return err
		}
	}
	if err := u.src.upTo(u.size); err != nil {
		return err
	}
	return u.append(http.NoBody, 0, "sha-256=:"+base64.StdEncoding.EncodeToString(u.src.h.Sum(nil))+":")
}

// append brings n bytes at the offset; digest, if there is one, ends the file.
func (u *uploading) append(body io.Reader, n int64, digest string) error {
	req, err := http.NewRequestWithContext(u.ctx, http.MethodPatch, u.c.base+uploadPath(u.is.ID), body)
	if err != nil {
		return &genesis.Error{Op: "upload", Kind: genesis.Invalid, Err: err}
	}
	req.ContentLength = n
	req.Header.Set("Content-Type", "application/partial-upload")
	req.Header.Set("Upload-Offset", strconv.FormatInt(u.is.Offset, 10))
	if digest != "" {
		req.Header.Set("Upload-Complete", "?1")
		req.Header.Set("Repr-Digest", digest)
	}
	if err := u.c.sign(req); err != nil {
		return err
	}
	return u.ask(req)
}

// ask makes a request that is answered with the upload.
func (u *uploading) ask(req *http.Request) error {
	resp, err := u.c.http.Do(req)
	if err != nil {
		return u.c.unreached(u.ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return problemOf(resp)
	}
	var is genesis.Upload
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(b)).Decode(&is)
	}
	if err != nil {
		return broken(u.ctx, err)
	}
	u.is = is
	return nil
}

// abandon removes what was begun, also when the caller stopped. The node may
// not have noticed yet that the last connection is gone.
func (u *uploading) abandon() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), 5*time.Second)
	defer cancel()
	for tries := 1; ; tries++ {
		err := u.c.RemoveUpload(ctx, u.is.ID)
		if err == nil || !passing(err) || pause(ctx, tries) != nil {
			return // it expires otherwise
		}
	}
}

// hashing reads a source and takes the digest of its bytes in order, each once,
// however often a part is read.
type hashing struct {
	r    io.ReaderAt
	h    hash.Hash
	sent int64 // bytes that went into h
}

func (s *hashing) readAt(b []byte, at int64) (int, error) {
	n, err := s.r.ReadAt(b, at)
	if end := at + int64(n); at <= s.sent && end > s.sent {
		s.h.Write(b[s.sent-at : n])
		s.sent = end
	}
	return n, err
}

// upTo takes in what was not sent by this process: nothing, unless the answer to
// a part did not arrive.
func (s *hashing) upTo(size int64) error {
	buf := make([]byte, 1<<20)
	for s.sent < size {
		n, err := s.readAt(buf[:min(int64(len(buf)), size-s.sent)], s.sent)
		if n == 0 {
			return &genesis.Error{Op: "upload", Kind: genesis.Invalid, Msg: "the file became shorter while it was sent", Err: err}
		}
	}
	return nil
}

// section is the body of a part. An error of the source ends the upload. net/http
// may read on after the answer has come; end keeps it from that.
type section struct {
	u *uploading

	mu    sync.Mutex
	at    int64
	err   error
	ended bool
}

func (s *section) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	return s.err
}

func (s *section) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, io.ErrClosedPipe
	}
	if left := s.u.size - s.at; left < int64(len(b)) {
		b = b[:left]
	}
	if len(b) == 0 {
		return 0, io.EOF
	}
	n, err := s.u.src.readAt(b, s.at)
	s.at += int64(n)
	s.u.p.Send(genesis.Event{Stage: "uploading", Done: s.at, Total: s.u.size, Unit: "bytes"})
	if err != nil && (err != io.EOF || s.at < s.u.size) {
		s.err = &genesis.Error{Op: "upload", Kind: genesis.Invalid, Msg: "the file cannot be read to the end that it had: " + err.Error(), Err: err}
		return n, s.err
	}
	return n, nil
}
