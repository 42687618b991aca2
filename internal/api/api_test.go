package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/format"
)

var (
	steward  = genesis.Principal{Subject: "local", Node: "local", Duties: genesis.Duties}
	stranger = genesis.Principal{Subject: "someone", Node: "elsewhere"}
)

// serve runs the API over s for who; a nil who is a connection of nobody.
func serve(t *testing.T, s Service, f files, who *genesis.Principal) *httptest.Server {
	t.Helper()
	h := New(Config{Service: s, Files: f, Info: genesis.NodeInfo{Node: "local", Software: genesis.Build()}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who != nil {
			r = r.WithContext(WithPrincipal(r.Context(), *who))
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func do(t *testing.T, method, url, body string) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

func problemIn(t *testing.T, resp *http.Response, b []byte) genesis.Problem {
	t.Helper()
	if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("content type is %q, body %s", ct, b)
	}
	var p genesis.Problem
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if p.Status != resp.StatusCode {
		t.Errorf("problem says status %d, HTTP says %d", p.Status, resp.StatusCode)
	}
	return p
}

// TestKinds is the table of docs/cli.md: kinds of error and HTTP statuses.
func TestKinds(t *testing.T) {
	statuses := map[genesis.ErrorKind]int{
		genesis.Invalid: 422, genesis.NotFound: 404, genesis.Private: 404, genesis.Gone: 410, genesis.Exists: 409, genesis.Permission: 403,
		genesis.Conflict: 409, genesis.Unavailable: 503, genesis.Unsupported: 501, genesis.Canceled: 499, genesis.Internal: 500,
	}
	for kind, status := range statuses {
		t.Run(string(kind), func(t *testing.T) {
			cause := errors.New("the cause")
			s := &fake{describe: func(genesis.Principal, string) (*genesis.Description, error) {
				return nil, fmt.Errorf("wrapped: %w", &genesis.Error{Op: "show", Kind: kind, Subject: "turbines", Msg: "went wrong", Hint: "do this", Value: "12,x", Err: cause})
			}}
			resp, b, _ := do(t, "GET", serve(t, s, nil, &steward).URL+"/v1/versions/turbines", "")
			if resp.StatusCode != status {
				t.Errorf("status is %d, want %d", resp.StatusCode, status)
			}
			got := problemIn(t, resp, b).Err()
			want := &genesis.Error{Op: "show", Kind: kind, Subject: "turbines", Msg: "went wrong", Hint: "do this", Value: "12,x"}
			if kind == genesis.Private {
				want = &genesis.Error{Op: "show", Kind: genesis.NotFound, Subject: "turbines", Msg: "is not here, or not for you to see"}
				want.Value = ""
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b error) bool { return a == b })); kind != "" && *got != *want {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// turnedAway lets nobody in.
type turnedAway struct {
	doorman
	err error
}

func (d turnedAway) SignIn(context.Context, string, genesis.SignInRequest) (*genesis.NewToken, error) {
	return nil, d.err
}

func (d turnedAway) StartDevice(context.Context, string) (*genesis.DeviceLogin, error) {
	return nil, d.err
}

// TestTooOften: whoever tries too often is told so, and when to come again.
func TestTooOften(t *testing.T) {
	often := &genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Msg: "too many attempts", Err: identity.TooMany(1500 * time.Millisecond)}
	away := &genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Msg: "the disk is full"}
	for wait, err := range map[string]error{"2": fmt.Errorf("wrapped: %w", often), "": away} {
		status := map[string]int{"2": 429, "": 503}[wait]
		url := serve(t, &fake{doorman: turnedAway{err: err}}, nil, &genesis.Principal{}).URL
		for path, body := range map[string]string{"/v1/signin": `{"subject":"ada","password":"x"}`, "/v1/device": ""} {
			resp, b, _ := do(t, "POST", url+path, body)
			p := problemIn(t, resp, b)
			if resp.StatusCode != status || p.Status != status || p.Title != http.StatusText(status) || p.Kind != genesis.Unavailable || resp.Header.Get("Retry-After") != wait {
				t.Errorf("%s answers %d, %+v, to come again in %q; want %d, %q", path, resp.StatusCode, p, resp.Header.Get("Retry-After"), status, wait)
			}
		}
	}
}

// TestPrivateIsNotFound: to a stranger, what is not for them does not exist,
// to the byte.
func TestPrivateIsNotFound(t *testing.T) {
	answer := func(err error) string {
		s := &fake{describe: func(genesis.Principal, string) (*genesis.Description, error) { return nil, err }}
		resp, b, _ := do(t, "GET", serve(t, s, nil, &stranger).URL+"/v1/versions/secret", "")
		return resp.Status + string(b)
	}
	missing := answer(&genesis.Error{Op: "show", Kind: genesis.NotFound, Subject: "secret", Msg: "never heard of it", Hint: "look elsewhere"})
	private := answer(&genesis.Error{Op: "show", Kind: genesis.Private, Subject: "secret", Msg: "not for you", Hint: "ask", Value: "x"})
	if missing != private {
		t.Errorf("a stranger can tell them apart:\n%s\n%s", missing, private)
	}
}

func TestValueOnlyForReaders(t *testing.T) {
	s := &fake{describe: func(genesis.Principal, string) (*genesis.Description, error) {
		return nil, &genesis.Error{Op: "show", Kind: genesis.Invalid, Msg: "is not a number", Value: "4711-secret", Err: errors.New("4711-secret")}
	}}
	_, b, _ := do(t, "GET", serve(t, s, nil, &stranger).URL+"/v1/versions/x", "")
	if strings.Contains(string(b), "4711") {
		t.Errorf("a cell's value reaches a stranger: %s", b)
	}
	if _, b, _ = do(t, "GET", serve(t, s, nil, &steward).URL+"/v1/versions/x", ""); !strings.Contains(string(b), "4711") {
		t.Errorf("a cell's value does not reach the steward: %s", b)
	}
}

func TestNobodyIsRefused(t *testing.T) {
	srv := serve(t, &fake{}, nil, nil)
	for _, route := range []string{"/v1/node", "/v1/assets", "/v1/diff?from=a&to=b", "/v1/versions/a/export", "/v1/streams/x"} {
		resp, b, _ := do(t, "GET", srv.URL+route, "")
		if p := problemIn(t, resp, b); p.Kind != genesis.Permission {
			t.Errorf("%s: %+v", route, p)
		}
	}
}

func TestRefIsOneSegment(t *testing.T) {
	var got string
	s := &fake{describe: func(_ genesis.Principal, ref string) (*genesis.Description, error) {
		got = ref
		return &genesis.Description{}, nil
	}}
	srv := serve(t, s, nil, &steward)
	for _, ref := range []string{"turbines", "turbines@3", "nrel/turbines@3", "~ada/x", "turbines@sha256:" + strings.Repeat("0", 64), "a b%/?#"} {
		resp, b, _ := do(t, "GET", srv.URL+"/v1/versions/"+url.PathEscape(ref), "")
		if resp.StatusCode != 200 || got != ref {
			t.Errorf("%q arrived as %q: %s %s", ref, got, resp.Status, b)
		}
	}
}

func TestBadRequests(t *testing.T) {
	srv := serve(t, &fake{}, nil, &steward)
	for _, c := range []struct{ method, path, body, says string }{
		{"POST", "/v1/train", `{"dataset":"x"`, ""},
		{"POST", "/v1/train", `{"dataset":"x","name":"y"}`, "target"},
		{"POST", "/v1/train", `{"dataset":"x","name":"y","target":["z"],"epohcs":3}`, "epohcs"},
		{"POST", "/v1/train", `{"dataset":1,"name":"y","target":["z"]}`, "dataset"},
		{"GET", "/v1/assets?limit=0", "", "limit"},
		{"GET", "/v1/assets?kind=car", "", "kind"},
		{"GET", "/v1/search?limit=0", "", "limit"},
		{"GET", "/v1/search?has_model=maybe", "", "has_model"},
		{"GET", "/v1/suggest", "", "q"},
		{"GET", "/v1/versions/x/export?format=xlsx", "", "format"},
		{"GET", "/v1/blobs/zzz", "", "sha256"},
	} {
		resp, b, _ := do(t, c.method, srv.URL+c.path, c.body)
		p := problemIn(t, resp, b)
		if p.Kind != genesis.Invalid || !strings.Contains(p.Detail, c.says) {
			t.Errorf("%s %s: %+v", c.method, c.path, p)
		}
	}
}

// TestParametersOnce: a parameter counts where it is declared, once: given twice, or in
// the wrong place, it is refused or not heeded.
func TestParametersOnce(t *testing.T) {
	e, err := edge.New(edge.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(New(Config{Service: &fake{export: func(io.Writer) error { return nil }}, Edge: e}))
	defer srv.Close()
	for path, status := range map[string]int{
		"/v1/node": 200, "/v1/node?limit=1&limit=1": 400, "/v1/node?a=1&b=2": 200, "/v1/node?a=1;b=2": 400, "/v1/node?a=%zz": 400,
		"/v1/assets?limit=1&limit=2": 400, "/v1/assets?kind=dataset&kind=model": 400, "/v1/assets?kind=dataset&%6bind=model": 400,
		"/v1/versions/x/export?columns=a&columns=b": 200,
	} {
		resp, b, err := do(t, "GET", srv.URL+path, "")
		if err != nil || status == 400 != (resp.StatusCode == 400) { // others go on to the door
			t.Errorf("%s: %s %s, %v", path, resp.Status, b, err)
		}
	}
	tokens := serve(t, &fake{}, nil, &steward)
	resp, b, _ := do(t, "POST", tokens.URL+"/v1/train?dataset=x&name=y&target=z", `{}`)
	if p := problemIn(t, resp, b); p.Kind != genesis.Invalid {
		t.Errorf("the query fills in the body: %+v", p)
	}
}

func linesIn(t *testing.T, b []byte) []genesis.Line[genesis.Trained] {
	t.Helper()
	var all []genesis.Line[genesis.Trained]
	for text := range strings.Lines(string(b)) {
		var l genesis.Line[genesis.Trained]
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v in %q", err, text)
		}
		all = append(all, l)
	}
	return all
}

const trainBody = `{"dataset":"x","name":"y","target":["z"]}`

func TestLines(t *testing.T) {
	s := &fake{train: func(_ context.Context, p genesis.Progress) (*genesis.Trained, error) {
		for i := range int64(100_000) {
			p(genesis.Event{Stage: "training", Done: i + 1, Total: 100_000, Unit: "epochs"})
		}
		p(genesis.Event{Log: "first"})
		p(genesis.Event{Log: "second"})
		return &genesis.Trained{Version: genesis.Version{Name: "y"}}, nil
	}}
	resp, b, err := do(t, "POST", serve(t, s, nil, &steward).URL+"/v1/train", trainBody)
	if err != nil || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatal(err, resp.Header)
	}
	all := linesIn(t, b)
	if len(all) > 100 {
		t.Errorf("%d lines for one short stage", len(all))
	}
	last := all[len(all)-1]
	if last.Result == nil || last.Result.Version.Name != "y" {
		t.Errorf("last line: %+v", last)
	}
	var logs []string
	var done int64
	for _, l := range all[:len(all)-1] {
		if l.Event.Log != "" {
			logs = append(logs, l.Event.Log)
		} else {
			done = l.Event.Done
		}
	}
	if diff := cmp.Diff([]string{"first", "second"}, logs); diff != "" || done != 100_000 {
		t.Errorf("logs, done %d: %s", done, diff)
	}
}

func TestErrorOfLongRequest(t *testing.T) {
	broken := &genesis.Error{Op: "train", Kind: genesis.Conflict, Subject: "x", Msg: "went wrong"}
	t.Run("before anything was sent it has its status", func(t *testing.T) {
		s := &fake{train: func(_ context.Context, p genesis.Progress) (*genesis.Trained, error) {
			p(genesis.Event{Stage: "reading"})
			return nil, broken
		}}
		resp, b, _ := do(t, "POST", serve(t, s, nil, &steward).URL+"/v1/train", trainBody)
		if p := problemIn(t, resp, b); p.Kind != genesis.Conflict || resp.StatusCode != 409 {
			t.Errorf("%+v", p)
		}
	})
	t.Run("later it is the last line", func(t *testing.T) {
		s := &fake{train: func(_ context.Context, p genesis.Progress) (*genesis.Trained, error) {
			p(genesis.Event{Stage: "reading"})
			time.Sleep(3 * eventEvery)
			return nil, broken
		}}
		resp, b, _ := do(t, "POST", serve(t, s, nil, &steward).URL+"/v1/train", trainBody)
		all := linesIn(t, b)
		last := all[len(all)-1]
		if resp.StatusCode != 200 || last.Error == nil || *last.Error.Err() != *broken {
			t.Errorf("%d, %+v", resp.StatusCode, last)
		}
	})
	t.Run("a result that JSON cannot hold", func(t *testing.T) {
		s := &fake{train: func(context.Context, genesis.Progress) (*genesis.Trained, error) {
			return &genesis.Trained{Report: genesis.ModelReport{Seconds: math.NaN()}}, nil
		}}
		resp, b, _ := do(t, "POST", serve(t, s, nil, &steward).URL+"/v1/train", trainBody)
		if p := problemIn(t, resp, b); p.Kind != genesis.Internal {
			t.Errorf("%+v", p)
		}
	})
	t.Run("nothing at all", func(t *testing.T) {
		resp, b, _ := do(t, "POST", serve(t, &fake{}, nil, &steward).URL+"/v1/train", trainBody)
		if p := problemIn(t, resp, b); p.Kind != genesis.Unsupported {
			t.Errorf("%+v", p)
		}
	})
}

// TestPanicCutsTheStream: what was sent before must not look whole, and the
// server lives on.
func TestPanicCutsTheStream(t *testing.T) {
	s := &fake{train: func(_ context.Context, p genesis.Progress) (*genesis.Trained, error) {
		p(genesis.Event{Stage: "reading"})
		time.Sleep(3 * eventEvery)
		panic("a defect")
	}}
	srv := serve(t, s, nil, &steward)
	if _, b, err := do(t, "POST", srv.URL+"/v1/train", trainBody); err == nil {
		t.Errorf("a panic gave a whole response: %s", b)
	}
	if resp, _, _ := do(t, "GET", srv.URL+"/v1/node", ""); resp.StatusCode != 200 {
		t.Errorf("after a panic: %s", resp.Status)
	}
}

func TestClientGoesAway(t *testing.T) {
	stopped := make(chan error, 1)
	s := &fake{train: func(ctx context.Context, p genesis.Progress) (*genesis.Trained, error) {
		p(genesis.Event{Stage: "training"})
		<-ctx.Done()
		stopped <- ctx.Err()
		return nil, ctx.Err()
	}}
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "POST", serve(t, s, nil, &steward).URL+"/v1/train", strings.NewReader(trainBody))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(resp.Body).ReadBytes('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	resp.Body.Close()
	select {
	case <-stopped:
	case <-time.After(10 * time.Second):
		t.Fatal("the work goes on without its client")
	}
}

// TestWorkOutlivesBodyTimeout: the deadline for reading a request must not end
// the work that comes after.
func TestWorkOutlivesBodyTimeout(t *testing.T) {
	defer func(d time.Duration) { bodyTimeout = d }(bodyTimeout)
	bodyTimeout = 50 * time.Millisecond
	s := &fake{train: func(ctx context.Context, _ genesis.Progress) (*genesis.Trained, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(4 * bodyTimeout):
			return &genesis.Trained{}, nil
		}
	}}
	if resp, b, _ := do(t, "POST", serve(t, s, nil, &steward).URL+"/v1/train", trainBody); resp.StatusCode != 200 {
		t.Errorf("%s: %s", resp.Status, b)
	}
}

func TestExport(t *testing.T) {
	s := &fake{export: func(w io.Writer) error { _, err := io.WriteString(w, "a,b\n1,2\n"); return err }}
	srv := serve(t, s, nil, &steward)
	resp, b, _ := do(t, "GET", srv.URL+"/v1/versions/x%2Fy@3/export?table=t&format=csv&columns=a&columns=b%2Cc", "")
	if string(b) != "a,b\n1,2\n" || resp.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%q %v", b, resp.Header)
	}
	if got := resp.Header.Get("Accept-Ranges"); got != "none" {
		t.Errorf("parts: %q", got)
	}
	if got := resp.Header.Get("Content-Disposition"); got != `attachment; filename="x-y-3-t.csv"` {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"t", "csv", "a", "b,c"}, s.asked); diff != "" {
		t.Error(diff)
	}
	s.export = func(io.Writer) error { return nil }
	if resp, b, err := do(t, "GET", srv.URL+"/v1/versions/x/export", ""); resp.StatusCode != 200 || len(b) != 0 || err != nil {
		t.Errorf("an empty table: %s %q %v", resp.Status, b, err)
	}
}

func TestExportBreaks(t *testing.T) {
	var after int
	damaged := &genesis.Error{Op: "read blob", Kind: genesis.Internal, Subject: "sha256:1", Msg: "block 7 differs"}
	s := &fake{export: func(w io.Writer) error {
		if _, err := w.Write(make([]byte, after)); err != nil {
			return err
		}
		return damaged
	}}
	srv := serve(t, s, nil, &steward)
	after = 1000
	resp, b, err := do(t, "GET", srv.URL+"/v1/versions/x/export", "")
	if p := problemIn(t, resp, b); err != nil || *p.Err() != *damaged {
		t.Errorf("an early error: %+v, %v", p, err)
	}
	after = 1 << 20
	resp, _, err = do(t, "GET", srv.URL+"/v1/versions/x/export", "")
	if err == nil {
		t.Fatal("half an export looks whole")
	}
	resp, b, _ = do(t, "GET", srv.URL+"/v1/streams/"+resp.Header.Get(StreamHeader), "")
	if p := problemIn(t, resp, b); *p.Err() != *damaged {
		t.Errorf("why it broke: %+v", p)
	}
}

func TestOutput(t *testing.T) {
	s := &fake{output: func() (io.ReadCloser, int64, error) { return io.NopCloser(strings.NewReader("PAR1")), 4, nil }}
	srv := serve(t, s, nil, &steward)
	d := string(genesis.DigestOf([]byte("PAR1")))
	resp, b, err := do(t, "GET", srv.URL+"/v1/blobs/"+d, "")
	if string(b) != "PAR1" || resp.ContentLength != 4 || err != nil {
		t.Errorf("%q %d %v", b, resp.ContentLength, err)
	}
	// A blob that ends early contradicts the length it announced.
	s.output = func() (io.ReadCloser, int64, error) { return io.NopCloser(strings.NewReader("PA")), 4, nil }
	if _, b, err = do(t, "GET", srv.URL+"/v1/blobs/"+d, ""); err == nil {
		t.Errorf("a short blob looks whole: %q", b)
	}
}

// shelf is a desk with files under fixed tokens.
type shelf map[string]*os.File

func (s shelf) Take(session, token string) (*os.File, error) {
	f, ok := s[session+"/"+token]
	if !ok {
		return nil, &genesis.Error{Kind: genesis.Invalid, Msg: "was not handed over"}
	}
	delete(s, session+"/"+token)
	return f, nil
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(path string) *os.File {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first, second := open(path), open(path)
	desk := shelf{"s1/t1": first, "s1/t2": second, "s1/dir": open(filepath.Dir(path))}
	var names []string
	s := &fake{prepare: func(_ genesis.PrepareRequest, files, splits []*format.Raw) (*genesis.Prepared, error) {
		for _, f := range append(files, splits...) {
			b := make([]byte, f.Size)
			if _, err := f.At.ReadAt(b, 0); err != nil {
				return nil, err
			}
			names = append(names, f.Name+"="+string(b))
		}
		return &genesis.Prepared{}, nil
	}}
	srv := serve(t, s, desk, &steward)
	ask := func(session, token string) (*http.Response, []byte) {
		body := fmt.Sprintf(`{"name":"x","files":[{"path":"raw/x.csv","token":%q}],"options":{"split_files":[{"path":"s.txt","token":"t2"}]}}`, token)
		req, _ := http.NewRequestWithContext(t.Context(), "POST", srv.URL+"/v1/prepare", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set(SessionHeader, session)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp, b
	}
	for _, c := range [][2]string{{"s2", "t1"}, {"s1", "zz"}, {"s1", "dir"}} {
		resp, b := ask(c[0], c[1])
		if p := problemIn(t, resp, b); p.Kind != genesis.Invalid || p.Subject != "raw/x.csv" {
			t.Errorf("%v: %+v", c, p)
		}
	}
	if resp, b := ask("s1", "t1"); resp.StatusCode != 200 {
		t.Fatalf("%s", b)
	}
	if diff := cmp.Diff([]string{"raw/x.csv=a,b\n", "s.txt=a,b\n"}, names); diff != "" {
		t.Error(diff)
	}
	for _, f := range []*os.File{first, second} {
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Error("a descriptor outlives its request")
		}
	}
}

// TestPaging: what a page's next is to the service is nobody's to read or make
// up, and holds for its own list alone.
func TestPaging(t *testing.T) {
	var got string
	s := &fake{list: func(kind genesis.Kind, after string, limit int) ([]genesis.Asset, string, error) {
		got = fmt.Sprint(kind, " ", after, " ", limit)
		return nil, "turbines", nil
	}}
	url := serve(t, s, nil, &steward).URL + "/v1/assets?limit=7&kind="
	_, b, _ := do(t, "GET", url+"model", "")
	var page genesis.ListPage
	if err := json.Unmarshal(b, &page); err != nil || page.Assets == nil || page.Next == "" || strings.Contains(string(b), "turbines") {
		t.Fatalf("%v: %s", err, b)
	}
	if resp, b, _ := do(t, "GET", url+"model&after="+page.Next, ""); resp.StatusCode != 200 || got != "model turbines 7" {
		t.Errorf("%s: %s", got, b)
	}
	for _, wrong := range []string{"dataset&after=" + page.Next, "model&after=turbines"} {
		resp, b, _ := do(t, "GET", url+wrong, "")
		if p := problemIn(t, resp, b); p.Kind != genesis.Invalid {
			t.Errorf("%s: %+v", wrong, p)
		}
	}
}

// TestUnknownParameters: a parameter that an operation does not have is refused by its
// name, as a member of a body is; pages take what they are given.
func TestUnknownParameters(t *testing.T) {
	srv := httptest.NewServer(network(t, &fake{list: func(genesis.Kind, string, int) ([]genesis.Asset, string, error) { return nil, "", nil }}))
	defer srv.Close()
	for _, c := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"GET", "/v1/assets?limit=3", "", 200, ""},
		{"GET", "/v1/assets?lmit=3&kind=model&a=b", "", 422, "query.a: unexpected parameter; query.lmit: unexpected parameter"},
		{"GET", "/v1/versions/x/export?format=csv&colums=a", "", 422, "query.colums"},
		{"POST", "/v1/train?epochs=3", trainBody, 422, "query.epochs"},
		{"POST", "/v1/train", `{"epoch":3}`, 422, "body"},
		{"DELETE", "/v1/uploads/x?force=true", "", 422, "query.force"},
		{"PATCH", "/v1/uploads/x?offset=3", "", 422, "query.offset"},
		{"GET", "/openapi.json?x=1", "", 200, ""},
		{"GET", "/docs?x=1", "", 200, ""},
		{"GET", "/healthz?x=1", "", 200, ""},
	} {
		resp, b, _ := do(t, c.method, srv.URL+c.path, c.body)
		if resp.StatusCode != c.want || !strings.Contains(string(b), c.says) {
			t.Errorf("%s %s: %s %.300s", c.method, c.path, resp.Status, b)
		} else if c.want == 422 {
			if p := problemIn(t, resp, b); p.Request == "" || p.Kind != genesis.Invalid {
				t.Errorf("%s %s: %+v", c.method, c.path, p)
			}
		}
	}
}

// TestCardFieldsAreBounded: each PATCH of a card is kept.
func TestCardFieldsAreBounded(t *testing.T) {
	s := &fake{setCard: func(map[string]string) (*genesis.Card, error) { return &genesis.Card{}, nil }}
	url := serve(t, s, nil, &steward).URL + "/v1/versions/x/card"
	for field, most := range map[string]int{"title": 1000, "license": 1000, "description": 64 << 10, "keywords": 64 << 10} {
		for n, want := range map[int]int{most: 200, most + 1: 422} {
			resp, b, _ := do(t, "PATCH", url, `{"`+field+`":"`+strings.Repeat("x", n)+`"}`)
			if resp.StatusCode != want {
				t.Errorf("%d bytes of %s: %d %.200s", n, field, resp.StatusCode, b)
			}
		}
	}
}

func TestSetCard(t *testing.T) {
	s := &fake{setCard: func(fields map[string]string) (*genesis.Card, error) {
		return &genesis.Card{Title: fields["title"]}, nil
	}}
	_, b, _ := do(t, "PATCH", serve(t, s, nil, &steward).URL+"/v1/versions/x/card", `{"title":"T"}`)
	if strings.TrimSpace(string(b)) != `{"title":"T"}` {
		t.Errorf("%s", b)
	}
}
