package api

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
)

// StreamHeader names a stream of bytes, so that a client whose stream broke
// off can ask why.
const StreamHeader = "Genesis-Stream"

// content is a response that is not JSON.
type content struct {
	Type  string // media type
	Name  string // suggested file name; "" for none
	Size  int64  // −1: not known
	Tag   string // strong ETag; "" for none
	Range string // Content-Range, if this is a part
	// Status is 0 for the usual one: 200, or 206 of a part.
	Status int
	Write  func(io.Writer) error
}

// bytesOf registers an operation that answers with bytes.
func bytesOf[I any](s *server, a huma.API, o huma.Operation, do func(context.Context, genesis.Principal, *I) (*content, error)) {
	if o.Responses == nil {
		o.Responses = map[string]*huma.Response{}
	}
	o.Responses["200"] = &huma.Response{
		Description: "The bytes. A response that breaks off is not whole: its reason is at /v1/streams/{id}, the id being in the " + StreamHeader + " header.",
		Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
	}
	s.declare(&o, o.Method != http.MethodHead) // which sends no bytes, and so takes no room among the downloads
	huma.Register(a, o, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		who, err := caller(ctx)
		if err != nil {
			return nil, fault(who, err)
		}
		c, err := do(ctx, who, in)
		if err != nil {
			return nil, s.fail(ctx, o.OperationID, who, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) { s.send(hc, o.OperationID, who, c) }}, nil
	})
}

// send writes c. An error before the first 64 KiB are out becomes a problem
// with its status; a later one cuts the connection.
func (s *server) send(hc huma.Context, id string, who genesis.Principal, c *content) {
	_, w := humago.Unwrap(hc)
	out := &lateStart{hc: hc, rc: http.NewResponseController(w), c: c, id: rand.Text(), begun: make(chan struct{})}
	buf := &download{Writer: bufio.NewWriterSize(out, 64<<10), rc: out.rc}
	buf.abort = func(err error) {
		if !out.refuse(err) {
			return // nothing is out: the answer says why
		}
		s.broken.put(out.id, who, s.fail(hc.Context(), id, who, err)) // before the client can ask
		out.cut()
	}
	err := c.Write(buf)
	if err == nil {
		err = out.start() // even when there are no bytes at all
	}
	if err == nil {
		err = buf.Flush()
	}
	if err = cmp.Or(out.refused(), err); err == nil {
		return
	}
	told := s.fail(hc.Context(), id, who, err)
	if !out.started {
		writeProblem(hc, told)
		return
	}
	s.broken.put(out.id, who, told)
	_ = out.rc.Flush() // the client must learn the stream's id
	panic(http.ErrAbortHandler)
}

// download is where the bytes of a content go.
type download struct {
	*bufio.Writer
	rc    *http.ResponseController
	abort func(error)
}

// push sends what was written so far, though it is little.
func (d *download) push() error {
	if err := d.Flush(); err != nil {
		return err
	}
	return d.rc.Flush()
}

// Abort ends the answer at once, with what of it is on its way, because the right to
// it ended: also while a Write waits for a slow reader. It must not be called after
// Write of the content returned.
func (d *download) Abort(err error) { d.abort(err) }

// beginTimeout is how long the end of a stream waits for its first bytes to be out:
// with them the client learns the stream's id, and so where the reason is.
const beginTimeout = 250 * time.Millisecond

// lateStart sends status and headers with the first bytes.
type lateStart struct {
	hc    huma.Context
	rc    *http.ResponseController
	c     *content
	id    string
	begun chan struct{} // closed when the first bytes are out
	once  sync.Once

	mu      sync.Mutex
	started bool
	refusal error // nothing goes out any more
}

// start makes the header. Errors: the refusal.
func (l *lateStart) start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.started || l.refusal != nil {
		return l.refusal
	}
	l.started = true
	if l.c.Type != "" {
		l.hc.SetHeader("Content-Type", l.c.Type)
	}
	l.hc.SetHeader("X-Content-Type-Options", "nosniff")
	l.hc.SetHeader(StreamHeader, l.id)
	if l.c.Size >= 0 {
		l.hc.SetHeader("Content-Length", strconv.FormatInt(l.c.Size, 10))
	}
	if l.c.Name != "" {
		l.hc.SetHeader("Content-Disposition", `attachment; filename="`+l.c.Name+`"`)
	}
	if l.c.Tag != "" {
		l.hc.SetHeader("ETag", l.c.Tag)
		l.hc.SetHeader("Accept-Ranges", "bytes")
	} else {
		l.hc.SetHeader("Accept-Ranges", "none") // it is made anew each time
	}
	status := http.StatusOK
	if l.c.Range != "" {
		l.hc.SetHeader("Content-Range", l.c.Range)
		status = http.StatusPartialContent
	}
	l.hc.SetStatus(cmp.Or(l.c.Status, status))
	return nil
}

func (l *lateStart) Write(b []byte) (int, error) {
	if err := l.start(); err != nil {
		return 0, err
	}
	_ = l.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := l.hc.BodyWriter().Write(b)
	l.once.Do(func() { close(l.begun) })
	if err != nil {
		err = &genesis.Error{Op: "send", Kind: genesis.Canceled, Msg: "the client went away", Err: err}
	}
	return n, err
}

// refuse lets nothing more out, and reports whether something is out.
func (l *lateStart) refuse(err error) (started bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = err
	return l.started
}

// refused is why nothing goes out any more.
func (l *lateStart) refused() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal
}

// cut ends the connection, and with it what is on its way.
func (l *lateStart) cut() {
	select {
	case <-l.begun:
	case <-time.After(beginTimeout):
	}
	if !edge.Sever(l.hc.Context()) {
		_ = l.rc.SetWriteDeadline(time.Now()) // ends a Write that waits
	}
}

// brokenStreams remembers for a while why streams broke off.
type brokenStreams struct {
	mu   sync.Mutex
	byID map[string]brokenStream
}

type brokenStream struct {
	who  genesis.Principal
	told *refusal
	at   time.Time
}

const (
	keepBroken = 5 * time.Minute
	maxBroken  = 1000
)

func newBrokenStreams() *brokenStreams { return &brokenStreams{byID: map[string]brokenStream{}} }

func (b *brokenStreams) put(id string, who genesis.Principal, told *refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for old, s := range b.byID {
		if time.Since(s.at) > keepBroken || len(b.byID) >= maxBroken {
			delete(b.byID, old)
		}
	}
	b.byID[id] = brokenStream{who, told, time.Now()}
}

func (b *brokenStreams) get(id string, who genesis.Principal) (*refusal, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.byID[id]
	return s.told, ok && s.who.Person() == who.Person()
}

type streamInput struct {
	ID string `path:"id" maxLength:"100"`
}

// streamError answers with the problem that broke a stream.
func (s *server) streamError(_ context.Context, who genesis.Principal, in *streamInput) (*nothing, error) {
	told, ok := s.broken.get(in.ID, who)
	if !ok {
		return nil, &genesis.Error{Op: "look up stream", Kind: genesis.NotFound, Subject: in.ID, Msg: "did not break off, or too long ago"}
	}
	return nil, told.Err()
}

type exportInput struct {
	RefInput
	Table   string   `query:"table" maxLength:"1000" doc:"empty: the first"`
	Format  string   `query:"format" enum:"parquet,csv" default:"parquet"`
	Columns []string `query:"columns,explode" doc:"these columns, repeated or none for all"`
}

var mediaTypes = map[string]string{
	"parquet": "application/vnd.apache.parquet",
	"csv":     "text/csv; charset=utf-8",
}

func (s *server) export(ctx context.Context, who genesis.Principal, in *exportInput) (*content, error) {
	return &content{
		Type: mediaTypes[in.Format], Name: fileName(in.Ref, in.Table, in.Format), Size: -1,
		Write: func(w io.Writer) error {
			return s.Service.Export(ctx, who, in.Ref, in.Table, in.Format, in.Columns, w, nil)
		},
	}, nil
}

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName makes a name that is harmless in a header and in a folder.
func fileName(ref, table, ext string) string {
	base := ref
	if table != "" {
		base += "-" + table
	}
	return notInFileName.ReplaceAllString(base, "-") + "." + ext
}

type outputInput struct {
	Conditions
	Digest string `path:"digest" maxLength:"100" doc:"sha256:…" example:"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`
}

func (s *server) output(ctx context.Context, who genesis.Principal, in *outputInput) (*content, error) {
	d, err := genesis.ParseDigest(in.Digest)
	if err != nil {
		return nil, err
	}
	r, size, err := s.Service.Output(ctx, who, d)
	if err == nil && r == nil {
		err = notYet("fetch output")
	}
	if err != nil {
		return nil, err
	}
	return stored(in.Conditions, r, d, size)
}

type partInput struct {
	RefInput
	Conditions
	Part string `path:"part" maxLength:"300" doc:"the name of the part, percent-encoded as one segment" example:"model.safetensors"`
}

func (s *server) modelPart(ctx context.Context, who genesis.Principal, in *partInput) (*content, error) {
	r, b, err := s.Service.ModelPart(ctx, who, in.Ref, in.Part)
	if err == nil && r == nil {
		err = notYet("get part")
	}
	if err != nil {
		return nil, err
	}
	c, err := stored(in.Conditions, r, b.Digest, b.Size)
	if err == nil {
		c.Name = notInFileName.ReplaceAllString(in.Part, "-")
	}
	return c, err
}

// stored is the content of a blob, or the part of it that is asked for.
func stored(in Conditions, r io.ReadCloser, d genesis.Digest, size int64) (*content, error) {
	c := &content{Type: "application/octet-stream", Size: size, Tag: `"` + string(d) + `"`, Write: copied(r, r)}
	return c, c.heed(in, r)
}

// copied writes from, and closes r, of which it is a part or the whole. What says by
// EndsWith when the right to r ends, ends the answer then.
func copied(r io.Closer, from io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		defer r.Close()
		if r, ok := r.(interface{ EndsWith(io.Writer) func() }); ok {
			defer r.EndsWith(w)()
		}
		_, err := io.Copy(w, from)
		return err
	}
}
