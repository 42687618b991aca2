package api

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// endless is a blob that has no end, and the right to which ends.
type endless struct {
	after time.Duration
	why   error
}

func (endless) Read(b []byte) (int, error)            { return len(b), nil }
func (endless) ReadAt(b []byte, _ int64) (int, error) { return len(b), nil }
func (endless) Close() error                          { return nil }
func (e endless) EndsWith(w io.Writer) func() {
	t := time.AfterFunc(e.after, func() { w.(interface{ Abort(error) }).Abort(e.why) })
	return func() { t.Stop() }
}

// TestAbort: a download ends while it waits for a client that reads nothing, whole or
// a part; before the first bytes are out, its reason is the answer.
func TestAbort(t *testing.T) {
	over := &genesis.Error{Op: "read", Kind: genesis.Permission, Subject: "x", Msg: "takes a grant"}
	blob := "/v1/blobs/" + string(genesis.DigestOf(nil))
	s := &fake{output: func() (io.ReadCloser, int64, error) { return endless{100 * time.Millisecond, over}, 1 << 40, nil }}
	srv := serve(t, s, nil, &steward)
	for name, c := range map[string]struct{ path, part string }{"whole": {blob, ""}, "part": {blob, "bytes=5-"}, "export": {"/v1/versions/x/export", ""}} {
		s.export = func(w io.Writer) error {
			defer endless{100 * time.Millisecond, over}.EndsWith(w)()
			_, err := io.Copy(w, endless{})
			return err
		}
		req, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+c.path, nil)
		if c.part != "" {
			req.Header.Set("Range", c.part)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(300 * time.Millisecond)
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Errorf("%s: it is whole", name)
		}
		resp.Body.Close()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: it ended after %v", name, took)
		}
		resp, b, _ := do(t, "GET", srv.URL+"/v1/streams/"+resp.Header.Get(StreamHeader), "")
		if p := problemIn(t, resp, b); *p.Err() != *over {
			t.Errorf("%s: why it broke: %+v", name, p)
		}
	}
	s.export = func(w io.Writer) error {
		w.(interface{ Abort(error) }).Abort(over)
		_, err := w.Write(make([]byte, 1<<20))
		return err
	}
	resp, b, err := do(t, "GET", srv.URL+"/v1/versions/x/export", "")
	if p := problemIn(t, resp, b); err != nil || resp.StatusCode != 403 || *p.Err() != *over {
		t.Errorf("before the first bytes: %+v, %v", p, err)
	}
}
