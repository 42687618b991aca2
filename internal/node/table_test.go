//go:build linux || darwin

package node

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// fetch asks for a table as somebody, with header fields in pairs.
func (w *town) fetch(who, method, path string, header ...string) (*http.Response, []byte) {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), method, w.url+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	if token := w.token[who]; token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp, b
}

// noise is a table that hardly packs: 64 letters a row.
func noise(rows int) string {
	random := rand.NewChaCha8([32]byte{7})
	var b strings.Builder
	b.WriteString("id,noise\n")
	letters := make([]byte, 48)
	for i := range rows {
		_, _ = random.Read(letters) // never fails
		fmt.Fprintf(&b, "%d,%s\n", i, base64.RawURLEncoding.EncodeToString(letters))
	}
	return b.String()
}

// TestTableByURL: parts of a table are parts of the whole, which is the stored file, and
// what is asked beside is answered by its ETag.
func TestTableByURL(t *testing.T) {
	w := newTown(t)
	w.lend("wind", noise(3000), genesis.Read)
	const path = "/v1/datasets/wind@1/tables/data.parquet"
	resp, whole := w.fetch("gil", "GET", path)
	tag := resp.Header.Get("Etag")
	if resp.StatusCode != 200 || tag != `"`+string(genesis.DigestOf(whole))+`"` || !bytes.HasPrefix(whole, []byte("PAR1")) || !bytes.HasSuffix(whole, []byte("PAR1")) {
		t.Fatalf("%s, %d bytes of %s", resp.Status, len(whole), tag)
	}
	size := len(whole)
	if size < 100_000 {
		t.Fatalf("it is only %d bytes", size)
	}
	head, _ := w.fetch("gil", "HEAD", path)
	if head.StatusCode != 200 || head.ContentLength != int64(size) || head.Header.Get("Etag") != tag || head.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("HEAD: %s %d %v", head.Status, head.ContentLength, head.Header)
	}
	for _, c := range []struct{ from, to int }{{0, 3}, {size - 8, size - 1}, {1000, 1000}, {65_000, 66_000}, {1, size - 2}} {
		part, b := w.fetch("gil", "GET", path, "Range", fmt.Sprintf("bytes=%d-%d", c.from, c.to), "If-Range", tag)
		if part.StatusCode != 206 || !bytes.Equal(b, whole[c.from:c.to+1]) {
			t.Errorf("%+v: %s, %d bytes", c, part.Status, len(b))
		}
	}
	for _, c := range []struct {
		name, value string
		status      int
	}{{"If-None-Match", tag, 304}, {"If-Match", `"sha256:0"`, 412}, {"Range", fmt.Sprintf("bytes=%d-", size), 416}} {
		if got, _ := w.fetch("gil", "GET", path, c.name, c.value); got.StatusCode != c.status {
			t.Errorf("%s: %s", c.name, got.Status)
		}
	}
}

// TestTableHint: which tables there are is told to who may read them.
func TestTableHint(t *testing.T) {
	w := newTown(t)
	w.lend("wind", "a,b\n1,2\n", genesis.Read)
	const path = "/v1/datasets/wind/tables/none"
	for who, want := range map[string]struct {
		status int
		hint   bool
	}{"gil": {404, true}, "ada": {403, false}, "nobody": {404, false}} {
		resp, b := w.fetch(who, "GET", path)
		if resp.StatusCode != want.status || strings.Contains(string(b), "its tables are data") != want.hint {
			t.Errorf("%s: %s %s", who, resp.Status, b)
		}
	}
	hidden, b := w.fetch("nobody", "GET", path)
	none, other := w.fetch("nobody", "GET", "/v1/datasets/bats/tables/none")
	if got, want := steady(string(b)), strings.ReplaceAll(steady(string(other)), "bats", "wind"); hidden.StatusCode != none.StatusCode || got != want {
		t.Errorf("what is hidden: %s, what is not there: %s", got, want)
	}
}

// TestTableEvidence: dozens of requests for parts share one entry of the journal; one
// that is refused is another.
func TestTableEvidence(t *testing.T) {
	w := newTown(t)
	w.lend("wind", long(3000), genesis.Read)
	for i := range 30 {
		if resp, b := w.fetch("gil", "GET", "/v1/datasets/wind/tables/data", "Range", fmt.Sprintf("bytes=%d-%d", i, i+9)); resp.StatusCode != 206 || len(b) != 10 {
			t.Fatalf("%s %q", resp.Status, b)
		}
	}
	w.fetch("ada", "HEAD", "/v1/datasets/wind/tables/data")
	if got := w.entries("wind", genesis.Allowed); got != 1 {
		t.Errorf("%d entries say that it was read", got)
	}
	if got := w.entries("wind", genesis.Refused); got != 1 {
		t.Errorf("%d entries say that it was refused", got)
	}
}

// TestTableIsCounted: the log says how often a table was read by its URL, and how much.
func TestTableIsCounted(t *testing.T) {
	w := newTown(t, func(h *Home, _ *Options) { h.Config.Journal.Window = 200 * time.Millisecond })
	w.lend("wind", long(3000), genesis.Read)
	for _, part := range []string{"bytes=0-9", "bytes=100-199", "bytes=-5"} {
		w.fetch("gil", "GET", "/v1/datasets/wind/tables/data", "Range", part)
	}
	w.fetch("gil", "HEAD", "/v1/datasets/wind/tables/data")
	var total struct{ Reads, Bytes int64 }
	for deadline := time.Now().Add(promptly); total.Reads < 4 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		page, err := w.works.Audit(t.Context(), w.local, genesis.AuditQuery{Act: "read", Outcome: genesis.Done, Subject: "wind"})
		if err != nil {
			t.Fatal(err)
		}
		total.Reads, total.Bytes = 0, 0
		for _, e := range page.Entries {
			var one struct{ Reads, Bytes int64 }
			if err := json.Unmarshal(e.Detail, &one); err != nil {
				t.Fatal(err)
			}
			total.Reads, total.Bytes = total.Reads+one.Reads, total.Bytes+one.Bytes
		}
	}
	if total.Reads != 4 || total.Bytes != 115 {
		t.Errorf("%+v", total)
	}
}

// entries counts the entries of reading an asset with an outcome.
func (w *town) entries(name string, outcome genesis.Outcome) int {
	w.Helper()
	page, err := w.works.Audit(w.Context(), w.local, genesis.AuditQuery{Act: "read", Outcome: outcome, Subject: name})
	if err != nil {
		w.Fatal(err)
	}
	return len(page.Entries)
}

// TestNarrowTableToken: a token that reads one asset reads no other, and does nothing
// else to it.
func TestNarrowTableToken(t *testing.T) {
	w := newTown(t)
	for _, name := range []string{"wind", "waves"} {
		w.prepare(name, "a,b\n1,2\n")
		w.must(w.works.Publish(t.Context(), w.local, name, genesis.PublishRequest{Tier: genesis.TierPublic}))
	}
	w.token["url"] = w.narrow("sam", "read:wind")
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/datasets/wind/tables/data", "", 200},
		{"HEAD", "/v1/datasets/wind@1/tables/data.parquet", "", 200},
		{"GET", "/v1/datasets/waves/tables/data", "", 404},
		{"HEAD", "/v1/datasets/waves/tables/data", "", 404},
		{"POST", "/v1/train", `{"dataset":"wind","name":"~sam/net","target":["b"]}`, 403},
		{"POST", "/v1/versions/wind/withdraw", `{"reason":"r"}`, 403},
		{"POST", "/v1/grants", `{"ref":"wind","to":"person:mit/zoe","actions":["infer"]}`, 403},
		{"POST", "/v1/tokens", `{"name":"wider","scopes":["read"]}`, 403},
		{"GET", "/v1/tokens", "", 403},
	} {
		if status, b := w.call("url", c.method, c.path, c.body); status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, b)
		}
	}
}

// TestTableEnds: what is being sent of a table ends when it is withdrawn, or the right to
// it is revoked, and so does what is asked for afterwards.
func TestTableEnds(t *testing.T) {
	w := newTown(t)
	rows := noise(80_000)
	for name, end := range map[string]struct {
		how    func(*genesis.Grant) error
		reason string
		after  int
	}{
		"revoked": {func(g *genesis.Grant) error {
			_, err := w.works.Revoke(t.Context(), w.local, g.ID, "over")
			return err
		}, "takes a grant", 403},
		"withdrawn": {func(*genesis.Grant) error {
			_, err := w.works.Withdraw(t.Context(), w.local, "withdrawn@1", "wrong sensor")
			return err
		}, "withdrawn", 410},
	} {
		t.Run(name, func(t *testing.T) {
			g := w.lend(name, rows, genesis.Read)
			h, conns := slowly(false)
			url := w.reach(false) + "/v1/datasets/" + name + "@1/tables/data"
			req, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			req.Header.Set("Authorization", "Bearer "+w.token["gil"])
			req.Header.Set("Range", "bytes=4-")
			resp, err := h.Do(req)
			if err != nil || resp.StatusCode != 206 || resp.ContentLength < 2<<20 {
				t.Fatal(err, resp.Status, resp.ContentLength)
			}
			defer resp.Body.Close()
			conn := <-conns
			if err := end.how(g); err != nil {
				t.Fatal(err)
			}
			began, before := time.Now(), conn.read.Load()
			n, err := io.Copy(io.Discard, resp.Body)
			if err == nil || n >= resp.ContentLength {
				t.Errorf("it went on to its end, %d bytes", n)
			}
			if took := time.Since(began); took > promptly {
				t.Errorf("it ended after %v", took)
			}
			if after := conn.read.Load() - before; after > slowRate+3*slowBuffer {
				t.Errorf("%d bytes came afterwards", after)
			}
			_, why := w.call("gil", "GET", "/v1/streams/"+resp.Header.Get("Genesis-Stream"), "")
			var p genesis.Problem
			if err := json.Unmarshal(why, &p); err != nil || !strings.Contains(p.Detail, end.reason) {
				t.Errorf("the reason is %s", why)
			}
			if status, b := w.call("gil", "GET", "/v1/datasets/"+name+"@1/tables/data", ""); status != end.after {
				t.Errorf("afterwards: %d %s", status, b)
			}
		})
	}
}
