package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

// answer serves one fixed response and remembers what was asked.
func answer(t *testing.T, status int, contentType, body string) (*Client, *string) {
	t.Helper()
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.RequestURI() + " " + string(b)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return New(srv.URL+"/", nil), &asked
}

func TestRequests(t *testing.T) {
	ctx := t.Context()
	for want, call := range map[string]func(c *Client) error{
		"GET /v1/node ": func(c *Client) error { _, err := c.Node(ctx); return err },
		"GET /v1/assets?after=m&kind=model&limit=3 ": func(c *Client) error {
			_, err := c.ListPage(ctx, genesis.Model, "m", 3)
			return err
		},
		"GET /v1/search?limit=5&q=wind+speed ": func(c *Client) error {
			_, err := c.Search(ctx, genesis.SearchQuery{Text: "wind speed", Limit: 5})
			return err
		},
		"GET /v1/versions/nrel%2Fturbines@3 ":    func(c *Client) error { _, err := c.Describe(ctx, "nrel/turbines@3"); return err },
		`PATCH /v1/versions/x/card {"title":""}`: func(c *Client) error { _, err := c.SetCard(ctx, "x", map[string]string{"title": ""}); return err },
		`POST /v1/versions/x/findings/person:a%2Fb {"answer":"yes"}`: func(c *Client) error {
			_, err := c.Answer(ctx, "x", "person:a/b", "yes")
			return err
		},
		"GET /v1/models/~ada%2Fnet@2/parts/a%2F..%2Fb ": func(c *Client) error {
			return c.ModelPart(ctx, "~ada/net@2", "a/../b", genesis.DigestOf([]byte("{}")), io.Discard, nil)
		},
		"GET /v1/versions/x/export?columns=a&columns=b%2Cc&format=csv ": func(c *Client) error {
			return c.Export(ctx, "x", ExportOptions{Format: "csv", Columns: []string{"a", "b,c"}}, io.Discard, nil)
		},
	} {
		c, asked := answer(t, 200, "application/json", "{}")
		if err := call(c); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if *asked != want {
			t.Errorf("asked %q, want %q", *asked, want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   genesis.Error
	}{
		{409, `{"status":409,"detail":"prepare \"x\": went wrong","kind":"exists","op":"prepare","subject":"x","message":"went wrong","hint":"h","value":"v"}`,
			genesis.Error{Op: "prepare", Kind: genesis.Exists, Subject: "x", Msg: "went wrong", Hint: "h", Value: "v"}},
		{502, `<html>Bad gateway</html>`, genesis.Error{Kind: genesis.Unavailable, Msg: "the node answered 502 Bad Gateway"}},
		{404, ``, genesis.Error{Kind: genesis.NotFound, Msg: "the node answered 404 Not Found"}},
		{302, `{}`, genesis.Error{Kind: genesis.Internal, Msg: "the node answered 302 Found"}},
	} {
		cl, _ := answer(t, c.status, "application/problem+json", c.body)
		_, err := cl.Node(t.Context())
		var got *genesis.Error
		if !errors.As(err, &got) || *got != c.want {
			t.Errorf("%d %s: got %#v", c.status, c.body, got)
		}
	}
}

// TestTruncated cuts a long answer at every byte: only the whole is an answer.
func TestTruncated(t *testing.T) {
	whole := `{"event":{"stage":"reading","done":1,"unit":"rows"}}` + "\n" + `{"result":{"version":{"name":"x"}}}` + "\n"
	for n := range len(whole) {
		got, err := readLines[genesis.Trained](t.Context(), strings.NewReader(whole[:n]), nil)
		if got != nil || genesis.KindOf(err) != genesis.Unavailable {
			t.Fatalf("%d of %d bytes: %v, %v", n, len(whole), got, err)
		}
	}
	got, err := readLines[genesis.Trained](t.Context(), strings.NewReader(whole), nil)
	if err != nil || got.Version.Name != "x" {
		t.Errorf("the whole: %v, %v", got, err)
	}
}

func TestLines(t *testing.T) {
	c, _ := answer(t, 200, "application/x-ndjson", `{"event":{"stage":"a","done":1,"unit":"rows"}}`+"\n"+`{"event":{"stage":"b","done":2,"unit":"rows"}}`+"\n"+
		`{"error":{"detail":"d","kind":"conflict","message":"m","subject":"s"}}`+"\n")
	var stages []string
	_, err := c.Verify(t.Context(), "x", func(e genesis.Event) { stages = append(stages, e.Stage) })
	if !errors.Is(err, &genesis.Error{Kind: genesis.Conflict}) {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, stages); diff != "" {
		t.Error(diff)
	}
}

func TestListFollowsPages(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("after") {
		case "":
			fmt.Fprint(w, `{"assets":[{"name":"a"},{"name":"b"}],"next":"b"}`)
		case "b":
			fmt.Fprint(w, `{"assets":[{"name":"c"}]}`)
		}
	}))
	defer srv.Close()
	var names []genesis.Name
	for a, err := range New(srv.URL, nil).List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, a.Name)
	}
	if diff := cmp.Diff([]genesis.Name{"a", "b", "c"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestCanceled(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(srv.URL, nil).Node(ctx); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("%v", err)
	}
}

func TestOutputIsChecked(t *testing.T) {
	c, _ := answer(t, 200, "application/octet-stream", "PAR1")
	var got bytes.Buffer
	if err := c.Output(t.Context(), genesis.Blob{Digest: genesis.DigestOf([]byte("PAR1")), Size: 4}, &got, nil); err != nil || got.String() != "PAR1" {
		t.Errorf("%q, %v", got.String(), err)
	}
	if err := c.Output(t.Context(), genesis.Blob{Digest: genesis.DigestOf([]byte("PAR2")), Size: 4}, io.Discard, nil); err == nil {
		t.Error("other bytes than asked for were taken")
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestExportToFullDisk(t *testing.T) {
	c, _ := answer(t, 200, "text/csv", "a,b\n")
	err := c.Export(t.Context(), "x", ExportOptions{}, full{}, nil)
	if err == nil || err.Error() != "no space left on device" {
		t.Errorf("the disk's error is hidden: %v", err)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"event":{"stage":"a"}}` + "\n" + `{"result":{}}` + "\n"))
	f.Add([]byte("{\"error\":{}}\n"))
	f.Add([]byte("null\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readLines[genesis.Trained](t.Context(), bytes.NewReader(b), func(genesis.Event) {})
		if (got == nil) == (err == nil) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// TestOtherBytes: a part that is not what its digest names is an error.
func TestOtherBytes(t *testing.T) {
	c, _ := answer(t, 200, "application/octet-stream", "other")
	if err := c.ModelPart(t.Context(), "net", "a.bin", genesis.DigestOf([]byte("those")), io.Discard, nil); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("%v", err)
	}
}

// TestSecretsStayWithTheirNode: neither a token nor a password goes to where a node points, and a
// password goes over no network in the clear.
func TestSecretsStayWithTheirNode(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		t.Errorf("another server gets %q and %q", r.Header.Get("Authorization"), body)
	}))
	defer other.Close()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer node.Close()
	if _, err := New(node.URL, nil).WithToken("gen_secret").WhoAmI(t.Context()); err == nil {
		t.Error("a redirect is an answer")
	}
	if _, err := New(node.URL, nil).SignIn(t.Context(), genesis.SignInRequest{Subject: "ada", Password: "secret"}); err == nil {
		t.Error("a redirect is an answer")
	}
	far := New("http://data.example.edu", nil)
	if _, err := far.SignIn(t.Context(), genesis.SignInRequest{Subject: "ada", Password: "secret"}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a password in the clear: %v", err)
	}
	if _, err := far.StartDevice(t.Context()); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a token in the clear: %v", err)
	}
}

// TestEndlessOutput: of what a node sends no more is written than it said that there is.
func TestEndlessOutput(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer srv.Close()
	for _, size := range []int64{0, 100_000} {
		var out bytes.Buffer
		err := New(srv.URL, nil).Output(t.Context(), genesis.Blob{Digest: genesis.DigestOf(nil), Size: size}, &out, nil)
		if err == nil || !strings.Contains(err.Error(), "more bytes") || int64(out.Len()) > size {
			t.Errorf("%v, %d bytes", err, out.Len())
		}
	}
}
