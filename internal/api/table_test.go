package api

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
)

// shut is a table that notes how often it was closed.
type shut struct {
	*bytes.Reader
	closed *int
}

func (s shut) Close() error { *s.closed++; return nil }

// TestTable: what is asked of a table, whole or in part, over the edge.
func TestTable(t *testing.T) {
	text := []byte("0123456789")
	d := genesis.DigestOf(text)
	tag := `"` + string(d) + `"`
	closed, opened, at := 0, 0, ""
	s := &fake{table: func(ref, table string) (io.ReadCloser, genesis.Blob, error) {
		opened, at = opened+1, ref+" "+table
		return shut{bytes.NewReader(text), &closed}, genesis.Blob{Digest: d, Size: 10}, nil
	}}
	srv := httptest.NewServer(network(t, s))
	defer srv.Close()
	for _, c := range []struct {
		method string
		header string // name=value, by |
		status int
		body   string
		part   string
	}{
		{"GET", "", 200, "0123456789", ""},
		{"GET", "Range=bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"GET", "Range=bytes=-3|If-Range=" + tag, 206, "789", "bytes 7-9/10"},
		{"GET", "Range=bytes=2-4|If-Range=\"another\"", 200, "0123456789", ""},
		{"GET", "Range=bytes=2-4|If-Range=W/" + tag, 200, "0123456789", ""}, // weak tags never match here
		{"GET", "Range=bytes=2-3,5-6", 200, "0123456789", ""},
		{"GET", "Range=bytes=10-", 416, "", "bytes */10"},
		{"GET", "If-None-Match=" + tag, 304, "", ""},
		{"GET", "If-None-Match=W/" + tag, 304, "", ""},
		{"GET", "If-None-Match=\"a\"|If-None-Match=" + tag, 304, "", ""}, // in two lines
		{"GET", "If-None-Match=*", 304, "", ""},
		{"GET", "If-None-Match=" + tag + "|Range=bytes=2-4", 304, "", ""},
		{"GET", "If-None-Match=\"another\"", 200, "0123456789", ""},
		{"GET", "If-Match=\"another\"", 412, "", ""},
		{"GET", "If-Match=W/" + tag, 412, "", ""},
		{"GET", "If-Match=\"another\"|Range=bytes=99-", 412, "", ""},
		{"GET", "If-Match=" + tag + "|Range=bytes=2-4", 206, "234", "bytes 2-4/10"},
		{"HEAD", "", 200, "", ""},
		{"HEAD", "Range=bytes=2-4", 200, "", ""}, // parts are of GET alone
		{"HEAD", "If-None-Match=" + tag, 304, "", ""},
		{"HEAD", "If-Match=\"another\"", 412, "", ""},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), c.method, srv.URL+"/v1/datasets/~ada%2Fturbines@3/tables/sheet%201.parquet", nil)
		req.Header.Set("Authorization", "Bearer ada")
		for field := range strings.SplitSeq(c.header, "|") {
			name, value, _ := strings.Cut(field, "=")
			if name != "" {
				req.Header.Add(name, value)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || resp.Header.Get("Content-Range") != c.part || c.status < 300 && string(b) != c.body {
			t.Errorf("%s %s: %s %v %q %v", c.method, c.header, resp.Status, resp.Header, b, err)
		}
		good := c.status < 400
		if got := resp.Header.Get("Etag"); good && got != tag || !good && got == tag {
			t.Errorf("%s %s: its ETag is %q", c.method, c.header, got)
		}
		switch {
		case c.status < 300:
			length := int64(len(c.body))
			if c.method == "HEAD" {
				length = 10
			}
			if resp.ContentLength != length || resp.Header.Get("Content-Type") != "application/vnd.apache.parquet" || resp.Header.Get("Accept-Ranges") != "bytes" {
				t.Errorf("%s %s: %d bytes, %v", c.method, c.header, resp.ContentLength, resp.Header)
			}
		case c.status == 304 && len(b) > 0:
			t.Errorf("%s: 304 has a body, %q", c.header, b)
		case c.status >= 400 && c.method == "GET":
			problemIn(t, resp, b)
		}
		if closed != opened {
			t.Fatalf("%s %s: %d are open", c.method, c.header, opened-closed)
		}
	}
	if at != "~ada/turbines@3 sheet 1.parquet" {
		t.Errorf("asked for %q", at)
	}
}

// TestTableWeighs: a part of a table is no export, and how large it is takes no room
// among the downloads at all.
func TestTableWeighs(t *testing.T) {
	s := &server{Config: Config{Service: &fake{}}, broken: newBrokenStreams(), routes: map[string]edge.Route{}}
	s.register(humago.New(http.NewServeMux(), humaConfig(genesis.NodeInfo{})))
	routes := s.routes
	part, whole, size := routes["GET "+tablePath], routes["GET /v1/versions/{ref}/export"], routes["HEAD "+tablePath]
	if !part.Stream || part.Weight > 1 || whole.Weight < 8 || size.Stream || size.Weight > 1 {
		t.Errorf("part %+v, export %+v, size %+v", part, whole, size)
	}
}
