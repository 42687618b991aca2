package api

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
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

// reached is a server over a network of its own, and a client of it. With kept it
// knows its connections, as a node does.
func reached(t *testing.T, s Service, network string, kept bool) (url string, c *http.Client) {
	t.Helper()
	srv := httptest.NewUnstartedServer(serve(t, s, nil, &steward).Config.Handler)
	if kept {
		srv.Config.ConnContext = edge.WithConn
	}
	if network == "unix" {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		srv.Listener.Close()
		srv.Listener = l
	}
	srv.Start()
	t.Cleanup(srv.Close)
	at := srv.Listener.Addr()
	return "http://127.0.0.1", &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, at.Network(), at.String())
	}}}
}

// TestAbort: a download ends while it waits for a client that reads nothing, whole or
// a part, and over whatever it goes.
func TestAbort(t *testing.T) {
	over := &genesis.Error{Op: "read", Kind: genesis.Permission, Subject: "x", Msg: "takes a grant"}
	ends := endless{100 * time.Millisecond, over}
	s := &fake{
		output: func() (io.ReadCloser, int64, error) { return ends, 1 << 40, nil },
		export: func(w io.Writer) error {
			defer ends.EndsWith(w)()
			_, err := io.Copy(w, endless{})
			return err
		},
	}
	blob := "/v1/blobs/" + string(genesis.DigestOf(nil))
	for _, c := range []struct {
		network    string
		kept       bool
		path, part string
	}{
		{"tcp", false, blob, ""}, {"tcp", true, blob, ""}, {"tcp", true, blob, "bytes=5-"}, {"tcp", true, "/v1/versions/x/export", ""},
		{"unix", true, blob, ""}, {"unix", true, "/v1/versions/x/export", ""},
	} {
		url, client := reached(t, s, c.network, c.kept)
		get := func(path string) *http.Response {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", url+path, nil)
			if c.part != "" {
				req.Header.Set("Range", c.part)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		resp := get(c.path)
		began := time.Now()
		time.Sleep(300 * time.Millisecond)
		if _, err := io.Copy(io.Discard, resp.Body); err == nil {
			t.Errorf("%+v: it is whole", c)
		}
		resp.Body.Close()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%+v: it ended after %v", c, took)
		}
		why := get("/v1/streams/" + resp.Header.Get(StreamHeader))
		b, _ := io.ReadAll(why.Body)
		why.Body.Close()
		if p := problemIn(t, why, b); *p.Err() != *over {
			t.Errorf("%+v: why it broke: %+v", c, p)
		}
	}
}

// TestAbortEarly: before the first bytes are out, the reason is the answer.
func TestAbortEarly(t *testing.T) {
	over := &genesis.Error{Op: "read", Kind: genesis.Permission, Subject: "x", Msg: "takes a grant"}
	s := &fake{export: func(w io.Writer) error {
		w.(interface{ Abort(error) }).Abort(over)
		_, err := w.Write(make([]byte, 1<<20))
		return err
	}}
	resp, b, err := do(t, "GET", serve(t, s, nil, &steward).URL+"/v1/versions/x/export", "")
	if p := problemIn(t, resp, b); err != nil || resp.StatusCode != 403 || *p.Err() != *over {
		t.Errorf("%+v, %v", p, err)
	}
}
