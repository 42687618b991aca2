//go:build linux || darwin

package node

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/stream/ipc/ipctest"
)

// streamed asks for a stream.
func (w *town) streamed(h *http.Client, base, who, ref string, query url.Values) *http.Response {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), "GET", base+"/v1/datasets/"+url.PathEscape(ref)+"/stream?"+query.Encode(), nil)
	if err != nil {
		w.Fatal(err)
	}
	if token := w.token[who]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := h.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { resp.Body.Close() })
	return resp
}

// rowsOf reads a stream that must be whole.
func (w *town) rowsOf(who, ref string, query url.Values) *ipctest.Stream {
	w.Helper()
	resp := w.streamed(http.DefaultClient, w.url, who, ref, query)
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		b, _ := io.ReadAll(resp.Body)
		w.Fatalf("%s %s: %s %s", ref, query.Encode(), resp.Status, b)
	}
	s, err := ipctest.Read(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// why is the reason why a stream broke off.
func (w *town) why(who string, resp *http.Response) string {
	w.Helper()
	_, body := w.call(who, "GET", "/v1/streams/"+resp.Header.Get("Genesis-Stream"), "")
	return string(body)
}

// lendSplit is lend of a dataset with a random split.
func (w *town) lendSplit(name, csv string) *genesis.Grant {
	w.Helper()
	raw := &format.Raw{Name: name + ".csv", Size: int64(len(csv)), At: strings.NewReader(csv)}
	_, err := w.works.Prepare(w.Context(), w.local, genesis.PrepareRequest{Name: genesis.Name(name), Options: genesis.PrepareOptions{NoProof: true, Split: []string{"random"}}}, []*format.Raw{raw}, nil, nil)
	w.must(nil, err)
	w.must(w.works.Publish(w.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierControlled}))
	g, err := w.works.Grant(w.Context(), w.local, genesis.GrantRequest{Ref: name, To: "person:gil", Actions: []genesis.Action{genesis.Read}})
	w.must(nil, err)
	return g
}

// personal makes a token of somebody under another name.
func (w *town) personal(who, as string) genesis.Token {
	w.Helper()
	status, body := w.call(who, "POST", "/v1/tokens", `{"name":"`+as+`"}`)
	var made genesis.NewToken
	if err := json.Unmarshal(body, &made); err != nil || status != 200 {
		w.Fatalf("%d %s", status, body)
	}
	w.token[as] = made.Secret
	return made.Token
}

// TestWhatEndsStreams: a right that ends, in whatever way, ends the streams under it within
// a second, whether their reader is slow or does not read at all, and they learn why.
func TestWhatEndsStreams(t *testing.T) {
	w := newTown(t)
	base := w.reach(false)
	csv := long(200_000)
	off := true
	for _, end := range []struct {
		name, reason string
		how          func(name string, g *genesis.Grant, token genesis.Token) error
	}{
		{"grant", "takes a grant", func(_ string, g *genesis.Grant, _ genesis.Token) error {
			_, err := w.works.Revoke(t.Context(), w.local, g.ID, "over")
			return err
		}},
		{"token", "revoked", func(_ string, _ *genesis.Grant, token genesis.Token) error {
			status, body := w.call("gil", "DELETE", "/v1/tokens/"+token.ID, "")
			if status != 200 {
				return errors.New(string(body))
			}
			return nil
		}},
		{"withdraw", "withdrawn", func(name string, _ *genesis.Grant, _ genesis.Token) error {
			_, err := w.works.Withdraw(t.Context(), w.local, name+"@1", "wrong")
			return err
		}},
		{"erase", "", func(name string, _ *genesis.Grant, _ genesis.Token) error {
			_, err := w.works.Erase(t.Context(), w.local, name+"@1", "wrong")
			return err
		}},
		{"account", "", func(string, *genesis.Grant, genesis.Token) error { // last: gil is gone then
			_, err := w.works.ChangeAccount(t.Context(), w.local, "gil", genesis.AccountChange{Disabled: &off})
			return err
		}},
	} {
		t.Run(end.name, func(t *testing.T) {
			w := &town{T: t, node: w.node, url: w.url, works: w.works, local: w.local, token: w.token, asset: w.asset}
			name := "ends-" + end.name
			g := w.lend(name, csv, genesis.Read)
			token := w.personal("gil", "running")
			h, conns := slowly(false)
			slow := w.streamed(h, base, "running", name, url.Values{"mode": {"full"}, "batch": {"512"}})
			idle := w.streamed(http.DefaultClient, base, "running", name, url.Values{"batch": {"5000"}})
			for _, resp := range []*http.Response{slow, idle} {
				if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil || resp.StatusCode != 200 {
					t.Fatal(err, resp.Status)
				}
			}
			ended := make(chan error, 1)
			go func() { _, err := io.Copy(io.Discard, slow.Body); ended <- err }()
			conn := <-conns
			time.Sleep(300 * time.Millisecond)
			if err := end.how(name, g, token); err != nil {
				t.Fatal(err)
			}
			began, before := time.Now(), conn.read.Load()
			if err := <-ended; err == nil {
				t.Error("the slow one is whole")
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("the slow one ended after %v", took)
			}
			if n := conn.read.Load() - before; n > 3*slowBuffer {
				t.Errorf("%d bytes came afterwards", n)
			}
			if _, err := io.Copy(io.Discard, idle.Body); err == nil {
				t.Error("the idle one is whole")
			}
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the idle one ended after %v", took)
			}
			for _, resp := range []*http.Response{slow, idle} {
				who := "gil"
				if why := w.why(who, resp); end.name != "account" && (!strings.Contains(why, end.reason) || !strings.Contains(why, `"status":4`)) {
					t.Errorf("the reason is %s", why)
				}
			}
		})
	}
}

// TestStreamsOutliveTokens: a stream goes on when its token runs out by itself; the token
// begins no other one; and when it is revoked all the same, the stream ends.
func TestStreamsOutliveTokens(t *testing.T) {
	w := newTown(t)
	base := w.reach(false)
	w.lend("lasting", long(200_000), genesis.Read)
	token := w.personal("gil", "short")
	h, _ := slowly(false)
	resp := w.streamed(h, base, "short", "lasting", url.Values{"mode": {"full"}})
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, resp.Body); ended <- err }()
	w.must(nil, w.works.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE tokens SET expires_at = $1 WHERE id = $2", store.Time(time.Now().Add(-time.Second)), token.ID)
		return err
	}))
	select {
	case err := <-ended:
		t.Fatalf("it ended with %v: %s", err, w.why("gil", resp))
	case <-time.After(2 * time.Second):
	}
	if got := w.streamed(http.DefaultClient, base, "short", "lasting", nil); got.StatusCode != 401 {
		t.Errorf("a new stream is answered %s", got.Status)
	}
	began := time.Now()
	if status, body := w.call("gil", "DELETE", "/v1/tokens/"+token.ID, ""); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it was whole")
		}
	case <-time.After(5 * time.Second):
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it ended %v after the token was revoked", took)
	}
}

// cached lists the files that are kept for streams.
func (w *town) cached(home string) (paths []string) {
	w.Helper()
	err := filepath.WalkDir(filepath.Join(home, "cache"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return paths
}

// TestPurgeOfStreams: what streams keep of a version is gone as soon as it is erased, or
// purged, also what is being made at the time.
func TestPurgeOfStreams(t *testing.T) {
	var home string
	w := newTown(t, func(h *Home, _ *Options) { home = h.Path })
	for _, how := range []string{"erase", "purge"} {
		w.lend(how, long(50_000), genesis.Read)
		w.rowsOf("gil", how, url.Values{"mode": {"full"}})
		if len(w.cached(home)) == 0 {
			t.Fatal("nothing is kept")
		}
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for k := range 4 { // go on asking
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					query := url.Values{"mode": {"full"}, "shards": {"10"}, "shard": {fmt.Sprint(k)}}
					if k%2 == 0 {
						query.Set("mode", "sequential")
					}
					req, _ := http.NewRequestWithContext(t.Context(), "GET", w.url+"/v1/datasets/"+how+"/stream?"+query.Encode(), nil)
					req.Header.Set("Authorization", "Bearer "+w.token["gil"])
					if resp, err := http.DefaultClient.Do(req); err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
					}
				}
			})
		}
		time.Sleep(50 * time.Millisecond)
		ref := how + "@1"
		var err error
		if how == "erase" {
			_, err = w.works.Erase(t.Context(), w.local, ref, "wrong")
		} else {
			_, err = w.works.Purge(t.Context(), w.local, ref, "a spill", nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if left := w.cached(home); len(left) > 0 {
			t.Errorf("after %s there is %v", how, left)
		}
		time.Sleep(300 * time.Millisecond)
		close(stop)
		wg.Wait()
		if left := w.cached(home); len(left) > 0 {
			t.Errorf("some time after %s there is %v", how, left)
		}
	}
}

// TestStreamsAreEvident: what is streamed to whom is in the log before the first byte, and
// how much it was afterwards; refusals are, too. Who asks again for the same shares the
// entry, who asks for something else does not.
func TestStreamsAreEvident(t *testing.T) {
	var home string
	w := newTown(t, func(h *Home, _ *Options) { home = h.Path })
	w.lend("seen", long(1000), genesis.Read)
	reads := func() (out []genesis.AuditEntry) {
		t.Helper()
		page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Actor: "here/gil", Act: "read", Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return page.Entries
	}
	resp := w.streamed(http.DefaultClient, w.url, "gil", "seen", url.Values{"columns": {"a"}})
	if got := reads(); len(got) != 1 || got[0].Subject != "seen" || got[0].Outcome != genesis.Allowed {
		t.Fatalf("before it was read: %+v", got)
	}
	first, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	w.rowsOf("gil", "seen", url.Values{"columns": {"a"}})
	if got := reads(); len(got) != 1 {
		t.Errorf("the same again makes %d entries", len(got))
	}
	w.rowsOf("gil", "seen", url.Values{"columns": {"b"}})
	w.rowsOf("gil", "seen", url.Values{"filter": {"a > 3.0"}})
	if got := reads(); len(got) != 3 || !strings.Contains(string(got[0].Detail), "a \\u003e 3.0") && !strings.Contains(string(got[0].Detail), "a > 3.0") {
		t.Errorf("%+v", got)
	}
	if resp := w.streamed(http.DefaultClient, w.url, "ada", "seen", nil); resp.StatusCode != 403 {
		t.Errorf("ada is answered %s", resp.Status)
	}
	page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Actor: "here/ada", Act: "read"})
	if err != nil || len(page.Entries) != 1 || page.Entries[0].Outcome != genesis.Refused {
		t.Errorf("of the refusal there is %+v, %v", page, err)
	}
	w.must(nil, w.node.close()) // writes what is still to be told
	again := mustHome(t, home)
	again.Config.Node = "here"
	n, err := Start(t.Context(), again, Options{})
	w.must(n, err)
	defer n.close()
	w.works = n.service.(*works)
	told := int64(0)
	for _, e := range reads() {
		var amount struct{ Bytes int64 }
		if json.Unmarshal(e.Detail, &amount) == nil {
			told = max(told, amount.Bytes)
		}
	}
	if least := int64(2*len(first)) - 2000; told < least {
		t.Errorf("the log tells of %d bytes at most, of two streams of %d", told, len(first))
	}
}

// TestNoEvidenceNoStreams: while the journal cannot be written, no stream begins.
func TestNoEvidenceNoStreams(t *testing.T) {
	broken := &disk.Faulty{Disk: disk.OS}
	w := newTown(t, func(_ *Home, o *Options) { o.disk = broken })
	w.prepare("open", "a,b\n1,2\n")
	w.must(w.works.Publish(t.Context(), w.local, "open", genesis.PublishRequest{Tier: genesis.TierPublic}))
	broken.Fail(func(op, _ string) error {
		if op == "sync" || op == "write" || op == "create" {
			return syscall.ENOSPC
		}
		return nil
	})
	for _, path := range []string{"stream", "plan"} {
		if status, body := w.call("ada", "GET", "/v1/datasets/open/"+path, ""); status != 503 || bytes.Contains(body, []byte("ARROW")) || bytes.Contains(body, []byte("genesis.position")) {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	if status, body := w.call("ada", "POST", "/v1/datasets/open/cache", ""); status != 503 {
		t.Errorf("warming: %d %.200s", status, body)
	}
	broken.Fail(nil)
	time.Sleep(time.Second)
	if s := w.rowsOf("ada", "open", nil); len(s.Batches) != 1 {
		t.Error("afterwards there are no rows")
	}
}

// TestBadStreams: what cannot be is refused with the status that it should have and a
// problem that says what is wrong, before anything is read.
func TestBadStreams(t *testing.T) {
	w := newTown(t)
	w.prepare("open", long(100))
	w.must(w.works.Publish(t.Context(), w.local, "open", genesis.PublishRequest{Tier: genesis.TierPublic}))
	for query, want := range map[string]int{
		"":                                    200,
		"seed=18446744073709551615&mode=full": 200,
		"position=100":                        200,
		"shard=65535&shards=65536":            200,
		"seed=18446744073709551616":           422,
		"seed=-1":                             422,
		"position=9007199254740993":           422,
		"position=9223372036854775808":        422,
		"position=101":                        422,
		"position=-1":                         422,
		"shards=0":                            422,
		"shard=3&shards=3":                    422,
		"shard=9223372036854775807":           422,
		"shards=65537":                        422,
		"batch=1048577":                       422,
		"batch=-1":                            422,
		"block=7":                             422,
		"block=-7&mode=block":                 422,
		"mode=random":                         422,
		"as=json":                             422,
		"as=rows&mask=perhaps":                422,
		"columns=a&columns=nope":              404,
		"columns=a&columns=a":                 422,
		"columns=":                            200,
		"table=nope":                          404,
		"split=nope/train":                    404,
		"filter=a+%3E":                        422,
		"filter=a+%2B+1.0":                    422,
		"filter=nope+%3E+1":                   422,
		"filter=id.replace('',id)==''":        422,
		"filter=" + strings.Repeat("(", 3999): 422,
		"filter=" + strings.Repeat("a", 4001): 422,
		"key=00":                              409,
		"key=" + strings.Repeat("0", 65):      422,
		"unknown=1":                           422,
		"target=a":                            422,
	} {
		for _, route := range []string{"stream", "plan"} {
			status, h, body := w.exchange("ada", "GET", "/v1/datasets/open/"+route+"?"+query, "")
			if status != want {
				t.Errorf("%s?%.60s is answered %d, want %d: %.300s", route, query, status, want, body)
			}
			var p genesis.Problem
			if status != 200 && (json.Unmarshal(body, &p) != nil || p.Detail == "" && p.Title == "" || h.Get("Content-Type") != "application/problem+json") {
				t.Errorf("%s?%.60s: %s %s", route, query, h.Get("Content-Type"), body)
			}
			if status == 404 && p.Hint == "" { // ada may read it: she is told what there is
				t.Errorf("%s?%.60s: the hint is %q", route, query, p.Hint)
			}
		}
	}
}

// TestWideStreams: the metadata of a batch of many columns is longer than what is kept free
// in front of its body.
func TestWideStreams(t *testing.T) {
	w := newTown(t)
	const columns = 1500
	var head, cells []string
	for j := range columns {
		head, cells = append(head, fmt.Sprint("c", j)), append(cells, fmt.Sprint(j, ".5"))
	}
	w.prepare("wide", strings.Join(head, ",")+"\n"+strings.Repeat(strings.Join(cells, ",")+"\n", 3))
	w.must(w.works.Publish(t.Context(), w.local, "wide", genesis.PublishRequest{Tier: genesis.TierPublic}))
	for _, mode := range []string{"sequential", "full"} {
		s := w.rowsOf("ada", "wide", url.Values{"mode": {mode}, "batch": {"2"}})
		if len(s.Batches) != 2 || len(s.Fields) != columns {
			t.Fatalf("%d batches of %d columns", len(s.Batches), len(s.Fields))
		}
		for _, b := range s.Batches {
			for j, col := range b.Cols {
				if col[0] != float64(j)+0.5 {
					t.Fatalf("column %d is %v", j, col)
				}
			}
		}
	}
}

// TestNarrowStreams: a token that may do something else streams nothing; one that may read
// does, and no more than that.
func TestNarrowStreams(t *testing.T) {
	w := newTown(t)
	w.lend("one", long(100), genesis.Read)
	w.lend("two", long(100), genesis.Read)
	for scope, want := range map[genesis.Scope][2]int{"read": {200, 200}, "train": {403, 403}, "infer": {403, 403}, "read:one": {200, 403}} {
		w.token["narrow"] = w.narrow("gil", scope)
		for i, ref := range []string{"one", "two"} {
			for _, route := range []string{"GET stream", "GET plan", "POST cache"} {
				method, path, _ := strings.Cut(route, " ")
				if status, body := w.call("narrow", method, "/v1/datasets/"+ref+"/"+path, ""); status != want[i] && (status != 404 || want[i] != 403) {
					t.Errorf("%s may %s: %s of %s is answered %d %.200s", "gil", scope, route, ref, status, body)
				}
			}
		}
	}
}

// standing is what the process has open.
func standing(t *testing.T, home string) (goroutines, descriptors int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("nothing to count with")
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && (strings.HasPrefix(to, "socket:") || strings.HasPrefix(to, filepath.Join(home, "cache")) || strings.HasPrefix(to, filepath.Join(home, "blobs"))) {
			descriptors++
		}
	}
	return runtime.NumGoroutine(), descriptors
}

// settles waits until a count is back.
func settles(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > patience {
			b := make([]byte, 1<<20)
			t.Fatalf("%s\n%s", what, b[:runtime.Stack(b, true)])
		}
	}
}

// TestStreamsThatAreLeft opens hundreds of streams, whose clients do not read, close half of
// the connection, or go away: the node holds little for them, serves others meanwhile, and
// in the end nothing of them is left.
func TestStreamsThatAreLeft(t *testing.T) {
	var home string
	w := newTown(t, func(h *Home, _ *Options) { home = h.Path })
	base := w.reach(false)
	w.lendSplit("left", long(200_000))
	w.rowsOf("gil", "left", url.Values{"mode": {"full"}, "split": {"train"}, "batch": {"100000"}})
	http.DefaultClient.CloseIdleConnections()
	time.Sleep(200 * time.Millisecond)
	goroutines, descriptors := standing(t, home)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	const many = 240 // of one caller
	var conns []net.Conn
	host := strings.TrimPrefix(base, "http://")
	for k := range many {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		mode := []string{"full", "block", "sequential"}[k%3]
		fmt.Fprintf(c, "GET /v1/datasets/left/stream?mode=%s&split=train&seed=%d HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", mode, k, host, w.token["gil"])
		if k%10 == 9 {
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		if k == 0 { // before the others take this caller's places
			first := make([]byte, 12)
			if _, err := io.ReadFull(c, first); err != nil || string(first) != "HTTP/1.1 200" {
				rest := make([]byte, 1000)
				n, _ := c.Read(rest)
				t.Fatalf("%s%s, %v", first, rest[:n], err)
			}
		}
	}
	time.Sleep(3 * time.Second)
	runtime.GC()
	runtime.ReadMemStats(&during)
	per := (int64(during.HeapAlloc) - int64(before.HeapAlloc)) / many
	stacks := make([]byte, 16<<20)
	running := strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "stream.(*Stream).rest(")
	t.Logf("%d streams that nobody reads hold %d KiB each", running, per>>10)
	if running < many/2 {
		t.Errorf("only %d of %d streams are running: the test shows nothing", running, many)
	}
	if per > 1<<20 {
		t.Errorf("each holds %d bytes", per)
	}
	began := time.Now()
	if s := w.rowsOf("sam", "left", url.Values{"mode": {"full"}, "position": {"1000"}, "batch": {"1000"}}); len(s.Batches) != 199 { // of the whole table
		t.Errorf("%d batches", len(s.Batches))
	}
	t.Logf("another stream meanwhile takes %v", time.Since(began))
	for _, c := range conns {
		c.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	settles(t, "goroutines or descriptors are left", func() bool {
		g, d := standing(t, home)
		return g <= goroutines+5 && d <= descriptors+2
	})
	if err := w.works.Cache.Forget(w.version("left")); err != nil {
		t.Fatal(err)
	}
	if n := w.works.Cache.Size(); n != 0 {
		t.Errorf("%d bytes of the cache are in use by nobody", n)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err == nil && bytes.Contains(maps, []byte(filepath.Join(home, "cache"))) {
		t.Error("something of the cache is mapped")
	}
}

func (w *town) version(name string) genesis.Digest {
	w.Helper()
	d, err := w.works.Describe(w.Context(), w.local, name)
	if err != nil {
		w.Fatal(err)
	}
	return d.Version.Digest
}

// TestExpensiveFilters: a filter that takes long, on the largest batch there is, ends with
// its client, and with the right to it.
func TestExpensiveFilters(t *testing.T) {
	w := newTown(t)
	base := w.reach(false)
	g := w.lend("filtered", long(50_000), genesis.Read)
	list := "[" + strings.Repeat("1,", 60) + "1]"
	slow := list + ".exists(x, " + list + ".exists(y, double(x + y) + a < 0.0))"
	query := url.Values{"filter": {slow}, "batch": {"1048576"}}
	goroutines := func() int {
		b := make([]byte, 4<<20)
		return strings.Count(string(b[:runtime.Stack(b, true)]), "chosenRows).of")
	}
	ask := func(ctx context.Context, query string) {
		req, _ := http.NewRequestWithContext(ctx, "GET", base+"/v1/datasets/filtered/stream?"+query, nil)
		req.Header.Set("Authorization", "Bearer "+w.token["gil"])
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	for _, mode := range []string{"full", "sequential"} {
		query.Set("mode", mode)
		ctx, leave := context.WithCancel(t.Context())
		go ask(ctx, query.Encode())
		settles(t, "it does not begin", func() bool { return goroutines() > 0 })
		leave()
		began := time.Now()
		settles(t, "it goes on without its client", func() bool { return goroutines() == 0 })
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: without its client it goes on for %v", mode, took)
		}
	}
	go ask(t.Context(), query.Encode())
	settles(t, "it does not begin", func() bool { return goroutines() > 0 })
	w.must(w.works.Revoke(t.Context(), w.local, g.ID, "over"))
	began := time.Now()
	settles(t, "it goes on without a right to it", func() bool { return goroutines() == 0 })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("without a right to it it goes on for %v", took)
	}
}

// TestResumeOverHTTP stops loops of several workers at random points and goes on with other
// numbers of workers: the rows are those of a loop that was not stopped.
func TestResumeOverHTTP(t *testing.T) {
	w := newTown(t)
	w.lendSplit("loop", long(2000))
	rng := rand.New(rand.NewPCG(7, 8))
	workers := []int{1, 2, 7, 3}
	for _, mode := range []string{"sequential", "block", "full"} {
		for _, more := range []url.Values{{}, {"split": {"train"}}, {"filter": {"c > 4"}}, {"split": {"train"}, "filter": {"id.endsWith('7')"}}} {
			query := url.Values{"mode": {mode}, "seed": {"3"}, "epoch": {"2"}, "columns": {"id"}}
			for k, v := range more {
				query[k] = v
			}
			want := idsOf(w.rowsOf("gil", "loop", query).Batches)
			var plan genesis.StreamPlan
			if status, body := w.call("gil", "GET", "/v1/datasets/loop/plan?"+query.Encode(), ""); status != 200 || json.Unmarshal(body, &plan) != nil {
				t.Fatalf("%d %s", status, body)
			}
			query.Set("key", plan.Key)
			var got []string
			position := int64(0)
			for stops := 0; position < plan.Rows; stops++ {
				n := workers[stops%4]
				query.Set("position", fmt.Sprint(position))
				query.Set("batch", fmt.Sprint(50+rng.IntN(200)))
				query.Set("shards", fmt.Sprint(n))
				var shards [][]ipctest.Batch
				for k := range n {
					query.Set("shard", fmt.Sprint(k))
					shards = append(shards, w.rowsOf("gil", "loop@"+string(plan.Version), query).Batches)
				}
				for k := range 1 + rng.IntN(9) {
					if k/n >= len(shards[k%n]) {
						break
					}
					b := shards[k%n][k/n]
					if b.From != position {
						t.Fatalf("a batch begins at %d; %d was consumed", b.From, position)
					}
					got, position = append(got, idsOf([]ipctest.Batch{b})...), b.Next
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %v: other rows after stops\n%s", mode, more, diff)
			}
			for k, v := range map[string]string{"seed": "4", "epoch": "3", "mode": "block", "split": "test"} {
				changed := url.Values{"mode": {mode}, "seed": {"3"}, "epoch": {"2"}, "key": {plan.Key}}
				if mode == "sequential" && (k == "seed" || k == "epoch") || mode == v {
					continue
				}
				if more.Get("split") != "" {
					changed.Set("split", more.Get("split"))
				}
				changed.Set(k, v)
				if status, body := w.call("gil", "GET", "/v1/datasets/loop/stream?"+changed.Encode(), ""); status != 409 {
					t.Errorf("%s with another %s is answered %d %.200s", mode, k, status, body)
				}
			}
		}
	}
}

func idsOf(batches []ipctest.Batch) (ids []string) {
	for _, b := range batches {
		for _, id := range b.Cols[0] {
			ids = append(ids, id.(string))
		}
	}
	return slices.Clone(ids)
}
