package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// network is a node's whole HTTP interface behind its edge; the bearer token is
// the caller's name.
func network(t *testing.T, s Service) http.Handler {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	uploads, err := upload.Open(t.Context(), upload.Config{DB: db, Dir: filepath.Join(dir, "uploads"), Max: 1 << 30, Quota: 1 << 30, Expire: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	e, err := edge.New(edge.Config{Keys: &edge.SQLKeys{DB: db}, Body: 1 << 20, Metrics: edge.NewMetrics(), Log: slog.New(slog.DiscardHandler),
		Authenticate: func(r *http.Request) (genesis.Principal, error) {
			name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok {
				return genesis.Principal{}, nil
			}
			return genesis.Principal{Subject: name, Node: "local"}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Service: s, Uploads: uploads, Edge: e, Info: genesis.NodeInfo{Node: "local", Home: "/secret/home"}})
}

func TestUploadOverHTTP(t *testing.T) {
	srv := httptest.NewServer(network(t, &fake{}))
	defer srv.Close()
	ask := func(method, path, body string, header ...string) (*http.Response, []byte) {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), method, srv.URL+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer ada")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp, b
	}
	_, b := ask("POST", "/v1/uploads", `{"name":"x.csv","size":6}`, "Content-Type", "application/json", "Idempotency-Key", "k")
	var u genesis.Upload
	if err := json.Unmarshal(b, &u); err != nil || u.ID == "" {
		t.Fatalf("%s", b)
	}
	if resp, again := ask("POST", "/v1/uploads", `{"name":"x.csv","size":6}`, "Content-Type", "application/json", "Idempotency-Key", "k"); !bytes.Equal(again, b) {
		t.Errorf("asked twice: %s %s", resp.Status, again)
	}
	path := "/v1/uploads/" + u.ID
	part := []string{"Content-Type", "application/partial-upload", "Upload-Offset"}
	sum := sha256.Sum256([]byte("abcdef"))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	for _, c := range []struct {
		name, body string
		header     []string
		status     int
		offset     string
		complete   string
	}{
		{"a part", "abc", append(part, "0"), 200, "3", "?0"},
		{"another offset", "abc", append(part, "0"), 409, "3", "?0"},
		{"no offset", "abc", part[:2], 422, "", ""},
		{"a bad offset", "abc", append(part, "+3"), 422, "", ""},
		{"another type", "abc", []string{"Content-Type", "text/csv", "Upload-Offset", "3"}, 422, "", ""},
		{"a bad digest", "", append(part, "3", "Repr-Digest", "sha-256=abc"), 422, "", ""},
		{"too early", "", append(part, "3", "Upload-Complete", "?1"), 422, "3", "?0"},
		{"the rest", "def", append(part, "3", "Upload-Complete", "?1", "Repr-Digest", "md5=:x:, "+digest), 200, "6", "?1"},
	} {
		resp, b := ask("PATCH", path, c.body, c.header...)
		if resp.StatusCode != c.status || resp.Header.Get("Upload-Offset") != c.offset || resp.Header.Get("Upload-Complete") != c.complete {
			t.Errorf("%s: %s %v %s", c.name, resp.Status, resp.Header, b)
		}
		if c.status >= 400 {
			problemIn(t, resp, b)
		}
	}
	resp, b := ask("HEAD", path, "")
	if resp.StatusCode != 204 || resp.Header.Get("Upload-Offset") != "6" || resp.Header.Get("Upload-Length") != "6" || len(b) != 0 || resp.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	if resp, b := ask("GET", path, ""); resp.StatusCode != 200 || !strings.Contains(string(b), `"complete":true`) {
		t.Errorf("%s", b)
	}
	if resp, b := ask("GET", path, "", "Authorization", "Bearer bob"); resp.StatusCode != 404 {
		t.Errorf("somebody else's: %s", b)
	}
	if _, b := ask("GET", "/v1/node", ""); strings.Contains(string(b), "/secret") {
		t.Errorf("the network learns where the home lies: %s", b)
	}
	if resp, _ := ask("GET", "/metrics", ""); resp.StatusCode != 404 {
		t.Errorf("the network gets the metrics: %s", resp.Status)
	}
	if resp, _ := ask("DELETE", path, ""); resp.StatusCode != 200 {
		t.Errorf("%s", resp.Status)
	}
	if _, b := ask("GET", "/v1/uploads", ""); strings.TrimSpace(string(b)) != `{"uploads":[]}` {
		t.Errorf("%s", b)
	}
}

// TestUploadedFile: an upload goes into work by its token, and only its owner's
// work.
func TestUploadedFile(t *testing.T) {
	s := &fake{prepare: func(_ genesis.PrepareRequest, files, _ []*format.Raw) (*genesis.Prepared, error) {
		b, _ := io.ReadAll(io.NewSectionReader(files[0].At, 0, files[0].Size))
		return &genesis.Prepared{Recipe: files[0].Name + "=" + string(b)}, nil
	}}
	srv := httptest.NewServer(network(t, s))
	defer srv.Close()
	ada, bob := client.New(srv.URL, nil).WithToken("ada"), client.New(srv.URL, nil).WithToken("bob")
	u, err := ada.Upload(t.Context(), strings.NewReader("a,b\n"), 4, "raw/x.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := ada.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: []genesis.FileRef{u.Ref()}}, nil)
	if err != nil || made.Recipe != "raw/x.csv=a,b\n" {
		t.Errorf("%+v, %v", made, err)
	}
	made, err = ada.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: []genesis.FileRef{{Token: genesis.UploadToken + u.ID}}}, nil)
	if err != nil || made.Recipe != "raw/x.csv=a,b\n" {
		t.Errorf("by its token alone: %+v, %v", made, err)
	}
	for token, kind := range map[string]genesis.ErrorKind{"upload:nothing": genesis.NotFound, "path:/etc/passwd": genesis.Permission, "abc": genesis.Invalid} {
		if _, err = ada.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: []genesis.FileRef{{Token: token}}}, nil); genesis.KindOf(err) != kind {
			t.Errorf("%s alone: %v", token, err)
		}
	}
	if _, err = bob.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: []genesis.FileRef{u.Ref()}}, nil); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("somebody else's upload: %v", err)
	}
	if _, err = ada.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: []genesis.FileRef{{Path: "p", Token: "path:/etc/passwd"}}}, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("a file of the node: %v", err)
	}
	if _, err = ada.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: []genesis.FileRef{{Path: "p", Token: "abc"}}}, nil); genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("a descriptor over the network: %v", err)
	}
}

// TestFilesAreBounded: a request over the network names each file once, and not many;
// what one person's requests hold open together is bounded, and given back.
func TestFilesAreBounded(t *testing.T) {
	s := &fake{prepare: func(genesis.PrepareRequest, []*format.Raw, []*format.Raw) (*genesis.Prepared, error) {
		return &genesis.Prepared{}, nil
	}}
	srv := httptest.NewServer(network(t, s))
	defer srv.Close()
	ada := client.New(srv.URL, nil).WithToken("ada")
	u, err := ada.Upload(t.Context(), strings.NewReader("a,b\n"), 4, "x.csv", nil)
	if err != nil {
		t.Fatal(err)
	}
	prepare := func(refs ...genesis.FileRef) error {
		_, err := ada.Prepare(t.Context(), genesis.PrepareRequest{Name: "x", Files: refs}, nil)
		return err
	}
	if err := prepare(u.Ref(), u.Ref()); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "another one") {
		t.Errorf("one upload twice: %v", err)
	}
	if err := prepare(genesis.FileRef{Token: "path:/d/x"}, genesis.FileRef{Token: "path:/d/./x"}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("one path twice: %v", err)
	}
	var many []genesis.FileRef
	for i := range maxRemoteFiles + 1 {
		many = append(many, genesis.FileRef{Path: "x", Token: fmt.Sprintf("upload:%d", i)})
	}
	if err := prepare(many...); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("many files: %v", err)
	}
	if err := checkRefs("prepare", many, true); err != nil {
		t.Errorf("on the socket: %v", err)
	}
	who := genesis.Principal{Subject: "ada", Node: "here"}
	busy := &server{}
	busy.opened.add(who.Person(), maxOpen)
	_, done, err := busy.take(t.Context(), who, "prepare", "", []genesis.FileRef{u.Ref()})
	if done(); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("with as many files open as one may: %v", err)
	}
	busy.opened.add(who.Person(), -maxOpen)
	_, done, _ = busy.take(t.Context(), who, "prepare", "", []genesis.FileRef{u.Ref()})
	if done(); len(busy.opened.by) != 0 {
		t.Errorf("what is closed counts: %v", busy.opened.by)
	}
	o := &opened{}
	if !o.add("ada", maxOpen) || o.add("ada", 1) || !o.add("bob", 1) || !o.add("ada", -maxOpen) || !o.add("ada", 1) {
		t.Error("what is open is counted wrongly")
	}
}

// cuts is a listener whose connections break after some bytes came in.
type cuts struct {
	net.Listener
	left *atomic.Int64 // connections that still break
}

func (c cuts) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil && c.left.Add(-1) >= 0 {
		return &cut{conn, 200_000 + rand.IntN(2_000_000)}, nil
	}
	return conn, err
}

type cut struct {
	net.Conn
	after int
}

func (c *cut) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.after -= n; c.after < 0 {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// TestClientResumes: connections that break on the way cost time, not bytes.
func TestClientResumes(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var left atomic.Int64
	left.Store(5)
	var mu sync.Mutex
	var offsets []int // where parts began
	node := network(t, &fake{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at, err := strconv.Atoi(r.Header.Get("Upload-Offset")); err == nil {
			mu.Lock()
			offsets = append(offsets, at)
			mu.Unlock()
		}
		node.ServeHTTP(w, r)
	})}
	go srv.Serve(cuts{l, &left})
	defer srv.Close()
	text := make([]byte, 20<<20)
	for i := range text {
		text[i] = byte(i * 31 >> 7)
	}
	c := client.New("http://"+l.Addr().String(), nil).WithToken("ada")
	u, err := c.Upload(t.Context(), bytes.NewReader(text), int64(len(text)), "big", nil)
	if err != nil || !u.Complete || u.SHA256 != genesis.DigestOf(text) {
		t.Fatalf("%+v, %v", u, err)
	}
	if left.Load() > 0 {
		t.Errorf("%d connections were never cut", left.Load())
	}
	mu.Lock()
	defer mu.Unlock()
	if again := slices.Compact(slices.Clone(offsets)); !slices.IsSorted(offsets) || len(again) < 3 || offsets[len(offsets)-1] != len(text) {
		t.Errorf("parts began at %d", offsets)
	}
}

func TestClientGivesUp(t *testing.T) {
	srv := httptest.NewServer(network(t, &fake{}))
	defer srv.Close()
	c := client.New(srv.URL, nil)
	if _, err := c.Upload(t.Context(), strings.NewReader("x"), 1, "x", nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("who did not sign in: %v", err)
	}
	c = c.WithToken("ada")
	if _, err := c.Upload(t.Context(), strings.NewReader("abc"), 5, "x", nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a file that became shorter: %v", err)
	}
	if _, err := c.Upload(t.Context(), strings.NewReader("x"), 1<<40, "x", nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a file too large: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := c.Upload(ctx, bytes.NewReader(make([]byte, 1<<20)), 1<<20, "x", func(genesis.Event) { cancel() }); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("canceled: %v", err)
	}
	if all, err := c.Uploads(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("what was begun is left: %+v, %v", all, err)
	}
	for _, url := range []string{"http://data.example.edu", "http://192.0.2.1"} {
		if _, err := client.New(url, nil).WithToken("secret").Node(t.Context()); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "in the clear") {
			t.Errorf("%s gets the token: %v", url, err)
		}
	}
}

// FuzzPart: a header that is taken says exactly what it says.
func FuzzPart(f *testing.F) {
	sum := base64.StdEncoding.EncodeToString(make([]byte, 32))
	f.Add("application/partial-upload", "0", "?1", "sha-256=:"+sum+":")
	f.Add("application/octet-stream", "999999999999999", "", "md5=:x:")
	f.Add("text/plain", "-1", "?2", "sha-256=:")
	f.Fuzz(func(t *testing.T, kind, offset, complete, digest string) {
		h := http.Header{"Content-Type": {kind}, "Upload-Offset": {offset}, "Upload-Complete": {complete}, "Repr-Digest": {digest}}
		p, err := readPart(h)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Error(err)
			}
			return
		}
		if p.Offset < 0 || p.Offset > 999_999_999_999_999 || p.Last != (complete == "?1") {
			t.Errorf("%q: %+v", h, p)
		}
		if _, err := genesis.ParseDigest(string(p.SHA256)); p.SHA256 != "" && err != nil {
			t.Error(err)
		}
	})
}

// section is an output that can be read in parts.
type section struct{ *bytes.Reader }

func (section) Close() error { return nil }

func TestOutputInParts(t *testing.T) {
	text := []byte("0123456789")
	s := &fake{output: func() (io.ReadCloser, int64, error) { return section{bytes.NewReader(text)}, 10, nil }}
	srv := httptest.NewServer(network(t, s))
	defer srv.Close()
	d := genesis.DigestOf(text)
	tag := `"` + string(d) + `"`
	for _, c := range []struct {
		ask, ifRange string
		status       int
		body, part   string
	}{
		{"", "", 200, "0123456789", ""},
		{"bytes=2-4", "", 206, "234", "bytes 2-4/10"},
		{"bytes=-3", tag, 206, "789", "bytes 7-9/10"},
		{"bytes=2-4", `"another"`, 200, "0123456789", ""},
		{"bytes=2-3,5-6", "", 200, "0123456789", ""},
		{"bytes=10-", "", 416, "", "bytes */10"},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL+"/v1/blobs/"+string(d), nil)
		req.Header.Set("Authorization", "Bearer ada")
		req.Header.Set("Range", c.ask)
		req.Header.Set("If-Range", c.ifRange)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || resp.Header.Get("Content-Range") != c.part || c.body != "" && (string(b) != c.body || resp.Header.Get("Etag") != tag) {
			t.Errorf("%q: %s %v %q %v", c.ask, resp.Status, resp.Header, b, err)
		}
		if c.status == 416 {
			problemIn(t, resp, b)
		}
	}
}
